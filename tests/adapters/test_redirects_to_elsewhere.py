"""A redirect to another origin gets none of the caller's new credentials, whichever client follows it."""

import asyncio

import aiohttp
import httpx
import httpx2
import pytest
import requests
import trio
from elsewhere import elsewhere
from requests.auth import HTTPDigestAuth

from bide import Routes, retry_on
from bide.adapters import aiohttp as for_aiohttp
from bide.adapters import httpx as for_httpx
from bide.adapters import httpx2 as for_httpx2
from bide.adapters import requests as for_requests
from bide.adapters.http import same_origin
from bide.testing import steps

REFRESHING = retry_on(401).calling("refresh").immediately()
FRESH = {"Authorization": "Bearer fresh"}


class Httpx:
    """A plain client."""

    library, adapter, seam = httpx, for_httpx, "transport"

    def get(self, url, policy, **options):
        with self.library.Client(trust_env=False, follow_redirects=True) as client:
            self.adapter.install(client, policy, seam=self.seam, **options)
            for _ in range(2):
                response = client.get(url, headers={"Authorization": "Bearer old"})
            return response.status_code


class HttpxAtTheClient(Httpx):
    seam = "client"


class Httpx2(Httpx):
    library, adapter = httpx2, for_httpx2


class AsyncHttpx:
    def get(self, url, policy, **options):
        async def main():
            async with httpx2.AsyncClient(trust_env=False, follow_redirects=True) as client:
                for_httpx2.install(client, policy, **options)
                for _ in range(2):
                    response = await client.get(url, headers={"Authorization": "Bearer old"})
                return response.status_code

        return trio.run(main)


class Requests:
    def get(self, url, policy, **options):
        with requests.Session() as session:
            session.trust_env = False
            for_requests.install(session, policy, **options)
            for _ in range(2):
                response = session.get(url, headers={"Authorization": "Bearer old"})
            return response.status_code


class Aiohttp:
    def __init__(self, timeout=300):
        self.timeout = aiohttp.ClientTimeout(total=timeout)

    def get(self, url, policy, **options):
        async def main():
            retry = for_aiohttp.retry_middleware(policy, **options)
            async with aiohttp.ClientSession(middlewares=(retry,), timeout=self.timeout) as session:
                for _ in range(2):
                    async with session.get(url, headers={"Authorization": "Bearer old"}) as response:
                        await response.read()
                return response.status

        return asyncio.run(main())


WAYS = [Httpx(), HttpxAtTheClient(), Httpx2(), AsyncHttpx(), Requests(), Aiohttp(), Aiohttp(timeout=None)]


@pytest.fixture(params=WAYS, ids=lambda way: type(way).__name__)
def way(request):
    return request.param


def credentials(server):
    return [seen.header("Authorization") for seen in server.requests]


@pytest.mark.parametrize("source", [REFRESHING, Routes({"*": REFRESHING})], ids=["policy", "routes"])
@pytest.mark.parametrize("hops", [1, 2])
def test_what_a_recovery_renewed_goes_to_no_other_origin(way, server, clock, source, hops):
    with elsewhere() as other:
        server.on("/f", steps.respond(302, {"Location": other.url + f"/{hops}"}))
        other.on("/2", steps.respond(302, {"Location": "/1"}))
        other.on("/1", steps.respond(401))
        assert way.get(server.url + "/f", source, clock=clock, recover={"refresh": lambda: FRESH}) == 401
        assert set(credentials(other)) == {None}


def test_an_endpoint_without_a_policy_may_lead_elsewhere_too(way, server, clock):
    class Partial:
        def policy_for(self, method, url):
            return REFRESHING if url.endswith("/g") else None

    with elsewhere() as other:
        server.on("/f", steps.respond(302, {"Location": other.url + "/g"}))
        other.on("/g", steps.respond(401))
        assert way.get(server.url + "/f", Partial(), clock=clock, recover={"refresh": lambda: FRESH}) == 401
        assert set(credentials(other)) == {None}


