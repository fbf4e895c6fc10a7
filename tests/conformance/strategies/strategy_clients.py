"""Three real clients, each with one face: send a request by a strategy, and tell what came of it."""

import asyncio
import json
import ssl

import aiohttp
import attrs
import httpx
import requests

import bide
from bide.adapters import aiohttp as aiohttp_adapter
from bide.adapters import httpx as httpx_adapter
from bide.adapters import requests as requests_adapter

PATIENCE = 5.0  # real seconds; a server that says nothing is waited for a fraction of one
BRIEF = 0.15
NO_VERIFICATION = (
    ssl.create_default_context()
)  # loading certificates for each client would take most of the time


@attrs.frozen
class Came:
    """What came of one call: the client's response or the exception, and what `raise_for` makes of it."""

    status: int | None = None
    error: BaseException | None = None
    raised: BaseException | None = None
    history: object = None


def read(strategy, response, status):
    """What came of a call that ended with a response."""
    return Came(status, None, raised_by(strategy, response), bide.history(response))


def raised_by(strategy, response):
    """What `raise_for` raises for a response, or None."""
    try:
        strategy.raise_for(response)
    except bide.APIError as error:
        return error
    return None


def patience(case):
    return BRIEF if case.fault == "timed out" else PATIENCE


def headers(case):
    return {} if case.send is None else {"Content-Type": "application/json"}


def content(case):
    return None if case.send is None else json.dumps(case.send).encode()


def with_httpx(strategy, case, url, options):
    transport = httpx_adapter.RetryTransport(strategy, httpx.HTTPTransport(verify=NO_VERIFICATION), **options)
    came = []
    with httpx.Client(
        transport=transport, trust_env=False, verify=NO_VERIFICATION, timeout=patience(case)
    ) as client:
        for _ in range(case.calls):
            try:
                response = client.request(case.method, url, content=content(case), headers=headers(case))
                came.append(read(strategy, response, response.status_code))
            except httpx.HTTPError as error:
                came.append(Came(error=error, history=bide.history(error)))
    return came


def with_requests(strategy, case, url, options):
    came = []
    with requests.Session() as session:
        session.trust_env = False
        requests_adapter.install(session, strategy, **options)
        for _ in range(case.calls):
            try:
                response = session.request(
                    case.method, url, data=content(case), headers=headers(case), timeout=patience(case)
                )
                came.append(read(strategy, response, response.status_code))
            except requests.RequestException as error:
                came.append(Came(error=error, history=bide.history(error)))
    return came


def with_aiohttp(strategy, case, url, options):
    async def main():
        middleware = aiohttp_adapter.retry_middleware(strategy, **options)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=PATIENCE, sock_read=patience(case))
        async with aiohttp.ClientSession(middlewares=(middleware,), timeout=timeout) as session:
            came = [await once(session) for _ in range(case.calls)]
        for _ in range(3):  # its transports close in the loop's next turns
            await asyncio.sleep(0)
        return came

    async def once(session):
        try:
            async with session.request(
                case.method, url, data=content(case), headers=headers(case)
            ) as response:
                await response.read()
                return read(strategy, response, response.status)
        except aiohttp.ClientError as error:
            return Came(error=error, history=bide.history(error))

    return asyncio.run(main())


CLIENTS = {"httpx": with_httpx, "requests": with_requests, "aiohttp": with_aiohttp}
