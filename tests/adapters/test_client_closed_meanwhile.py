"""A client that is closed while a call waits: the call ends, and opens no connection that nobody would close."""

import asyncio

import aiohttp
import anyio
import httpx
import httpx2
import pytest

from bide import history, network, retry_on
from bide.adapters import aiohttp as for_aiohttp
from bide.adapters import httpx as for_httpx
from bide.adapters import httpx2 as for_httpx2
from bide.testing import VirtualClock, steps

POLICY = retry_on(503).fixed(2)


class Closing(VirtualClock):
    """A clock that closes a client while a call waits."""

    client = None

    def sleep(self, seconds):
        super().sleep(seconds)
        self.client.close()

    async def asleep(self, seconds):
        await super().asleep(seconds)
        await (self.client.close if hasattr(self.client, "cookie_jar") else self.client.aclose)()


@pytest.fixture
def closing():
    return Closing()


@pytest.fixture(params=[(httpx, for_httpx), (httpx2, for_httpx2)], ids=["httpx", "httpx2"])
def library(request):
    return request.param


@pytest.fixture(params=["transport", "client"])
def seam(request):
    return request.param


def test_a_call_of_a_plain_client_ends(library, seam, server, closing):
    module, adapter = library
    server.on("/f", steps.respond(503), steps.respond())
    closing.client = adapter.install(module.Client(trust_env=False), POLICY, seam=seam, clock=closing)
    with pytest.raises(RuntimeError, match="closed") as caught:
        closing.client.get(server.url + "/f")
    assert history(caught.value)[0].outcome == "503"
    assert len(server.requests) == 1
    server.wait_until_idle()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_call_of_an_asynchronous_client_ends(library, seam, backend, server, closing):
    module, adapter = library
    server.on("/f", steps.respond(503), steps.respond())

    async def main():
        closing.client = adapter.install(
            module.AsyncClient(trust_env=False), POLICY, seam=seam, clock=closing
        )
        with pytest.raises(RuntimeError, match="closed"):
            await closing.client.get(server.url + "/f")

    anyio.run(main, backend=backend)
    assert len(server.requests) == 1
    server.wait_until_idle()


@pytest.mark.parametrize("backend", [None, "asyncio", "trio"])
def test_a_call_ends_whose_client_is_closed_while_its_first_attempt_runs(library, seam, backend, clock):
    module, adapter = library
    sent = []

    class Lost(module.BaseTransport, module.AsyncBaseTransport):
        def handle_request(self, request):
            sent.append(request)
            client.close()
            raise module.ReadError("lost")

        async def handle_async_request(self, request):
            sent.append(request)
            await client.aclose()
            raise module.ReadError("lost")

    policy = retry_on(network).fixed(2)
    plain = backend is None
    client = (module.Client if plain else module.AsyncClient)(transport=Lost(), trust_env=False)
    adapter.install(client, policy, seam=seam, clock=clock)
    with pytest.raises(RuntimeError, match="closed"):
        client.get("http://host.test/") if plain else anyio.run(
            client.get, "http://host.test/", backend=backend
        )
    assert len(sent) == 1


def test_a_call_of_a_session_of_aiohttp_ends(server, closing):
    server.on("/f", steps.respond(503), steps.respond())

    async def main():
        retry = for_aiohttp.retry_middleware(POLICY, clock=closing)
        closing.client = aiohttp.ClientSession(middlewares=(retry,))
        with pytest.raises(RuntimeError, match="closed"):
            await closing.client.get(server.url + "/f")

    asyncio.run(main())
    assert len(server.requests) == 1
    server.wait_until_idle()


def test_a_transport_that_was_closed_before_may_be_used_as_without_retries(server, clock):
    server.on("/f", steps.respond(503), steps.respond())
    with for_httpx.RetryTransport(POLICY, clock=clock) as transport:
        transport.close()
        request = httpx.Request("GET", server.url + "/f")
        with httpx.Client(transport=transport, trust_env=False) as client:
            assert client.send(request).status_code == 200
