"""Where a case plays: sleeps that take no time and are written down, real servers on the loopback interface."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bide.testing import FaultServer, steps

POST_SECRET = b"charge-card"


class Stage:
    """Time for one process: whoever sleeps only moves it, and so does an attempt that says how long it took."""

    def __init__(self) -> None:
        self.sleeps: list[float] = []
        self.passed = 0.0
        self._asleep = asyncio.sleep

    def sleep(self, seconds: float) -> None:
        """Stand for time.sleep, with its errors."""
        if not seconds >= 0:
            raise ValueError(f"sleep length must be non-negative, not {seconds}")
        if seconds > 9.2e9:
            raise OverflowError("timestamp too large to convert to C time")
        self.sleeps.append(seconds)
        self.passed += seconds

    async def asleep(self, seconds: float, result: object = None) -> object:
        """Stand for asyncio.sleep; the event loop's own time stays real."""
        self.sleeps.append(seconds)
        await self._asleep(0)
        return result

    def spend(self, seconds: float) -> None:
        """Let an attempt take this long."""
        self.passed += seconds

    def told(self) -> str:
        return " s, ".join(f"{seconds:g}" for seconds in self.sleeps) + " s" if self.sleeps else "not at all"


def stage(*, clocks: bool = True) -> Stage:
    """Put this process on a stage, for good. Call it before the peer is imported, so that it keeps no real clock."""
    made = Stage()
    time.sleep = made.sleep
    asyncio.sleep = made.asleep
    if clocks:
        for name in ("monotonic", "time", "perf_counter"):
            setattr(time, name, _shifted(made, getattr(time, name)))
    return made


def _shifted(made: Stage, real: Callable[[], float]) -> Callable[[], float]:
    return lambda: real() + made.passed


@contextmanager
def answering(*script: Any, path: str = "/") -> Iterator[FaultServer]:
    """Serve these answers in turn, the last for ever; a number is a status, a pair a status and its headers."""
    with FaultServer() as server:
        server.on(path, *(_step(one) for one in script))
        yield server


def _step(one: Any) -> Any:
    if isinstance(one, int):
        return steps.respond(one)
    return steps.respond(*one) if isinstance(one, tuple) else one


def raised(act: Callable[[], object]) -> BaseException | None:
    """Return what an act raises, or None."""
    try:
        act()
    except BaseException as error:
        return error
    return None


def name_of(error: object) -> str:
    """Return the name of an exception's class, or "nothing"."""
    return "nothing" if error is None else type(error).__name__


class Enough(BaseException):
    """Ends what would go on for ever."""


class Flaky:
    """A function that fails so many times (for ever when not said), and counts."""

    def __init__(
        self, fails: float = float("inf"), error: type[Exception] = ConnectionError, most: int = 1000
    ) -> None:
        self.calls = 0
        self.__name__ = "flaky"
        self._fails, self._error, self._most = fails, error, most

    def __call__(self) -> str:
        self.calls += 1
        if self.calls > self._most:
            raise Enough
        if self.calls <= self._fails:
            raise self._error
        return "done"
