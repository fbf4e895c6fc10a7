"""At the client's seam an attempt is all that `send` does: credentials, cookies, hooks, redirects, and reading the body."""

import inspect
import pickle

import attrs
import pytest

from bide import Routes, accept_on, anything, code, give_up_on, history, network, retry_on, timeout
from bide.testing import steps

POLICY = retry_on(503, network).fixed(2)
OK = steps.respond(body="done")
CUT = {
    "by length": steps.truncate(),
    "by chunk": steps.truncate(framing="chunked"),
    "to nothing": steps.truncate(keep=0),
    "by a reset": steps.truncate(ending="reset"),
    "by a bad chunk": steps.bad_chunk(),
}


@pytest.fixture
def kit(kit):
    return attrs.evolve(kit, seam="client")


@pytest.fixture
def async_kit(async_kit):
    return attrs.evolve(async_kit, seam="client")


# The body


@pytest.mark.parametrize("how", CUT)
async def test_a_body_that_was_cut_off_is_asked_for_again(kit, server, clock, how):
    server.on("/f", CUT[how], CUT[how], OK)
    async with kit.client(POLICY, clock=clock) as client:
        response = await client.get(server.url + "/f")
    assert (response.status_code, response.text) == (200, "done")
    assert len(server.requests) == 3
    assert clock.sleeps == [2.0, 2.0]


async def test_a_body_that_stalls_is_asked_for_again(kit, server, clock):
    server.on("/f", steps.trickle(b"ab", pause=0.3), OK)
    policy = retry_on(timeout("read")).fixed(2)
    async with kit.client(policy, clock=clock, timeout=kit.module.Timeout(5, read=0.1)) as client:
        response = await client.get(server.url + "/f")
    assert response.text == "done"
    assert len(server.requests) == 1 + len(clock.sleeps)


@pytest.mark.parametrize("how", CUT)
async def test_the_last_body_that_was_cut_off_is_the_clients_own_error_with_the_history(
    kit, server, clock, how
):
    server.on("/f", CUT[how])
    async with kit.client(POLICY, clock=clock) as client:
        with pytest.raises(kit.module.TransportError) as caught:
            await client.get(server.url + "/f")
    kept = history(caught.value)
    assert (kept.reason, kept.attempts) == ("retries_exhausted", 4)
    assert {one.outcome for one in kept} == {type(caught.value).__name__}
    assert caught.value.request.url == server.url + "/f"
    assert "gave up after 4 attempts" in caught.value.__notes__[0]


@pytest.mark.parametrize("how", CUT)
async def test_a_write_whose_answer_was_cut_off_may_have_been_processed(kit, server, clock, how):
    server.on("/f", CUT[how], OK)
    async with kit.client(POLICY, clock=clock) as client:
        with pytest.raises(kit.module.TransportError) as caught:
            await client.post(server.url + "/f", content=b"pay")
    assert history(caught.value).reason == "not_idempotent"
    assert len(server.requests) == 1


async def test_a_write_whose_answer_was_cut_off_is_repeated_when_it_has_a_key(kit, server, clock):
    server.on("/f", steps.truncate(), OK)
    async with kit.client(POLICY, clock=clock) as client:
        response = await client.post(server.url + "/f", content=b"pay", headers={"Idempotency-Key": "k"})
    assert response.text == "done"
    assert [seen.body for seen in server.requests] == [b"pay", b"pay"]


async def test_an_error_is_judged_by_its_status_even_if_its_body_is_cut_off(kit, server, clock):
    cut = steps.truncate(status=429, headers={"Retry-After": "30"})
    server.on("/f", cut, OK)
    policy = retry_on(429).after_header("Retry-After")
    async with kit.client(policy, clock=clock) as client:
        response = await client.post(server.url + "/f", content=b"pay")
    assert response.text == "done"
    assert clock.sleeps[0] >= 30


async def test_an_error_that_no_rule_is_about_is_a_failure_of_the_network_if_it_is_cut_off(
    kit, server, clock
):
    server.on("/f", steps.truncate(status=404), OK)
    async with kit.client(POLICY, clock=clock) as client:
        assert (await client.get(server.url + "/f")).text == "done"


async def test_the_last_error_whose_body_is_cut_off_tells_what_went_before(kit, server, clock):
    server.on("/f", steps.truncate(status=503))
    async with kit.client(retry_on(503).fixed(2), clock=clock) as client:
        with pytest.raises(kit.module.RemoteProtocolError) as caught:
            await client.get(server.url + "/f")
    assert history(caught.value).reason == "retries_exhausted"
    assert [one.outcome for one in history(caught.value)] == ["503"] * 4


