"""Who is told to stop, stops: nothing but an Exception is ever an outcome."""

import asyncio

import anyio
import pytest

from bide import PolicyError, anything, raises, retry_on, retrying, when
from bide.testing import Scripted, VirtualClock

ANY = {
    "anything": retry_on(anything),
    "when true": retry_on(when(lambda outcome: True)),
    "when not ValueError": retry_on(when(lambda outcome: not isinstance(outcome.error, ValueError))),
    "raises Exception": retry_on(Exception),
    "anything, forty times": retry_on(anything).attempts(40),
}
STOPS = [KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError]


@pytest.fixture(params=ANY.values(), ids=ANY)
def policy(request):
    return request.param


@pytest.mark.parametrize("stop", STOPS)
def test_what_stops_a_program_is_not_retried_whatever_the_condition(policy, stop, clock):
    calls = []

    def work():
        calls.append(1)
        raise stop

    runtime = policy.fixed(1).bind(clock=clock)
    for use in (lambda: runtime.call(work), runtime(work), lambda: block(runtime, work)):
        calls.clear()
        with pytest.raises(stop):
            use()
        assert calls == [1]
    assert clock.sleeps == []


@pytest.mark.parametrize("stop", STOPS)
def test_what_stops_a_program_in_a_retry_is_not_retried_either(policy, stop, clock):
    runtime = policy.fixed(1).bind(clock=clock)
    ways = (
        runtime.call,
        lambda script: runtime(script.function())(),
        lambda script: block(runtime, script),
    )
    for use in ways:
        script = Scripted(ConnectionError, stop, "too far")
        with pytest.raises(stop):
            use(script)
        assert script.count == 2
    assert clock.sleeps == [1.0] * 3


def block(runtime, work):
    for attempt in retrying(runtime):
        with attempt:
            work()


@pytest.mark.parametrize("stop", STOPS)
def test_what_stops_a_program_reaches_no_condition(stop, clock):
    asked = []
    policy = retry_on(when(asked.append)).bind(clock=clock)

    def work():
        raise stop

    with pytest.raises(stop):
        policy.call(work)
    assert asked == []


@pytest.mark.parametrize("stop", [BaseException, *STOPS])
def test_a_condition_about_what_stops_a_program_is_refused(stop):
    with pytest.raises(PolicyError, match="never an outcome"):
        retry_on(stop)
    with pytest.raises(PolicyError, match="never an outcome"):
        retry_on(raises(ValueError, stop))


async def ablock(runtime, work):
    async for attempt in retrying(runtime):
        with attempt:
            await work()


COROUTINES = {
    "decorated": lambda runtime, work: runtime(work)(),
    "called": lambda runtime, work: runtime.acall(work),
    "block": ablock,
}


@pytest.mark.parametrize("use", COROUTINES.values(), ids=COROUTINES)
@pytest.mark.parametrize("failures", [0, 1])
async def test_a_cancelled_call_is_not_retried_whatever_the_condition(policy, use, failures, clock):
    started, ready = [], asyncio.Event()

    async def work():
        started.append(1)
        if len(started) <= failures:
            raise ConnectionError
        ready.set()
        if len(started) == failures + 1:
            await asyncio.Event().wait()

    task = asyncio.create_task(use(policy.fixed(0).bind(clock=clock), work))
    await ready.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(started) == failures + 1


async def test_a_wait_for_ends_a_call_in_time(policy, clock):
    started = []

    async def work():
        started.append(1)
        if len(started) == 1:
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(policy.fixed(0).bind(clock=clock)(work)(), 0.01)
    assert started == [1]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_call_is_cancelled_while_it_waits(backend):
    clock, calls = VirtualClock(auto=False), []

    async def work():
        calls.append(1)
        raise ConnectionError

    async def main():
        async with anyio.create_task_group() as group:
            group.start_soon(retry_on(anything).fixed(10).bind(clock=clock).acall, work)
            await anyio.to_thread.run_sync(clock.wait_for_sleepers)
            group.cancel_scope.cancel()

    anyio.run(main, backend=backend)
    assert calls == [1]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_call_is_cancelled_while_its_recovery_runs(backend, clock):
    calls = []

    async def work():
        calls.append("work")
        raise ConnectionError

    async def refresh():
        calls.append("refresh")
        running.set()
        await anyio.sleep_forever()

    async def main():
        nonlocal running
        running = anyio.Event()
        runtime = (
            retry_on(anything).calling("refresh").fixed(1).bind(clock=clock, recover={"refresh": refresh})
        )
        async with anyio.create_task_group() as group:
            group.start_soon(runtime.acall, work)
            await running.wait()
            group.cancel_scope.cancel()

    running = None
    anyio.run(main, backend=backend)
    assert calls == ["work", "refresh"]


async def test_a_task_group_that_fails_is_left_at_once(clock):
    calls = []

    async def stuck():
        calls.append(1)
        if len(calls) == 1:
            await asyncio.Event().wait()

    async def fails():
        await asyncio.sleep(0)
        raise ValueError("mine")

    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.TaskGroup() as group:
            group.create_task(retry_on(anything).fixed(0).bind(clock=clock)(stuck)())
            group.create_task(fails())
    assert caught.group_contains(ValueError, match="mine")
    assert calls == [1]
