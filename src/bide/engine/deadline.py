"""The deadline of the call around: what is called inside an attempt may know it, and never outlives it."""

from __future__ import annotations

from contextlib import suppress
from contextvars import ContextVar, Token
from math import inf
from typing import Final

from bide.engine.clock import Clock


class Deadline:
    """
    When an attempt must have ended, by a clock's monotonic seconds, while the attempt runs.

    A task that an attempt began and left behind inherits its deadline: once the attempt has ended, it binds nobody.
    """

    __slots__ = ("clock", "ends", "outer", "running", "token")

    def __init__(self, clock: Clock, ends: float) -> None:
        self.clock = clock
        self.ends = ends
        self.outer = around()
        self.running = True
        self.token: Token[Deadline | None] = _AROUND.set(self)

    def leave(self) -> None:
        """Lift it, for tasks that have inherited it too."""
        self.running = False
        with suppress(ValueError):  # a coroutine that was closed from elsewhere: its context is gone
            _AROUND.reset(self.token)


_AROUND: Final[ContextVar[Deadline | None]] = ContextVar("bide.deadline", default=None)
around: Final = _AROUND.get
"""Return the innermost deadline around, or None: the cheap question, for whoever needs none of its answers."""


def enclosing(clock: Clock) -> float:
    """Return the clock's monotonic seconds at which the first deadline around ends; infinity when there is none."""
    ends = inf
    deadline = around()
    while deadline is not None:
        if deadline.running and deadline.clock is clock:
            ends = min(ends, deadline.ends)
        deadline = deadline.outer
    return ends


def forget() -> None:
    """Let what this task calls know of no deadline around: it works for callers that have others."""
    _AROUND.set(None)
