"""Bound one attempt of a coroutine by time, and tell that bound from every other timeout."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any, TypeVar

from bide.engine.clock import Clock, on_asyncio
from bide.policy.durations import digits

T = TypeVar("T")


class AttemptTimeout(TimeoutError):  # noqa: N818  # as in httpx.ReadTimeout, and the glossary's word
    """An attempt took longer than the policy's `.timeout(...)`, or than was left of its `.within(...)`."""


async def bounded(
    clock: Clock, seconds: float, fn: Callable[..., Awaitable[T]], /, *args: Any, **kwargs: Any
) -> T:
    """
    Return what a coroutine function comes to, if it does within these seconds of the clock.

    The clock's own `fail_after` tells when they are over; without one, the machine's time does.

    Raises:
        AttemptTimeout: it did not; it was cancelled. A cancellation from outside passes untouched.
    """
    fail_after: Callable[[float], Any] | None = getattr(clock, "fail_after", None)
    if fail_after is not None:
        return await _by_the_clock(fail_after(seconds), seconds, fn, *args, **kwargs)
    if on_asyncio():
        return await _on_asyncio(clock, seconds, fn, *args, **kwargs)
    with import_module("anyio").move_on_after(seconds):
        return await fn(*args, **kwargs)
    raise _expired(seconds)


async def _on_asyncio(
    clock: Clock, seconds: float, fn: Callable[..., Awaitable[T]], /, *args: Any, **kwargs: Any
) -> T:
    asyncio: Any = sys.modules["asyncio"]
    if asyncio.current_task().cancelling():
        await clock.asleep(0)  # what is on its way arrives here: a timeout of 0 would swallow it
    scope: Any = asyncio.timeout(seconds)
    try:
        async with scope:
            return await fn(*args, **kwargs)
    except TimeoutError:
        if not scope.expired():
            raise
        raise _expired(seconds) from None


async def _by_the_clock(
    scope: Any, seconds: float, fn: Callable[..., Awaitable[T]], /, *args: Any, **kwargs: Any
) -> T:
    try:
        async with scope:
            return await fn(*args, **kwargs)
    except TimeoutError:
        if not scope.expired:
            raise
        raise _expired(seconds) from None


def _expired(seconds: float) -> AttemptTimeout:
    return AttemptTimeout(f"the attempt did not end within {digits(seconds)} s")
