"""What redirects, auth and hooks of httpx make of a request holds for each attempt of it, at each hop."""

import base64

import pytest

from bide import history, network, retry_on
from bide.testing import steps

POLICY = retry_on(429, 503, network).fixed(2)
OK = steps.respond(body="done")
BASIC = "Basic " + base64.b64encode(b"user:secret").decode()


def hops(server):
    return [(seen.method, seen.path, seen.body) for seen in server.requests]


@pytest.mark.parametrize("status", [301, 302, 303])
async def test_a_post_that_a_redirect_turns_into_a_get_is_repeated_as_a_get(kit, server, clock, status):
    server.on("/f", steps.respond(429), steps.respond(status, {"Location": "/g"}))
    server.on("/g", steps.respond(503), steps.drop(), OK)
    async with kit.client(POLICY, clock=clock, follow_redirects=True) as client:
        response = await client.post(server.url + "/f", content=b"pay")
    assert response.text == "done"
    assert hops(server) == [("POST", "/f", b"pay")] * 2 + [("GET", "/g", b"")] * 3
    assert clock.sleeps == [2.0] * 3


@pytest.mark.parametrize("status", [307, 308])
async def test_a_post_that_is_redirected_as_a_post_keeps_its_body_and_its_safety(kit, server, clock, status):
    server.on("/f", steps.respond(status, {"Location": "/g"})).on(
        "/g", steps.respond(429), steps.respond(503)
    )
    async with kit.client(POLICY, clock=clock, follow_redirects=True) as client:
        response = await client.post(server.url + "/f", content=b"pay")
    assert (response.status_code, history(response).reason) == (503, "not_idempotent")
    assert hops(server) == [("POST", "/f", b"pay"), ("POST", "/g", b"pay"), ("POST", "/g", b"pay")]
    assert clock.sleeps == [2.0]


async def test_a_redirect_that_is_broken_is_the_clients_own_error(kit, server, clock):
    server.on("/f", steps.respond(503), steps.respond(302, {"Location": "gopher://127.0.0.1/"}))
    async with kit.client(POLICY, clock=clock, follow_redirects=True) as client:
        with pytest.raises(kit.module.UnsupportedProtocol) as caught:
            await client.get(server.url + "/f")
    assert history(caught.value) is None
    assert len(server.requests) == 2


async def test_the_redirect_that_comes_next_is_told_when_it_is_not_followed(kit, server, clock):
    server.on("/f", steps.respond(503), steps.respond(302, {"Location": "/g"}))
    async with kit.client(POLICY, clock=clock) as client:
        response = await client.get(server.url + "/f")
        server.on("/g", steps.respond(503), OK)
        assert (await client.send(response.next_request)).text == "done"
    assert clock.sleeps == [2.0, 2.0]


def signed(request):
    request.headers["Authorization"] = BASIC
    return request


AUTH = {
    "of the client": ({"auth": ("user", "secret")}, {}),
    "of the call": ({}, {"auth": ("user", "secret")}),
    "a function": ({}, {"auth": signed}),
}


@pytest.mark.parametrize("where", AUTH)
async def test_credentials_go_with_every_attempt(kit, server, clock, where):
    of_client, of_call = AUTH[where]
    server.on("/f", steps.respond(503), steps.drop(), OK)
    async with kit.client(POLICY, clock=clock, **of_client) as client:
        request = client.own.build_request("GET", server.url + "/f")
        assert (await client.send(request, **of_call)).text == "done"
    assert [seen.header("Authorization") for seen in server.requests] == [BASIC] * 3


async def test_credentials_in_the_address_go_with_every_attempt(kit, server, clock):
    server.on("/f", steps.respond(503), OK)
    async with kit.client(POLICY, clock=clock) as client:
        await client.get(server.url.replace("://", "://user:secret@") + "/f")
    assert [seen.header("Authorization") for seen in server.requests] == [BASIC] * 2


async def test_an_auth_flow_that_refreshes_its_token_sends_the_body_in_each_round(kit, server, clock):
    class Refreshing(kit.module.Auth):
        requires_request_body = True
        token = "old"

        def auth_flow(self, request):
            request.headers["Authorization"] = self.token
            response = yield request
            if response.status_code == 401:
                fresh = yield kit.module.Request("POST", server.url + "/token", content=b"refresh")
                request.headers["Authorization"] = fresh.headers["X-Token"]
                yield request

    def answer(seen):
        if seen.ordinal in {0, 4}:
            return steps.respond(429)
        return OK if seen.header("Authorization") == "new" else steps.respond(401)

    server.on("/f", answer).on("/token", steps.respond(429), steps.respond(200, {"X-Token": "new"}))
    async with kit.client(POLICY, clock=clock) as client:
        response = await client.post(server.url + "/f", content=b"pay", auth=Refreshing())
    assert response.text == "done"
    assert [(seen.path, seen.body, seen.header("Authorization")) for seen in server.requests] == [
        *[("/f", b"pay", "old")] * 2,
        *[("/token", b"refresh", None)] * 2,
        *[("/f", b"pay", "new")] * 2,
    ]
    assert clock.sleeps == [2.0] * 3


async def test_cookies_of_the_client_go_with_every_attempt(kit, server, clock):
    server.on("/f", steps.respond(503), steps.drop(), OK)
    async with kit.client(POLICY, clock=clock, cookies={"session": "s1"}) as client:
        await client.get(server.url + "/f")
    assert [seen.header("Cookie") for seen in server.requests] == ["session=s1"] * 3


async def test_a_cookie_that_a_redirect_sets_goes_with_every_attempt_of_the_next_hop(kit, server, clock):
    server.on("/f", steps.respond(302, {"Location": "/g", "Set-Cookie": "seen=1"}))
    server.on("/g", steps.respond(503), OK)
    async with kit.client(POLICY, clock=clock, follow_redirects=True) as client:
        await client.get(server.url + "/f")
    assert [seen.header("Cookie") for seen in server.requests] == [None, "seen=1", "seen=1"]


async def test_a_hook_changes_the_request_once_for_all_its_attempts(kit, server, clock):
    numbers = iter("1234")

    def number(request):
        request.headers["X-Number"] = next(numbers)

    async def async_number(request):
        number(request)

    server.on("/f", steps.respond(503), OK)
    hooks = {"request": [async_number if kit.is_async else number]}
    async with kit.client(POLICY, clock=clock, event_hooks=hooks) as client:
        for _ in range(2):
            await client.get(server.url + "/f")
    assert [seen.header("X-Number") for seen in server.requests] == ["1", "1", "2"]


async def test_a_hook_that_raises_for_statuses_sees_the_last_response_only(kit, server, clock):
    def judge(response):
        response.raise_for_status()

    async def async_judge(response):
        judge(response)

    server.on("/f", steps.respond(503), OK)
    hooks = {"response": [async_judge if kit.is_async else judge]}
    async with kit.client(POLICY, clock=clock, event_hooks=hooks) as client:
        assert (await client.get(server.url + "/f")).text == "done"
        server.on("/f", steps.respond(503))
        with pytest.raises(kit.module.HTTPStatusError) as caught:
            await client.get(server.url + "/f")
    assert history(caught.value).attempts == 4
