"""VirtualClock.fail_after: a timeout in virtual seconds."""

import asyncio
import gc
import math
import threading

import anyio
import anyio.from_thread
import anyio.lowlevel
import anyio.to_thread
import pytest

from bide.testing import VirtualClock

pytestmark = pytest.mark.anyio


async def test_a_sleep_past_the_deadline_ends_at_the_deadline():
    clock = VirtualClock()
    with pytest.raises(TimeoutError, match="5 virtual seconds"):
        async with clock.fail_after(5) as timeout:
            await clock.asleep(10)
    assert timeout.expired
    assert (clock.monotonic(), timeout.deadline) == (5.0, 5.0)


async def test_a_body_in_time_is_left_alone():
    clock = VirtualClock()
    async with clock.fail_after(5) as timeout:
        await clock.asleep(3)
    await clock.asleep(100)
    assert not timeout.expired
    assert clock.monotonic() == 103.0


async def test_the_deadline_itself_is_too_late():
    clock = VirtualClock()
    with pytest.raises(TimeoutError):
        async with clock.fail_after(5):
            await clock.asleep(5)
    assert clock.monotonic() == 5.0


@pytest.mark.parametrize("seconds", [0, -1])
async def test_no_time_at_all_expires_at_the_first_checkpoint(seconds):
    clock = VirtualClock()
    reached = []
    with pytest.raises(TimeoutError):
        async with clock.fail_after(seconds) as timeout:
            reached.append("body")
            await anyio.lowlevel.checkpoint()
            reached.append("further")
    assert (timeout.expired, reached, clock.monotonic()) == (True, ["body"], 0.0)


async def test_it_may_last_for_ever():
    clock = VirtualClock()
    async with clock.fail_after(math.inf):
        await clock.asleep(10**9)


def test_its_seconds_are_a_number():
    with pytest.raises(ValueError, match="nan"):
        VirtualClock().fail_after(math.nan)


async def test_it_does_not_make_time_jump():
    clock = VirtualClock()
    async with clock.fail_after(5) as timeout:
        with anyio.move_on_after(0.02) as real:
            await anyio.sleep_forever()
    assert real.cancelled_caught
    assert (clock.monotonic(), timeout.expired) == (0.0, False)


async def test_the_sleep_of_another_task_passes_its_deadline():
    clock = VirtualClock()
    async with anyio.create_task_group() as tasks:
        with pytest.raises(TimeoutError):
            async with clock.fail_after(5):
                tasks.start_soon(clock.asleep, 8)
                await anyio.sleep_forever()
    assert clock.monotonic() == 8.0


async def test_advancing_passes_its_deadline_from_inside_the_loop():
    clock = VirtualClock(auto=False)
    with pytest.raises(TimeoutError):
        async with clock.fail_after(5) as timeout:
            clock.advance(4.9)
            await anyio.lowlevel.checkpoint()
            assert not timeout.expired
            clock.advance(0.1)
            await anyio.lowlevel.checkpoint()
            pytest.fail("the body went on")
    assert timeout.expired


async def test_advancing_passes_its_deadline_from_a_thread_while_io_is_in_flight():
    clock = VirtualClock(auto=False)
    waiting = threading.Event()

    def advance():
        waiting.wait(5)
        clock.advance(60)

    thread = threading.Thread(target=advance)
    thread.start()
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    async with listener, await anyio.connect_tcp("127.0.0.1", port) as stream:
        with pytest.raises(TimeoutError):
            async with clock.fail_after(30) as timeout:
                waiting.set()
                await stream.receive()
    thread.join(5)
    assert timeout.expired


async def test_a_timeout_error_of_the_body_is_not_its_own():
    clock = VirtualClock()
    with pytest.raises(TimeoutError, match="mine"):
        async with clock.fail_after(5) as timeout:
            raise TimeoutError("mine")
    assert not timeout.expired


async def test_a_body_that_fails_while_it_is_cancelled_keeps_its_error():
    clock = VirtualClock()
    with pytest.raises(LookupError):
        async with clock.fail_after(5) as timeout:
            try:
                await clock.asleep(10)
            finally:
                raise LookupError
    assert not timeout.expired


async def test_a_body_without_a_checkpoint_is_not_interrupted():
    clock = VirtualClock(auto=False)
    async with clock.fail_after(5) as timeout:
        clock.advance(10)
    assert not timeout.expired
    await anyio.lowlevel.checkpoint()


async def test_a_deadline_that_passes_elsewhere_as_the_body_ends_comes_too_late():
    clock = VirtualClock(auto=False)
    async with clock.fail_after(5) as timeout:
        thread = threading.Thread(target=clock.advance, args=(5,))
        thread.start()
        thread.join(5)
    await anyio.sleep(0.01)  # what the thread handed over has run by now
    assert not timeout.expired


