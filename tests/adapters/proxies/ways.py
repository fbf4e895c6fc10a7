"""Eight ways to send by a policy through a proxy, with one face: six of httpx and httpx2, requests, aiohttp."""

import asyncio
import gc
import inspect
from contextlib import asynccontextmanager

import aiohttp
import anyio
import attrs
import httpx
import httpx2
import requests

from bide import history
from bide.adapters import aiohttp as aiohttp_adapter
from bide.adapters import httpx as httpx_adapter
from bide.adapters import httpx2 as httpx2_adapter
from bide.adapters import requests as requests_adapter


@attrs.frozen
class Came:
    """What came out of a call: a status and a text, or an exception."""

    status: int | None
    text: str
    error: Exception | None
    history: object

    @property
    def class_name(self):
        """The name of the client's own exception: aiohttp's may be the cause of ours."""
        own = self.error.__cause__ if type(self.error).__name__ == "RetriesExhausted" else self.error
        return type(own).__name__


@attrs.frozen
class Way:
    """One way to send; `proxy` and `environment` say how its clients learn of a proxy."""

    name: str
    backend: str | None
    trusts: object
    clock: object

    def run(self, scenario):
        """Run a scenario to its end, and see that it leaves no task behind."""
        if self.backend is None:
            try:
                scenario().send(None)
            except StopIteration:
                gc.collect()  # an exception of urllib3 is in a circle with the pool that it came from
                return
            raise AssertionError("a blocking client awaited something")

        async def watched():
            await scenario()
            if self.backend == "asyncio":
                assert asyncio.all_tasks() == {asyncio.current_task()}

        anyio.run(watched, backend=self.backend)
        gc.collect()  # what was left to the collector would warn now

    @property
    def family(self):
        return self.name.partition("-")[0].rstrip("2")

    @asynccontextmanager
    async def sender(self, policy, *, proxy=None):
        """Yield `send(method, url)`; without a proxy, the client looks for one in the environment."""
        opened = {"httpx": self._httpx, "requests": self._requests, "aiohttp": self._aiohttp}[self.family]
        async with opened(policy, proxy) as native:

            async def send(method, url, body=None):
                try:
                    status, text = await native(method, url, body)
                except Exception as error:
                    return Came(None, "", error, history(error))
                return Came(status.status, text, None, history(status.response))

            yield send

    @asynccontextmanager
    async def _httpx(self, policy, proxy):
        module, adapter = (httpx2, httpx2_adapter) if "httpx2" in self.name else (httpx, httpx_adapter)
        make = module.Client if self.backend is None else module.AsyncClient
        client = make(proxy=proxy, trust_env=proxy is None, verify=self.trusts.context, timeout=5)
        adapter.install(client, policy, clock=self.clock)

        async def native(method, url, body):
            response = await settled(client.request(method, url, content=body))
            return Status(response.status_code, response), response.text

        try:
            yield native
        finally:
            await settled(client.close() if self.backend is None else client.aclose())

    @asynccontextmanager
    async def _requests(self, policy, proxy):
        with requests.Session() as session:
            session.trust_env = proxy is None
            session.proxies = {} if proxy is None else {"http": proxy, "https": proxy}
            requests_adapter.install(session, policy, clock=self.clock)

            async def native(method, url, body):
                response = session.request(method, url, data=body, timeout=5, verify=self.trusts.path)
                return Status(response.status_code, response), response.text

            yield native

    @asynccontextmanager
    async def _aiohttp(self, policy, proxy):
        retry = aiohttp_adapter.retry_middleware(policy, clock=self.clock)
        async with aiohttp.ClientSession(
            middlewares=(retry,), proxy=proxy, trust_env=proxy is None
        ) as session:

            async def native(method, url, body):
                async with session.request(method, url, data=body, ssl=self.trusts.context) as response:
                    return Status(response.status, response), await response.text()

            yield native
        for _ in range(3):  # its transports close in the loop's next turns
            await asyncio.sleep(0)


@attrs.frozen
class Status:
    """A response and its status, which each client names differently."""

    status: int
    response: object


async def settled(value):
    return await value if inspect.isawaitable(value) else value


WAYS = {
    **{
        f"{name}-{backend or 'sync'}": backend
        for name in ("httpx", "httpx2")
        for backend in (None, "asyncio", "trio")
    },
    "requests": None,
    "aiohttp": "asyncio",
}
