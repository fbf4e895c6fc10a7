"""Bound one attempt of a coroutine by time, and tell that bound from every other timeout."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any, TypeVar

from bide.engine.clock import Clock, SystemClock, on_asyncio

T = TypeVar("T")


class AttemptTimeout(TimeoutError):  # noqa: N818  # as in httpx.ReadTimeout, and the glossary's word
    """An attempt took longer than the policy's `.timeout(...)`, or than was left of its `.within(...)`."""


async def bounded(
    clock: Clock, seconds: float, fn: Callable[..., Awaitable[T]], *args: Any, **kwargs: Any
) -> T:
    """
    Return what a coroutine function comes to, if it does within these seconds of the clock.

    Raises:
        AttemptTimeout: it did not; it was cancelled. A cancellation from outside passes untouched.
    """
    if not isinstance(clock, SystemClock):
        return await _by_the_clock(clock, seconds, fn, *args, **kwargs)
    if on_asyncio():
        return await _on_asyncio(seconds, fn, *args, **kwargs)
    with import_module("anyio").move_on_after(seconds) as scope:
        return await fn(*args, **kwargs)
    raise _expired(seconds) if scope.cancelled_caught else AssertionError("unreachable")


async def _on_asyncio(seconds: float, fn: Callable[..., Awaitable[T]], *args: Any, **kwargs: Any) -> T:
    scope: Any = sys.modules["asyncio"].timeout(seconds)
    try:
        async with scope:
            return await fn(*args, **kwargs)
    except TimeoutError:
        if not scope.expired():
            raise
        raise _expired(seconds) from None


async def _by_the_clock(
    clock: Any, seconds: float, fn: Callable[..., Awaitable[T]], *args: Any, **kwargs: Any
) -> T:
    fail_after = getattr(clock, "fail_after", None)
    if fail_after is None:
        raise TypeError(f"{type(clock).__name__} cannot bound an attempt: give it fail_after(seconds)")
    scope = fail_after(seconds)
    try:
        async with scope:
            return await fn(*args, **kwargs)
    except TimeoutError:
        if not scope.expired:
            raise
        raise _expired(seconds) from None


def _expired(seconds: float) -> AttemptTimeout:
    return AttemptTimeout(f"the attempt did not end within {seconds:.3g} s")
