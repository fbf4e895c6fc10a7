"""A cancellation that is under way when an attempt begins is never taken for that attempt's own timeout. C09, D01."""

import asyncio

import pytest

from bide import retry_on
from bide.testing import VirtualClock

AT_ONCE = 1e-9
CLOCKS = {"machine": dict, "virtual": lambda: {"clock": VirtualClock()}}


@pytest.mark.parametrize("options", CLOCKS.values(), ids=CLOCKS)
@pytest.mark.parametrize("timeout", [AT_ONCE, 60])
def test_a_task_that_is_cancelled_already_leaves_and_its_attempt_is_no_timeout(timeout, options):
    begun = []

    async def work():
        begun.append(1)
        await asyncio.sleep(60)

    async def main():
        runtime = retry_on(TimeoutError).immediately().max(5).timeout(timeout).bind(**options())

        async def cancelled():
            asyncio.current_task().cancel()
            await runtime.acall(work)

        task = asyncio.create_task(cancelled())
        with pytest.raises(asyncio.CancelledError):
            await task
        return task.cancelled(), task.cancelling()

    assert asyncio.run(main()) == (True, 1)
    assert len(begun) <= 1


def test_what_cleans_up_after_a_cancellation_is_retried_within_its_timeouts_all_the_same():
    clock, begun = VirtualClock(), []

    async def tidy_up():
        begun.append(clock.monotonic())
        await clock.asleep(60 if len(begun) < 3 else 1)
        return "tidy"

    async def main():
        bounded = retry_on(TimeoutError).immediately().timeout(5)

        async def working():
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                tidied.append(await bounded.bind(clock=clock).acall(tidy_up))
                raise

        task = asyncio.create_task(working())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    tidied = []
    asyncio.run(main())
    assert (tidied, begun) == (["tidy"], [0.0, 5.0, 10.0])
