"""The loop for coroutine functions; `loop` is the same without awaits, and a test holds them together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from bide.engine.call import Call

T = TypeVar("T")


async def run(call: Call, fn: Callable[..., Awaitable[T]], /, *args: object, **kwargs: object) -> T:
    """
    Make attempts until one is the call's: the first at once, or, when it has failed already, the next after its delay.

    The wait is outside the `except` block: what an attempt raised is let go before it, and attempts do not chain.
    """
    while True:
        if call.delay is not None:
            if call.rejected is not None:
                await call.arelease()
            await call.settings.clock.asleep(call.delay)
            call.next_attempt()
        await call.akeep_pace()
        try:
            value = await fn(*args, **kwargs)
        except Exception as error:
            if not (call.failed(error) and await call.arecovered(error)):
                raise
        else:
            if not (call.returned(value) and await call.arecovered(value)):
                return value
            del value
