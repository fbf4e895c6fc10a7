"""Delays are finite at any attempt, keep their jitter at the cap, and belong to one call."""

import math
import random

import pytest

from bide import Ask, Outcome, retry_on
from bide.testing import Draws, Scripted

DOWN = retry_on(ConnectionError)
NOTHING = Outcome(error=ConnectionError())
GROWING = {
    "exponential": DOWN.exponential(base=1, cap=30),
    "exponential, equal": DOWN.exponential(base=1, cap=30, jitter="equal"),
    "exponential, decorrelated": DOWN.exponential(base=1, cap=30, jitter="decorrelated"),
    "decorrelated": DOWN.decorrelated(base=1, cap=30),
    "linear": DOWN.linear(base=1, step=1, cap=30),
    "fibonacci": DOWN.fibonacci(base=1, cap=30),
}
SURE = {
    "exponential": DOWN.exponential(base=1, cap=30, jitter=False),
    "linear": DOWN.linear(base=1, step=1, cap=30, jitter=False),
    "fibonacci": DOWN.fibonacci(base=1, cap=30, jitter=False),
    "fixed": DOWN.fixed(30),
    "delays": DOWN.delays(1, 2, 30),
    "immediately": DOWN.immediately(),
}


def drawn(rule, retry, draw, previous=30.0):
    return rule.clause.schedule.span(Ask(NOTHING, retry, previous)).at(draw)


@pytest.mark.parametrize("rule", GROWING.values(), ids=GROWING)
@pytest.mark.parametrize("retry", [8, 100, 10**6])
def test_jitter_does_not_vanish_at_the_cap(rule, retry):
    rng = random.Random(1)
    assert len({drawn(rule, retry, rng.random()) for _ in range(50)}) == 50


@pytest.mark.parametrize(
    "rule", [DOWN, DOWN.exponential(), DOWN.decorrelated(), DOWN.linear(), DOWN.fibonacci()]
)
def test_a_delay_that_grows_has_jitter_unless_it_is_refused(rule):
    low, high = rule.explain(NOTHING).delay
    assert low < high


@pytest.mark.parametrize("rule", [*GROWING.values(), *SURE.values()])
@pytest.mark.parametrize("retry", [1, 2, 63, 1023, 1024, 1025, 1476, 1477, 2000, 10**6])
def test_a_delay_is_finite_and_within_its_cap_at_any_attempt(rule, retry):
    for draw in (0.0, 0.5, math.nextafter(1.0, 0.0)):
        assert 0 <= drawn(rule, retry, draw) <= 30


def test_three_thousand_attempts_are_three_thousand_attempts(clock):
    fails = Scripted(ConnectionError, repeat_last=True)
    with pytest.raises(ConnectionError):
        DOWN.exponential(cap=1).attempts(3000).bind(clock=clock).call(fails)
    assert fails.count == 3000
    assert max(clock.sleeps) <= 1


@pytest.mark.parametrize("rule", [*GROWING.values(), *SURE.values()])
def test_a_schedule_begins_anew_with_each_call(rule, clock):
    runtime = rule.max(2).bind(clock=clock, rng=Draws(0.5))
    for _ in range(3):
        with pytest.raises(ConnectionError):
            runtime.call(Scripted(ConnectionError, repeat_last=True))
    sleeps = clock.sleeps
    assert sleeps[0:2] == sleeps[2:4] == sleeps[4:6]


def test_the_first_of_a_list_of_delays_is_used(clock):
    with pytest.raises(ConnectionError):
        DOWN.delays(1, 2, 3).bind(clock=clock).call(Scripted(ConnectionError, repeat_last=True))
    assert clock.sleeps == [1.0, 2.0, 3.0]
