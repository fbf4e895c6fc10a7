"""The deadline of the call around: what is called inside an attempt may know it, and never outlives it."""

from __future__ import annotations

from contextvars import ContextVar
from math import inf
from typing import Final

from bide.engine.clock import Clock


class Deadline:
    """
    When an attempt must have ended, by a clock's monotonic seconds, while the attempt runs.

    A task that an attempt began and left behind inherits its deadline: once the attempt has ended, it binds nobody.
    """

    __slots__ = ("clock", "ends", "outer", "running")

    def __init__(self, clock: Clock, ends: float) -> None:
        self.clock = clock
        self.ends = ends
        self.outer = _running()
        self.running = True
        _AROUND.set(self)

    def leave(self) -> None:
        """Lift it, for tasks that have inherited it too."""
        self.running = False
        if (
            around() is self
        ):  # else this is another context, or a generator's block is left while another's is open
            _AROUND.set(_running())


_AROUND: Final[ContextVar[Deadline | None]] = ContextVar("bide.deadline", default=None)
around: Final = _AROUND.get
"""Return the innermost deadline around, or None: the cheap question, for whoever needs none of its answers."""


def enclosing(clock: Clock) -> float:
    """Return the clock's monotonic seconds at which the first deadline around ends; infinity when there is none."""
    ends = inf
    deadline = _running()
    while deadline is not None:
        if deadline.clock is clock:
            ends = min(ends, deadline.ends)
        deadline = deadline.outer
    return ends


def _running() -> Deadline | None:
    """Return the innermost deadline that binds, and cut those that have ended out of the chain: tasks may be endless."""
    first = deadline = _first_running(around())
    while deadline is not None:
        deadline.outer = _first_running(deadline.outer)
        deadline = deadline.outer
    return first


def _first_running(deadline: Deadline | None) -> Deadline | None:
    while deadline is not None and not deadline.running:
        deadline = deadline.outer
    return deadline


def forget() -> None:
    """Let what this task calls know of no deadline around: it works for callers that have others."""
    _AROUND.set(None)
