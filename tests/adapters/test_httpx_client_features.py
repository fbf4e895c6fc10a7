"""Redirects, auth flows, event hooks, cookies and counting headers work as they do without retries."""

import pickle

import pytest

from bide import history, network, retry_on
from bide.policy.errors import PolicyError
from bide.testing import steps

POLICY = retry_on(503, network).fixed(2)
OK = steps.respond(body="done")


async def test_a_redirect_and_then_a_failure_are_retried_from_the_hop_that_failed(kit, server, clock):
    server.on("/f", steps.respond(302, {"Location": "/g"})).on("/g", steps.respond(503), OK)
    async with kit.client(POLICY, clock=clock, follow_redirects=True) as client:
        response = await client.get(server.url + "/f")
    assert response.text == "done"
    assert [seen.path for seen in server.requests] == ["/f", "/g", "/g"]
    assert [one.status_code for one in response.history] == [302]


async def test_redirects_stay_off_unless_the_client_follows_them(kit, server, clock):
    server.on("/f", steps.respond(302, {"Location": "/g"}))
    async with kit.client(POLICY, clock=clock) as client:
        response = await client.get(server.url + "/f")
    assert response.status_code == 302
    assert len(server.requests) == 1


async def test_a_redirect_loop_is_not_multiplied_by_retries(kit, server, clock):
    server.on("/f", steps.respond(302, {"Location": "/f"}))
    async with kit.client(POLICY, clock=clock, follow_redirects=True, max_redirects=5) as client:
        with pytest.raises(kit.module.TooManyRedirects):
            await client.get(server.url + "/f")
    assert len(server.requests) == 6
    assert clock.sleeps == []


async def test_credentials_do_not_reappear_at_another_origin(kit, server, clock):
    server.on("/f", steps.respond(302, {"Location": server.url.replace("127.0.0.1", "localhost") + "/g"}))
    server.on("/g", steps.respond(503), OK)
    async with kit.client(POLICY, clock=clock, follow_redirects=True) as client:
        response = await client.get(server.url + "/f", headers={"Authorization": "Bearer secret"})
    assert response.text == "done"
    assert [seen.header("Authorization") for seen in server.requests] == ["Bearer secret", None, None]


async def test_digest_auth_survives_a_failure_in_each_of_its_rounds(kit, server, clock):
    challenge = {"WWW-Authenticate": 'Digest realm="r", qop="auth", nonce="n", algorithm=MD5'}

    def answer(seen):
        if seen.ordinal in (0, 2):
            return steps.respond(503)
        return OK if seen.header("Authorization") else steps.respond(401, challenge)

    server.on("/f", answer)
    async with kit.client(POLICY, clock=clock, count_header="X-Retry-Count") as client:
        response = await client.get(server.url + "/f", auth=kit.module.DigestAuth("user", "secret"))
    assert response.text == "done"
    assert [bool(seen.header("Authorization")) for seen in server.requests] == [False, False, True, True]
    assert [seen.header("X-Retry-Count") for seen in server.requests] == [None, "1", None, "1"]
    assert clock.sleeps == [2.0, 2.0]


async def test_an_auth_flow_of_two_requests_is_retried_request_by_request(kit, server, clock):
    server.on("/token", steps.respond(503), steps.respond(body="t1")).on("/f", steps.respond(503), OK)
    async with kit.client(POLICY, clock=clock) as client:
        response = await client.get(server.url + "/f", auth=kit.token_auth(server.url + "/token"))
    assert response.text == "done"
    seen = [(one.path, one.header("Authorization")) for one in server.requests]
    assert seen == [("/token", None), ("/token", None), ("/f", "Bearer t1"), ("/f", "Bearer t1")]


async def test_event_hooks_fire_once_a_request_that_the_client_makes(kit, server, clock):
    fired = []

    def note(what):
        def hook(of):
            fired.append((what, getattr(of, "status_code", None)))

        async def async_hook(of):
            hook(of)

        return async_hook if kit.is_async else hook

    server.on("/f", steps.respond(503), OK)
    hooks = {"request": [note("request")], "response": [note("response")]}
    async with kit.client(POLICY, clock=clock, event_hooks=hooks) as client:
        await client.get(server.url + "/f")
    assert fired == [("request", None), ("response", 200)]


async def test_cookies_of_the_final_response_are_kept_and_sent(kit, server, clock):
    server.on("/f", steps.respond(503, {"Set-Cookie": "a=1"}), steps.respond(200, {"Set-Cookie": "b=2"}))
    async with kit.client(POLICY, clock=clock) as client:
        await client.get(server.url + "/f")
        await client.get(server.url + "/f")
    assert [seen.header("Cookie") for seen in server.requests] == [None, None, "b=2"]


