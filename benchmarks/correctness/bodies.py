"""Bodies: what arrives when a request is sent again."""

# ruff: noqa: ARG001, SIM115, SIM117  # signatures are the peers'; who asked for a file closes it; a session reads better inside its server

from __future__ import annotations

import asyncio
import tempfile

from case import Register, Seen
from stage import answering, name_of, stage

from bide import retry_on
from bide.testing import steps

here = Register("bodies")
WHOLE = b"abcdef"
TRIED = "PUT of a generator of 6 bytes, answered 503, then 200"


def parts():
    yield WHOLE[:3]
    yield WHOLE[3:]


async def async_parts():
    for part in parts():
        yield part


def arrived(server, status) -> Seen:
    sizes = [len(seen.body) for seen in server.requests]
    wrong = status == 200 and server.requests[-1].body != WHOLE
    times = "once" if len(sizes) == 1 else f"{len(sizes)} times"
    return Seen(f"sent {times}, with {_and(sizes)} bytes; the caller gets {status}", wrong)


def _and(sizes: list[int]) -> str:
    return " and ".join(map(str, sizes))


def ours_in_requests() -> Seen:
    stage()
    import requests

    from bide.adapters.requests import install

    with answering(503, 200) as server, requests.Session() as session:
        install(session, retry_on(503).fixed(1))
        return arrived(server, session.put(server.url + "/", data=parts()).status_code)


async def _ours_in_aiohttp(body) -> Seen:
    import aiohttp

    from bide.adapters.aiohttp import retry_middleware

    with answering(503, 200) as server:
        async with aiohttp.ClientSession(middlewares=(retry_middleware(retry_on(503).fixed(1)),)) as session:
            async with session.put(server.url + "/", data=body) as response:
                return arrived(server, response.status)


def ours_in_aiohttp() -> Seen:
    stage(clocks=False)
    return asyncio.run(_ours_in_aiohttp(async_parts()))


def ours_in_httpx() -> Seen:
    stage()
    import httpx

    from bide.adapters.httpx import RetryTransport

    with (
        answering(503, 200) as server,
        httpx.Client(transport=RetryTransport(retry_on(503).fixed(1))) as client,
    ):
        return arrived(server, client.put(server.url + "/", content=parts()).status_code)


@here.case("urllib3", TRIED, ours=ours_in_requests)
def urllib3_generator() -> Seen:
    stage()
    import urllib3

    retries = urllib3.Retry(total=3, status_forcelist=[503])
    with answering(503, 200) as server, urllib3.PoolManager(retries=retries) as pool:
        return arrived(server, pool.request("PUT", server.url + "/", body=parts()).status)


@here.case("requests", TRIED, ours=ours_in_requests, needs=("urllib3",))
def requests_generator() -> Seen:
    stage()
    import requests
    import urllib3
    from requests.adapters import HTTPAdapter

    with answering(503, 200) as server, requests.Session() as session:
        session.mount("http://", HTTPAdapter(max_retries=urllib3.Retry(total=3, status_forcelist=[503])))
        return arrived(server, session.put(server.url + "/", data=parts()).status_code)


async def _aiohttp_retry(body) -> Seen:
    from aiohttp_retry import ExponentialRetry, RetryClient

    with answering(503, 200) as server:
        async with RetryClient(retry_options=ExponentialRetry(attempts=3)) as client:
            async with client.put(server.url + "/", data=body) as response:
                return arrived(server, response.status)


@here.case("aiohttp-retry", TRIED, ours=ours_in_aiohttp)
def aiohttp_retry_generator() -> Seen:
    stage(clocks=False)
    return asyncio.run(_aiohttp_retry(async_parts()))


@here.case("httpx-retries", TRIED, ours=ours_in_httpx)
def httpx_retries_generator() -> Seen:
    stage()
    import httpx
    from httpx_retries import Retry, RetryTransport

    with (
        answering(503, 200) as server,
        httpx.Client(transport=RetryTransport(retry=Retry(total=3))) as client,
    ):
        try:
            return arrived(server, client.put(server.url + "/", content=parts()).status_code)
        except httpx.StreamConsumed:
            return Seen("raises StreamConsumed; the 503 and its headers are lost", wrong=True)


