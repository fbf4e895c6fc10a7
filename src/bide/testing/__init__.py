"""What tests of code that waits and fails need: virtual time, a faulty server, scripted functions."""

from bide.testing import steps
from bide.testing.clock import VirtualClock
from bide.testing.scripts import Call, Draws, Scripted
from bide.testing.server import FaultServer
from bide.testing.steps import Seen, Step
from bide.testing.timeouts import VirtualTimeout

__all__ = [
    "Call",
    "Draws",
    "FaultServer",
    "Scripted",
    "Seen",
    "Step",
    "VirtualClock",
    "VirtualTimeout",
    "steps",
]
