import asyncio
import gc
import pickle
import threading
import weakref
from typing import ClassVar

import anyio
import pytest
import trio
from answers import Answer

from bide import PolicyError, Reason, Recoveries, code, history, retry_on, retrying
from bide.engine.events import ConditionFailed, GaveUp, Recovered, RecoveryFailed, RetryScheduled
from bide.engine.recovery import Recovery
from bide.testing import VirtualClock

EXPIRED = retry_on(PermissionError).calling("refresh").immediately()
MANY = 100


class Service:
    """A service that wants the newest token, and the refresh that fetches one."""

    def __init__(self, *, broken: Exception | None = None, mends: bool = True):
        self.token, self.wanted = 0, 1
        self.refreshes = self.calls = 0
        self.broken, self.mends = broken, mends

    def ask(self):
        self.calls += 1
        if self.token < self.wanted:
            raise PermissionError("expired")
        return self.token

    async def aask(self):
        token = self.token
        await anyio.lowlevel.checkpoint()
        self.calls += 1
        if token < self.wanted:
            raise PermissionError("expired")
        return token

    def refresh(self):
        self.refreshes += 1
        if self.broken is not None:
            raise self.broken
        self.token += self.mends
        return {"Authorization": f"Bearer {self.token}"}

    async def arefresh(self):
        for _ in range(5):
            await anyio.lowlevel.checkpoint()
        return self.refresh()


def bound(service, *, policy=EXPIRED, action=None, heard=None, **options):
    listeners = None if heard is None else [heard.append]
    return policy.bind(
        clock=VirtualClock(), recover={"refresh": action or service.refresh}, listeners=listeners, **options
    )


# -- one call


def test_the_action_is_taken_before_the_retry():
    service = Service()
    assert bound(service).call(service.ask) == 1
    assert (service.refreshes, service.calls) == (1, 2)


@pytest.mark.parametrize("action", ["refresh", "arefresh"])
def test_coroutines_take_actions_of_both_kinds(run, action):
    async def main():
        service = Service()
        assert await bound(service, action=getattr(service, action)).acall(service.aask) == 1
        assert (service.refreshes, service.calls) == (1, 2)

    run(main())


def test_a_plain_function_and_a_decorated_one_do_the_same():
    service = Service()
    assert bound(service)(service.ask)() == 1
    assert service.refreshes == 1


def test_a_decorated_coroutine_function_does_the_same(run):
    async def main():
        service = Service()
        assert await bound(service, action=service.arefresh)(service.aask)() == 1
        assert service.refreshes == 1

    run(main())


def test_success_takes_no_action():
    service = Service()
    service.token = 1
    assert bound(service).call(service.ask) == 1
    assert service.refreshes == 0


def test_no_action_is_taken_when_no_retry_follows():
    service = Service()
    runtime = bound(service, policy=EXPIRED.max(0))
    with pytest.raises(PermissionError):
        runtime.call(service.ask)
    assert service.refreshes == 0


def test_what_stays_forbidden_is_recovered_once():
    service = Service(mends=False)
    with pytest.raises(PermissionError) as caught:
        bound(service).call(service.ask)
    assert (service.refreshes, service.calls) == (1, 2)
    assert history(caught.value).reason is Reason.RETRIES_EXHAUSTED


def test_a_later_call_recovers_anew():
    service = Service()
    runtime = bound(service)
    assert runtime.call(service.ask) == 1
    service.wanted = 2
    assert runtime.call(service.ask) == 2
    assert service.refreshes == 2


def test_more_retries_recover_more_often_when_they_are_said():
    service = Service()
    service.wanted = 3
    assert bound(service, policy=EXPIRED.max(5)).call(service.ask) == 3
    assert service.refreshes == 3


