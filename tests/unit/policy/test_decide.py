import math

import attrs
import pytest

from bide import (
    Accept,
    GiveUp,
    Outcome,
    Policy,
    PolicyError,
    Reason,
    Retry,
    Span,
    State,
    accept_on,
    anything,
    delay,
    forever,
    give_up_on,
    retry_on,
    timeout,
)
from bide.policy import registry
from bide.policy.decision import EXHAUSTED
from bide.policy.delay import Delay

BUSY = Outcome(503)
THROTTLED = Outcome(429, {"Retry-After": "20"})
HINTED = retry_on(429).after_header("Retry-After")
FIXED = retry_on(503).fixed(10)


def reason(decision):
    assert isinstance(decision, (GiveUp, Accept)), decision
    return decision.reason


def delay_of(decision):
    assert isinstance(decision, Retry), decision
    return decision.delay


def test_the_first_rule_that_matches_decides():
    policy = give_up_on(503) | retry_on("5xx") | accept_on(409)
    assert policy.decide(BUSY) == GiveUp(Reason.RULE_GAVE_UP, 0)
    assert policy.decide(Outcome(500)).rule == 1
    assert policy.decide(Outcome(409)) == Accept(Reason.ACCEPTED, 2)


def test_no_rule_leaves_everything_as_it_came():
    policy = retry_on(503)
    assert policy.decide(Outcome(200)) == Accept(Reason.SUCCEEDED)
    assert policy.decide(Outcome(value=7, method=None)) == Accept(Reason.SUCCEEDED)
    assert policy.decide(Outcome(404)) == GiveUp(Reason.NO_RULE)
    assert policy.decide(Outcome(error=ValueError())) == GiveUp(Reason.NO_RULE)
    assert policy.decide(Outcome(timed_out=True)) == GiveUp(Reason.NO_RULE)


def test_each_rule_counts_its_own_retries():
    policy = retry_on(429).max(1) | retry_on(503).max(2)
    assert reason(policy.decide(Outcome(429), State(3, used=(1, 1)))) == Reason.RETRIES_EXHAUSTED
    assert delay_of(policy.decide(BUSY, State(3, used=(1, 1)))) >= 0
    assert reason(policy.decide(BUSY, State(4, used=(1, 2)))) == Reason.RETRIES_EXHAUSTED


@pytest.mark.parametrize(
    ("policy", "retries"),
    [
        (FIXED, 3),
        (FIXED.max(0), 0),
        (FIXED.attempts(5), 4),
        (Policy(FIXED).attempts(5), 4),
        (Policy(FIXED).attempts(1), 0),
        (Policy(FIXED.max(2)).attempts(5), 2),
        (Policy(FIXED.max(7)).attempts(5), 4),
        (FIXED.max(forever).within(45), 5),  # the last after a shortened delay
    ],
)
def test_retries_and_attempts_are_counted_as_said(policy, retries):
    state, taken = State(), 0
    while isinstance(decision := policy.decide(BUSY, state), Retry):
        state, taken = state.after(decision), taken + 1
    assert taken == retries
    assert reason(decision) in EXHAUSTED


def test_attempts_of_the_whole_call_are_shared():
    policy = (retry_on(429) | retry_on(503)).attempts(3)
    assert reason(policy.decide(BUSY, State(3, used=(2, 0)))) == Reason.ATTEMPTS_EXHAUSTED


def test_a_call_that_counts_no_attempts_ends_all_the_same():
    policy = retry_on(500)
    for status in range(501, 560):
        policy = policy | retry_on(status).immediately()
    assert policy.worst_case().attempts == 100
    fresh = (0,) * 60
    assert isinstance(policy.decide(Outcome(559), State(99, used=fresh)), Retry)
    assert reason(policy.decide(Outcome(559), State(100, used=fresh))) == Reason.ATTEMPTS_EXHAUSTED
    patient = policy | retry_on(429).max(150)
    assert isinstance(patient.decide(Outcome(559), State(150, used=fresh)), Retry)
    assert patient.worst_case().attempts == 151


