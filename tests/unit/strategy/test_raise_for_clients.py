"""`Strategy.raise_for` reads the response of every client, each from a real server."""

import asyncio
import gc
import io
import json
import urllib.error
import urllib.request
from email.message import Message

import aiohttp
import httpx
import httpx2
import pytest
import requests
import urllib3

from bide.policy.outcome import Outcome
from bide.strategy.errors import APIError, RateLimitError
from bide.strategy.unread import read_ahead
from bide.testing import FaultServer, steps

SAID = {
    "error": {
        "code": "busy",
        "message": "Slow down.",
        "param": "page",
        "details": {"limit": 3},
        "type": "limit",
    }
}
ACCEPTED = {"upload_session_id": "u-1"}
TEXT = """
[read]
code = "error.code"
category = "error.type"
message = "error.message"
param = "error.param"
details = "error.details"
request_id = "header:x-request-id"
[policies]
default = 'retry_on(429) | accept_on(409 & body("upload_session_id")) | give_up_on(4xx)'
"""


@pytest.fixture
def acme(make):
    return make(TEXT)


@pytest.fixture
def server():
    with FaultServer() as running:
        running.on("/busy", steps.json(429, SAID, {"x-request-id": "r-1", "Retry-After": "7"}))
        running.on("/there", steps.json(409, ACCEPTED))
        running.on("/fine", steps.json(200, {}))
        yield running


def by_httpx(raise_for, url):
    raise_for(httpx.get(url, trust_env=False))


def by_httpx2(raise_for, url):
    raise_for(httpx2.get(url, trust_env=False))


def by_httpx_status_error(raise_for, url):
    try:
        httpx.get(url, trust_env=False).raise_for_status()
    except httpx.HTTPStatusError as error:
        raise_for(error)


def by_requests(raise_for, url):
    with requests.Session() as session:
        session.trust_env = False
        raise_for(session.get(url))


def by_requests_http_error(raise_for, url):
    with requests.Session() as session:
        session.trust_env = False
        try:
            session.get(url).raise_for_status()
        except requests.HTTPError as error:
            raise_for(error)


def by_urllib3(raise_for, url):
    with urllib3.PoolManager() as pool:
        raise_for(pool.request("GET", url, retries=False))


def by_aiohttp(raise_for, url):
    async def main():
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            await response.read()
            raise_for(response)

    asyncio.run(main())


def by_urllib(raise_for, url):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        opener.open(url).close()
    except urllib.error.HTTPError as error:
        with error:
            raise_for(error)


CLIENTS = [
    by_httpx,
    by_httpx2,
    by_httpx_status_error,
    by_requests,
    by_requests_http_error,
    by_urllib3,
    by_aiohttp,
    by_urllib,
]


@pytest.mark.parametrize("send", CLIENTS)
def test_every_field_of_the_error_comes_from_a_client_s_response(acme, server, send):
    with pytest.raises(RateLimitError) as caught:
        send(acme.raise_for, server.url + "/busy")
    error = caught.value
    assert (error.status, error.code, error.category, error.message) == (429, "busy", "limit", "Slow down.")
    assert (error.param, error.details) == ("page", {"limit": 3})
    assert (error.request_id, error.retry_after) == ("r-1", 7.0)
    del caught, error
    gc.collect()  # a client's exceptions hold its connections in a circle


@pytest.mark.parametrize("send", CLIENTS)
def test_a_response_that_is_a_success_or_is_accepted_raises_nothing(acme, server, send):
    send(acme.raise_for, server.url + "/fine")
    send(acme.raise_for, server.url + "/there")


def opened(url):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with pytest.raises(urllib.error.HTTPError) as caught:
        opener.open(url)
    return caught.value


@pytest.mark.parametrize("size", [0, 10, 65_536, 200_000])
@pytest.mark.parametrize("before", [0, 3])
def test_the_body_of_urllib_s_error_is_put_back(server, size, before):
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    server.on("/large", steps.respond(503, {}, body))
    with opened(server.url + "/large") as error:
        error.read(before)  # which makes it remember how to read
        assert read_ahead(error) == body[before:][:65_536]
        assert error.read(5) == body[before:][:5]
        assert error.read() == body[before:][5:]


def test_after_an_accepted_answer_urllib_s_body_is_still_there(acme, server):
    with opened(server.url + "/there") as error:
        acme.raise_for(error)
        assert json.loads(error.read()) == ACCEPTED


def test_a_body_of_urllib_that_is_cut_off_has_no_code(acme, server):
    server.on("/cut", steps.truncate(b'{"error": {"code": "busy"}}' * 9, status=429))
    with opened(server.url + "/cut") as error, pytest.raises(RateLimitError) as caught:
        acme.raise_for(error)
    assert caught.value.code is None


def test_a_body_of_urllib_that_cannot_be_read_is_no_body(acme):
    class Broken(io.BytesIO):
        def read(self, size=-1):
            raise ConnectionResetError

    with (
        urllib.error.HTTPError("https://acme.example", 429, "", Message(), Broken()) as error,
        pytest.raises(RateLimitError) as caught,
    ):
        acme.raise_for(error)
    assert caught.value.code is None
    assert "had not been read" in caught.value.__notes__[0]


def test_only_urllib_s_error_is_read(acme):
    class Carrier(Exception):
        status = 429
        fp = "not to be touched"

    assert read_ahead(Carrier()) is None
    with pytest.raises(RateLimitError):
        acme.raise_for(Carrier())


def test_a_body_that_was_read_elsewhere_may_be_said(acme):
    with pytest.raises(APIError) as caught:
        acme.raise_for(Outcome(400), body=json.dumps(SAID))
    assert (caught.value.code, caught.value.param) == ("busy", "page")
    unread = httpx.Response(500, stream=httpx.ByteStream(b"{}"))
    with pytest.raises(APIError) as caught:
        acme.raise_for(unread, body=json.dumps(SAID).encode())
    assert caught.value.message == "Slow down."
    assert acme.raise_for(Outcome(409), body=json.dumps(ACCEPTED)) is None