def test_a_rejected_value_is_recovered_from_too():
    service = Service()
    policy = (
        retry_on(code("expired")).calling("refresh").immediately()
        | retry_on(401).calling("refresh").immediately()
    )
    answers = [Answer(401, b'{"code": "expired"}'), Answer(200)]
    heard = []
    result = bound(service, policy=policy, heard=heard).call(lambda: answers.pop(0))
    assert result.status_code == 200
    assert service.refreshes == 1
    assert any(isinstance(event, Recovered) for event in heard)


# -- failure


def test_a_failed_recovery_leaves_the_callers_own_error_with_a_note():
    service = Service(broken=RuntimeError("Bearer s3cret"))
    heard = []
    with pytest.raises(PermissionError, match="expired") as caught:
        bound(service, heard=heard).call(service.ask)
    assert history(caught.value).reason is Reason.RECOVERY_FAILED
    notes = "\n".join(caught.value.__notes__)
    assert "the recovery 'refresh' raised RuntimeError" in notes
    assert "s3cret" not in notes
    assert caught.value.__context__ is service.broken
    assert [type(event) for event in heard] == [RecoveryFailed, GaveUp]
    assert (heard[0].recovery, heard[0].error) == ("refresh", service.broken)
    assert service.calls == 1


def test_an_unbound_action_means_give_up_with_its_name_in_the_note():
    service = Service()
    with pytest.raises(PermissionError) as caught:
        EXPIRED.call(service.ask)
    assert history(caught.value).reason is Reason.RECOVERY_FAILED
    assert "no action is bound to 'refresh': say policy.bind(recover={'refresh': ...})" in str(
        caught.value.__notes__
    )


def test_a_value_that_could_not_be_recovered_from_is_returned_with_its_history():
    policy = retry_on(401).calling("refresh").immediately()
    answer = policy.call(lambda: Answer(401))
    assert answer.status_code == 401
    assert history(answer).reason is Reason.RECOVERY_FAILED


@pytest.mark.parametrize("action", ["arefresh", "hidden"])
def test_a_plain_call_cannot_await_a_coroutine_and_says_so(action):
    service = Service()

    def hidden():
        return service.arefresh()

    action = service.arefresh if action == "arefresh" else hidden
    with pytest.raises(PermissionError) as caught:
        bound(service, action=action).call(service.ask)
    assert "cannot await the recovery: bind a plain function" in str(caught.value.__context__)
    assert service.refreshes == 0


def test_a_recovery_that_outlasts_the_deadline_ends_the_call():
    clock = VirtualClock()
    service = Service()

    def slow():
        clock.sleep(60)
        return service.refresh()

    runtime = (EXPIRED | retry_on(503)).within(30).bind(clock=clock, recover={"refresh": slow})
    with pytest.raises(PermissionError) as caught:
        runtime.call(service.ask)
    assert history(caught.value).reason is Reason.DEADLINE
    assert service.calls == 1


def test_an_interrupt_in_the_action_passes_and_the_next_call_begins_another():
    service = Service()

    def interrupted():
        if not service.refreshes:
            service.refreshes += 1
            raise KeyboardInterrupt
        return service.refresh()

    runtime = bound(service, action=interrupted)
    with pytest.raises(KeyboardInterrupt):
        runtime.call(service.ask)
    assert runtime.call(service.ask) == 1


# -- many calls


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


# -- blocks


def test_a_block_is_recovered():
    service = Service()
    for attempt in retrying(bound(service)):
        with attempt:
            token = service.ask()
    assert (token, service.refreshes) == (1, 1)


def test_a_block_whose_recovery_fails_raises_its_own_error():
    service = Service(broken=RuntimeError())
    with pytest.raises(PermissionError):
        for attempt in retrying(bound(service)):
            with attempt:
                service.ask()
    assert service.refreshes == 1


def test_a_block_may_hand_over_a_value_after_its_end():
    service = Service()
    policy = retry_on(401).calling("refresh").immediately()
    statuses = [401, 200]
    for attempt in retrying(bound(service, policy=policy)):
        with attempt:
            answer = Answer(statuses.pop(0))
        attempt.returned(answer)
    assert (answer.status_code, service.refreshes) == (200, 1)


