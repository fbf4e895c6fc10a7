"""Makes the module beside this one importable by the tests here, and gives them clocks, loops and bound policies."""

import asyncio
import sys
from pathlib import Path

import pytest
import trio

from bide.testing import Draws, VirtualClock

sys.path.append(str(Path(__file__).parent))  # test folders are no packages


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture(params=["asyncio", "trio"])
def each_backend(request):
    """The event loop of a test that drives its own, with anyio.run."""
    return request.param


@pytest.fixture(params=[asyncio.run, lambda main: trio.run(lambda: main)], ids=["asyncio", "trio"])
def run(request):
    """What runs a coroutine in an event loop of its own."""
    return request.param


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def told():
    """The events that the runtimes of this test told."""
    return []


@pytest.fixture
def bound(clock, told):
    """Bind a policy to virtual time, draws of one half, and the list `told`."""

    def bind(policy, **options):
        return policy.bind(**{"clock": clock, "rng": Draws(0.5), "listeners": [told.append], **options})

    return bind
