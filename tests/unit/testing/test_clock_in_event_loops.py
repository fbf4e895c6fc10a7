"""VirtualClock as tasks see it, on asyncio and trio."""

import asyncio
import gc
import math
from concurrent.futures import ThreadPoolExecutor

import anyio
import anyio.from_thread
import anyio.lowlevel
import anyio.to_thread
import pytest
import trio

from bide.testing import VirtualClock

pytestmark = pytest.mark.anyio


async def test_a_sleep_jumps_at_once():
    clock = VirtualClock()
    await clock.asleep(86_400)
    assert (clock.monotonic(), clock.trace) == (86_400.0, [(0.0, 86_400.0)])


@pytest.mark.parametrize("seconds", [math.inf, math.nan])
async def test_only_finite_seconds_can_be_slept(seconds):
    with pytest.raises(ValueError, match="finite"):
        await VirtualClock().asleep(seconds)


@pytest.mark.parametrize("seconds", [-1, 0, 5])
async def test_every_sleep_lets_others_run(seconds):
    clock = VirtualClock()
    others = []

    async def other():
        others.append("ran")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(other)
        await clock.asleep(seconds)
        assert others == ["ran"]


@pytest.mark.parametrize("seconds", [-1, 0, 5])
async def test_every_sleep_can_be_cancelled(seconds):
    clock = VirtualClock()
    with anyio.CancelScope() as scope:
        scope.cancel()
        await clock.asleep(seconds)
        pytest.fail("the sleep went on")
    assert clock.monotonic() == 0.0


async def test_tasks_wake_in_the_order_of_their_deadlines():
    clock = VirtualClock()
    woken = []
    registered = anyio.Event()

    async def worker(name, *delays):
        with clock.worker():
            await registered.wait()
            for delay in delays:
                await clock.asleep(delay)
                woken.append((clock.monotonic(), name))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(worker, "a", 1, 4)
        tasks.start_soon(worker, "b", 2, 1.5)
        tasks.start_soon(worker, "c", 3, 3)
        await anyio.wait_all_tasks_blocked()
        registered.set()
    assert woken == [(1.0, "a"), (2.0, "b"), (3.0, "c"), (3.5, "b"), (5.0, "a"), (6.0, "c")]


async def test_a_sleep_belongs_to_the_worker_that_started_its_task():
    clock = VirtualClock()
    with clock.worker():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(clock.asleep, 3)
    assert clock.monotonic() == 3.0


async def test_a_task_that_outlives_its_worker_sleeps_on():
    clock = VirtualClock(auto=False)
    async with anyio.create_task_group() as tasks:
        with clock.worker():
            tasks.start_soon(clock.asleep, 3)
            await anyio.wait_all_tasks_blocked()
        clock.advance(3)
    assert clock.monotonic() == 3.0


async def test_a_cancelled_sleep_is_forgotten_at_once():
    clock = VirtualClock()
    trouble = []

    async def hasty(scope):
        with clock.worker(), scope:
            await clock.asleep(100)
            trouble.append("slept on")
        trouble.extend([clock.monotonic()] if clock.monotonic() else [])

    with clock.worker():
        async with anyio.create_task_group() as tasks:
            scope = anyio.CancelScope()
            tasks.start_soon(hasty, scope)
            await anyio.wait_all_tasks_blocked()
            assert "1 sleeps pending" in repr(clock)
            scope.cancel()
            await clock.asleep(10)  # the cancelled worker is not waited for, nor does its deadline count
            assert clock.monotonic() == 10.0
            await clock.asleep(200)
    assert (clock.monotonic(), trouble) == (210.0, [])


async def test_a_worker_cancelled_in_mid_sleep_counts_as_awake_while_it_cleans_up():
    clock = VirtualClock()
    cleaned = []

    async def worker(scope):
        with clock.worker():
            try:
                with scope:
                    await clock.asleep(5)
            finally:
                await anyio.lowlevel.checkpoint()
                await anyio.lowlevel.checkpoint()
                cleaned.append(clock.monotonic())

    async with anyio.create_task_group() as tasks:
        with clock.worker():
            scope = anyio.CancelScope()
            tasks.start_soon(worker, scope)
            await anyio.wait_all_tasks_blocked()
            scope.cancel()
            await clock.asleep(50)
    assert cleaned == [0.0]


