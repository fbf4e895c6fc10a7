"""A clock that waits faster than it says, and shows the wait: policies see their own seconds pass."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

from bide.engine.clock import Clock

Draw = Callable[[float, float], None]
"""Draws a wait: the seconds left, and the seconds in all."""

FRAME: Final = 0.05


class PacedClock:
    """
    Another clock's time, its waits divided by `speed`.

    What is skipped of a wait is added to `monotonic()` and `time()`, so that deadlines and dates stay true.

    Args:
        base: Whose time passes.
        speed: How many seconds of a wait pass in one of the base's.
        countdown: Returns what draws a wait while its block is open; None: nothing is drawn.
    """

    def __init__(
        self,
        base: Clock,
        speed: float = 1.0,
        countdown: Callable[[], AbstractContextManager[Draw]] | None = None,
    ) -> None:
        self._base = base
        self._speed = speed
        self._countdown = countdown
        self._skipped = 0.0

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return self._base.monotonic() + self._skipped

    def time(self) -> float:
        """Return epoch seconds."""
        return self._base.time() + self._skipped

    def sleep(self, seconds: float, /) -> None:
        """Wait, showing how much is left."""
        real = seconds / self._speed
        if self._countdown is None:
            self._base.sleep(real)
        else:
            self._count_down(seconds, self._base.monotonic() + real)
        self._pass(seconds)

    async def asleep(self, seconds: float, /) -> None:
        """Wait, letting other tasks run."""
        await self._base.asleep(seconds / self._speed)
        self._pass(seconds)

    def _count_down(self, seconds: float, end: float) -> None:
        assert self._countdown is not None  # sleep asked
        with self._countdown() as draw:
            while (left := end - self._base.monotonic()) > 0:
                draw(left * self._speed, seconds)
                self._base.sleep(min(FRAME, left))

    def _pass(self, seconds: float) -> None:
        self._skipped += seconds - seconds / self._speed
