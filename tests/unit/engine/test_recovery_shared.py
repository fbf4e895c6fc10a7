"""Calls that need the same recovery at once, in threads and in tasks, share one run of its action."""

import asyncio
import threading

import anyio
import pytest
import trio
from recovering import MANY, Service, bound

from bide.engine.recovery import Recovery


def outcomes_in_threads(runtime, ask, count=MANY):
    """What so many threads come to that all fail before the first of them recovers."""
    barrier = threading.Barrier(count)
    met = set()
    came_to = []

    @runtime
    def together():
        me = threading.get_ident()
        try:
            return ask()
        finally:
            if me not in met:
                met.add(me)
                barrier.wait(30)

    def one():
        try:
            came_to.append(together())
        except Exception as error:
            came_to.append(error)

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return came_to


def test_a_hundred_threads_cause_one_refresh():
    service = Service()
    assert outcomes_in_threads(bound(service), service.ask) == [1] * MANY
    assert service.refreshes == 1


def test_when_the_refresh_fails_a_hundred_threads_get_their_own_errors_with_a_note():
    service = Service(broken=ConnectionError("no route"))
    errors = outcomes_in_threads(bound(service), service.ask)
    assert service.refreshes == 1
    assert len({id(error) for error in errors}) == MANY
    assert all(type(error) is PermissionError for error in errors)
    assert all("the recovery 'refresh' raised ConnectionError" in str(error.__notes__) for error in errors)


def test_what_stays_forbidden_to_a_hundred_threads_is_recovered_once():
    service = Service(mends=False)
    errors = outcomes_in_threads(bound(service), service.ask)
    assert [type(error) for error in errors] == [PermissionError] * MANY
    assert (service.refreshes, service.calls) == (1, 2 * MANY)


async def outcomes_in_tasks(runtime, ask, count=MANY):
    came_to = []

    async def one():
        try:
            came_to.append(await runtime.acall(ask))
        except Exception as error:
            came_to.append(error)

    async with anyio.create_task_group() as tasks:
        for _ in range(count):
            tasks.start_soon(one)
    return came_to


@pytest.mark.parametrize("action", ["refresh", "arefresh"])
def test_a_hundred_tasks_cause_one_refresh(run, action):
    async def main():
        service = Service()
        runtime = bound(service, action=getattr(service, action))
        assert await outcomes_in_tasks(runtime, service.aask) == [1] * MANY
        assert service.refreshes == 1

    run(main())


def test_when_the_refresh_fails_a_hundred_tasks_get_their_own_errors_with_a_note(run):
    async def main():
        service = Service(broken=ConnectionError("no route"))
        errors = await outcomes_in_tasks(bound(service, action=service.arefresh), service.aask)
        assert service.refreshes == 1
        assert len({id(error) for error in errors}) == MANY
        assert all(type(error) is PermissionError for error in errors)
        assert all(
            "the recovery 'refresh' raised ConnectionError" in str(error.__notes__) for error in errors
        )

    run(main())


def test_what_stays_forbidden_to_a_hundred_tasks_is_recovered_once(run):
    async def main():
        service = Service(mends=False)
        errors = await outcomes_in_tasks(bound(service, action=service.arefresh), service.aask)
        assert [type(error) for error in errors] == [PermissionError] * MANY
        assert (service.refreshes, service.calls) == (1, 2 * MANY)

    run(main())


def test_cancelling_whoever_asked_first_cancels_the_refresh_for_nobody(run):
    async def main():
        service = Service()
        begun, goes_on = anyio.Event(), anyio.Event()

        async def slow():
            begun.set()
            await goes_on.wait()
            return service.refresh()

        runtime = bound(service, action=slow)
        came_to = []

        async def other():
            came_to.append(await runtime.acall(service.aask))

        async with anyio.create_task_group() as tasks:
            with anyio.CancelScope() as first:
                async with anyio.create_task_group() as leader:
                    leader.start_soon(runtime.acall, service.aask)
                    await begun.wait()
                    tasks.start_soon(other)
                    await anyio.wait_all_tasks_blocked()
                    first.cancel()
            assert first.cancelled_caught
            goes_on.set()
        assert came_to == [1]
        assert service.refreshes == 1

    run(main())


