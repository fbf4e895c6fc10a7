"""Tell whether another call of ours waits for this one, so that a policy inside a policy does not multiply."""

from __future__ import annotations

import sys
from itertools import count
from types import FrameType
from typing import Final

WRAPPER: Final = "bide.engine.wrapper"
"""What the wrappers' namespaces are named, by which their frames are known."""
_LOOPS: Final = frozenset({"bide.engine.loop", "bide.engine.aloop"})
_serials: Final = count(1)


def tick() -> int:
    """Return a number larger than every one before: the order in which calls begin and give up."""
    return next(_serials)


def another_waits(own: int) -> bool:
    """
    Tell whether more calls than its own (1, or 0 for a block) are on the stack of the call that asks.

    Asked only when a call gives up. Callers in another task or thread, and blocks, cannot be seen: they compare ticks.
    """
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  # there is no other way to look up the stack
    found = 0
    name = ""
    while frame is not None:
        below, name = name, str(frame.f_globals.get("__name__"))
        if name in _LOOPS or (
            name == WRAPPER and below not in _LOOPS
        ):  # a loop right below is the wrapper's own
            found += 1
            if found > own:
                return True
        frame = frame.f_back
    return False
