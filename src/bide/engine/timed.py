"""How long a call has taken, and how long it and each of its attempts may take."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Any

from bide.engine.deadline import Deadline, enclosing
from bide.engine.timeouts import bounded
from bide.policy.decide import polled

if TYPE_CHECKING:
    from bide.engine.settings import Settings


class Timed:
    """The part of a call that knows its clock: its deadline, the one around it, and the timeout of its attempts."""

    __slots__ = ("began", "ends", "fn", "settings", "spent", "started")

    def __init__(self, settings: Settings, fn: Callable[..., Any], started: float | None = None) -> None:
        self.settings = settings
        self.fn = fn
        self.started: float | None = started
        self.began: float | None = started
        self.ends = enclosing(settings.clock)
        self.spent = [0.0] * settings.size

    async def bounded(self, /, *args: Any, **kwargs: Any) -> Any:
        """Run one attempt of the coroutine function, bounded by the timeout and by what is left of the deadline."""
        allowed = self.time_allowed()
        deadline = self.enter(allowed)
        try:
            return await bounded(self.settings.clock, allowed, self.fn, *args, **kwargs)
        finally:
            deadline.leave()

    def dated(self, /, *args: Any, **kwargs: Any) -> Any:
        """Run one attempt of the function, which nothing can interrupt, but what it calls may know its deadline."""
        deadline = self.enter(self.time_allowed())
        try:
            return self.fn(*args, **kwargs)
        finally:
            deadline.leave()

    def enter(self, allowed: float) -> Deadline:
        """Let what an attempt that begins now calls know how many seconds it may take, until it is left."""
        clock = self.settings.clock
        return Deadline(clock, clock.monotonic() + allowed)

    def time_allowed(self) -> float:
        """Return the seconds that an attempt beginning now may take; infinity when nothing bounds it."""
        timeout = self.settings.policy.limits.timeout
        return self._time_left() if timeout is None else min(timeout, self._time_left())

    def _time_left(self) -> float:
        """Return the seconds until the policy's deadline, or the one around it; infinity when there is none."""
        policy = self.settings.policy
        around, within = self._left(), policy.limits.within
        left = inf if around is None else around
        if within is not None:
            left = min(left, within - self._elapsed() + polled(policy.clauses, self.spent))
        return max(0.0, left)

    def _left(self) -> float | None:
        """Return the seconds that a deadline around leaves, or None when there is none."""
        return None if self.ends == inf else self.ends - self.settings.clock.monotonic()

    def _elapsed(self) -> float:
        return 0.0 if self.started is None else self.settings.clock.monotonic() - self.started

    def _took(self) -> float:
        return 0.0 if self.began is None else max(0.0, self.settings.clock.monotonic() - self.began)
