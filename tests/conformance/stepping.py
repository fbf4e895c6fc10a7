"""Cancels a task at its n-th suspension, exactly: the same place each time that the same things happen."""

import asyncio
import types
from functools import partial

import anyio
import attrs

SAID = "cancelled by the test"


@attrs.define
class Steps:
    """
    How far a call got: its suspensions, whether it was cancelled at one, and its value if it had one all the same.

    `cancelled`: that cancellation, as it was sent and with nothing added, is what came out.
    """

    count: int = 0
    asked: bool = False
    cancelled: bool = False
    value: object = None


@types.coroutine
def _counted(coroutine, steps, at, cancel):
    """Run a coroutine as its caller would, and cancel just before it is suspended for the n-th time."""
    sent, thrown = None, None
    while True:
        try:
            waits_for = coroutine.send(sent) if thrown is None else coroutine.throw(thrown)
        except StopIteration as stop:
            return stop.value
        sent = thrown = None
        steps.count += 1
        if steps.count == at:
            steps.asked = True
            cancel()
        try:
            sent = yield waits_for
        except BaseException as error:
            thrown = error


async def cancelled_at(at, call):
    """Make a call, cancel it when it is suspended for the n-th time (from 1), and say how far it got."""
    if _on_asyncio():
        return await _in_a_task(at, call)
    return await _in_a_scope(at, call)


async def _in_a_task(at, call):
    steps = Steps()

    async def main():
        return await _counted(call(), steps, at, partial(asyncio.current_task().cancel, SAID))

    task = asyncio.create_task(main())
    came_out = None
    try:
        steps.value = await task
    except asyncio.CancelledError as error:
        came_out = error
    if came_out is not None:
        said = came_out.args, getattr(came_out, "__notes__", [])
        assert said == ((SAID,), []), f"{came_out!r} came out after suspension {at}"
        steps.cancelled = True
    return steps


async def _in_a_scope(at, call):
    steps = Steps()
    with anyio.CancelScope() as scope:
        steps.value = await _counted(call(), steps, at, scope.cancel)
    steps.cancelled = scope.cancelled_caught
    return steps


def _on_asyncio():
    try:
        return asyncio.current_task() is not None
    except RuntimeError:
        return False
