"""A rule that recovers takes an action before its retry: in calls, coroutines and blocks, well or badly."""

import asyncio
import gc
import pickle
import threading
import weakref
from typing import ClassVar

import pytest
from answers import Answer
from recovering import EXPIRED, Service, bound

from bide import PolicyError, Reason, Recoveries, code, history, retry_on, retrying, when
from bide.engine.events import ConditionFailed, GaveUp, Recovered, RecoveryFailed, RetryScheduled
from bide.testing import VirtualClock


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


def test_a_block_in_a_coroutine_awaits_the_recovery_of_a_value_that_is_nothing(run):
    async def main():
        service = Service()
        nothing = retry_on(when(lambda outcome: not outcome.failed)).calling("refresh").immediately()
        numbers = []
        async for attempt in retrying(bound(service, policy=nothing, action=service.arefresh)):
            with attempt:
                numbers.append(attempt.number)
                if service.refreshes == 0:
                    attempt.returned(None)
        assert (numbers, service.refreshes) == ([1, 2], 1)

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
