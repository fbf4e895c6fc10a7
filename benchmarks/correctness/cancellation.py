"""Cancellation: who is told to stop, and stops."""

from __future__ import annotations

import asyncio

from case import Register, Seen
from stage import raised, stage

from bide import anything, retry_on, when

here = Register("cancellation")
TRIED = "A condition true for every error, under asyncio.wait_for(..., 0.05)"


class Job:
    """A coroutine that waits for long at first, and counts how often it is started."""

    def __init__(self) -> None:
        self.started = 0

    async def __call__(self) -> str:
        self.started += 1
        if self.started == 1:
            await asyncio.Event().wait()
        return "done"


def _cancelled(decorate) -> Seen:
    async def main() -> Seen:
        job = Job()

        async def work() -> str:
            return await job()

        try:
            came = await asyncio.wait_for(decorate(work)(), 0.05)
        except TimeoutError:
            return Seen(f"TimeoutError after {job.started} attempt", job.started > 1)
        return Seen(
            f"returns {came!r} after {job.started} attempts: the cancellation was retried", wrong=True
        )

    return asyncio.run(main())


def ours_cancelled() -> Seen:
    stage(clocks=False)
    return _cancelled(retry_on(anything).fixed(0))


@here.case("tenacity", TRIED, ours=ours_cancelled)
def tenacity_cancelled() -> Seen:
    stage(clocks=False)
    import tenacity

    return _cancelled(
        tenacity.retry(
            retry=tenacity.retry_if_exception(lambda _error: True), stop=tenacity.stop_after_attempt(3)
        )
    )


@here.case("stamina", TRIED, ours=ours_cancelled)
def stamina_cancelled() -> Seen:
    stage(clocks=False)
    import stamina

    return _cancelled(stamina.retry(on=lambda _error: True, attempts=3))


def _interrupted(decorate) -> Seen:
    calls = []

    def work() -> None:
        calls.append(1)
        raise KeyboardInterrupt

    raised(decorate(work))
    times = "once" if len(calls) == 1 else f"{len(calls)} times"
    return Seen(f"runs {times}", len(calls) > 1)


def ours_interrupted() -> Seen:
    stage()
    return _interrupted(retry_on(when(lambda outcome: not isinstance(outcome.error, ValueError))).fixed(0))


KEYBOARD = 'Ctrl-C under "anything but ValueError", 3 attempts'


@here.case("tenacity", KEYBOARD, ours=ours_interrupted)
def tenacity_interrupted() -> Seen:
    stage()
    import tenacity

    policy = tenacity.retry_if_exception(lambda error: not isinstance(error, ValueError))
    return _interrupted(tenacity.retry(retry=policy, stop=tenacity.stop_after_attempt(3)))


@here.case("stamina", KEYBOARD, ours=ours_interrupted)
def stamina_interrupted() -> Seen:
    stage()
    import stamina

    return _interrupted(stamina.retry(on=lambda error: not isinstance(error, ValueError), attempts=3))