def test_a_waiter_that_is_cancelled_leaves_at_once(run):
    async def main():
        service = Service()

        async def endless():
            await anyio.sleep_forever()

        runtime = bound(service, action=endless)
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(runtime.acall, service.aask)
                tasks.start_soon(runtime.acall, service.aask)
                await anyio.wait_all_tasks_blocked()
                scope.cancel()
        assert scope.cancelled_caught

    run(main())


def test_threads_and_event_loops_share_one_run():
    service = Service()
    begun, goes_on = threading.Event(), threading.Event()

    def slow():
        begun.set()
        assert goes_on.wait(30)
        return service.refresh()

    recovery = Recovery(slow)
    came_to = []
    starters = [
        lambda: recovery.take(0),
        lambda: recovery.take(0),
        lambda: asyncio.run(recovery.atake(0)),
        lambda: trio.run(recovery.atake, 0),
    ]
    threads = [threading.Thread(target=lambda start=start: came_to.append(start())) for start in starters]
    threads[0].start()
    assert begun.wait(30)
    for thread in threads[1:]:
        thread.start()
    while len(recovery._flight.wakers) < len(threads):
        threading.Event().wait(0.001)
    goes_on.set()
    for thread in threads:
        thread.join(30)
    assert service.refreshes == 1
    assert len({id(taken) for taken in came_to}) == 1


def test_when_the_loop_that_runs_it_ends_a_waiter_elsewhere_begins_it_anew():
    runs = []
    begun = threading.Event()

    async def action():
        runs.append(1)
        if len(runs) == 1:
            begun.set()
            await anyio.sleep_forever()
        return "done"

    recovery = Recovery(action)
    came_to = []
    other = threading.Thread(target=lambda: came_to.append(trio.run(recovery.atake, 0).value))

    def until_two_wait():
        while len(recovery._flight.wakers) < 2:
            threading.Event().wait(0.001)

    async def first():
        task = asyncio.create_task(recovery.atake(0))
        await asyncio.to_thread(begun.wait, 30)
        other.start()
        await asyncio.to_thread(until_two_wait)
        task.cancel()

    asyncio.run(first())
    other.join(30)
    assert came_to == ["done"]


def test_when_the_thread_that_runs_it_is_interrupted_a_waiter_begins_it_anew():
    runs = []
    goes_on = threading.Event()

    def action():
        runs.append(1)
        if len(runs) == 1:
            assert goes_on.wait(30)
            raise KeyboardInterrupt
        return "done"

    recovery = Recovery(action)
    came_to = []

    def first():
        with pytest.raises(KeyboardInterrupt):
            recovery.take(0)

    threads = [
        threading.Thread(target=first),
        threading.Thread(target=lambda: came_to.append(recovery.take(0).value)),
    ]
    threads[0].start()
    while recovery._flight is None:
        threading.Event().wait(0.001)
    threads[1].start()
    while len(recovery._flight.wakers) < 2:
        threading.Event().wait(0.001)
    goes_on.set()
    for thread in threads:
        thread.join(30)
    assert came_to == ["done"]


def test_a_coroutine_whose_attempt_began_before_a_run_ended_takes_what_that_came_to(run):
    async def main():
        service = Service()
        recovery = Recovery(service.refresh)
        first = await recovery.atake(0)
        assert await recovery.atake(first.at - 1) is first
        assert service.refreshes == 1
        assert await recovery.atake(first.at) is not first

    run(main())


def test_whoever_waits_in_a_loop_that_has_ended_keeps_nobody_else_from_waking():
    service = Service()
    goes_on = threading.Event()
    recovery = Recovery(lambda: (goes_on.wait(30), service.refresh()))
    leader = threading.Thread(target=recovery.take, args=(0,))
    leader.start()
    while recovery._flight is None:
        threading.Event().wait(0.001)

    async def gone():
        task = asyncio.create_task(recovery.atake(0))
        await asyncio.sleep(0)
        task.cancel()

    asyncio.run(gone())
    goes_on.set()
    leader.join(30)
    assert recovery._flight is None
    assert service.refreshes == 1
