import math

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

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


SECONDS = st.sampled_from([0.001, 0.5, 1.0, 3.0, 10.0, 30.0, 99.0, 100.0, 300.0])
SCHEDULES = st.one_of(
    st.builds(lambda seconds: lambda rule: rule.fixed(seconds), SECONDS),
    st.builds(lambda steps: lambda rule: rule.delays(*steps), st.lists(SECONDS, min_size=1, max_size=4)),
    st.builds(lambda base: lambda rule: rule.exponential(base=base, cap=1000), SECONDS),
    st.builds(lambda base: lambda rule: rule.exponential(base=base, cap=1000, jitter=False), SECONDS),
    st.just(lambda rule: rule.immediately()),
)
CHAINS = st.one_of(
    SCHEDULES,
    st.builds(lambda then: lambda rule: then(rule.after_header("Retry-After")), SCHEDULES),
)


@st.composite
def polling_policies(draw):
    poll = draw(CHAINS)(retry_on(409)).polling().within(draw(SECONDS))
    if draw(st.booleans()):
        poll = poll.max(draw(st.sampled_from([1, 5, forever])))
    policy = poll | draw(SCHEDULES)(retry_on(500))
    if draw(st.booleans()):
        policy = policy.attempts(draw(st.integers(1, 5)))
    return policy.within(draw(SECONDS)) if draw(st.booleans()) else policy


@given(
    polling_policies(),
    st.lists(
        st.builds(
            Outcome,
            st.sampled_from([409, 409, 409, 500]),
            st.sampled_from([{}, {"Retry-After": "1"}, {"Retry-After": "90"}]),
            elapsed=st.sampled_from([0.0, 0.01, 7.0]),
        ),
        min_size=1,
        max_size=9,
    ),
    st.sampled_from([0.0, 0.5, math.nextafter(1.0, 0.0)]),
)
def test_no_polling_call_does_worse_than_its_worst_case(policy, outcomes, draw):
    worst = policy.worst_case()
    state, attempts, waited = State(draw=draw), 1, 0.0
    for outcome in (outcomes * 300)[:300]:
        state = attrs.evolve(state, elapsed=state.elapsed + outcome.elapsed)
        decision = policy.decide(outcome, state)
        if not isinstance(decision, Retry):
            break
        state = state.after(decision, took=outcome.elapsed)
        attempts += 1
        waited += decision.delay
    assert attempts <= worst.attempts
    assert waited <= worst.seconds * (1 + 1e-9)


def test_a_delay_longer_than_the_polling_may_be_shortened_twice():
    policy = retry_on(409).fixed("5m").polling().within("100s")
    state, delays = State(), []
    while isinstance(decision := policy.decide(RUNNING, state), Retry):
        delays.append(decision.delay)
        state = state.after(decision)
    assert delays == [90, 9]
    assert policy.worst_case().attempts == 3


@pytest.mark.parametrize(
    "rule", [retry_on(409).after_header("Retry-After").fixed(30), retry_on(409).immediately()]
)
def test_polls_as_close_as_the_server_asks_have_no_bound(rule):
    assert rule.polling().within("1m").worst_case().attempts == math.inf


def test_the_shortest_delay_of_a_list_bounds_the_polls():
    assert retry_on(409).delays("30s", "1s", "30s").polling().within("1m").worst_case().attempts == 61


def test_it_is_written_and_read_back():
    text = "retry_on(409).fixed(10s).within(10m).polling()"
    assert str(parse(text)) == text
    assert parse(text) == POLL


def test_explain_counts_the_attempts_before_as_polls():
    assert POLICY.explain(RUNNING, attempt=41, elapsed=400).action == "retry"
    assert POLICY.explain(BROKEN, attempt=41, elapsed=400).reason is Reason.ATTEMPTS_EXHAUSTED
