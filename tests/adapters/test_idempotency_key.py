"""With `idempotency_key=`, a POST carries one key for the whole of its call, and so may be repeated; the next has another."""

import asyncio
import gc
import pickle
from contextlib import nullcontext
from uuid import UUID

import aiohttp
import pytest
import requests
from requests.auth import HTTPDigestAuth

from bide import GiveUp, Outcome, PolicyError, Reason, Retry, history, network, retry_on
from bide.adapters.aiohttp import retry_middleware
from bide.adapters.requests import RetryAdapter, install
from bide.testing import FaultServer, steps

POLICY = retry_on(503, 409, network).fixed(2)
OK = steps.respond(body="done")
BUSY = steps.respond(503)
CHALLENGE = {"WWW-Authenticate": 'Digest realm="r", qop="auth", nonce="n", algorithm=MD5'}


def by_requests(calls, policy, **options):
    """Make calls through one session, and return the responses."""
    with requests.Session() as session:
        session.trust_env = False
        session.mount("http://", RetryAdapter(policy, **options))
        made = [session.request(*call, **more) for *call, more in calls]
    gc.collect()  # an exception of urllib3 is in a circle with the pool that it came from
    return made


def by_aiohttp(calls, policy, **options):
    """Make calls through one session, and return the responses."""

    async def main():
        made = []
        async with aiohttp.ClientSession(middlewares=(retry_middleware(policy, **options),)) as session:
            for *call, more in calls:
                async with session.request(*call, **more) as response:
                    made.append(response)
        return made

    return asyncio.run(main())


def status_of(response):
    return getattr(response, "status_code", None) or response.status


@pytest.fixture(params=[by_requests, by_aiohttp])
def send(request, server, clock):
    """Makes calls of (method, path, options) by one client, with a key unless told otherwise."""

    def make(*calls, policy=POLICY, idempotency_key=True, **options):
        absolute = [(method, server.url + path, *(more or [{}])) for method, path, *more in calls]
        return request.param(absolute, policy, clock=clock, idempotency_key=idempotency_key, **options)

    return make


def keys(server, name="Idempotency-Key"):
    return [seen.header(name) for seen in server.requests]


# A key, one for each call


def test_a_post_is_repeated_with_the_same_key(send, server, clock):
    server.on("/f", BUSY, steps.drop(), OK)
    assert status_of(*send(("POST", "/f", {"data": b"abc"}))) == 200
    (key,) = set(keys(server))
    assert str(UUID(key)) == key
    assert [seen.body for seen in server.requests] == [b"abc"] * 3
    assert clock.sleeps == [2, 2]


def test_a_post_is_not_repeated_without_the_option(send, server):
    server.on("/f", BUSY, OK)
    (response,) = send(("POST", "/f"), idempotency_key=False)
    assert history(response).reason is Reason.NOT_IDEMPOTENT
    assert keys(server) == [None]


def test_the_next_call_has_a_new_key(send, server):
    server.on("/f", BUSY, OK, BUSY, OK)
    headers = {"X-Mine": "1"}
    send(*[("POST", "/f", {"headers": headers})] * 2)
    first, again, second, once_more = keys(server)
    assert first == again
    assert second == once_more
    assert first != second
    assert headers == {"X-Mine": "1"}


@pytest.mark.parametrize("method", ["POST", "PATCH", "post", "SUBSCRIBE"])
def test_methods_that_are_not_idempotent_get_a_key(send, server, method):
    server.on("/f", OK)
    send((method, "/f"))
    assert None not in keys(server)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "delete"])
def test_methods_that_are_idempotent_get_none(send, server, method):
    server.on("/f", BUSY, OK)
    send((method, "/f"))
    assert keys(server) == [None, None]


@pytest.mark.parametrize("name", ["Idempotency-Key", "idempotency-key", "X-Idempotency-Key"])
def test_the_callers_own_key_is_kept(send, server, name):
    server.on("/f", BUSY, OK)
    send(("POST", "/f", {"headers": {name: "mine"}}))
    assert keys(server, name) == ["mine", "mine"]
    assert all(str(seen.headers).lower().count("idempotency-key") == 1 for seen in server.requests)


def test_a_key_may_go_by_another_name(send, server):
    server.on("/f", BUSY, OK)
    send(("POST", "/f"), idempotency_key="X-Request-Token")
    assert len(set(keys(server, "X-Request-Token"))) == 1
    assert None not in keys(server, "X-Request-Token")
    assert keys(server) == [None, None]


def test_the_callers_own_key_by_another_name_counts_as_one(send, server):
    server.on("/f", BUSY, OK)
    send(("POST", "/f", {"headers": {"x-request-token": "7"}}), idempotency_key="X-Request-Token")
    assert keys(server, "X-Request-Token") == ["7", "7"]


def test_a_request_for_which_there_is_no_policy_gets_no_key(send, server):
    class Nothing:
        def policy_for(self, method, url):
            return None

    server.on("/f", OK)
    send(("POST", "/f"), policy=Nothing())
    assert keys(server) == [None]


