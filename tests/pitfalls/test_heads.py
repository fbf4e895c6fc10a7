"""A head that no client should believe is one failure of the network for each attempt, and costs neither memory nor time."""

import aiohttp
import httpx
import pytest
import requests

from bide import Reason, history, network, retry_on
from bide.testing import steps

POLICY = retry_on(network, 503).fixed(1).max(2)
BUSY = b"HTTP/1.1 503 Busy\r\nConnection: close\r\n"
NOTHING = b"Content-Length: 0\r\n\r\n"
ABSURD = {
    "a header of 2 MB": BUSY + b"X: " + b"x" * 2_000_000 + b"\r\n" + NOTHING,
    "ten thousand headers": BUSY + b"X: y\r\n" * 10_000 + NOTHING,
    "a zero byte in a header": BUSY + b"X: a\x00b\r\n" + NOTHING,
    "a status that is no number": BUSY.replace(b"503", b"abc") + NOTHING,
    "a reason of 1 MB": BUSY.replace(b"Busy", b"B" * 1_000_000) + NOTHING,
    "two lengths that differ": BUSY + b"Content-Length: 4\r\nContent-Length: 3\r\n\r\nbusy",
    "a length below zero": BUSY + b"Content-Length: -3\r\n\r\nbusy",
}


@pytest.fixture(params=ABSURD.values(), ids=ABSURD)
def url(server, request):
    server.on("/", steps.raw(request.param))
    return server.url + "/"


def told(get, errors):
    """Return what a call left behind: of the client's own error, or, where a client believes the head, of the 503."""
    try:
        answer = get()
    except errors as error:
        return history(error)
    assert answer.status_code == 503
    return history(answer)


def test_an_absurd_head_is_one_failure_an_attempt_in_httpx(server, url, with_httpx):
    kept = told(lambda: with_httpx(POLICY).get(url), httpx.TransportError)
    assert (kept.reason, kept.attempts, len(server.requests)) == (Reason.RETRIES_EXHAUSTED, 3, 3)


def test_an_absurd_head_is_one_failure_an_attempt_in_requests(server, url, with_requests):
    kept = told(lambda: with_requests(POLICY).get(url), requests.RequestException)
    assert (kept.reason, kept.attempts, len(server.requests)) == (Reason.RETRIES_EXHAUSTED, 3, 3)


async def test_an_absurd_head_is_one_failure_an_attempt_in_aiohttp(server, url, with_aiohttp):
    async with with_aiohttp(POLICY) as session:
        try:
            answer = await session.get(url)
        except aiohttp.ClientError as error:
            kept = history(error)
        else:
            assert answer.status == 503
            kept = history(answer)
    assert (kept.reason, kept.attempts, len(server.requests)) == (Reason.RETRIES_EXHAUSTED, 3, 3)
