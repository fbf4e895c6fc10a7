"""Recoveries that wait for themselves, outlast a deadline, are broken off, or are left behind: nobody hangs."""

import asyncio
import contextvars
import gc
import os
import threading
import weakref
from typing import ClassVar

import anyio
import pytest
import trio
from answers import Answer

from bide import Reason, history, retry_on, retrying, when
from bide.engine.clock import SYSTEM_CLOCK
from bide.engine.deadline import around, enclosing
from bide.engine.events import GaveUp, RecoveryFailed
from bide.engine.recovery import Recovery
from bide.testing import Draws, VirtualClock

EXPIRED = retry_on(PermissionError).calling("refresh").immediately()


def refused():
    raise PermissionError("expired")


async def arefused():
    raise PermissionError("expired")


def outcome(of):
    """What a function comes to, in a thread of its own, so that one that hangs fails its test and no more."""
    came_to = []

    def attempt():
        try:
            came_to.append(of())
        except BaseException as error:
            came_to.append(error)

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(30)
    assert came_to, "it hangs"
    return came_to[0]


def chained(error):
    """Everything in the context of an error."""
    while error.__context__ is not None:
        error = error.__context__
        yield error


def says_that_it_waits_for_itself(error):
    assert type(error) is PermissionError
    assert history(error).reason is Reason.RECOVERY_FAILED
    return any("waits for itself" in str(one) for one in chained(error))


# -- for itself


def test_an_action_that_needs_itself_fails_instead_of_waiting_for_ever():
    runtime = EXPIRED.bind(recover={"refresh": lambda: runtime.call(refused)})
    assert says_that_it_waits_for_itself(outcome(lambda: runtime.call(refused)))


@pytest.mark.parametrize("run", [asyncio.run, trio.run])
def test_a_coroutine_action_that_needs_itself_fails_too(run):
    async def refresh():
        await runtime.acall(arefused)

    async def main():
        await runtime.acall(arefused)

    runtime = EXPIRED.bind(recover={"refresh": refresh})
    assert says_that_it_waits_for_itself(outcome(lambda: run(main() if run is asyncio.run else main)))


def test_an_action_in_a_thread_that_needs_itself_fails_too(run):
    async def main():
        await runtime.acall(arefused)

    runtime = EXPIRED.bind(recover={"refresh": lambda: runtime.call(refused)})
    assert says_that_it_waits_for_itself(outcome(lambda: run(main())))


def test_a_plain_call_does_not_wait_for_a_run_of_its_own_event_loop(run):
    async def main():
        begun, goes_on = anyio.Event(), anyio.Event()

        async def refresh():
            begun.set()
            await goes_on.wait()

        runtime = EXPIRED.max(2).bind(recover={"refresh": refresh})
        errors = []

        async def other():
            with pytest.raises(PermissionError):
                await runtime.acall(arefused)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(other)
            await begun.wait()
            with pytest.raises(PermissionError) as caught:
                runtime.call(refused)
            errors.append(caught.value)
            goes_on.set()
        return errors[0]

    assert says_that_it_waits_for_itself(outcome(lambda: run(main())))


