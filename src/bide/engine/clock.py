"""The only door to time and chance: everything else is handed a clock and a random source."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Coroutine
from importlib import import_module
from typing import Any, Final, Protocol, cast


class Clock(Protocol):
    """
    What the engine knows of time; hand another one to `policy.bind(clock=...)`, such as `bide.testing.VirtualClock`.

    A clock that is to drive `.timeout(...)` and deadlines inside an attempt offers `fail_after(seconds)` too: an async
    context manager that raises `TimeoutError` in its body and then says `expired`.
    """

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        ...

    def time(self) -> float:
        """Return epoch seconds of the wall clock, for hints that are dates."""
        ...

    def sleep(self, seconds: float, /) -> None:
        """Block for these seconds."""
        ...

    def asleep(self, seconds: float, /) -> Coroutine[Any, Any, None]:
        """Let other tasks run for these seconds; a checkpoint even at 0."""
        ...


class RandomSource(Protocol):
    """What the engine knows of chance: a seeded `Random` is one."""

    def random(self) -> float:
        """Return a uniform draw in [0, 1)."""
        ...


class SystemClock:
    """The machine's clock; attributes of `time` are looked up late, so that what patches them is seen."""

    sleeper = time
    """What sleeps for plain functions, by its attribute `sleep`: asked directly, it saves a frame for each wait."""

    def monotonic(self) -> float:
        return time.monotonic()

    def time(self) -> float:
        return time.time()

    def sleep(self, seconds: float, /) -> None:
        time.sleep(seconds)

    def asleep(self, seconds: float, /) -> Coroutine[Any, Any, None]:
        loaded = sys.modules
        if "asyncio" in loaded and ("trio" not in loaded or on_asyncio()):
            library: Any = loaded["asyncio"]  # no import: whose loop runs has been loaded
        else:
            library = import_module("anyio")
        sleeping: Coroutine[Any, Any, None] = library.sleep(seconds)
        return sleeping

    def __reduce__(self) -> str:
        return "SYSTEM_CLOCK"


def on_asyncio() -> bool:
    """Tell whether the caller runs in an asyncio task (trio as asyncio's guest does not)."""
    asyncio: Any = sys.modules.get("asyncio")
    if asyncio is None:
        return False
    try:
        return asyncio.current_task() is not None
    except RuntimeError:
        return False


SYSTEM_CLOCK: Final[Clock] = SystemClock()
SYSTEM_RANDOM: Final = cast("RandomSource", random)  # the module's own instance is reseeded in a forked child