def test_a_block_in_a_coroutine_awaits_its_recovery(run):
    async def main():
        service = Service()
        async for attempt in retrying(bound(service, action=service.arefresh)):
            with attempt:
                token = await service.aask()
        assert (token, service.refreshes) == (1, 1)

    run(main())


def test_a_block_in_a_coroutine_whose_recovery_fails_raises_its_own_error(run):
    async def main():
        service = Service(broken=RuntimeError())
        with pytest.raises(PermissionError) as caught:
            async for attempt in retrying(bound(service, action=service.arefresh)):
                with attempt:
                    await service.aask()
        assert history(caught.value).reason is Reason.RECOVERY_FAILED

    run(main())


def test_a_block_in_a_coroutine_whose_value_cannot_be_recovered_ends():
    async def main():
        service = Service(broken=RuntimeError())
        policy = retry_on(401).calling("refresh").immediately()
        seen = []
        async for attempt in retrying(bound(service, policy=policy, action=service.arefresh)):
            with attempt:
                seen.append(Answer(401))
                attempt.returned(seen[-1])
        assert len(seen) == 1
        assert history(seen[0]).reason is Reason.RECOVERY_FAILED

    asyncio.run(main())


# -- binding, telling


def test_an_action_that_no_rule_calls_is_refused():
    with pytest.raises(PolicyError, match="recover: no rule calls 'refesh'; they call 'refresh'"):
        EXPIRED.bind(recover={"refesh": print})
    with pytest.raises(PolicyError, match="recover: no rule calls 'refresh'; none calls any"):
        retry_on(503).bind(recover={"refresh": print})


@pytest.mark.parametrize("recover", [["refresh"], "refresh", 7])
def test_what_is_no_mapping_of_actions_is_refused(recover):
    with pytest.raises(PolicyError, match="recover takes actions by name"):
        EXPIRED.bind(recover=recover)


def test_what_is_no_callable_is_refused():
    with pytest.raises(PolicyError, match="recover: the action 'refresh' is no callable, but 'token'"):
        EXPIRED.bind(recover={"refresh": "token"})


def test_runtimes_bound_to_the_same_recoveries_share_every_run():
    service = Service()
    shared = Recoveries({"refresh": service.refresh, "open_session": print})
    one = EXPIRED.bind(recover=shared)
    other = (EXPIRED | retry_on(503)).bind(recover=shared)
    barrier = threading.Barrier(2)
    calls = []

    def ask():
        calls.append(1)
        first = len(calls) <= 2
        try:
            return service.ask()
        finally:
            if first:
                barrier.wait(30)

    threads = [threading.Thread(target=runtime.call, args=(ask,)) for runtime in (one, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert service.refreshes == 1


def test_listeners_are_told_of_the_recovery_before_the_retry():
    service = Service()
    heard = []
    bound(service, heard=heard, name="api").call(service.ask)
    recovered = next(event for event in heard if isinstance(event, Recovered))
    scheduled = next(event for event in heard if isinstance(event, RetryScheduled))
    assert (recovered.name, recovered.attempt, recovered.outcome) == ("api", 1, "PermissionError")
    assert (recovered.rule, recovered.recovery) == (0, "refresh")
    assert heard.index(recovered) < heard.index(scheduled)
    assert not any(isinstance(event, ConditionFailed) for event in heard)


class Expired(PermissionError):
    """One that is seen to go."""

    made: ClassVar = []

    def __init__(self):
        super().__init__()
        self.made.append(weakref.ref(self))


def test_a_recovered_call_leaves_nothing_behind():
    def refuse_once():
        if not Expired.made:
            raise Expired
        return "done"

    gc.collect()
    gc.disable()
    try:
        assert bound(Service()).call(refuse_once) == "done"
        assert [one() for one in Expired.made] == [None]
    finally:
        gc.enable()


def test_a_policy_that_recovers_is_pickled_without_its_actions():
    assert pickle.loads(pickle.dumps(EXPIRED)) == EXPIRED