async def test_the_counting_header_is_absent_on_the_first_attempt(kit, server, clock):
    server.on("/f", steps.respond(503))
    async with kit.client(POLICY, clock=clock, count_header="X-Retry-Count") as client:
        response = await client.get(server.url + "/f")
        await client.send(response.request)
    counts = [seen.header("X-Retry-Count") for seen in server.requests]
    assert counts == [None, "1", "2", "3"] * 2
    assert "X-Retry-Count" not in response.request.headers


async def test_nothing_is_added_to_requests_by_default(kit, server, clock):
    server.on("/f", steps.respond(503), OK)
    async with kit.client(POLICY, clock=clock) as client:
        await client.get(server.url + "/f")
    first, second = (seen.headers for seen in server.requests)
    assert first == second


@pytest.mark.parametrize("name", ["", "X Retry", "X-Retry\r\nHost", "é"])
def test_the_counting_header_has_the_name_of_a_header(kit, name):
    with pytest.raises(PolicyError, match="is no header name"):
        kit.retry_class(POLICY, kit.scripted(200), count_header=name)


async def test_headers_keep_their_repeats_and_their_case(kit, server, clock):
    server.on("/f", steps.respond(503), OK)
    headers = [("X-One", "1"), ("x-one", "2"), ("X-OTHER", "3")]
    async with kit.client(POLICY.timeout(5), clock=clock, count_header="X-Retry-Count") as client:
        await client.get(server.url + "/f", headers=headers)
    for seen in server.requests:
        assert [pair for pair in seen.headers if pair[0].lower().startswith("x-o")] == headers


async def test_the_final_response_can_be_pickled_with_its_history(kit, server, clock):
    server.on("/f", steps.respond(503))
    async with kit.client(POLICY, clock=clock) as client:
        response = await client.get(server.url + "/f")
    copied = pickle.loads(pickle.dumps(response))
    assert copied.text == "ok"
    assert history(copied) == history(response)


async def test_a_mock_transport_can_be_retried_over(kit, clock):
    answers = [503, 200]
    mock = kit.module.MockTransport(
        lambda request: kit.module.Response(answers.pop(0), text=request.url.path)
    )
    async with kit.client(POLICY, over=mock, clock=clock) as client:
        response = await client.get("http://example.test/path")
    assert (response.status_code, response.text) == (200, "/path")


# One policy inside another


async def test_a_retrying_transport_inside_another_is_not_multiplied(kit, server, clock):
    server.on("/f", steps.respond(503))
    inner = kit.retry_class(POLICY.max(2), kit.http(), clock=clock)
    async with kit.client(POLICY.max(2), over=inner, clock=clock) as client:
        response = await client.get(server.url + "/f")
    assert len(server.requests) == 3
    assert history(response).reason == "inner_exhausted"


async def test_an_exception_that_an_inner_transport_has_retried_is_not_retried_again(kit, clock):
    scripted = kit.scripted(kit.module.ConnectError("refused"))
    inner = kit.retry_class(POLICY.max(2), scripted, clock=clock)
    async with kit.client(POLICY.max(2), over=inner, clock=clock) as client:
        with pytest.raises(kit.module.ConnectError) as caught:
            await client.get("http://example.test/")
    assert len(scripted.requests) == 3
    assert history(caught.value).reason == "inner_exhausted"


async def test_over_inner_says_that_it_is_meant(kit, server, clock):
    server.on("/f", steps.respond(503))
    inner = kit.retry_class(POLICY.max(2), kit.http(), clock=clock)
    async with kit.client(POLICY.max(1).over_inner(), over=inner, clock=clock) as client:
        response = await client.get(server.url + "/f")
    assert len(server.requests) == 6
    assert history(response).reason == "retries_exhausted"


async def test_a_decorated_function_around_a_retrying_client_is_not_multiplied(kit, server, clock):
    server.on("/f", steps.respond(503))
    async with kit.client(POLICY.max(2), clock=clock) as client:
        bound = POLICY.max(2).bind(clock=clock)
        if kit.is_async:
            response = await bound.acall(client.own.get, server.url + "/f")
        else:
            response = bound.call(client.own.get, server.url + "/f")
    assert len(server.requests) == 3
    assert history(response).reason == "inner_exhausted"


async def test_raise_for_status_tells_the_history_of_the_response(kit, server, clock):
    server.on("/f", steps.respond(503))
    async with kit.client(POLICY, clock=clock) as client:
        response = await client.get(server.url + "/f")
    with pytest.raises(kit.module.HTTPStatusError) as caught:
        response.raise_for_status()
    assert history(caught.value).attempts == 4