# -- repeat safety


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Outcome(503, method="POST"), Reason.NOT_IDEMPOTENT),
        (Outcome(503, method="POST", idempotency_key=True), None),
        (Outcome(429, method="POST"), None),
        (Outcome(408, method="POST"), None),
        (Outcome(425, method="POST"), None),
        (Outcome(421, method="POST"), None),
        (Outcome(error=ConnectionRefusedError(), method="POST"), None),
        (Outcome(error=TimeoutError(), method="POST"), Reason.NOT_IDEMPOTENT),
        (Outcome(503, replayable=False), Reason.BODY_NOT_REPLAYABLE),
        (Outcome(503, method="POST", replayable=False), Reason.NOT_IDEMPOTENT),
        (Outcome(503, exhausted=True), Reason.INNER_EXHAUSTED),
        (Outcome(503, method=None), None),
    ],
    ids=repr,
)
def test_what_may_do_harm_is_not_repeated(outcome, expected):
    decision = retry_on(anything, timeout).decide(outcome)
    assert isinstance(decision, Retry) if expected is None else reason(decision) == expected


def test_a_rule_may_repeat_any_method_but_never_a_body_that_is_gone():
    rule = retry_on(503).any_method()
    assert isinstance(rule.decide(Outcome(503, method="POST")), Retry)
    gone = Outcome(503, method="POST", replayable=False)
    assert reason(rule.decide(gone)) == Reason.BODY_NOT_REPLAYABLE


def test_a_policy_may_repeat_what_an_inner_one_has_exhausted():
    assert isinstance(retry_on(503).over_inner().decide(Outcome(503, exhausted=True)), Retry)


def test_safety_comes_before_limits():
    decision = FIXED.max(0).decide(Outcome(503, method="POST"))
    assert decision == GiveUp(Reason.NOT_IDEMPOTENT, 0)


# -- hints and deadlines


def test_A34_a_hint_longer_than_is_worth_waiting_for_ends_the_call_now():
    decision = HINTED.at_most(19).decide(THROTTLED, State(now=1000.0))
    assert decision == GiveUp(Reason.HINT_TOO_LONG, 0, 1020.0)
    assert isinstance(HINTED.at_most(20).decide(THROTTLED), Retry)
    assert reason(HINTED.decide(Outcome(429, {"Retry-After": "121"}))) == Reason.HINT_TOO_LONG
    assert HINTED.decide(Outcome(429, {"Retry-After": "121"})).retry_at is None


@pytest.mark.parametrize("policy", [HINTED.within(30), Policy(HINTED).within(30)])
def test_A35_a_hint_longer_than_the_time_left_ends_the_call_now(policy):
    decision = policy.decide(THROTTLED, State(elapsed=10.0, spent=(10.0,), now=1000.0))
    assert decision == GiveUp(Reason.DEADLINE, 0, 1020.0)


def test_A36_the_spread_of_a_hint_gives_way_to_the_deadline_and_the_hint_never():
    policy = Policy(HINTED).within(21)
    for draw in (0.0, math.nextafter(1.0, 0.0)):
        assert 20 <= delay_of(policy.decide(THROTTLED, State(draw=draw))) < 21


def test_C02_a_delay_of_our_own_is_shortened_so_that_a_last_attempt_fits():
    policy = Policy(FIXED).within(15)
    decision = policy.decide(Outcome(503, elapsed=2.0), State(elapsed=8.0))
    assert decision == Retry(5.0, 0, Span(5.0, 5.0), last=True)
    after = State(elapsed=8.0).after(decision, took=2.0)
    assert reason(policy.decide(BUSY, after)) == Reason.DEADLINE


def test_a_delay_that_leaves_no_room_for_an_attempt_ends_the_call():
    policy = Policy(FIXED).within(15)
    assert policy.decide(Outcome(503, elapsed=8.0), State(elapsed=8.0)) == GiveUp(Reason.DEADLINE, 0)
    assert reason(policy.decide(BUSY, State(elapsed=15.0))) == Reason.DEADLINE
    assert reason(policy.decide(BUSY, State(elapsed=1e9))) == Reason.DEADLINE