def test_what_a_recovery_renewed_goes_to_the_same_origin_after_a_redirect(way, server, clock):
    def guard(seen):
        return steps.respond() if seen.header("Authorization") == "Bearer fresh" else steps.respond(401)

    server.on("/f", steps.respond(302, {"Location": "/g"})).on("/g", guard)
    assert way.get(server.url + "/f", REFRESHING, clock=clock, recover={"refresh": lambda: FRESH}) == 200


def test_what_a_recovery_renewed_goes_to_no_other_origin_when_a_login_is_asked_for_there(server, clock):
    challenge = steps.respond(401, {"WWW-Authenticate": 'Digest realm="r", nonce="n", qop="auth"'})
    with elsewhere() as other, requests.Session() as session:
        server.on("/f", steps.respond(302, {"Location": other.url + "/g"}))
        other.on("/g", challenge)
        session.trust_env = False
        for_requests.install(session, REFRESHING, clock=clock, recover={"refresh": lambda: FRESH})
        session.get(server.url + "/f", auth=HTTPDigestAuth("u", "p"))
        assert any(said and said.startswith("Digest") for said in credentials(other))
        assert FRESH["Authorization"] not in credentials(other)


def test_what_a_recovery_renewed_goes_to_no_other_origin_when_another_middleware_asks_again(server, clock):
    async def persistent(request, send):
        response = await send(request)
        if response.status == 401:
            response.release()
            response = await send(request)
        return response

    async def main():
        retry = for_aiohttp.retry_middleware(REFRESHING, clock=clock, recover={"refresh": lambda: FRESH})
        async with (
            aiohttp.ClientSession(middlewares=(persistent, retry)) as session,
            session.get(server.url + "/f"),
        ):
            pass

    with elsewhere() as other:
        server.on("/f", steps.respond(302, {"Location": other.url + "/g"}))
        other.on("/g", steps.respond(401))
        asyncio.run(main())
        assert len(other.requests) > 1
        assert set(credentials(other)) == {None}


@pytest.mark.parametrize("seam", ["transport", "client"])
def test_a_renewed_header_of_any_name_goes_to_no_other_origin(server, clock, seam):
    with elsewhere() as other, httpx.Client(trust_env=False, follow_redirects=True) as client:
        server.on("/f", steps.respond(401), steps.respond(302, {"Location": "/g"}))
        server.on("/g", steps.respond(302, {"Location": other.url + "/h"}))
        other.on("/h", steps.respond())
        renewed = {"X-Api-Key": "fresh"}
        for_httpx.install(client, REFRESHING, seam=seam, clock=clock, recover={"refresh": lambda: renewed})
        assert client.get(server.url + "/f", headers={"X-Mine": "1"}).status_code == 200
        assert [seen.header("X-Api-Key") for seen in server.requests[:2]] == [None, "fresh"]
        assert [(seen.header("X-Api-Key"), seen.header("X-Mine")) for seen in other.requests] == [(None, "1")]


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/x",
        "https://EXAMPLE.com:443/",
        "https://user:secret@example.com",
        "http://example.com",
        "http://example.com:80/y",
    ],
)
def test_an_origin_is_scheme_host_and_port_whatever_else_an_address_says(url):
    first = "http://example.com/" if url.startswith("http:") else "https://example.com/"
    assert same_origin(url, first)


def test_the_same_host_over_tls_is_as_good_as_its_origin():
    assert same_origin("https://example.com/x", "http://example.com/")


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("https://example.com/", "http://example.com/"),
        ("https://example.com/", "https://example.com:8443/"),
        ("http://example.com:8080/", "https://example.com/"),
        ("https://example.com/", "https://www.example.com/"),
        ("https://example.com/", "https://example.com@evil.net/"),
    ],
)
def test_another_scheme_host_or_port_is_another_origin(first, then):
    assert not same_origin(then, first)