def _file():
    file = tempfile.TemporaryFile()
    file.write(WHOLE)
    file.seek(0)
    return file


async def _ours_file() -> Seen:
    with _file() as file:
        return await _ours_in_aiohttp(file)


def ours_file() -> Seen:
    stage(clocks=False)
    return asyncio.run(_ours_file())


@here.case("aiohttp-retry", "PUT of an open file, answered 503, then 200", ours=ours_file)
def aiohttp_retry_file() -> Seen:
    stage(clocks=False)

    async def put() -> Seen:
        with _file() as file:
            try:
                return await _aiohttp_retry(file)
            except Exception as error:
                closed = "closed file" in str(error)  # a ValueError, or a connection error that tells of one
                return Seen("raises an error about a closed file; the 503 is lost", closed)

    return asyncio.run(put())


LARGE = steps.respond(503, body=b"x" * 5_000_000)


async def _timed(session_get) -> Seen:
    try:
        async with asyncio.timeout(1.5), session_get() as response:
            return Seen(f"the caller gets {response.status}", response.status != 200)
    except TimeoutError:
        return Seen("still waiting for a connection when we stop it", wrong=True)


def ours_pool_of_one() -> Seen:
    stage(clocks=False)
    import aiohttp

    from bide.adapters.aiohttp import retry_middleware

    async def get() -> Seen:
        with answering(LARGE, 200) as server:
            async with aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=1),
                middlewares=(retry_middleware(retry_on(503).fixed(1)),),
            ) as session:
                return await _timed(lambda: session.get(server.url + "/"))

    return asyncio.run(get())


@here.case(
    "aiohttp-retry",
    "503 with a body of 5 MB, then 200, on a pool of one connection; 1.5 s",
    ours=ours_pool_of_one,
)
def aiohttp_retry_pool_of_one() -> Seen:
    stage(clocks=False)
    import aiohttp
    from aiohttp_retry import ExponentialRetry, RetryClient

    async def get() -> Seen:
        with answering(LARGE, 200) as server:
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session:
                client = RetryClient(session, retry_options=ExponentialRetry(attempts=3))
                return await _timed(lambda: client.get(server.url + "/"))

    return asyncio.run(get())


def _left_open(call) -> Seen:
    """Send one request over a transport whose response says whether it was closed."""
    import httpx

    closed: list[bool] = []

    class Body(httpx.SyncByteStream):
        def __iter__(self):
            yield b"ok"

        def close(self) -> None:
            closed.append(True)

    told = call(httpx.MockTransport(lambda _request: httpx.Response(200, stream=Body())))
    state = "closed" if closed else "left open: its connection is lost"
    return Seen(f"{told}; the response is {state}", not closed)


def _broken(response) -> bool:
    raise KeyError("no such field")


def ours_broken_check() -> Seen:
    stage()
    import httpx

    from bide import when
    from bide.adapters.httpx import RetryTransport

    def call(inner) -> str:
        faults = []
        policy = retry_on(when(_broken))
        transport = RetryTransport(
            policy, transport=inner, listeners=[lambda event: faults.append(event.error)]
        )
        with httpx.Client(transport=transport) as client:
            status = client.get("http://host/").status_code
        return f"the caller gets {status}, the listener the {name_of(*faults)}"

    return _left_open(call)


@here.case(
    "httpx-retries",
    "A response check (ours: a condition) with a fault: it raises KeyError",
    ours=ours_broken_check,
)
def httpx_retries_broken_check() -> Seen:
    stage()
    import httpx
    from httpx_retries import Retry, RetryTransport

    def call(inner) -> str:
        retrying = RetryTransport(inner, Retry(total=3, validate_response=_broken))
        with httpx.Client(transport=retrying) as client:
            try:
                return f"the caller gets {client.get('http://host/').status_code}"
            except KeyError:
                return "raises KeyError"

    return _left_open(call)
