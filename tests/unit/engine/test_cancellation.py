"""Cancelled at any await point, or out of time, a call leaves at once; D01 to D06 of the adversarial inputs."""

import asyncio

import anyio
import pytest
import trio

import bide
from bide import AttemptTimeout, history, retry_on, retrying, when
from bide.testing import Scripted, VirtualClock

ANY_ERROR = retry_on(when(lambda outcome: outcome.error is not None)).immediately(max=5)


async def blocks(runtime, fn):
    async for attempt in retrying(runtime):
        with attempt:
            return await fn()
    raise AssertionError("the loop ended without an end")


class Points:
    """Checkpoints of one call, counted; at one of them the caller cancels."""

    def __init__(self, cancel_at, cancel):
        self.passed = 0
        self.cancel_at = cancel_at
        self.cancel = cancel
        self.attempts_at_cancel = None
        self.attempts = 0
        self.value = self.ended = None

    async def checkpoint(self):
        self.passed += 1
        if self.passed == self.cancel_at:
            self.attempts_at_cancel = self.attempts
            self.cancel()
        await anyio.lowlevel.checkpoint()

    async def attempt(self):
        self.attempts += 1
        await self.checkpoint()
        await self.checkpoint()
        if self.attempts < 3:
            raise OSError(self.attempts)
        return "done"


class PointedClock(VirtualClock):
    """Virtual time whose waits are two checkpoints more."""

    points = None

    async def asleep(self, seconds):
        await self.points.checkpoint()
        await super().asleep(seconds)
        await self.points.checkpoint()


WAYS = {
    "acall": lambda runtime, fn: runtime.acall(fn),
    "decorated": lambda runtime, fn: runtime(fn)(),
    "async for": blocks,
}
POLICIES = {
    "by type": retry_on(OSError).fixed(1),
    "in full": ANY_ERROR,
    "bounded": retry_on(OSError, when(lambda outcome: outcome.error is not None)).fixed(1).within(60),
    "timeout": retry_on(Exception).fixed(1).timeout(30),
}


def on_asyncio(way, runtime, clock, n):
    async def main():
        task = asyncio.current_task()
        clock.points = points = Points(n, task.cancel)
        try:
            points.value = await way(runtime, points.attempt)
        except asyncio.CancelledError as error:
            points.ended = (task.cancelling(), error.args, hasattr(error, "__notes__"))
            task.uncancel()
        assert points.ended in (None, (1, (), False))
        return points

    return asyncio.run(main())


def on_trio(way, runtime, clock, n):
    async def main():
        with trio.CancelScope() as scope:
            clock.points = points = Points(n, scope.cancel)
            points.value = await way(runtime, points.attempt)
        assert scope.cancelled_caught == (points.value is None)
        return points

    return trio.run(main)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("run", [on_asyncio, on_trio])
def test_D01_cancelled_at_any_await_point_the_cancellation_leaves_and_no_attempt_follows(run, way, policy):
    for n in range(1, 100):
        clock = PointedClock()
        points = run(WAYS[way], POLICIES[policy].bind(clock=clock, listeners=[]), clock, n)
        if points.cancel_at > points.passed:
            break
        if points.value is None:
            assert points.attempts == points.attempts_at_cancel
        assert n <= 10
    assert (points.value, points.attempts, points.passed) == ("done", 3, 10)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_D01_cancelled_before_its_first_await_a_call_makes_no_second_attempt(backend):
    script = Scripted(OSError(), repeat_last=True)

    async def main():
        with anyio.CancelScope() as scope:
            scope.cancel()
            await ANY_ERROR.bind(clock=VirtualClock()).acall(script.coroutine())

    anyio.run(main, backend=backend)
    assert script.count == 1


def test_D01_a_value_that_is_ready_is_not_lost_to_a_cancellation_that_came_too_late(bound):
    async def attempt():
        asyncio.current_task().cancel()
        return "ready"

    values = []

    async def main():
        values.append(await bound(retry_on(OSError)).acall(attempt))

    with pytest.raises(asyncio.CancelledError):  # at the task's own end
        asyncio.run(main())
    assert values == ["ready"]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("way", WAYS)
