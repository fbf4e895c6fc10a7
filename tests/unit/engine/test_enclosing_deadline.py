import asyncio
import contextvars
import threading

import pytest
import trio

from bide import AttemptTimeout, history, retry_on, retrying
from bide.engine.deadline import Deadline, around, enclosing
from bide.testing import VirtualClock

QUICK = retry_on(ConnectionError).fixed(4).max(9)
PATIENT = QUICK.within(3600)
HASTY = (retry_on(TimeoutError) | retry_on(OSError)).within(10)


def refused():
    raise ConnectionError


async def arefused():
    raise ConnectionError


def called(inner, clock):
    """How often a function is called by a policy inside an attempt that may take ten seconds."""
    calls = []

    @inner.bind(clock=clock)
    def attempt():
        calls.append(clock.monotonic())
        raise ConnectionError

    with pytest.raises(ConnectionError) as caught:
        HASTY.bind(clock=clock).call(attempt)
    assert clock.monotonic() <= 10
    return len(calls), history(caught.value).inner


@pytest.mark.parametrize(
    "inner", [QUICK, PATIENT, QUICK.attempts(7), retry_on(OSError).fixed(4).max(9).within(99)]
)
def test_an_inner_call_ends_within_the_outer_deadline(inner):
    clock = VirtualClock()
    made, kept = called(inner, clock)
    assert made == 4  # at 0, 4, 8, and a last one, brought forward to fit
    assert kept.reason == "deadline"


def test_an_inner_deadline_that_ends_earlier_stays_the_inner_ones():
    clock = VirtualClock()
    made, _ = called(retry_on(OSError).fixed(2).max(9).within(3) | retry_on(ValueError), clock)
    assert clock.monotonic() < 4
    assert made == 3


@pytest.mark.parametrize("run", [asyncio.run, trio.run])
def test_coroutines_and_what_they_call_share_the_deadline(run):
    async def main():
        clock = VirtualClock()

        @HASTY.bind(clock=clock)
        async def outer():
            assert enclosing(clock) == 10
            await PATIENT.bind(clock=clock).acall(arefused)

        with pytest.raises(ConnectionError) as caught:
            await outer()
        assert history(caught.value).inner.reason == "deadline"
        assert clock.monotonic() <= 10
        assert around() is None

    run(main) if run is trio.run else run(main())


def test_the_timeout_of_an_attempt_binds_what_it_calls():
    async def main():
        clock = VirtualClock()
        seen = []

        async def attempt():
            seen.append(enclosing(clock) - clock.monotonic())
            await clock.asleep(99)

        with pytest.raises(AttemptTimeout):
            await retry_on(TimeoutError).fixed(1, max=1).timeout(5).bind(clock=clock).acall(attempt)
        assert seen == [5, 5]

    asyncio.run(main())


def test_a_block_binds_what_it_calls():
    clock = VirtualClock()
    calls = []
    with pytest.raises(ConnectionError):
        for attempt in retrying(HASTY, clock=clock):
            with attempt:
                QUICK.bind(clock=clock).call(lambda: (calls.append(clock.monotonic()), refused()))
    assert calls[:3] == [0, 4, 8]
    assert clock.monotonic() <= 10
    assert around() is None


def test_a_block_without_a_deadline_sets_none():
    clock = VirtualClock()
    for attempt in retrying(QUICK, clock=clock):
        with attempt:
            assert around() is None


def test_polls_have_their_own_time_in_the_deadline_of_an_attempt():
    policy = (retry_on(KeyError).fixed(30).polling().within(600) | retry_on(OSError)).within(10)
    clock = VirtualClock()
    seen = []

    @policy.bind(clock=clock)
    def attempt():
        seen.append(enclosing(clock) - clock.monotonic())
        if len(seen) < 4:
            raise KeyError

    attempt()
    assert seen == [10, 10, 10, 10]


