"""An idempotency key of ours goes to the origin of the caller's own request, and to no other that a redirect leads to."""

import asyncio

import aiohttp
import pytest
import requests
from elsewhere import elsewhere

from bide import Reason, history, retry_on
from bide.adapters.aiohttp import retry_middleware
from bide.adapters.requests import RetryAdapter
from bide.testing import steps

POLICY = retry_on(503, 429).fixed(2)
OK = steps.respond(body="done")
KEY = "Idempotency-Key"


def moved(server, path, status=307):
    return steps.respond(status, {"Location": server.url + path})


def keys(server):
    return [seen.header(KEY) for seen in server.requests]


def by_requests(url, policy=POLICY, headers=None, **options):
    with requests.Session() as session:
        session.trust_env = False
        session.mount("http://", RetryAdapter(policy, idempotency_key=True, **options))
        return session.post(url, data=b"abc", headers=headers)


def by_aiohttp(url, policy=POLICY, headers=None, **options):
    async def main():
        retry = retry_middleware(policy, idempotency_key=True, **options)
        async with (
            aiohttp.ClientSession(middlewares=(retry,)) as session,
            session.post(url, data=b"abc", headers=headers) as response,
        ):
            return response

    return asyncio.run(main())


def status_of(response):
    return getattr(response, "status_code", None) or response.status


@pytest.fixture(params=[by_requests, by_aiohttp])
def send(request, clock):
    return lambda *args, **options: request.param(*args, clock=clock, **options)


async def posted(kit, clock, url, **options):
    async with kit.client(POLICY, clock=clock, idempotency_key=True, follow_redirects=True) as client:
        return await client.post(url, content=b"abc", **options)


@pytest.fixture
def other(server):
    """Another origin, to which the server sends a request on when it was repeated there once."""
    with elsewhere() as other:
        server.on("/f", steps.respond(429), moved(other, "/g"))
        other.on("/g", OK)
        yield other


def no_key_went(server, other):
    assert keys(other) == [None]
    assert [seen.body for seen in other.requests] == [b"abc"]
    first, again = keys(server)
    assert first == again
    assert first is not None


def test_another_origin_gets_the_request_without_the_key(send, server, other):
    assert status_of(send(server.url + "/f")) == 200
    no_key_went(server, other)


@pytest.mark.both_seams
async def test_another_origin_gets_the_request_without_the_key_from_httpx_too(kit, server, other, clock):
    assert (await posted(kit, clock, server.url + "/f")).text == "done"
    no_key_went(server, other)


@pytest.mark.both_seams
async def test_another_origin_gets_no_key_with_what_a_redirect_makes_of_the_request(kit, server, clock):
    with elsewhere() as other:
        server.on("/f", moved(other, "/g", 303))
        other.on("/g", OK)
        assert (await posted(kit, clock, server.url + "/f")).text == "done"
        assert [seen.method for seen in other.requests] == ["GET"]
        assert keys(other) == [None]
    assert keys(server) != [None]


@pytest.mark.both_seams
async def test_what_a_redirect_made_of_the_request_there_needs_no_key_to_be_repeated(kit, server, clock):
    with elsewhere() as other:
        server.on("/f", moved(other, "/g", 303))
        other.on("/g", steps.respond(503), OK)
        assert (await posted(kit, clock, server.url + "/f")).text == "done"
    assert len(set(keys(server))) == 1


def test_what_went_there_without_a_key_is_not_repeated(send, server):
    with elsewhere() as other:
        server.on("/f", moved(other, "/g"))
        other.on("/g", steps.respond(503), OK)
        assert history(send(server.url + "/f")).reason is Reason.NOT_IDEMPOTENT
        assert keys(other) == [None]


@pytest.mark.both_seams
@pytest.mark.parametrize("then", ["answers", "redirects"])
async def test_what_went_there_without_a_key_is_not_repeated_by_httpx_either(kit, server, clock, then):
    with elsewhere() as other:
        server.on("/f", moved(other, "/g"))
        busy = steps.respond(503)
        other.on("/g", busy if then == "answers" else steps.respond(303, {"Location": "/h"})).on("/h", busy)
        response = await posted(kit, clock, server.url + "/f")
        assert response.status_code == 503
        assert [seen.method for seen in other.requests].count("POST") == 1
    assert len(server.requests) == 1


@pytest.mark.both_seams
async def test_what_was_declined_there_may_be_repeated(kit, server, clock):
    with elsewhere() as other:
        server.on("/f", moved(other, "/g"))
        other.on("/g", steps.respond(429), OK)
        assert (await posted(kit, clock, server.url + "/f")).text == "done"
        assert keys(other) == [None, None]
    assert len(set(keys(server))) == 1


def test_back_at_its_origin_the_key_is_the_same(send, server):
    with elsewhere() as other:
        server.on("/f", moved(other, "/g")).on("/h", OK)
        other.on("/g", moved(server, "/h"))
        assert status_of(send(server.url + "/f")) == 200
        assert keys(other) == [None]
    first, back = keys(server)
    assert first == back
    assert first is not None


@pytest.mark.both_seams
async def test_back_at_its_origin_the_key_is_the_same_with_httpx_too(kit, server, clock):
    with elsewhere() as other:
        server.on("/f", moved(other, "/g")).on("/h", OK)
        other.on("/g", moved(server, "/h"))
        assert (await posted(kit, clock, server.url + "/f")).text == "done"
        assert keys(other) == [None]
    first, back = keys(server)
    assert first == back
    assert first is not None


def test_the_callers_own_key_is_the_clients_affair(send, server):
    with elsewhere() as other:
        server.on("/f", moved(other, "/g"))
        other.on("/g", OK)
        send(server.url + "/f", headers={KEY: "mine"})
        assert keys(server) == keys(other) == ["mine"]


@pytest.mark.both_seams
async def test_the_callers_own_key_is_the_affair_of_httpx(kit, server, clock):
    with elsewhere() as other:
        server.on("/f", moved(other, "/g"))
        other.on("/g", OK)
        await posted(kit, clock, server.url + "/f", headers={KEY: "mine"})
        assert keys(server) == keys(other) == ["mine"]


@pytest.mark.both_seams
async def test_a_redirect_elsewhere_that_the_caller_follows_does_not_carry_the_key(kit, server, clock):
    with elsewhere() as other:
        server.on("/f", moved(other, "/g"))
        other.on("/g", OK)
        async with kit.client(POLICY, clock=clock, idempotency_key=True) as client:
            response = await client.post(server.url + "/f")
            await client.send(response.next_request)
        assert set(keys(server)).isdisjoint(keys(other))


def test_an_endpoint_without_a_policy_leads_elsewhere_without_a_key(send, server):
    class OnlyThere:
        def policy_for(self, method, url):
            return POLICY if url.endswith("/g") else None

    with elsewhere() as other:
        server.on("/f", moved(other, "/g"))
        other.on("/g", OK)
        send(server.url + "/f", OnlyThere())
        assert keys(server) == keys(other) == [None]


def test_a_copy_of_a_request_of_requests_that_the_caller_sends_elsewhere_is_a_call_of_its_own(server, clock):
    with elsewhere() as other, requests.Session() as session:
        server.on("/f", OK)
        other.on("/g", OK)
        session.trust_env = False
        session.mount("http://", RetryAdapter(POLICY, idempotency_key=True, clock=clock))
        request = requests.Request("POST", server.url + "/f").prepare()
        session.send(request)
        copy = request.copy()
        copy.url = other.url + "/g"
        session.send(copy)
        assert None not in (*keys(server), *keys(other))
        assert keys(server) != keys(other)
