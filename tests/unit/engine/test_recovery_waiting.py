"""Recoveries that wait for themselves or one another, or outlast a deadline: nobody hangs."""

import asyncio
import threading

import anyio
import pytest
import trio
from answers import Answer
from recovering import EXPIRED, arefused, chained, outcome, refused, says_that_it_waits_for_itself

from bide import Reason, history, retry_on
from bide.engine.clock import SYSTEM_CLOCK
from bide.engine.deadline import around, enclosing
from bide.engine.events import GaveUp
from bide.engine.recovery import Recovery
from bide.testing import Draws, VirtualClock

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