def test_it_needs_an_event_loop():
    entering = VirtualClock().fail_after(5).__aenter__()
    with pytest.raises(RuntimeError, match="no event loop"):
        entering.send(None)


async def test_a_cancellation_from_outside_stays_one():
    clock = VirtualClock()
    with anyio.CancelScope() as outside:
        async with clock.fail_after(5) as timeout:
            outside.cancel()
            await clock.asleep(1)
    assert outside.cancelled_caught
    assert not timeout.expired


async def test_a_cancellation_from_outside_wins_over_the_deadline():
    clock = VirtualClock(auto=False)
    with anyio.CancelScope() as outside:
        async with clock.fail_after(5) as timeout:
            clock.advance(5)
            outside.cancel()
            await anyio.lowlevel.checkpoint()
    assert outside.cancelled_caught
    assert not timeout.expired


def test_cancelling_the_task_stays_a_cancellation():
    clock = VirtualClock()

    async def body():
        async with clock.fail_after(5):
            await anyio.sleep_forever()

    async def main():
        task = asyncio.create_task(body())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


async def test_the_inner_of_two_ends_first_and_leaves_the_outer_running():
    clock = VirtualClock()
    with pytest.raises(TimeoutError):
        async with clock.fail_after(7) as outer:
            with pytest.raises(TimeoutError):
                async with clock.fail_after(5) as inner:
                    await clock.asleep(100)
            assert (clock.monotonic(), inner.expired, outer.expired) == (5.0, True, False)
            await clock.asleep(100)
    assert (clock.monotonic(), outer.expired) == (7.0, True)


async def test_the_outer_of_two_ends_the_inner():
    clock = VirtualClock()
    with pytest.raises(TimeoutError):
        async with clock.fail_after(3) as outer, clock.fail_after(5) as inner:
            await clock.asleep(100)
    assert (clock.monotonic(), inner.expired, outer.expired) == (3.0, False, True)


async def test_a_shielded_sleep_goes_on_to_its_end():
    clock = VirtualClock()
    with pytest.raises(TimeoutError):
        async with clock.fail_after(5):
            with anyio.CancelScope(shield=True):
                await clock.asleep(10)
                await clock.asleep(3)  # begun when the timeout had long expired
            assert clock.monotonic() == 13.0
            await clock.asleep(10)
    assert clock.trace == [(0.0, 10.0), (10.0, 3.0)]


async def test_a_blocking_sleep_in_a_thread_goes_on_to_its_end():
    clock = VirtualClock()
    with pytest.raises(TimeoutError):
        async with clock.fail_after(5):
            await anyio.to_thread.run_sync(clock.sleep, 10)
            assert clock.monotonic() == 10.0
            await anyio.lowlevel.checkpoint()


async def test_a_worker_that_is_cut_short_counts_as_awake_until_it_sleeps_again():
    clock = VirtualClock()
    times = []
    registered = anyio.Event()

    async def hasty():
        with clock.worker():
            await registered.wait()
            try:
                async with clock.fail_after(5):
                    await clock.asleep(100)
            except TimeoutError:
                times.append(clock.monotonic())
                await anyio.lowlevel.checkpoint()
            await clock.asleep(1)
            times.append(clock.monotonic())

    async def patient():
        with clock.worker():
            await registered.wait()
            await clock.asleep(50)
            times.append(clock.monotonic())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(hasty)
        tasks.start_soon(patient)
        await anyio.wait_all_tasks_blocked()
        registered.set()
    assert times == [5.0, 6.0, 50.0]


async def test_a_timeout_of_another_clock_interrupts_nothing_here():
    clock, other = VirtualClock(), VirtualClock()
    async with other.fail_after(1):
        await clock.asleep(10)
    assert clock.monotonic() == 10.0


async def test_it_bounds_one_block():
    clock = VirtualClock()
    timeout = clock.fail_after(5)
    async with timeout:
        pass
    with pytest.raises(RuntimeError, match="one block"):
        await timeout.__aenter__()
    with pytest.raises(RuntimeError, match="never entered"):
        await clock.fail_after(5).__aexit__(None, None, None)


def test_a_deadline_that_passes_after_its_loop_has_finished_is_harmless():
    clock = VirtualClock(auto=False)
    loop = asyncio.new_event_loop()
    entered = clock.fail_after(5)

    async def body():
        async with entered:
            await asyncio.Event().wait()

    coroutine = body()
    task = loop.create_task(coroutine)
    while math.isinf(entered.deadline):
        loop.run_until_complete(asyncio.wait([task], timeout=0))
    loop.close()
    clock.advance(5)
    task._log_destroy_pending = False  # an abandoned task is the point of this test
    with pytest.raises(RuntimeError):
        coroutine.close()
    del task, coroutine
    gc.collect()
