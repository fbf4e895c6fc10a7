"""What pitfalls are played on: virtual time, a real server, and the three clients over it, one connection each."""

import asyncio
import gc
import inspect
from contextlib import asynccontextmanager

import aiohttp
import httpx
import pytest
import requests

from bide.adapters.aiohttp import retry_middleware
from bide.adapters.httpx import RetryTransport
from bide.adapters.requests import RetryAdapter
from bide.testing import FaultServer, VirtualClock


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def server():
    with FaultServer() as running:
        yield running


@pytest.fixture
def with_requests(clock):
    """Return a requests session that retries by a policy, and has one connection."""
    with requests.Session() as session:
        session.trust_env = False

        def make(policy, **options):
            adapter = RetryAdapter(
                policy, **{"clock": clock, "pool_maxsize": 1, "pool_block": True, **options}
            )
            session.mount("http://", adapter)
            return session

        yield make
    gc.collect()  # an exception of urllib3 is in a circle with the pool that it came from


@pytest.fixture
def with_httpx(clock):
    """Return an httpx client that retries by a policy, and has one connection."""
    made = []

    def make(policy, over=None, **options):
        inner = over or httpx.HTTPTransport(verify=False, limits=httpx.Limits(max_connections=1))
        client = httpx.Client(
            transport=RetryTransport(policy, transport=inner, **{"clock": clock, **options})
        )
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


@pytest.fixture
def with_aiohttp(clock):
    """Return an aiohttp session that retries by a policy, and has one connection."""

    @asynccontextmanager
    async def make(policy, **session):
        async with aiohttp.ClientSession(
            middlewares=(retry_middleware(policy, clock=clock),),
            connector=aiohttp.TCPConnector(limit=1),
            timeout=aiohttp.ClientTimeout(total=10),
            **session,
        ) as made:
            yield made

    return make


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Run a test that is a coroutine function on asyncio."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True
