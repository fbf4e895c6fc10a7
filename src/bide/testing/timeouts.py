"""Bounds a block of async code in virtual seconds."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

import anyio

from bide.testing.loops import runner_in_this_loop

if TYPE_CHECKING:
    from types import TracebackType

    from bide.testing.timeline import Timeline


class VirtualTimeout:
    """
    An async context manager that raises `TimeoutError` in its body when virtual time passes its deadline.

    `VirtualClock.fail_after` makes one; it is used once. It works on asyncio and trio, cancels the body wherever time
    was moved from, and lets a cancellation from outside through. As everywhere in anyio and trio, a body that
    reaches no checkpoint after the deadline is not interrupted.

    Attributes:
        deadline: Virtual monotonic seconds; `inf` until the block is entered.
        expired: Whether *this* timeout ended the block: False for a `TimeoutError` that the body raised itself.
    """

    def __init__(self, timeline: Timeline, seconds: float) -> None:
        self.deadline = float("inf")
        self.expired = False
        self._timeline = timeline
        self._seconds = seconds
        self._running = False
        self._armed = ExitStack()
        self._scope: anyio.CancelScope | None = None

    async def __aenter__(self) -> Self:
        if self._scope is not None:
            raise RuntimeError("a timeout bounds one block; ask the clock for another")
        run_here = runner_in_this_loop()
        self._scope = scope = anyio.CancelScope()
        scope.__enter__()
        self._running = True

        def cancel() -> None:
            if self._running:  # the ring may have been on its way while the body ended
                scope.cancel()

        timer = self._armed.enter_context(self._timeline.timer(self._seconds, lambda: run_here(cancel)))
        self.deadline = timer.deadline
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        scope = self._scope
        if scope is None:
            raise RuntimeError("this timeout was never entered")
        self._running = False
        self._armed.close()
        try:
            swallowed = bool(scope.__exit__(kind, error, traceback))
        finally:
            self.expired = scope.cancelled_caught
        if self.expired:
            raise TimeoutError(f"{self._seconds:g} virtual seconds have passed")
        return swallowed
