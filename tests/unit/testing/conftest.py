import pytest

from bide.testing import plugin

# Named here, so that these tests do not depend on how bide was installed.
fault_server = plugin.fault_server
virtual_clock = plugin.virtual_clock


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param