async def test_what_the_client_gave_up_on_is_not_repeated_by_a_policy_around_it(kit, server, clock):
    server.on("/f", steps.truncate(status=503))
    outer = POLICY.max(2).bind(clock=clock)
    async with kit.client(POLICY.max(2), clock=clock) as client:
        call = outer.acall if kit.is_async else outer.call
        with pytest.raises(kit.module.RemoteProtocolError) as caught:
            got = call(client.own.get, server.url + "/f")
            await got
    assert len(server.requests) == 3
    assert history(caught.value).reason == "inner_exhausted"


async def test_the_last_error_is_read_as_without_retries(kit, server, clock):
    server.on("/f", steps.respond(503, body=b"e" * 100_000))
    async with kit.client(POLICY, clock=clock) as client:
        response = await client.get(server.url + "/f")
    assert response.is_closed
    assert response.content == b"e" * 100_000
    assert response.elapsed.total_seconds() > 0
    assert history(response).reason == "retries_exhausted"


async def test_a_success_that_a_rule_looks_into_is_read_to_its_end_all_the_same(kit, server, clock):
    later = steps.json(200, {"code": "later"})
    server.on("/f", later, steps.truncate(b'{"code": "cut"}'), steps.json(200, {"code": "now"}))
    async with kit.client(POLICY | retry_on(200 & code("later")).fixed(5), clock=clock) as client:
        response = await client.get(server.url + "/f")
    assert response.json() == {"code": "now"}
    assert response.elapsed.total_seconds() > 0
    assert clock.sleeps == [5.0, 2.0]


# A stream


async def test_a_stream_that_is_cut_off_is_the_readers_own_affair(kit, server, clock):
    server.on("/f", steps.respond(503, body="no"), steps.truncate(), OK)
    async with kit.client(POLICY, clock=clock) as client, client.stream("GET", server.url + "/f") as response:
        assert not response.is_stream_consumed
        with pytest.raises(kit.module.RemoteProtocolError):
            await client.read(response)
    assert len(server.requests) == 2
    assert clock.sleeps == [2.0]


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_a_rejected_stream_gives_its_connection_to_the_next_attempt(kit, server, clock, framing):
    server.on("/f", steps.respond(503, body=b"e" * 1000, framing=framing), OK)
    limits = kit.module.Limits(max_connections=1)
    retrying = kit.client(POLICY, clock=clock, limits=limits)
    async with retrying as client, client.stream("GET", server.url + "/f") as response:
        assert await client.read(response) == b"done"
    assert server.connections == 1


async def test_the_last_rejected_stream_is_open_and_can_be_read(kit, server, clock):
    server.on("/f", steps.respond(503, body=b"sorry"))
    async with kit.client(POLICY, clock=clock) as client, client.stream("GET", server.url + "/f") as response:
        assert not response.is_stream_consumed
        assert await client.read(response) == b"sorry"
        assert history(response).attempts == 4


async def test_what_breaks_while_a_stream_is_looked_into_names_its_request(kit, server, clock):
    server.on("/f", steps.truncate(status=400))
    async with kit.client(retry_on(400 & code("later")).fixed(2), clock=clock) as client:
        with pytest.raises(kit.module.RemoteProtocolError) as caught:
            await client.send(client.own.build_request("GET", server.url + "/f"), stream=True)
    assert caught.value.request.url == server.url + "/f"


# Credentials


def rotating(kit):
    """An auth flow that has another token each time, and puts it into the request that it is given."""

    class Rotating(kit.module.Auth):
        given = 0

        def auth_flow(self, request):
            self.given += 1
            assert "Authorization" not in request.headers
            request.headers["Authorization"] = f"Bearer t{self.given}"
            yield request

    return Rotating()


@pytest.mark.parametrize("whose", ["the call's", "the client's"])
async def test_each_attempt_has_fresh_credentials(kit, server, clock, whose):
    server.on("/f", steps.respond(401), steps.drop(), OK)
    by_client = {"auth": rotating(kit)} if whose == "the client's" else {}
    by_call = {"auth": rotating(kit)} if whose == "the call's" else {}
    async with kit.client(retry_on(401, network).fixed(2), clock=clock, **by_client) as client:
        response = await client.get(server.url + "/f", **by_call)
    assert response.text == "done"
    assert [seen.header("Authorization") for seen in server.requests] == [
        "Bearer t1",
        "Bearer t2",
        "Bearer t3",
    ]


