"""Laws of deciding: pure, bounded, never early, never late."""

import copy
import math

import attrs
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

import bide
from bide import Accept, GiveUp, Outcome, Retry, State, retry_on
from bide.policy.delay import Ask

LATEST = math.nextafter(1.0, 0.0)
MOST_STEPS = 400
when_never = bide.when(lambda _: False)


@given(st.data())
def test_deciding_is_pure_and_never_raises(policies, outcomes, states, data):
    policy, outcome, state = data.draw(policies), data.draw(outcomes), data.draw(states)
    before = (copy.deepcopy(policy), outcome.status, outcome.headers, outcome.body, copy.deepcopy(state))
    decision = policy.decide(outcome, state)
    assert isinstance(decision, (Retry, GiveUp, Accept))
    assert policy.decide(outcome, state) == decision
    assert (policy, outcome.status, outcome.headers, outcome.body, state) == before


def failures():
    return st.sampled_from(
        [
            Outcome(503), Outcome(429, {"Retry-After": "3"}), Outcome(500, {"Retry-After": "soon"}),
            Outcome(404, body='{"retry_after": 1e300}'), Outcome(error=TimeoutError("in 3 s")),
            Outcome(503, elapsed=2.5), Outcome(error=ConnectionRefusedError(), elapsed=1e-9),
        ]
    )  # fmt: skip


def begun(states):
    return states.map(lambda state: attrs.evolve(state, attempt=2, used=(1,), last=False))


@given(st.data())
def test_a_delay_is_finite_and_never_negative(eager_rules, states, data):
    decision = data.draw(eager_rules).decide(data.draw(failures()), data.draw(begun(states)))
    if isinstance(decision, Retry):
        event("a retry")
        assert 0 <= decision.delay < math.inf
        assert decision.span.low <= decision.delay <= decision.span.high


@given(st.data(), st.floats(1, 100), st.floats(0, 120))
def test_no_retry_begins_after_the_deadline(eager_rules, states, data, within, elapsed):
    rule = data.draw(eager_rules)
    policy = data.draw(st.sampled_from([rule.within(within), (rule | retry_on(when_never)).within(within)]))
    state = attrs.evolve(data.draw(begun(states)), elapsed=elapsed, spent=(elapsed,))
    outcome = data.draw(failures())
    decision = policy.decide(outcome, state)
    if isinstance(decision, Retry):
        event("a retry")
        polls = policy.limits.within is not None and rule.clause.polling  # bound by its own deadline only
        assert elapsed + decision.delay < (rule.clause.within if polls else within)
        if policy.limits.within is None:
            assert elapsed + outcome.elapsed + decision.delay < within


@given(st.integers(1, 200), st.floats(0, 1, exclude_max=True), st.floats(0, 300), st.booleans())
def test_no_retry_is_earlier_than_the_server_asks(asked, draw, elapsed, shared):
    rule = retry_on(429).after_header("Retry-After").at_most(150)
    policy = rule.within(200) if shared else (rule | retry_on(503)).within(200)
    state = State(elapsed=elapsed, spent=(elapsed,), draw=draw)
    decision = policy.decide(Outcome(429, {"Retry-After": str(asked)}), state)
    if isinstance(decision, Retry):
        assert decision.delay >= asked
    else:
        assert asked > 150 or asked >= 200 - elapsed


def total_waiting(policy, data, outcomes):
    """The attempts and the seconds of waiting of one call, whatever comes."""
    state, waited, attempts = State(), 0.0, 1
    while attempts < MOST_STEPS:
        took = 0.0 if policy.limits.timeout is None else data.draw(st.floats(0, policy.limits.timeout))
        outcome = attrs.evolve(data.draw(outcomes), elapsed=took)
        state = attrs.evolve(
            state, elapsed=state.elapsed + took, draw=data.draw(st.sampled_from([0.0, LATEST]))
        )
        decision = policy.decide(outcome, state)
        if not isinstance(decision, Retry):
            break
        waited += decision.delay
        attempts += 1
        state = state.after(decision, took=took)
    return attempts, waited


@given(st.data())
def test_no_call_does_worse_than_the_worst_case(policies, data):
    policy = data.draw(policies)
    worst = policy.worst_case()
    attempts, waited = total_waiting(policy, data, failures())
    assert attempts <= worst.attempts
    assert waited <= worst.seconds * (1 + 1e-9)


@given(st.data())
def test_a_rule_never_waits_longer_than_the_worst_case(eager_rules, data):
    rule = data.draw(eager_rules)
    worst = rule.worst_case()
    state, waited = State(draw=LATEST), 0.0
    outcome = data.draw(failures())
    for _ in range(MOST_STEPS):
        outcome = attrs.evolve(outcome, elapsed=0.0)
        decision = rule.decide(outcome, state)
        if not isinstance(decision, Retry):
            break
        waited += decision.delay
        state = state.after(decision)
    assert waited <= worst.seconds * (1 + 1e-9)


@pytest.mark.parametrize("retry", [1, 2, 3, 10, 64, 1100, 10**6, 2**31, 2**63 - 1])
@given(st.data())
def test_a_delay_of_our_own_stays_in_its_range_however_late(rules, retry, data):
    rule = data.draw(rules)
    span = rule.clause.span(Ask(Outcome(503), retry, data.draw(st.floats(0, 1e9))))
    assert 0 <= span.low <= span.high <= rule.clause.schedule.longest(retry)
    assert span.at(0.0) == span.low
    assert span.low <= span.at(LATEST) <= span.high


@pytest.mark.parametrize("jitter", ["full", "equal", "decorrelated"])
@pytest.mark.parametrize("schedule", ["exponential", "linear", "fibonacci", "decorrelated"])
@given(st.floats(0.001, 10), st.floats(2, 100), st.integers(1, 10**6), st.floats(0, 1e9))
def test_jitter_never_vanishes_at_the_cap(schedule, jitter, base, times, retry, previous):
    said = {} if schedule == "decorrelated" else {"jitter": jitter}
    rule = getattr(retry_on(503), schedule)(base=base, cap=base * times, **said)
    span = rule.clause.span(Ask(Outcome(503), retry, previous))
    assert span.high - span.low >= min(span.high / 2, base / 2)
    assert span.high <= base * times


@given(st.data())
def test_what_is_explained_is_what_is_decided(policies, outcomes, data):
    policy, outcome = data.draw(policies), data.draw(outcomes)
    explained = policy.explain(outcome)
    spent = (0.0,) * len(policy.clauses)
    decision = policy.decide(outcome, State(used=(0,) * len(policy.clauses), spent=spent))
    assert explained.rule == decision.rule
    assert len(explained.skipped) == (len(policy.clauses) if decision.rule is None else decision.rule)
    assert (explained.delay is not None) == isinstance(decision, Retry)
    assert str(explained)