def test_the_deadline_of_a_call_that_ended_binds_no_task_it_left_behind():
    async def main():
        clock = VirtualClock()
        left_behind = []

        @HASTY.bind(clock=clock)
        async def outer():
            left_behind.append(asyncio.create_task(inner()))

        async def inner():
            await clock.asleep(60)
            assert enclosing(clock) == float("inf")
            return await QUICK.bind(clock=clock).acall(eventually)

        failures = [ConnectionError(), ConnectionError()]

        async def eventually():
            if failures:
                raise failures.pop()
            return "done"

        await outer()
        assert await left_behind[0] == "done"
        assert clock.monotonic() == 68

    asyncio.run(main())


def test_another_clock_and_another_thread_know_nothing_of_it():
    clock = VirtualClock()
    deadline = Deadline(clock, clock.monotonic() + 1)
    try:
        assert enclosing(VirtualClock()) == float("inf")
        seen = []
        thread = threading.Thread(target=lambda: seen.append(around()))
        thread.start()
        thread.join()
        assert seen == [None]
    finally:
        deadline.leave()
    assert around() is None


def test_a_coroutine_closed_in_another_context_leaves_its_surroundings_alone():
    async def sleeper():
        await asyncio.sleep(1)

    clock = VirtualClock()
    coroutine = HASTY.bind(clock=clock).acall(sleeper)
    with pytest.raises(RuntimeError):  # no event loop runs
        contextvars.copy_context().run(coroutine.send, None)
    coroutine.close()
    assert around() is None


def test_a_deadline_is_left_in_another_context_without_a_word():
    clock = VirtualClock()
    own = Deadline(clock, 5)
    other = contextvars.copy_context().run(Deadline, clock, 3)
    other.leave()
    assert around() is own
    assert enclosing(clock) == 5
    own.leave()
    assert around() is None


def chain_of(deadline):
    """How many deadlines one keeps."""
    length = 0
    while deadline is not None:
        length, deadline = length + 1, deadline.outer
    return length


@pytest.mark.parametrize("overlap", [False, True])
def test_tasks_that_leave_tasks_behind_keep_no_chain_of_deadlines(overlap):
    async def main():
        clock = VirtualClock()
        runtime = HASTY.bind(clock=clock)
        longest = []
        done = asyncio.Event()

        @runtime
        async def job(number):
            longest.append(chain_of(around()))
            if number == 0:
                done.set()
                return
            task = asyncio.create_task(job(number - 1))
            tasks.append(task)
            await asyncio.sleep(0)
            if overlap:
                await asyncio.sleep(0)

        tasks = []
        await job(100)
        await done.wait()
        await asyncio.gather(*tasks)
        return max(longest)

    assert asyncio.run(main()) < 10


def test_a_deadline_around_one_that_has_ended_still_binds():
    async def main():
        clock = VirtualClock()
        outer = Deadline(clock, 7)
        inner = Deadline(clock, 5)
        goes_on = asyncio.Event()

        async def left_behind():
            await goes_on.wait()
            own = Deadline(clock, 9)
            found = enclosing(clock), chain_of(own)
            own.leave()
            return found

        task = asyncio.create_task(left_behind())
        await asyncio.sleep(0)
        inner.leave()
        goes_on.set()
        assert await task == (7, 2)
        outer.leave()

    asyncio.run(main())


def test_a_thread_that_an_attempt_waits_for_inherits_the_deadline():
    async def main():
        clock = VirtualClock()

        @HASTY.bind(clock=clock)
        async def attempt():
            return await asyncio.to_thread(enclosing, clock)

        return await attempt()

    assert asyncio.run(main()) == 10


def test_blocks_of_generators_that_take_turns_keep_their_deadlines_apart():
    def numbers(clock):
        for attempt in retrying(HASTY, clock=clock):
            with attempt:
                yield enclosing(clock)
                yield enclosing(clock)

    early, late = VirtualClock(), VirtualClock(start=5)
    one, other = numbers(early), numbers(late)
    assert [next(one), next(other), next(one), next(other)] == [10, 15, 10, 15]
    assert list(one) == []
    assert enclosing(late) == 15
    assert list(other) == []
    assert around() is None