def test_D03_a_callers_timeout_fires_on_time_and_once(backend, way):
    clock = VirtualClock()
    script = Scripted(OSError(), repeat_last=True)

    async def main():
        with pytest.raises(TimeoutError) as caught:
            async with clock.fail_after(25):
                await WAYS[way](retry_on(OSError).fixed(10, max=9).bind(clock=clock), script.coroutine())
        assert not isinstance(caught.value, AttemptTimeout)

    anyio.run(main, backend=backend)
    assert (script.count, clock.monotonic()) == (3, 25)


async def too_long(clock):
    await clock.asleep(100)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_D04_our_timeout_an_attempts_own_and_the_callers_are_told_apart(backend):
    clock = VirtualClock()

    async def ours():
        await retry_on(KeyError).timeout(5).bind(clock=clock).acall(too_long, clock)

    async def long():
        await retry_on(KeyError).timeout(2000).bind(clock=clock).acall(clock.asleep, 2001)

    async def own():
        await retry_on(KeyError).timeout(5).bind(clock=clock).acall(Scripted(TimeoutError("own")).coroutine())

    async def callers():
        async with clock.fail_after(2):
            await retry_on(bide.timeout).timeout(5).bind(clock=clock).acall(too_long, clock)

    for run, kind, message in [
        (ours, AttemptTimeout, "the attempt did not end within 5 s"),
        (long, AttemptTimeout, "the attempt did not end within 2000 s"),
        (own, TimeoutError, "own"),
        (callers, TimeoutError, "2 virtual seconds have passed"),
    ]:
        with pytest.raises(kind, match=message) as caught:
            anyio.run(run, backend=backend)
        assert type(caught.value) is kind


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_D04_only_our_timeout_is_a_timeout_of_the_attempt(backend):
    clock = VirtualClock()
    runtime = retry_on(bide.timeout("attempt")).immediately(max=2).timeout(5).bind(clock=clock)
    script = Scripted(TimeoutError("own"))

    async def main():
        with pytest.raises(TimeoutError, match="own"):
            await runtime.acall(script.coroutine())
        with pytest.raises(AttemptTimeout) as caught:
            await runtime.acall(too_long, clock)
        return caught.value

    assert history(anyio.run(main, backend=backend)).attempts == 3
    assert script.count == 1
    assert clock.monotonic() == 15


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_D05_cancelled_while_a_rejected_response_is_closed_it_leaves_at_once(backend):
    closing = []

    class Response:
        status_code, headers = 503, {}

        async def close(self):
            closing.append("begun")
            await anyio.sleep_forever()

    script = Scripted(Response(), repeat_last=True)

    async def main():
        with anyio.move_on_after(0.01) as scope:
            await retry_on(503).immediately().bind(clock=VirtualClock()).acall(script.coroutine())
        assert scope.cancelled_caught

    anyio.run(main, backend=backend)
    assert (script.count, closing) == (1, ["begun"])


def test_D05_cancelled_twice_it_leaves_once():
    script = Scripted(OSError(), repeat_last=True)
    runtime = retry_on(OSError).fixed(1).bind(clock=VirtualClock(auto=False))

    async def main():
        task = asyncio.create_task(runtime.acall(script.coroutine()))
        await asyncio.sleep(0)
        task.cancel()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return task.cancelling()

    assert asyncio.run(main()) == 2
    assert script.count == 1


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_D06_a_failing_sibling_ends_the_wait_at_once_and_is_the_only_error(backend):
    clock = VirtualClock(auto=False)
    runtime = retry_on(OSError).fixed(3600).bind(clock=clock, listeners=[])
    script = Scripted(OSError("flaky"))

    async def sibling():
        while not clock.sleeps:
            await anyio.lowlevel.checkpoint()
        raise LookupError("sibling")

    async def main():
        async with anyio.create_task_group() as group:
            group.start_soon(runtime.acall, script.coroutine())
            group.start_soon(sibling)

    with pytest.raises(ExceptionGroup) as caught:
        anyio.run(main, backend=backend)
    assert [repr(error) for error in caught.value.exceptions] == ["LookupError('sibling')"]
    assert clock.monotonic() == 0