async def test_a_thread_can_wake_a_task_and_a_task_a_thread():
    clock = VirtualClock()
    order = []

    def in_thread():
        with clock.worker():
            anyio.from_thread.run_sync(registered.set)
            clock.wait_for_sleepers(1)
            clock.sleep(1)
            order.append(("thread", clock.monotonic()))
            clock.sleep(4)
            order.append(("thread", clock.monotonic()))

    async def in_task():
        with clock.worker():
            await registered.wait()
            await clock.asleep(3)
            order.append(("task", clock.monotonic()))
            await clock.asleep(4)
            order.append(("task", clock.monotonic()))

    registered = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(in_task)
        tasks.start_soon(anyio.to_thread.run_sync, in_thread)
    assert order == [("thread", 1.0), ("task", 3.0), ("thread", 5.0), ("task", 7.0)]


async def test_by_hand_time_moves_only_when_told():
    clock = VirtualClock(auto=False)
    woken = []

    async def sleeper(delay):
        await clock.asleep(delay)
        woken.append(delay)

    async with anyio.create_task_group() as tasks:
        for delay in [1, 2, 3]:
            tasks.start_soon(sleeper, delay)
        await anyio.to_thread.run_sync(clock.wait_for_sleepers, 3)
        clock.advance(2.5)
        await anyio.wait_all_tasks_blocked()
        assert (sorted(woken), clock.monotonic()) == ([1, 2], 2.5)
        await anyio.to_thread.run_sync(clock.advance, 1)
    assert sorted(woken) == [1, 2, 3]


async def test_a_real_timeout_of_the_loop_still_fires_between_virtual_hours():
    clock = VirtualClock()
    await clock.asleep(3600)
    with anyio.move_on_after(0.01) as scope:
        await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert clock.monotonic() == 3600.0


async def test_real_data_travels_between_virtual_hours():
    clock = VirtualClock()

    async def echo(stream):
        async with stream:
            for _ in range(3):
                asked = await stream.receive()
                await clock.asleep(3600)
                await stream.send(asked.upper())

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, echo)
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            for word in [b"a", b"b", b"c"]:
                await stream.send(word)
                assert await stream.receive() == word.upper()
        tasks.cancel_scope.cancel()
    await listener.aclose()
    assert clock.monotonic() == 3 * 3600.0


@pytest.mark.parametrize("run", [asyncio.run, lambda main: trio.run(lambda: main)])
def test_two_loops_share_one_clock(run, anyio_backend):
    clock = VirtualClock()
    registered = []

    async def main(delay):
        with clock.worker():
            registered.append(delay)
            while len(registered) < 2:  # both loops are running
                await anyio.lowlevel.checkpoint()
            await clock.asleep(delay)
            return clock.monotonic()

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(run, main(5))
        two = pool.submit(anyio.run, main, 8, backend=anyio_backend)
        assert (one.result(10), two.result(10)) == (5.0, 8.0)


def test_a_loop_that_has_finished_is_not_called():
    clock = VirtualClock(auto=False)
    loop = asyncio.new_event_loop()
    sleeping = clock.asleep(5)
    task = loop.create_task(sleeping)
    while "1 sleeps" not in repr(clock):
        loop.run_until_complete(asyncio.wait([task], timeout=0))
    loop.close()
    clock.advance(10)
    assert not task.done()
    task._log_destroy_pending = False  # an abandoned task is the point of this test
    sleeping.close()
    del task, sleeping
    gc.collect()


def test_a_task_needs_an_event_loop():
    sleeping = VirtualClock().asleep(1)
    with pytest.raises(RuntimeError):
        sleeping.send(None)