async def test_the_response_tells_what_was_sent_and_the_callers_request_is_untouched(kit, server, clock):
    server.on("/f", steps.respond(503), OK)
    policy = POLICY.within(60)
    async with kit.client(policy, clock=clock, count_header="X-Retry-Count", idempotency_key=True) as client:
        request = client.own.build_request("POST", server.url + "/f", content=b"pay")
        before = (list(request.headers.raw), dict(request.extensions), request.stream)
        response = await client.send(request, auth=rotating(kit))
        assert (list(request.headers.raw), request.extensions, request.stream) == before
    assert response.request is not request
    assert response.request.headers["Authorization"] == "Bearer t2"
    assert response.request.headers["X-Retry-Count"] == "1"
    assert response.request.content == b"pay"
    assert response.request.extensions["timeout"] == request.extensions["timeout"]


async def test_a_token_is_fetched_again_for_each_attempt(kit, server, clock):
    server.on("/token", steps.respond(body="t1"), steps.truncate(), steps.respond(body="t2"))
    server.on("/f", steps.respond(503), OK)
    async with kit.client(POLICY, clock=clock) as client:
        response = await client.get(server.url + "/f", auth=kit.token_auth(server.url + "/token"))
    assert response.text == "done"
    seen = [(one.path, one.header("Authorization")) for one in server.requests]
    assert seen == [
        ("/token", None), ("/f", "Bearer t1"), ("/token", None), ("/token", None), ("/f", "Bearer t2"),
    ]  # fmt: skip


async def test_digest_auth_starts_from_the_callers_request_each_time(kit, server, clock):
    challenge = {"WWW-Authenticate": 'Digest realm="r", qop="auth", nonce="n", algorithm=MD5'}

    def answer(seen):
        if not seen.header("Authorization"):
            return steps.respond(401, challenge)
        return steps.respond(503) if "nc=00000001" in seen.header("Authorization") else OK

    server.on("/f", answer)
    async with kit.client(POLICY, clock=clock) as client:
        response = await client.get(server.url + "/f", auth=kit.module.DigestAuth("user", "secret"))
    assert response.text == "done"
    assert [bool(seen.header("Authorization")) for seen in server.requests] == [False, True, True]


async def test_a_body_that_an_auth_flow_has_read_is_sent_again(kit, server, clock):
    class Signing(kit.module.Auth):
        requires_request_body = True

        def auth_flow(self, request):
            request.headers["X-Signed"] = request.content.decode()
            yield request

    server.on("/f", steps.respond(503), OK)
    async with kit.client(POLICY, clock=clock) as client:
        response = await client.request(
            "PUT", server.url + "/f", content=kit.body(b"abc", b"def"), auth=Signing()
        )
    assert response.text == "done"
    assert [(seen.body, seen.header("X-Signed")) for seen in server.requests] == [(b"abcdef", "abcdef")] * 2


async def test_what_signs_a_request_finds_its_content(kit, server, clock):
    def sign(request):
        request.headers["X-Signed"] = request.content.decode()
        return request

    server.on("/f", steps.respond(503), OK)
    async with kit.client(POLICY, clock=clock) as client:
        await client.request("PUT", server.url + "/f", content=b"abc", auth=sign)
    assert [seen.header("X-Signed") for seen in server.requests] == ["abc", "abc"]


# Hooks


def hooks(kit, **plain):
    """Event hooks of the kind that the client takes."""

    def taken(hook):
        async def awaited(of):
            hook(of)

        return awaited if kit.is_async else hook

    return {"event_hooks": {kind: [taken(hook)] for kind, hook in plain.items()}}


async def test_event_hooks_fire_for_each_attempt(kit, server, clock):
    fired = []
    server.on("/f", steps.respond(503), OK)
    both = hooks(
        kit, request=lambda of: fired.append(of.method), response=lambda of: fired.append(of.status_code)
    )
    async with kit.client(POLICY, clock=clock, **both) as client:
        await client.get(server.url + "/f")
    assert fired == ["GET", 503, "GET", 200]


