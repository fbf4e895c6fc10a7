import math

import pytest

from bide import GiveUp, Outcome, PolicyError, Reason, Retry, State, forever, give_up_on, parse, retry_on

RUNNING = Outcome(409)
BROKEN = Outcome(500)
POLL = retry_on(409).fixed(10).polling().within("10m")
POLICY = (POLL | retry_on(500).fixed(1)).attempts(3).within(30)


def polled(times: int, *, failed: int = 0) -> State:
    """The state after so many polls of ten seconds, and so many other retries of one."""
    return State(
        attempt=1 + times + failed,
        elapsed=10.0 * times + failed,
        used=(times, failed),
        spent=(10.0 * times, 1.0 * failed),
    )


def test_polls_go_on_past_the_attempts_and_the_deadline_of_the_policy():
    decision = POLICY.decide(RUNNING, polled(40))
    assert isinstance(decision, Retry)
    assert (decision.rule, decision.delay) == (0, 10)


def test_polls_take_no_attempt_and_no_time_from_other_rules():
    assert POLICY.decide(BROKEN, polled(40, failed=1)) == Retry(1.0, 1, POLICY.decide(BROKEN).span)
    assert POLICY.decide(BROKEN, polled(40, failed=2)) == GiveUp(Reason.ATTEMPTS_EXHAUSTED, 1)


def test_time_that_others_took_still_ends_the_call():
    late = State(attempt=2, elapsed=340, used=(30, 1), spent=(300.0, 40.0))
    assert POLICY.decide(BROKEN, late) == GiveUp(Reason.DEADLINE, 1)


def test_polling_ends_at_its_own_deadline():
    assert isinstance(POLICY.decide(RUNNING, polled(58)), Retry)
    assert POLICY.decide(RUNNING, polled(59)) == GiveUp(Reason.DEADLINE, 0)


def test_polling_ends_after_its_own_retries_when_they_are_said():
    policy = retry_on(409).fixed(1, max=2).polling().within("1m")
    assert policy.decide(RUNNING, State(attempt=3, used=(2,))) == GiveUp(Reason.RETRIES_EXHAUSTED, 0)


def test_the_last_attempt_that_fits_the_policy_may_still_be_followed_by_polls():
    assert isinstance(POLICY.decide(RUNNING, State(attempt=2, elapsed=30, last=True)), Retry)


def test_an_enclosing_deadline_ends_polling_too():
    assert POLICY.decide(RUNNING, State(left=4.0)).delay == pytest.approx(3.6)
    assert POLICY.decide(RUNNING, State(left=0.0)) == GiveUp(Reason.DEADLINE, 0)


def test_a_text_asks_for_a_hundred_attempts_at_most_polls_included():
    policy = parse("retry_on(409).immediately().polling().within(1h)")
    assert isinstance(policy.decide(RUNNING, State(attempt=99, used=(98,))), Retry)
    assert policy.decide(RUNNING, State(attempt=100, used=(99,))) == GiveUp(Reason.ATTEMPTS_EXHAUSTED, 0)


@pytest.mark.parametrize(
    "limit", [lambda p: p, lambda p: p | retry_on(503), lambda p: (p | retry_on(503)).within(9)]
)
def test_polling_without_a_deadline_of_its_own_is_refused(limit):
    with pytest.raises(PolicyError, match=r"polling\(\) needs a deadline of its own: add \.within\(10m\)"):
        limit(retry_on(409).polling()).check()


def test_a_rule_that_never_retries_cannot_poll():
    with pytest.raises(PolicyError, match="never retries"):
        give_up_on(409).polling()


def test_the_worst_case_counts_polls_beside_the_limits():
    worst = POLICY.worst_case()
    assert (worst.attempts, worst.seconds) == (3 + 60, 602)
    assert retry_on(409).polling().within(60).worst_case().attempts == math.inf
    assert retry_on(409).fixed(1).max(forever).polling().within(60).worst_case().attempts == 61


def test_it_is_written_and_read_back():
    text = "retry_on(409).fixed(10s).within(10m).polling()"
    assert str(parse(text)) == text
    assert parse(text) == POLL


def test_explain_counts_the_attempts_before_as_polls():
    assert POLICY.explain(RUNNING, attempt=41, elapsed=400).action == "retry"
    assert POLICY.explain(BROKEN, attempt=41, elapsed=400).reason is Reason.ATTEMPTS_EXHAUSTED
