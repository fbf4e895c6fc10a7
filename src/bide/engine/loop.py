"""The loop for plain functions; `aloop` is the same with awaits in it, and a test holds them together."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from bide.engine.call import Call

T = TypeVar("T")


def run(call: Call, fn: Callable[..., T], /, *args: object, **kwargs: object) -> T:
    """
    Make attempts until one is the call's: the first at once, or, when it has failed already, the next after its delay.

    The wait is outside the `except` block: what an attempt raised is let go before it, and attempts do not chain.
    """
    while True:
        if call.delay is not None:
            if call.rejected is not None:
                call.release()
            call.settings.clock.sleep(call.delay)
            call.next_attempt()
        call.keep_pace()
        try:
            value = fn(*args, **kwargs)
        except Exception as error:
            if not (call.failed(error) and call.recovered(error)):
                raise
        else:
            if not (call.returned(value) and call.recovered(value)):
                return value
            del value