async def test_a_hook_that_raises_for_statuses_leaves_them_to_the_rules(kit, server, clock):
    server.on("/f", steps.respond(429, {"Retry-After": "30"}), steps.respond(503))
    policy = retry_on(429).after_header("Retry-After") | retry_on(503).fixed(2)
    async with kit.client(
        policy, clock=clock, **hooks(kit, response=lambda of: of.raise_for_status())
    ) as client:
        with pytest.raises(kit.module.HTTPStatusError) as caught:
            await client.get(server.url + "/f")
    assert caught.value.response.status_code == 503
    assert [one.rule for one in history(caught.value)] == [0, 1, 1, 1, 1]
    assert clock.sleeps[0] >= 30
    assert clock.sleeps[1:] == [2.0] * 3


async def test_a_hook_that_reads_and_raises_lets_rules_look_into_the_body(sync_kit, server, clock):
    def refuse(response):
        response.read()
        response.raise_for_status()

    server.on("/f", steps.json(400, {"code": "later"}), OK)
    kit = attrs.evolve(sync_kit, seam="client")
    policy = retry_on(400 & code("later")).fixed(2)
    async with kit.client(policy, clock=clock, **hooks(kit, response=refuse)) as client:
        assert (await client.get(server.url + "/f")).text == "done"
    assert clock.sleeps == [2.0]


# Redirects


async def test_each_attempt_begins_with_the_first_of_the_redirects(kit, server, clock):
    server.on("/f", steps.respond(302, {"Location": "/g"})).on("/g", steps.respond(503), steps.drop(), OK)
    async with kit.client(POLICY, clock=clock, follow_redirects=True) as client:
        response = await client.get(server.url + "/f")
    assert response.text == "done"
    assert [seen.path for seen in server.requests] == ["/f", "/g"] * 3
    assert [one.status_code for one in response.history] == [302]


@pytest.mark.parametrize("by", ["call", "client"])
async def test_whether_redirects_are_followed_is_up_to_the_call_or_the_client(kit, server, clock, by):
    server.on("/f", steps.respond(302, {"Location": "/g"})).on("/g", OK)
    async with kit.client(POLICY, clock=clock, follow_redirects=by == "client") as client:
        followed = await client.get(server.url + "/f", **({"follow_redirects": True} if by == "call" else {}))
        left = await client.get(server.url + "/f", follow_redirects=False)
    assert (followed.text, left.status_code) == ("done", 302)
    assert left.next_request.url == server.url + "/g"


async def test_too_many_redirects_are_no_failure_of_the_network(kit, server, clock):
    server.on("/f", steps.respond(302, {"Location": "/f"}))
    async with kit.client(POLICY, clock=clock, follow_redirects=True, max_redirects=5) as client:
        with pytest.raises(kit.module.TooManyRedirects):
            await client.get(server.url + "/f")
    assert len(server.requests) == 6


async def test_credentials_stay_away_from_another_origin_in_every_attempt(kit, server, clock):
    server.on("/f", steps.respond(302, {"Location": server.url.replace("127.0.0.1", "localhost") + "/g"}))
    server.on("/g", steps.respond(503), OK)
    async with kit.client(POLICY, clock=clock, follow_redirects=True) as client:
        await client.get(server.url + "/f", headers={"Authorization": "Bearer secret"})
    assert [seen.header("Authorization") for seen in server.requests] == ["Bearer secret", None] * 2


@pytest.mark.parametrize("status", [307, 308])
async def test_a_body_goes_along_the_redirects_of_every_attempt(kit, server, clock, status):
    server.on("/f", steps.respond(status, {"Location": "/g"})).on("/g", steps.respond(503), OK)
    async with kit.client(POLICY, clock=clock, follow_redirects=True) as client:
        await client.request("PUT", server.url + "/f", content=b"abc")
    assert [(seen.path, seen.body) for seen in server.requests] == [("/f", b"abc"), ("/g", b"abc")] * 2


# Every way to send, and what stays as it was


async def test_every_way_to_send_is_retried(kit, server, clock):
    server.on("/f", lambda seen: OK if seen.ordinal % 2 else steps.respond(503))
    async with kit.client(POLICY, clock=clock) as client:
        own, url = client.own, server.url + "/f"
        assert (await client.request("GET", url)).text == "done"
        assert (await client.send(own.build_request("GET", url))).text == "done"
        async with client.stream("GET", url) as response:
            assert await client.read(response) == b"done"
        if kit.is_async:
            assert (await own.get(url)).text == "done"
            async with own.stream("GET", url) as response:
                assert await response.aread() == b"done"
        else:
            assert own.get(url).text == "done"
            with own.stream("GET", url) as response:
                assert response.read() == b"done"
    assert clock.sleeps == [2.0] * 5


