"""What requests and aiohttp make of a redirect is theirs: a body that they do not look at may be broken or endless."""

import asyncio
import gc
import json

import aiohttp
import pytest
import requests

from bide import give_up_on, history, network, retry_on
from bide.adapters import aiohttp as for_aiohttp
from bide.adapters import requests as for_requests
from bide.testing import steps

POLICY = retry_on(503, network).fixed(2)
TO_G = {"Location": "/g"}
BROKEN = {
    "no gzip": steps.respond(302, TO_G | {"Content-Encoding": "gzip"}, "no gzip"),
    "too short": steps.truncate(status=302, headers=TO_G),
    "small letters": steps.truncate(status=308, headers={"location": "/g"}),
    "chunks cut off": steps.truncate(status=302, headers=TO_G, framing="chunked"),
}


class Requests:
    def send(self, method, url, clock, policy=POLICY, *, key=False, **options):
        with requests.Session() as session:
            session.trust_env = False
            for_requests.install(session, policy, clock=clock, idempotency_key=key)
            response = session.request(method, url, **{"allow_redirects": True} | options)
            told = response.status_code, response.content, history(response)
        gc.collect()  # urllib3 does not close the connection that came after a broken one
        return told


class Aiohttp:
    def send(self, method, url, clock, policy=POLICY, *, key=False, **options):
        async def main():
            retry = for_aiohttp.retry_middleware(policy, clock=clock, idempotency_key=key)
            async with (
                aiohttp.ClientSession(middlewares=(retry,)) as session,
                session.request(method, url, **options) as response,
            ):
                return response.status, await response.read(), history(response)

        return asyncio.run(main())


@pytest.fixture(params=[Requests(), Aiohttp()], ids=lambda way: type(way).__name__)
def way(request):
    return request.param


@pytest.mark.parametrize("redirect", BROKEN.values(), ids=BROKEN)
def test_a_redirect_whose_body_is_broken_is_followed(way, server, clock, redirect):
    server.on("/f", redirect).on("/g", steps.respond(body="done"))
    assert way.send("GET", server.url + "/f", clock) == (200, b"done", None)
    assert [seen.path for seen in server.requests] == ["/f", "/g"]
    assert clock.sleeps == []


def test_a_redirect_is_not_read_to_its_end(server, clock):
    server.on("/f", steps.endless(status=302, headers=TO_G)).on("/g", steps.respond(body="done"))
    assert Aiohttp().send("GET", server.url + "/f", clock) == (200, b"done", None)


@pytest.mark.parametrize("policy", [POLICY, give_up_on(304) | POLICY], ids=["no rule", "a rule"])
@pytest.mark.parametrize("status", [300, 302])
def test_what_leads_nowhere_is_an_answer_like_any_other(way, server, clock, policy, status):
    server.on("/f", steps.truncate(status=status), steps.respond(status, body="choose"))
    assert way.send("GET", server.url + "/f", clock, policy)[:2] == (status, b"choose")
    assert clock.sleeps == [2.0]


def test_the_body_of_a_redirect_that_is_not_followed_is_the_callers(way, server, clock):
    server.on("/f", steps.respond(302, TO_G, json.dumps({"to": "g"})))
    answer = way.send("GET", server.url + "/f", clock, allow_redirects=False)
    assert answer == (302, b'{"to": "g"}', None)


def test_a_write_that_keeps_its_method_keeps_its_key(way, server, clock):
    server.on("/f", steps.respond(301, TO_G)).on("/g", steps.respond(503), steps.respond())
    assert way.send("PATCH", server.url + "/f", clock, key=True)[0] == 200
    assert [seen.method for seen in server.requests] == ["PATCH"] * 3
    (key,) = {seen.header("Idempotency-Key") for seen in server.requests}
    assert key is not None


@pytest.mark.parametrize("status", [408, 421])
def test_an_answer_to_head_that_wants_a_new_connection_gets_one(way, server, clock, status):
    server.on("/f", steps.respond(status), steps.respond())
    answer = way.send("HEAD", server.url + "/f", clock, retry_on(408, 421).immediately())
    assert answer[0] == 200
    assert server.connections == 2
