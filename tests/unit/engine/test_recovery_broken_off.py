"""Recoveries that are cancelled, interrupted, or lose their event loop or their process: nobody hangs."""

import asyncio
import os
import threading

import anyio
import pytest
import trio
from recovering import EXPIRED, arefused, outcome

from bide import Reason, history
from bide.engine.clock import SYSTEM_CLOCK
from bide.engine.recovery import Recovery


@pytest.mark.parametrize("after", range(12))
@pytest.mark.parametrize("plain", [False, True])
def test_a_call_may_be_cancelled_at_any_step_of_its_recovery(run, plain, after):
    async def main():
        token = []

        async def slow():
            for _ in range(3):
                await anyio.lowlevel.checkpoint()
            token.append(1)

        async def ask():
            await anyio.lowlevel.checkpoint()
            if not token:
                raise PermissionError
            return "done"

        action = (lambda: token.append(1)) if plain else slow
        runtime = EXPIRED.max(2).bind(recover={"refresh": action})
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(runtime.acall, ask)
            for _ in range(after):
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
        with anyio.fail_after(30):
            assert await runtime.acall(ask) == "done"
        assert len(token) == 1
        while runtime.settings.recoveries.find("refresh")._flight is not None:
            await anyio.lowlevel.checkpoint()

    run(main())


def test_a_run_that_is_cancelled_before_its_first_step_leaves_nobody_waiting():
    async def cancelled(recovery):
        this = asyncio.current_task()
        asyncio.get_running_loop().call_soon(
            lambda: [task.cancel() for task in asyncio.all_tasks() if task is not this]
        )
        asyncio.create_task(recovery.atake(0))  # noqa: RUF006  # nobody is to wait for it
        for _ in range(3):
            await asyncio.sleep(0)

    async def action():
        return "done"

    recovery = Recovery(action)
    asyncio.run(cancelled(recovery))
    assert recovery._flight is None
    assert asyncio.run(recovery.atake(0)).value == "done"


def test_an_action_that_cancels_itself_fails():
    runs = []

    async def action():
        runs.append(1)
        raise asyncio.CancelledError

    runtime = EXPIRED.bind(recover={"refresh": action})
    error = outcome(lambda: asyncio.run(runtime.acall(arefused)))
    assert history(error).reason is Reason.RECOVERY_FAILED
    assert "was cancelled" in str(error.__context__)
    assert runs == [1]


def test_an_event_loop_that_refuses_tasks_fails_the_recovery():
    async def main():
        def factory(loop, coroutine, **options):
            coroutine.close()
            raise RuntimeError("no more tasks")

        loop = asyncio.get_running_loop()
        loop.set_task_factory(factory)
        try:
            await runtime.acall(arefused)
        finally:
            loop.set_task_factory(None)

    runtime = EXPIRED.bind(recover={"refresh": arefused})
    with pytest.raises(PermissionError) as caught:
        asyncio.run(main())
    assert "the recovery 'refresh' raised RuntimeError" in str(caught.value.__notes__)
    assert runtime.settings.recoveries.find("refresh")._flight is None


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("run", [asyncio.run, trio.run])
def test_an_interrupt_in_an_action_is_for_whoever_asked_first(run, plain, interrupt):
    async def main():
        with pytest.raises(interrupt):
            await runtime.acall(arefused)
        with pytest.raises(interrupt):
            await runtime.acall(arefused)
        return "both"

    async def slow():
        raise interrupt

    def quick():
        raise interrupt

    runtime = EXPIRED.bind(recover={"refresh": quick if plain else slow})
    assert outcome(lambda: run(main() if run is asyncio.run else main)) == "both"


def test_a_run_whose_event_loop_was_closed_under_it_is_begun_anew():
    runs = []

    async def action():
        runs.append(1)
        if len(runs) == 1:
            await anyio.sleep_forever()
        return "done"

    async def gives_up(recovery):
        with anyio.move_on_after(0.001):
            await recovery.atake(0)

    recovery = Recovery(action)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(gives_up(recovery))
    loop.close()
    task = recovery._flight.task
    assert outcome(lambda: asyncio.run(recovery.atake(0)).value) == "done"
    task._log_destroy_pending = False


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_does_not_wait_for_a_run_of_its_parent():
    begun, goes_on = threading.Event(), threading.Event()
    parent = os.getpid()

    def action():
        if os.getpid() == parent:
            begun.set()
            assert goes_on.wait(30)
        return os.getpid()

    recovery = Recovery(action)
    leader = threading.Thread(target=recovery.take, args=(0,))
    leader.start()
    assert begun.wait(30)
    child = os.fork()
    if child == 0:
        taken = recovery.take(0, SYSTEM_CLOCK, 20)
        os._exit(0 if taken is not None and taken.value == os.getpid() else 1)
    _, status = os.waitpid(child, 0)
    goes_on.set()
    leader.join(30)
    assert status == 0