def test_two_actions_that_wait_for_each_other_fail_instead_of_waiting_for_ever():
    both_run = threading.Barrier(2)

    def action(other):
        def run():
            if not seen.setdefault(threading.get_ident(), False):
                seen[threading.get_ident()] = True
                both_run.wait(30)
            runtimes[other].call(refused)

        return run

    seen = {}
    runtimes = {
        name: EXPIRED.bind(recover={"refresh": action(other)}) for name, other in [("a", "b"), ("b", "a")]
    }
    came_to = []
    threads = [
        threading.Thread(
            target=lambda one=one: came_to.append(outcome(lambda: one.call(refused))), daemon=True
        )
        for one in runtimes.values()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(40)
    assert [type(error) for error in came_to] == [PermissionError] * 2
    assert any("waits for itself" in str(one) for error in came_to for one in chained(error))


def test_an_action_may_need_another_recovery():
    refreshed = []
    session = EXPIRED.bind(recover={"refresh": lambda: refreshed.append("session")})
    answers = [PermissionError(), "token"]

    def token():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        refreshed.append(answer)

    runtime = EXPIRED.bind(recover={"refresh": lambda: session.call(token)})
    failures = [PermissionError()]
    assert runtime.call(lambda: failures and refused_once(failures)) == []
    assert refreshed == ["session", "token"]


def refused_once(failures):
    raise failures.pop()


def test_what_an_action_left_behind_may_need_it_later():
    async def main():
        left_behind, runs = [], []

        async def later():
            await goes_on.wait()
            with pytest.raises(PermissionError) as caught:
                await runtime.acall(arefused)
            return history(caught.value).reason

        async def refresh():
            runs.append(1)
            if len(runs) == 1:
                left_behind.append(asyncio.create_task(later()))

        goes_on = asyncio.Event()
        runtime = EXPIRED.bind(recover={"refresh": refresh})
        with pytest.raises(PermissionError):
            await runtime.acall(arefused)
        goes_on.set()
        assert await left_behind[0] is Reason.RETRIES_EXHAUSTED
        assert len(runs) == 2

    asyncio.run(main())


def test_an_action_needs_no_thread_of_those_that_wait_for_it(run):
    async def main():
        limiter = anyio.to_thread.current_default_thread_limiter()
        limiter.total_tokens = 1
        both = threading.Event()
        runtime = EXPIRED.bind(recover={"refresh": lambda: both.wait(30)})
        recovery = runtime.settings.recoveries.find("refresh")

        async def in_a_thread():
            await anyio.to_thread.run_sync(lambda: recovery.take(0))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(recovery.atake, 0)
            await anyio.wait_all_tasks_blocked()
            tasks.start_soon(in_a_thread)
            while len(recovery._flight.wakers) < 2:
                await anyio.lowlevel.checkpoint()
            both.set()
        return "done"

    assert outcome(lambda: run(main())) == "done"


# -- for longer than the deadline leaves


@pytest.mark.parametrize("policy", [EXPIRED.within(30), (EXPIRED | retry_on(503)).within(30)])
def test_a_coroutine_waits_for_a_recovery_until_its_deadline(run, policy):
    async def main():
        clock = VirtualClock()
        runs, heard = [], []

        async def hangs():
            runs.append(1)
            clock.advance(30)
            await anyio.sleep_forever()

        runtime = policy.bind(clock=clock, recover={"refresh": hangs}, listeners=[heard.append])
        with pytest.raises(PermissionError, match="expired") as caught:
            await runtime.acall(arefused)
        assert clock.monotonic() == 30
        assert history(caught.value).reason is Reason.DEADLINE
        assert "the recovery 'refresh' did not end before the deadline" in caught.value.__notes__[1]
        assert [type(event) for event in heard] == [GaveUp]
        assert runs == [1]

    run(main())


def test_a_value_whose_recovery_outlasts_the_deadline_is_returned_with_its_history():
    async def main():
        clock = VirtualClock()

        async def answer():
            return Answer(401)

        async def hangs():
            clock.advance(30)
            await anyio.sleep_forever()

        policy = retry_on(401).calling("refresh").immediately().within(30)
        answered = await policy.bind(clock=clock, recover={"refresh": hangs}).acall(answer)
        assert history(answered).reason is Reason.DEADLINE

    asyncio.run(main())


def test_a_thread_waits_for_anothers_run_until_its_deadline():
    begun, goes_on = threading.Event(), threading.Event()
    recovery = Recovery(lambda: (begun.set(), goes_on.wait(30)))
    leader = threading.Thread(target=recovery.take, args=(0,))
    leader.start()
    assert begun.wait(30)
    assert recovery.take(0, SYSTEM_CLOCK, 0.001) is None
    goes_on.set()
    leader.join(30)
    assert recovery.take(0, SYSTEM_CLOCK, 0.001) is not None


def test_a_thread_on_a_clock_of_its_own_waits_for_a_run_to_end():
    begun, goes_on = threading.Event(), threading.Event()
    recovery = Recovery(lambda: (begun.set(), goes_on.wait(30), "done")[2])
    leader = threading.Thread(target=recovery.take, args=(0,))
    leader.start()
    assert begun.wait(30)
    came_to = []
    waiter = threading.Thread(target=lambda: came_to.append(recovery.take(0, VirtualClock(), 0.001)))
    waiter.start()
    while len(recovery._flight.wakers) < 2:
        threading.Event().wait(0.001)
    goes_on.set()
    leader.join(30)
    waiter.join(30)
    assert [taken.value for taken in came_to] == ["done"]


def test_what_a_plain_action_calls_ends_within_the_deadline_of_its_call():
    clock = VirtualClock()
    seen = []

    def refresh():
        seen.append(enclosing(clock))

    policy = (EXPIRED | retry_on(503)).within(30)
    with pytest.raises(PermissionError):
        policy.bind(clock=clock, recover={"refresh": refresh}).call(refused)
    assert seen == [30]
    assert around() is None


def test_a_delay_that_no_longer_fits_after_the_recovery_is_shortened():
    clock = VirtualClock()
    calls = []

    def refuse():
        calls.append(clock.monotonic())
        raise PermissionError

    policy = (retry_on(PermissionError).calling("refresh").fixed(10) | retry_on(503)).within(30)
    with pytest.raises(PermissionError) as caught:
        policy.bind(clock=clock, recover={"refresh": lambda: clock.sleep(25)}).call(refuse)
    assert calls == [0, pytest.approx(29.5)]
    assert [record.delay for record in history(caught.value)] == [pytest.approx(4.5), None]


def test_a_hint_that_no_longer_fits_after_the_recovery_ends_the_call():
    clock = VirtualClock()

    def refuse():
        error = PermissionError()
        error.retry_after = 10
        raise error

    rule = retry_on(PermissionError).calling("refresh").after_attribute("retry_after")
    runtime = rule.within(30).bind(clock=clock, recover={"refresh": lambda: clock.sleep(25)})
    with pytest.raises(PermissionError) as caught:
        runtime.call(refuse)
    assert history(caught.value).reason is Reason.DEADLINE
    assert history(caught.value).retry_at == clock.time() + 10


def test_a_hint_is_waited_for_in_full_after_the_recovery():
    clock = VirtualClock()
    calls = []

    def refuse():
        calls.append(clock.monotonic())
        error = PermissionError()
        error.retry_after = 10
        raise error

    rule = retry_on(PermissionError).calling("refresh").after_attribute("retry_after")
    runtime = rule.bind(clock=clock, rng=Draws(0.0), recover={"refresh": lambda: clock.sleep(25)})
    with pytest.raises(PermissionError):
        runtime.call(refuse)
    assert calls == [0, 35]


def test_a_rule_pays_for_its_recovery():
    clock = VirtualClock()
    rule = retry_on(PermissionError).calling("refresh").immediately().max(9).within(30)
    with pytest.raises(PermissionError) as caught:
        rule.bind(clock=clock, recover={"refresh": lambda: clock.sleep(8)}).call(refused)
    assert history(caught.value).reason is Reason.DEADLINE
    assert history(caught.value).attempts == 4


def test_a_recovery_after_retries_of_another_rule_is_taken_once():
    clock = VirtualClock()
    errors = [ConnectionError(), ConnectionError(), PermissionError()]
    refreshed = []

    def ask():
        if errors:
            raise errors.pop(0)
        return "done"

    policy = retry_on(ConnectionError).fixed(1) | EXPIRED
    runtime = policy.bind(clock=clock, recover={"refresh": lambda: refreshed.append(clock.monotonic())})
    assert runtime(ask)() == "done"
    assert refreshed == [2]


# -- broken off


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
        asyncio.create_task(recovery.atake(0))  # noqa: RUF006
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


# -- what it leaves


class Seen(PermissionError):
    """One that is seen to go."""

    made: ClassVar = []

    def __init__(self):
        super().__init__()
        self.made.append(weakref.ref(self))


class Fault(Exception):
    """What an action raises, with a local variable that is seen to go."""


class Held:
    """What an action holds while it runs."""


@pytest.fixture
def no_cycles():
    Seen.made.clear()
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def breaks(held):
    here = Held()
    held.append(weakref.ref(here))
    raise Fault


def refuse():
    raise Seen


def given_up(runtime):
    """Whether a call gave up, and not by another error than its own."""
    try:
        runtime.call(refuse)
    except Seen as error:
        return isinstance(error.__context__, Fault)
    return False


@pytest.mark.usefixtures("no_cycles")
def test_a_failed_recovery_keeps_no_error_and_no_frame():
    held = []
    runtime = EXPIRED.bind(recover={"refresh": lambda: breaks(held)}, listeners=[])
    assert given_up(runtime)
    assert [one() for one in Seen.made] == [None]
    assert [one() for one in held] == [None]


@pytest.mark.usefixtures("no_cycles")
def test_a_failed_recovery_keeps_nothing_of_what_was_handled_around_it():
    def within_a_handler(runtime):
        try:
            refuse()
        except Seen:
            return runtime.call(Answer, 401)

    runtime = retry_on(401).calling("refresh").immediately().bind(recover={"refresh": lambda: breaks([])})
    assert history(within_a_handler(runtime)).reason is Reason.RECOVERY_FAILED
    assert [one() for one in Seen.made] == [None]


@pytest.mark.usefixtures("no_cycles")
def test_a_hundred_errors_with_one_fault_all_go():
    async def ask():
        await asyncio.sleep(0)
        raise Seen

    async def refresh():
        await asyncio.sleep(0)
        breaks([])

    async def main():
        runtime = EXPIRED.bind(recover={"refresh": refresh}, listeners=[])
        errors = await asyncio.gather(*(runtime.acall(ask) for _ in range(100)), return_exceptions=True)
        return {type(error) for error in errors}, {id(error.__context__) for error in errors}

    kinds, faults = asyncio.run(main())
    assert (kinds, len(faults)) == ({Seen}, 1)
    gc.collect()  # the event loop's own
    assert {one() for one in Seen.made} == {None}
    assert len(Seen.made) == 100


@pytest.mark.usefixtures("no_cycles")
def test_a_block_in_a_coroutine_whose_recovery_fails_keeps_no_error():
    async def block(runtime):
        try:
            async for attempt in retrying(runtime):
                with attempt:
                    refuse()
        except Seen:
            return "gave up"

    async def main():
        runtime = EXPIRED.bind(recover={"refresh": arefused}, listeners=[])
        assert await block(runtime) == "gave up"
        return [one() for one in Seen.made]

    assert asyncio.run(main()) == [None]


def test_every_listener_and_error_sees_the_same_fault_in_the_same_words():
    heard = []
    barrier = threading.Barrier(5)
    runtime = EXPIRED.bind(recover={"refresh": lambda: breaks([])}, listeners=[heard.append])

    def ask():
        barrier.wait(30)
        raise PermissionError

    errors = []
    threads = [
        threading.Thread(target=lambda: errors.append(outcome(lambda: runtime.call(ask)))) for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    said = {error.__notes__[1] for error in errors}
    assert len(said) == 1
    assert "raised Fault (" in said.pop()
    assert len({event.error for event in heard if isinstance(event, RecoveryFailed)}) == 1


class Frozen(PermissionError):
    """One that refuses attributes, as frozen data classes do."""

    def __setattr__(self, name, value):
        raise AttributeError(name)


def test_a_frozen_error_takes_the_fault_of_its_recovery():
    def refuse():
        raise Frozen

    with pytest.raises(Frozen) as caught:
        EXPIRED.bind(recover={"refresh": lambda: breaks([])}).call(refuse)
    assert type(caught.value.__context__) is Fault


def test_a_frozen_error_takes_the_fault_of_a_condition():
    def refuse():
        raise Frozen

    with pytest.raises(Frozen) as caught:
        retry_on(when(lambda _: 1 / 0)).bind(listeners=[]).call(refuse)
    assert type(caught.value.__context__) is ZeroDivisionError


# -- whose context


def test_the_action_sees_the_context_of_whoever_asked_first():
    var = contextvars.ContextVar("var", default="nobody")
    seen = []

    async def action():
        seen.append(var.get())
        var.set("the action")

    async def main():
        var.set("whoever asked")
        with pytest.raises(PermissionError):
            await EXPIRED.bind(recover={"refresh": action}).acall(arefused)
        return var.get()

    assert asyncio.run(main()) == "whoever asked"
    assert seen == ["whoever asked"]


def test_a_thousand_threads_cause_one_run():
    runs = []
    barrier = threading.Barrier(1000)
    recovery = Recovery(lambda: runs.append(1))
    came_to = []

    def one():
        barrier.wait(60)
        came_to.append(recovery.take(0))

    threads = [threading.Thread(target=one) for _ in range(1000)]
    size = threading.stack_size(256 * 1024)
    try:
        for thread in threads:
            thread.start()
    finally:
        threading.stack_size(size)
    for thread in threads:
        thread.join(60)
    assert len(runs) == 1
    assert len({id(taken) for taken in came_to}) == 1
    assert len(came_to) == 1000


def test_calls_in_two_event_loops_at_once_share_one_run():
    runs = []
    both = threading.Barrier(2)

    async def action():
        runs.append(1)
        await asyncio.sleep(0)

    runtime = EXPIRED.bind(recover={"refresh": action})

    async def main():
        calls = []

        async def ask():
            calls.append(1)
            if len(calls) == 1:
                await asyncio.to_thread(both.wait, 30)
                raise PermissionError
            return "done"

        return await runtime.acall(ask)

    came_to = []
    threads = [threading.Thread(target=lambda: came_to.append(asyncio.run(main()))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert came_to == ["done", "done"]
    assert len(runs) == 1
