"""One fault on the wire, and what each client makes of it."""

import io
import threading

import aiohttp
import anyio
import httpx
import httpx2
import pytest
import requests

from bide.testing import FaultServer, steps

BIG = b"z" * 8_000_000
STALL = steps.stall()


def with_httpx(module):
    def post(url, body, timeout):
        with module.Client(trust_env=False, timeout=timeout) as client:
            return client.post(url, content=body).status_code

    return post


def with_async_httpx(module, backend):
    def post(url, body, timeout):
        async def main():
            async with module.AsyncClient(trust_env=False, timeout=timeout) as client:
                return (await client.post(url, content=body)).status_code

        return anyio.run(main, backend=backend)

    return post


def with_requests(url, body, timeout):
    with requests.Session() as session:
        session.trust_env = False
        return session.post(url, data=body, timeout=timeout).status_code


def with_aiohttp(url, body, timeout):
    async def main():
        bounds = aiohttp.ClientTimeout(total=timeout)
        try:
            async with (
                aiohttp.ClientSession(timeout=bounds) as session,
                session.post(url, data=io.BytesIO(body)) as response,
            ):
                await response.read()
                return response.status
        finally:
            await anyio.wait_all_tasks_blocked()  # aiohttp closes its transports a moment later

    return anyio.run(main)


CLIENTS = {
    "httpx": with_httpx(httpx),
    "httpx-asyncio": with_async_httpx(httpx, "asyncio"),
    "httpx-trio": with_async_httpx(httpx, "trio"),
    "httpx2": with_httpx(httpx2),
    "httpx2-asyncio": with_async_httpx(httpx2, "asyncio"),
    "httpx2-trio": with_async_httpx(httpx2, "trio"),
    "requests": with_requests,
    "aiohttp": with_aiohttp,
}

REFUSED = "refused"
# The step, then what httpx and httpx2, requests, and aiohttp raise; a number is a status that is returned.
FAULTS = {
    "refused": (REFUSED, "ConnectError", "ConnectionError", "ClientConnectorError"),
    "drop": (steps.drop(), "RemoteProtocolError", "ConnectionError", "ServerDisconnectedError"),
    "reset": (steps.reset(), "ReadError", "ConnectionError", "ClientOSError"),
    "garbage": (steps.garbage(), "RemoteProtocolError", "ConnectionError", "ClientResponseError"),
    "half_head": (steps.half_head(), "RemoteProtocolError", 200, "ServerDisconnectedError"),
    "stall": (STALL, "ReadTimeout", "ReadTimeout", "TimeoutError"),
    "truncate": (steps.truncate(), "RemoteProtocolError", "ChunkedEncodingError", "ClientPayloadError"),
    "truncate_chunked": (
        steps.truncate(framing="chunked"),
        "RemoteProtocolError",
        "ChunkedEncodingError",
        "ClientPayloadError",
    ),
    "bad_chunk": (steps.bad_chunk(), "RemoteProtocolError", "ChunkedEncodingError", "ClientResponseError"),
    "length": (steps.respond(), 200, 200, 200),
    "chunked": (steps.respond(body=b"hello world" * 3, framing="chunked"), 200, 200, 200),
    "close": (steps.respond(framing="close"), 200, 200, 200),
    "close_after": (steps.close_after(), 200, 200, 200),
    "trickle": (steps.trickle(b"slow", pause=0.001), 200, 200, 200),
}


def outcome(post, url, body, timeout):
    try:
        return post(url, body, timeout)
    except Exception as error:
        return type(error).__name__


def expected(client, row):
    return row[1 + ["httpx", "requests", "aiohttp"].index(client.partition("-")[0].removesuffix("2"))]


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_has_the_name_that_its_client_gives_it(fault, client):
    step = FAULTS[fault][0]
    with FaultServer() as server:
        url = server.refused_url() if step is REFUSED else server.on("/f", step).url + "/f"
        came = outcome(CLIENTS[client], url, b"abc", 0.1 if step is STALL else 5)
        server.wait_until_idle()
        assert came == expected(client, FAULTS[fault])
        assert {seen.body for seen in server.requests} <= {b"abc"}


# aiohttp gets the answer too, but may leave its upload's transport to the garbage collector, which warns.
@pytest.mark.parametrize("client", [client for client in CLIENTS if client != "aiohttp"])
def test_an_early_answer_arrives_although_the_body_was_not_read(client):
    with FaultServer() as server:
        server.on("/f", steps.early(413))
        assert outcome(CLIENTS[client], server.url + "/f", BIG, 5) == 413
        server.wait_until_idle()
        (seen,) = server.requests
        assert (seen.body, seen.complete) == (b"", False)


def test_an_early_answer_that_does_not_linger_may_be_lost():
    with FaultServer() as server:
        server.on("/f", steps.early(413, lingers=False))
        came = outcome(CLIENTS["httpx"], server.url + "/f", BIG, 5)
        server.wait_until_idle()
        assert came in {413, "ReadError", "WriteError", "RemoteProtocolError"}


def test_each_fault_leaves_no_thread_behind():
    before = threading.active_count()
    with FaultServer() as server:
        for step in [steps.drop(), steps.reset(), steps.garbage(), steps.truncate()]:
            outcome(CLIENTS["requests"], server.on("/f", step).url + "/f", b"", 5)
        server.wait_until_idle()
    assert threading.active_count() == before