def test_a_key_and_a_count_of_attempts_go_together(send, server):
    server.on("/f", BUSY, OK)
    send(("POST", "/f"), count_header="X-Retry-Count")
    assert keys(server, "X-Retry-Count") == [None, "1"]
    assert len(set(keys(server))) == 1


def test_the_key_can_be_read_off_the_response(send, server):
    server.on("/f", BUSY, OK)
    (response,) = send(("POST", "/f"))
    request = getattr(response, "request", None) or response.request_info
    assert request.headers["Idempotency-Key"] == keys(server)[-1]


@pytest.mark.parametrize("wrong", ["", "X Key", "X-Key\r\nHost", "é"])
@pytest.mark.parametrize("adapter", [RetryAdapter, retry_middleware])
def test_a_key_goes_into_a_header(adapter, wrong):
    with pytest.raises(PolicyError, match="is no header name"):
        adapter(POLICY, idempotency_key=wrong)


@pytest.mark.parametrize("wrong", [None, 1, b"Idempotency-Key"])
@pytest.mark.parametrize("adapter", [RetryAdapter, retry_middleware])
def test_what_is_no_choice_of_a_header_is_refused(adapter, wrong):
    with pytest.raises(PolicyError, match="idempotency_key takes True, False or the name of a header"):
        adapter(POLICY, idempotency_key=wrong)


# What the client sends again by itself


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_goes_on_with_the_same_key(send, server, status):
    server.on("/f", BUSY, steps.respond(status, {"Location": "/g"}))
    server.on("/g", steps.respond(status, {"Location": "/h"})).on("/h", BUSY, OK)
    (response,) = send(("POST", "/f", {"data": b"abc"}))
    assert status_of(response) == 200
    assert [seen.path for seen in server.requests] == ["/f", "/f", "/g", "/h", "/h"]
    assert len(set(keys(server))) == 1
    assert keys(server)[0] is not None
    del response
    gc.collect()  # requests before 2.34 puts a redirect's response into a circle with itself


def test_the_call_after_a_redirect_has_a_new_key(send, server):
    server.on("/f", steps.respond(307, {"Location": "/g"})).on("/g", OK)
    send(("POST", "/f"), ("POST", "/f"), ("POST", "/g", {"headers": {"Idempotency-Key": "mine"}}))
    first, its_hop, second, its_own, mine = keys(server)
    assert (first == its_hop, second == its_own, mine) == (True, True, "mine")
    assert first != second


def test_the_call_after_a_redirect_that_was_not_followed_has_a_new_key(send, server):
    server.on("/f", steps.respond(307, {"Location": "/g"})).on("/g", OK)
    send(("POST", "/f", {"allow_redirects": False}), ("POST", "/g"))
    first, second = keys(server)
    assert first != second


def test_a_redirect_that_becomes_a_get_carries_no_key(send, server):
    server.on("/f", steps.respond(303, {"Location": "/g"})).on("/g", BUSY, OK)
    send(("POST", "/f"))
    assert keys(server)[1:] == [None, None]


@pytest.mark.parametrize("nothing_between", [True, False])
def test_credentials_that_are_asked_for_go_with_the_same_key(server, clock, nothing_between):
    server.on("/f", steps.respond(401, CHALLENGE), *([] if nothing_between else [BUSY]), OK)
    url = server.url + "/f"
    by_requests(
        [("POST", url, {"auth": HTTPDigestAuth("u", "p")})], POLICY, clock=clock, idempotency_key=True
    )
    assert len(server.requests) == 3 - nothing_between
    assert len(set(keys(server))) == 1


def test_credentials_that_a_middleware_is_asked_for_go_with_the_same_key(server, clock):
    server.on("/f", steps.respond(401, CHALLENGE), BUSY, OK)

    async def main():
        digest = aiohttp.DigestAuthMiddleware("u", "p")
        retry = retry_middleware(POLICY, clock=clock, idempotency_key=True)
        async with (
            aiohttp.ClientSession(middlewares=(digest, retry)) as session,
            session.post(server.url + "/f") as response,
        ):
            assert response.status == 200

    asyncio.run(main())
    assert len(server.requests) == 3
    assert len(set(keys(server))) == 1


# A request of requests that is sent twice


@pytest.fixture
def prepared(server):
    return requests.Request("POST", server.url + "/f", headers={"X-Mine": "1"}, data=b"abc").prepare()


@pytest.fixture
def session(server, clock):
    with requests.Session() as session:
        session.trust_env = False
        yield install(session, POLICY, clock=clock, idempotency_key=True)


def test_a_prepared_request_that_is_sent_twice_has_two_keys(session, server, prepared):
    server.on("/f", BUSY, OK)
    before = dict(prepared.headers)
    session.send(prepared)
    assert dict(prepared.headers) == before
    session.send(prepared)
    session.send(prepared.copy())
    first, again, second, third = keys(server)
    assert first == again
    assert len({first, second, third}) == 3


