"""Gives pytest the fixtures `virtual_clock` and `fault_server`, and nothing to a test that does not ask for them."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from bide.testing.clock import VirtualClock
from bide.testing.server import FaultServer


@pytest.fixture
def virtual_clock() -> VirtualClock:
    """Give a new `VirtualClock` in auto mode, at 0 seconds."""
    return VirtualClock()


@pytest.fixture
def fault_server() -> Generator[FaultServer]:
    """Give a running `FaultServer`, which is closed after the test."""
    with FaultServer() as server:
        yield server
