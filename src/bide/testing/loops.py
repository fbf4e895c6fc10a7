"""Runs a function in an event loop from wherever time happened to move."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress


def runner_in_this_loop() -> Callable[[Callable[[], object]], None]:
    """
    Return `run(fn)`, which runs `fn()` in the event loop of the running task.

    `run` never blocks and may be called anywhere: inside that loop `fn` runs at once, and elsewhere (another thread,
    another loop, no loop) it is handed over, in order. Of a loop that has finished nothing is asked.

    Raises:
        RuntimeError: No event loop is running.
    """
    here = _loop_here()
    if here is None:
        raise RuntimeError("no event loop is running here")
    home, hand_over = here

    def run(fn: Callable[[], object]) -> None:
        now_in = _loop_here()
        if now_in is not None and now_in[0] is home:
            fn()
            return
        with suppress(RuntimeError):  # what asyncio and trio raise when the loop has finished
            hand_over(fn)

    return run


def _loop_here() -> tuple[object, Callable[[Callable[[], object]], object]] | None:
    trio = sys.modules.get("trio")  # whoever runs on it has imported it
    if (
        trio is not None and trio.lowlevel.in_trio_task()
    ):  # asked first: trio may be the guest of an asyncio loop
        token = trio.lowlevel.current_trio_token()
        return token, token.run_sync_soon
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return None
    return loop, loop.call_soon_threadsafe
