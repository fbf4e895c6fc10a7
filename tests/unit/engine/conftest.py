import pytest

from bide.testing import Draws, VirtualClock


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture(params=["asyncio", "trio"])
def each_backend(request):
    """The event loop of a test that drives its own, with anyio.run."""
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
