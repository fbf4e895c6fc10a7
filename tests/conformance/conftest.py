"""Makes the modules beside this one importable by the tests here, and gives each test a server that must end idle."""

import sys
from pathlib import Path

import pytest

from bide.testing import FaultServer

sys.path.append(str(Path(__file__).parent))  # test folders are no packages


@pytest.fixture
def server():
    """A server whose every connection a client has let go of by the end of the test."""
    with FaultServer() as running:
        yield running
        running.wait_until_idle()
