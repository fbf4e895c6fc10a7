"""What redirects, auth, cookies and traces of aiohttp make of a request holds for each attempt of it, at each hop."""

import base64

import aiohttp
import pytest
from aiohttp_sessions import Sessions

from bide import history, network, retry_on
from bide.testing import steps

POLICY = retry_on(429, 503, network).fixed(2)
OK = steps.respond(body="done")
BASIC = "Basic " + base64.b64encode(b"user:secret").decode()


@pytest.fixture
def kit(clock):
    return Sessions(clock, POLICY)


def hops(server):
    return [(seen.method, seen.path, seen.body) for seen in server.requests]


@pytest.mark.parametrize("status", [301, 302, 303])
async def test_a_post_that_a_redirect_turns_into_a_get_is_repeated_as_a_get(kit, server, clock, status):
    server.on("/f", steps.respond(429), steps.respond(status, {"Location": "/g"}))
    server.on("/g", steps.respond(503), steps.drop(), OK)
    async with kit.session() as session, session.post(server.url + "/f", data=b"pay") as response:
        assert await response.text() == "done"
    assert hops(server) == [("POST", "/f", b"pay")] * 2 + [("GET", "/g", b"")] * 3
    assert clock.sleeps == [2.0] * 3


@pytest.mark.parametrize("status", [307, 308])
async def test_a_post_that_is_redirected_as_a_post_keeps_its_body_and_its_safety(kit, server, clock, status):
    server.on("/f", steps.respond(status, {"Location": "/g"})).on(
        "/g", steps.respond(429), steps.respond(503)
    )
    async with kit.session() as session, session.post(server.url + "/f", data=b"pay") as response:
        assert (response.status, history(response).reason) == (503, "not_idempotent")
    assert hops(server) == [("POST", "/f", b"pay"), ("POST", "/g", b"pay"), ("POST", "/g", b"pay")]
    assert clock.sleeps == [2.0]


async def test_redirects_stay_off_where_they_are_turned_off(kit, server, clock):
    server.on("/f", steps.respond(503), steps.respond(302, {"Location": "/g"}))
    async with kit.session() as session, session.get(server.url + "/f", allow_redirects=False) as response:
        assert response.status == 302
    assert len(server.requests) == 2


async def test_a_redirect_that_is_broken_is_aiohttps_own_error(kit, server):
    server.on("/f", steps.respond(503), steps.respond(302, {"Location": "gopher://127.0.0.1/"}))
    async with kit.session() as session:
        with pytest.raises(aiohttp.NonHttpUrlRedirectClientError) as caught:
            await session.get(server.url + "/f")
    assert history(caught.value) is None
    assert len(server.requests) == 2


OWN = {"Authorization": BASIC}


@pytest.mark.parametrize("where", ["session", "call"])
async def test_credentials_go_with_every_attempt(kit, server, where):
    server.on("/f", steps.respond(503), steps.drop(), OK)
    of_session, of_call = ({"headers": OWN}, {}) if where == "session" else ({}, {"headers": OWN})
    async with (
        kit.session(session=of_session) as session,
        session.get(server.url + "/f", **of_call) as response,
    ):
        assert await response.text() == "done"
    assert [seen.header("Authorization") for seen in server.requests] == [BASIC] * 3


async def test_credentials_in_the_address_go_with_every_attempt(kit, server):
    server.on("/f", steps.respond(503), OK)
    async with kit.session() as session:
        await session.get(server.url.replace("://", "://user:secret@") + "/f")
    assert [seen.header("Authorization") for seen in server.requests] == [BASIC] * 2


@pytest.mark.parametrize(
    ("place", "tokens"), [("inner", ["1", "2", "3", "4"]), ("outer", ["1", "1", "1", "2"])]
)
async def test_a_middleware_that_signs_is_asked_for_each_attempt_beneath_the_retries_and_once_above(
    kit, server, place, tokens
):
    numbers = iter("1234")

    async def sign(request, send):
        request.headers["Authorization"] = next(numbers)
        return await send(request)

    server.on("/f", steps.respond(503), steps.drop(), OK)
    async with kit.session(**{place: [sign]}) as session:
        for _ in range(2):
            await session.get(server.url + "/f")
    assert [seen.header("Authorization") for seen in server.requests] == tokens


async def test_cookies_of_the_session_go_with_every_attempt(kit, server):
    server.on("/f", steps.respond(503), steps.drop(), OK)
    async with kit.session(
        session={"cookies": {"session": "s1"}, "cookie_jar": aiohttp.CookieJar(unsafe=True)}
    ) as session:
        await session.get(server.url + "/f")
    assert [seen.header("Cookie") for seen in server.requests] == ["session=s1"] * 3


async def test_a_cookie_that_a_redirect_sets_goes_with_every_attempt_of_the_next_hop(kit, server):
    server.on("/f", steps.respond(302, {"Location": "/g", "Set-Cookie": "seen=1"}))
    server.on("/g", steps.respond(503), OK)
    async with kit.session(session={"cookie_jar": aiohttp.CookieJar(unsafe=True)}) as session:
        await session.get(server.url + "/f")
    assert [seen.header("Cookie") for seen in server.requests] == [None, "seen=1", "seen=1"]


def tracing(told):
    """A trace configuration that tells of everything that it is told."""
    config = aiohttp.TraceConfig()

    def note(name):
        async def noting(session, context, params):
            told.append(name)

        return noting

    for signal in vars(aiohttp.TraceConfig):
        if signal.startswith("on_"):
            getattr(config, signal).append(note(signal))
    return config


async def test_a_trace_tells_of_one_request_and_of_every_attempt_beneath_it(kit, server):
    told = []
    server.on("/f", steps.respond(503), steps.drop(), OK)
    async with kit.session(session={"trace_configs": [tracing(told)]}) as session:
        await session.put(server.url + "/f", data=b"put")
    assert told.count("on_request_start") == told.count("on_request_end") == 1
    assert told[0] == "on_request_start"
    assert told[-1] == "on_request_end"
    assert told.count("on_request_headers_sent") == told.count("on_request_chunk_sent") == 3
    assert told.count("on_connection_create_end") == 2
    assert told.count("on_connection_reuseconn") == 1


async def test_a_trace_tells_once_of_the_exception_that_comes_out(kit, server):
    told = []
    server.on("/f", steps.drop())
    async with kit.session(session={"trace_configs": [tracing(told)]}) as session:
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.post(server.url + "/f", data=b"pay")
    assert told.count("on_request_exception") == 1
    assert "on_request_end" not in told


async def test_a_stream_comes_in_the_chunks_that_are_asked_for(kit, server):
    server.on("/f", steps.respond(503), steps.drop(), steps.respond(body=b"0123456789", framing="chunked"))
    async with kit.session() as session, session.get(server.url + "/f") as response:
        chunks = [chunk async for chunk in response.content.iter_chunked(4)]
    assert b"".join(chunks) == b"0123456789"
    assert max(map(len, chunks)) <= 4
