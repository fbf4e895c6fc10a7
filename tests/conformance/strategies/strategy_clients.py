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
    return ({} if case.send is None else {"Content-Type": "application/json"}) | case.sends


def content(case):
    return None if case.send is None else json.dumps(case.send).encode()


class WithHttpx:
    """All cases share the connections; each has a transport of its own around them."""

    def __enter__(self):
        self.connections = httpx.HTTPTransport(verify=NO_VERIFICATION)
        return self

    def __exit__(self, *error):
        self.connections.close()

    def play(self, strategy, case, url, options):
        client = httpx.Client(
            transport=httpx_adapter.RetryTransport(strategy, self.connections, **options),
            trust_env=False,
            verify=NO_VERIFICATION,
            timeout=patience(case),
        )
        return [self.once(client, strategy, case, url) for _ in range(case.calls)]

    def once(self, client, strategy, case, url):
        try:
            response = client.request(case.method, url, content=content(case), headers=headers(case))
        except httpx.HTTPError as error:
            return Came(error=error, history=bide.history(error))
        return read(strategy, response, response.status_code)


class WithRequests:
    """Each case has a session of its own: it is the adapter that holds the connections."""

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def play(self, strategy, case, url, options):
        with requests.Session() as session:
            session.trust_env = False
            requests_adapter.install(session, strategy, **options)
            return [self.once(session, strategy, case, url) for _ in range(case.calls)]

    def once(self, session, strategy, case, url):
        said = {"data": content(case), "headers": headers(case), "timeout": patience(case)}
        try:
            response = session.request(case.method, url, **said)
        except requests.RequestException as error:
            return Came(error=error, history=bide.history(error))
        return read(strategy, response, response.status_code)


class WithAiohttp:
    """All cases share one loop and one session; each has a middleware of its own."""

    def __enter__(self):
        self.runner = asyncio.Runner()
        self.session = self.runner.run(self.opened())
        return self

    def __exit__(self, *error):
        self.runner.run(self.closed())
        self.runner.close()

    async def opened(self):
        return aiohttp.ClientSession()

    async def closed(self):
        await self.session.close()
        for _ in range(3):  # its transports close in the loop's next turns
            await asyncio.sleep(0)

    def play(self, strategy, case, url, options):
        return self.runner.run(self.calls(strategy, case, url, options))

    async def calls(self, strategy, case, url, options):
        said = {
            "middlewares": (aiohttp_adapter.retry_middleware(strategy, **options),),
            "timeout": aiohttp.ClientTimeout(total=None, sock_connect=PATIENCE, sock_read=patience(case)),
            "data": content(case),
            "headers": headers(case),
        }
        return [await self.once(strategy, case, url, said) for _ in range(case.calls)]

    async def once(self, strategy, case, url, said):
        try:
            async with self.session.request(case.method, url, **said) as response:
                await response.read()
                return read(strategy, response, response.status)
        except aiohttp.ClientError as error:
            return Came(error=error, history=bide.history(error))


CLIENTS = {"httpx": WithHttpx, "requests": WithRequests, "aiohttp": WithAiohttp}