@pytest.mark.parametrize("followed", [True, False])
def test_a_prepared_request_that_was_redirected_has_a_new_key_when_it_is_sent_again(
    session, server, prepared, followed
):
    server.on("/f", steps.respond(307, {"Location": "/g"})).on("/g", OK)
    response = session.send(prepared, allow_redirects=followed)
    if not followed:
        session.send(response.next)
    assert "Idempotency-Key" not in prepared.headers
    session.send(prepared)
    assert [seen.path for seen in server.requests] == ["/f", "/g", "/f", "/g"]
    first, its_hop, second, its_own = keys(server)
    assert (first == its_hop, second == its_own) == (True, True)
    assert first != second


@pytest.mark.parametrize("status", [303, 307])
@pytest.mark.parametrize("followed", [True, False])
def test_a_prepared_request_whose_redirects_lead_nowhere_has_a_new_key_when_it_is_sent_again(
    session, server, prepared, followed, status
):
    session.max_redirects = 3
    moved = steps.respond(status, {"Location": "/g"}, framing="close")
    server.on("/f", moved).on("/g", moved)
    for _ in range(2):
        with pytest.raises(requests.TooManyRedirects) if followed else nullcontext():
            session.send(prepared, allow_redirects=followed)
    first, second = [seen.header("Idempotency-Key") for seen in server.requests if seen.path == "/f"]
    assert None not in (first, second)
    assert first != second


def test_copies_of_a_prepared_request_know_nothing_of_one_anothers_redirects(session, server, prepared):
    server.on("/f", steps.respond(307, {"Location": "/g"}))
    one, another = prepared.copy(), prepared.copy()
    for request in (one, another):
        session.send(request, allow_redirects=False)
    assert len(set(keys(server))) == 2


def test_a_copy_of_a_request_whose_redirect_nobody_followed_has_a_key_of_its_own(session, server, prepared):
    server.on("/f", steps.respond(303, {"Location": "/g"}))
    session.send(prepared, allow_redirects=False)
    session.send(prepared.copy(), allow_redirects=False)
    assert len(set(keys(server))) == 2


def test_an_answer_with_its_redirects_pickles_and_its_request_is_sent_as_another_call(
    session, server, prepared
):
    server.on("/f", steps.respond(307, {"Location": "/g"})).on("/g", OK)
    again = pickle.loads(pickle.dumps(session.send(prepared)))
    assert [hop.status_code for hop in again.history] == [307]
    del again.request.headers["Idempotency-Key"]
    session.send(again.request)
    assert len(set(keys(server))) == 2


def test_an_adapter_pickles_with_its_header_of_keys(server, clock):
    server.on("/f", BUSY, OK)
    adapter = pickle.loads(pickle.dumps(RetryAdapter(retry_on(503).immediately(), idempotency_key="X-Key")))
    with requests.Session() as session:
        session.trust_env = False
        session.mount("http://", adapter)
        assert session.post(server.url + "/f").text == "done"
    assert len(set(keys(server, "X-Key"))) == 1


# What a key means to the decision


def test_a_conflict_under_a_key_is_repeated_when_a_rule_says_so(send, server):
    server.on("/f", steps.respond(409), OK)
    assert status_of(*send(("POST", "/f"))) == 200
    assert len(set(keys(server))) == 1


def test_a_key_that_was_used_for_something_else_is_not_tried_again(send, server):
    server.on("/f", steps.respond(422), OK)
    (response,) = send(("POST", "/f"), policy=retry_on("4xx").fixed(2))
    assert status_of(response) == 422
    assert history(response).reason is Reason.NOT_IDEMPOTENT
    assert len(server.requests) == 1


def test_a_rule_may_repeat_even_that(send, server):
    server.on("/f", steps.respond(422), OK)
    (response,) = send(("POST", "/f"), policy=retry_on(422).fixed(2).any_method())
    assert status_of(response) == 200


@pytest.mark.parametrize(
    ("method", "key", "follows"),
    [("POST", True, GiveUp), ("POST", False, GiveUp), ("PUT", True, Retry), ("GET", False, Retry)],
)
def test_what_is_safe_without_a_key_is_repeated_after_422(method, key, follows):
    decision = retry_on(422).decide(Outcome(422, method=method, idempotency_key=key))
    assert type(decision) is follows
    if follows is GiveUp:
        assert decision.reason is Reason.NOT_IDEMPOTENT


def test_a_server_that_keeps_keys_does_a_thing_once(send, clock, shop):
    done, create = shop
    with FaultServer() as server:
        server.on("/orders", create)
        post = ("POST", server.url + "/orders", {})
        created = [
            status_of(*way([post], POLICY, clock=clock, idempotency_key=True))
            for way in (by_requests, by_aiohttp)
        ]
    assert created == [201, 201]
    assert list(done.values()) == ["order 1", "order 2"]