def test_a_clock_that_tells_no_time_ends_the_call():
    policy = (HINTED | FIXED).within(15)
    assert reason(policy.decide(BUSY, State(elapsed=math.nan))) == Reason.DEADLINE
    assert reason(policy.decide(THROTTLED, State(elapsed=math.nan))) == Reason.DEADLINE


def test_a_deadline_of_a_rule_binds_that_rule_alone():
    policy = FIXED.within(12).max(9) | retry_on(500).fixed(1)
    state = State()
    first = policy.decide(BUSY, state)
    assert first == Retry(10.0, 0, Span(10.0, 10.0))
    state = state.after(first)
    last = policy.decide(BUSY, state)
    assert 0 < delay_of(last) < 2
    state = state.after(last)
    assert reason(policy.decide(BUSY, state)) == Reason.DEADLINE
    assert delay_of(policy.decide(Outcome(500), state)) == 1.0


def test_a_rule_pays_for_the_attempts_that_it_answers():
    rule = FIXED.within(30)
    assert rule.decide(Outcome(503, elapsed=9.0)) == Retry(10.0, 0, Span(10.0, 10.0))
    assert reason(rule.decide(Outcome(503, elapsed=29.0), State(spent=(2.0,)))) == Reason.DEADLINE


def test_a_deadline_of_a_rule_never_ends_in_ever_shorter_delays():
    rule = retry_on(503).fixed(10).max(forever).within(25)
    state, delays = State(), []
    while isinstance(decision := rule.decide(BUSY, state), Retry):
        delays.append(decision.delay)
        state = state.after(decision)
    assert len(delays) == 3
    assert sum(delays) < 25


def test_a_recovery_is_named_in_the_decision():
    assert retry_on(401).calling("refresh").decide(Outcome(401)).recovery == "refresh"


# -- what a call remembers


def test_the_state_after_a_retry_counts_it_for_its_rule():
    state = State(attempt=2, elapsed=3.0, used=(1,), spent=(2.0,), previous=1.0)
    after = state.after(Retry(5.0, 2, Span(5.0, 5.0)), took=0.5)
    assert after == State(
        attempt=3, elapsed=8.0, used=(1, 0, 1), spent=(2.0, 0.0, 5.5), previous=5.0, last=False
    )


def test_a_hint_is_no_delay_of_our_own_to_remember():
    after = State(previous=1.0).after(Retry(20.0, 0, Span(20.0, 22.0, "header retry-after")))
    assert after.previous == 1.0


# -- delays of the user's


@pytest.fixture
def garbage():
    @delay("garbage")
    @attrs.frozen
    class Garbage(Delay):
        given: object = None

        def span(self, ask):
            return self.given

    yield Garbage
    registry._TABLE["delays"].pop("garbage")


@pytest.mark.parametrize(
    "span", [Span(-1, 1), Span(math.nan, 1), Span(0, math.nan), Span(2, 1), Span(0, math.inf)], ids=str
)
def test_B10_garbage_from_a_delay_is_a_fault_and_no_wait(garbage, span):
    with pytest.raises(PolicyError, match=r"\.garbage\(\) gave no range of seconds"):
        retry_on(503).waits(garbage(span)).decide(BUSY)


def test_B10_a_delay_that_yields_nothing_leaves_it_to_the_usual_one(garbage):
    assert retry_on(503).waits(garbage(None)).decide(BUSY).span == Span(0.0, 0.5)


def test_a_delay_whose_longest_nobody_knows_has_no_worst_case(garbage):
    rule = retry_on(503).waits(garbage(Span(1, 2)))
    assert rule.worst_case().seconds == math.inf
    assert rule.within(30).worst_case().seconds == 30


def test_a_key_that_the_server_knows_from_something_else_makes_no_repeat_safe():
    keyed = Outcome(422, method="POST", idempotency_key=True)
    assert retry_on(422).decide(keyed) == GiveUp(Reason.NOT_IDEMPOTENT, 0)
    assert isinstance(retry_on(500).decide(attrs.evolve(keyed, status=500)), Retry)