async def test_a_client_with_a_send_of_its_own_keeps_it(kit, server, clock):
    calls = []

    class Own(kit.client_class):
        def send(self, request, **options):
            calls.append(request.headers.get("X-Retry-Count"))
            return super().send(request, **options)

    server.on("/f", steps.respond(503), OK)
    client = Own(transport=kit.http(), trust_env=False)
    kit.adapter.install(client, POLICY, seam="client", clock=clock, count_header="X-Retry-Count")
    if kit.is_async:
        async with client:
            await client.get(server.url + "/f")
    else:
        with client:
            client.get(server.url + "/f")
    assert calls == [None, "1"]


def test_an_asynchronous_send_is_still_a_coroutine_function(async_kit):
    assert inspect.iscoroutinefunction(async_kit.client(POLICY, over=async_kit.scripted(200)).own.send)


async def test_closing_and_using_a_closed_client_are_as_before(kit, clock):
    inner = kit.scripted(200)
    async with kit.client(retry_on(anything).fixed(1), over=inner, clock=clock) as client:
        await client.get("http://example.test/")
    assert (inner.closed, client.own.is_closed) == (1, True)
    with pytest.raises(RuntimeError, match="closed"):
        await client.get("http://example.test/")


async def test_a_source_without_a_policy_for_an_endpoint_sends_it_once(kit, server, clock):
    class Nothing:
        def policy_for(self, method, url):
            return None

    server.on("/f", steps.respond(503, body="no"))
    async with kit.client(Nothing(), clock=clock, idempotency_key=True) as client:
        response = await client.post(server.url + "/f")
    assert (response.text, history(response)) == ("no", None)
    assert [seen.header("Idempotency-Key") for seen in server.requests] == [None]


async def test_each_endpoint_has_its_own_policy(kit, server, clock):
    server.on("/f", steps.respond(503), OK).on("/g", steps.respond(503), OK)
    routes = Routes({"GET /f": POLICY, "*": give_up_on(anything)})
    async with kit.client(routes, clock=clock) as client:
        assert (await client.get(server.url + "/f")).text == "done"
        assert (await client.get(server.url + "/g")).status_code == 503


async def test_the_final_response_can_be_pickled_with_its_history(kit, server, clock):
    server.on("/f", steps.respond(503))
    async with kit.client(POLICY, clock=clock) as client:
        response = await client.get(server.url + "/f")
    copied = pickle.loads(pickle.dumps(response))
    assert copied.text == "ok"
    assert history(copied) == history(response)


# Why there were no more attempts

STOPPED = {
    "retries_exhausted": (POLICY.max(1), steps.respond(503), "GET", {}),
    "attempts_exhausted": ((POLICY | retry_on(500).fixed(1)).attempts(2), steps.respond(503), "GET", {}),
    "deadline": (
        (retry_on(503).after_header("Retry-After") | POLICY).within(5),
        steps.respond(503, {"Retry-After": "30"}),
        "GET",
        {},
    ),
    "hint_too_long": (
        retry_on(503).after_header("Retry-After"),
        steps.respond(503, {"Retry-After": "3600"}),
        "GET",
        {},
    ),
    "not_idempotent": (POLICY, steps.respond(503), "POST", {"content": b"pay"}),
    "rule_gave_up": (give_up_on(503) | POLICY, steps.respond(503), "GET", {}),
}


@pytest.mark.parametrize("reason", STOPPED)
async def test_a_call_that_stopped_says_why(kit, server, clock, reason):
    policy, step, method, body = STOPPED[reason]
    server.on("/f", step)
    async with kit.client(policy, clock=clock) as client:
        response = await client.request(method, server.url + "/f", **body)
    assert response.status_code == 503
    assert response.text == "ok"
    assert history(response).reason == reason


async def test_a_body_that_cannot_be_sent_again_stops_the_call(kit, server, clock):
    server.on("/f", steps.truncate(), OK)
    async with kit.client(POLICY, clock=clock) as client:
        with pytest.raises(kit.module.RemoteProtocolError) as caught:
            await client.request("PUT", server.url + "/f", content=kit.body(b"abc"))
    assert history(caught.value).reason == "body_not_replayable"
    assert [seen.body for seen in server.requests] == [b"abc"]


async def test_an_accepted_error_is_read_and_says_so(kit, server, clock):
    server.on("/f", steps.respond(503), steps.json(409, {"session": 1}))
    async with kit.client(accept_on(409) | POLICY, clock=clock) as client:
        response = await client.get(server.url + "/f")
    assert response.json() == {"session": 1}
    assert history(response).reason == "accepted"
