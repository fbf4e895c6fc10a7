import itertools
import math

import pytest

from bide import Outcome, PolicyError, retry_on
from bide.policy.delay import Ask, Span, spread
from bide.policy.hints import EXCESSIVE

RULE = retry_on(503)
LATEST = math.nextafter(1.0, 0.0)
HUGE = [1100, 10**6, 2**31, 2**63 - 1]


def spans(rule, retries, previous=0.0):
    return [rule.clause.span(Ask(Outcome(503), retry, previous)) for retry in retries]


def ceilings(rule, retries):
    return [span.high for span in spans(rule, retries)]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (RULE, [0.5, 1, 2, 4, 8, 16, 30, 30]),
        (RULE.exponential(), [0.5, 1, 2, 4, 8, 16, 30, 30]),
        (RULE.exponential(base=1, factor=3, cap=20), [1, 3, 9, 20, 20, 20, 20, 20]),
        (RULE.exponential(factor=1), [0.5] * 8),
        (RULE.linear(base=1, step=2, cap=6), [1, 3, 5, 6, 6, 6, 6, 6]),
        (RULE.linear(step=0), [1] * 8),
        (RULE.fibonacci(base=1, cap=20), [1, 1, 2, 3, 5, 8, 13, 20]),
        (RULE.fixed(7), [7] * 8),
        (RULE.delays("1s", 5, "30s"), [1, 5, 30, 30, 30, 30, 30, 30]),
        (RULE.immediately(), [0] * 8),
    ],
)
def test_ceilings_grow_as_they_say(rule, expected):
    assert ceilings(rule, range(1, 9)) == expected


@pytest.mark.parametrize("jitter", ["full", "equal", "decorrelated", False])
@pytest.mark.parametrize("retry", HUGE)
@pytest.mark.parametrize(
    "rule",
    [
        lambda jitter: RULE.exponential(jitter=jitter),
        lambda jitter: RULE.exponential(base=5e-324, cap=1e9, jitter=jitter),
        lambda jitter: RULE.exponential(base=5e-324, factor=1e308, cap=1e9, jitter=jitter),
        lambda jitter: RULE.exponential(factor=1.0000001, jitter=jitter),
        lambda jitter: RULE.linear(step=1e9, jitter=jitter),
        lambda jitter: RULE.fibonacci(base=5e-324, jitter=jitter),
        lambda jitter: RULE.fixed(1e9, jitter=jitter),
        lambda jitter: RULE.decorrelated(),
    ],
)
def test_B03_B04_no_delay_overflows_however_late_the_retry(rule, retry, jitter):
    for previous in (0.0, 30.0, 1e9):
        (span,) = spans(rule(jitter), [retry], previous)
        assert 0 <= span.low <= span.high <= 3e9
        assert math.isfinite(span.at(LATEST))


@pytest.mark.parametrize(
    ("jitter", "low"), [(True, 0.0), ("full", 0.0), ("equal", 15.0), (False, 30.0), ("decorrelated", 0.5)]
)
def test_jitter_says_where_the_range_below_the_ceiling_begins(jitter, low):
    (span,) = spans(RULE.exponential(jitter=jitter), [20], previous=30.0)
    assert (span.low, span.high) == (low, 30.0)


@pytest.mark.parametrize(
    "rule", [RULE.decorrelated(base=1, cap=20), RULE.exponential(base=1, cap=20, jitter="decorrelated")]
)
def test_decorrelated_draws_between_the_base_and_three_times_the_last(rule):
    assert spans(rule, [1]) == [Span(1.0, 3.0)]
    assert spans(rule, [2], previous=2.0) == [Span(1.0, 6.0)]
    assert spans(rule, [9], previous=19.0) == [Span(1.0, 20.0)]


def test_decorrelated_grows_by_its_own_retries_even_after_a_long_delay_of_another_rule():
    assert spans(RULE.decorrelated(base=1, cap=300), [1, 2], previous=200.0) == [
        Span(1.0, 3.0),
        Span(1.0, 9.0),
    ]


def test_a_fixed_delay_may_be_given_jitter():
    assert spans(RULE.fixed(10, jitter=True), [1]) == [Span(0.0, 10.0)]
    assert spans(RULE.fixed(10, jitter="equal"), [1]) == [Span(5.0, 10.0)]
    assert spans(RULE.fixed(10, jitter="decorrelated"), [1]) == [Span(10.0, 30.0)]


@pytest.mark.parametrize("draw", [0.0, 0.5, LATEST])
def test_B06_a_draw_stays_in_its_range_at_both_ends(draw):
    for low, high in itertools.combinations([0.0, 5e-324, 0.1, 1 / 3, 30.0, 1e9], 2):
        assert low <= Span(low, high).at(draw) <= high


def test_delays_needs_one():
    with pytest.raises(PolicyError, match="seconds: at least one is needed"):
        RULE.delays()


def test_a_schedule_ends_the_chain():
    with pytest.raises(PolicyError, match=r"\.fixed\(\) after \.exponential\(\) can never be reached"):
        RULE.exponential().fixed(1)
    with pytest.raises(PolicyError, match=r"\.after_header\(\) after \.immediately\(\) can never be reached"):
        RULE.immediately().after_header("Retry-After")


def test_a_chain_takes_delays_only():
    with pytest.raises(
        PolicyError, match=r"waits\(\) takes a delay whose class @bide.delay has named; got 5"
    ):
        RULE.waits(5)


@pytest.mark.parametrize(("asked", "added"), [(0.2, 0.2), (5, 1), (10, 1), (60, 6), (600, 60)])
def test_a_spread_is_a_tenth_at_least_a_second_and_never_more_than_the_hint(asked, added):
    assert spread(asked) == pytest.approx(added)


# -- hints


def asked_by(rule, *args, **said):
    return rule.clause.span(Ask(Outcome(*args, **said), now=1_700_000_000.0))


def test_each_hint_is_a_floor_with_a_spread_that_only_adds():
    body = '{"details": {"retry_after": 20}, "message": "Try again in 30 seconds"}'
    error = type("Limited", (Exception,), {"retry_after": 40, "info": type("Info", (), {"wait": 50})})()
    for rule, given, seconds in [
        (RULE.after_header("Retry-After"), {"headers": {"retry-after": "10"}}, 10),
        (RULE.after_body("details.retry_after"), {"body": body}, 20),
        (RULE.after_message("in {seconds} seconds"), {"body": body}, 30),
        (RULE.after_message("in {seconds} seconds", at="message"), {"body": body}, 30),
        (RULE.after_attribute("retry_after"), {"error": error}, 40),
        (RULE.after_attribute("info.wait"), {"error": error}, 50),
        (RULE.after_reset("X-RateLimit-Reset"), {"headers": {"x-ratelimit-reset": "60"}}, 60),
        (RULE.after_hint(), {"headers": {"retry-after-ms": "70000"}}, 70),
    ]:
        span = asked_by(rule, 429, **given)
        assert span.source
        assert (span.low, span.high) == (seconds, seconds + spread(seconds))


def test_a_hint_reads_a_date_against_the_responses_own():
    rule = RULE.after_header("Retry-After")
    headers = {"Retry-After": "Wed, 21 Oct 2015 07:28:30 GMT", "Date": "Wed, 21 Oct 2015 07:28:00 GMT"}
    now = 1_445_412_480.0 + 3600
    assert rule.clause.span(Ask(Outcome(429, headers), now=now)).low == 30.0


@pytest.mark.parametrize(
    "value", ["0", "-5", "soon", "", "nan", "Wed, 21 Oct 2015 07:28:30 GMT", "inf", "1e309"]
)
def test_A_malformed_or_empty_hint_leaves_our_own_delay_as_the_floor(value):
    span = asked_by(RULE.after_header("Retry-After").fixed(3), 429, {"Retry-After": value})
    assert span == Span(3.0, 3.0)


def test_hints_are_tried_in_turn():
    rule = RULE.after_header("Retry-After").after_body("wait").fixed(3)
    assert asked_by(rule, 429, {"Retry-After": "9"}, '{"wait": 7}').low == 9
    assert asked_by(rule, 429, {"Retry-After": "soon"}, '{"wait": 7}').low == 7
    assert asked_by(rule, 429) == Span(3.0, 3.0)
    assert asked_by(RULE.after_header("Retry-After"), 429) == Span(0.0, 0.5)
    assert asked_by(RULE.after_reset("X-RateLimit-Reset").fixed(3), 429) == Span(3.0, 3.0)


class Locked(Exception):
    @property
    def retry_after(self):
        raise RuntimeError("not now")


def test_an_attribute_that_cannot_be_read_is_no_hint():
    rule = RULE.after_attribute("retry_after").fixed(3)
    assert asked_by(rule, error=Locked()) == Span(3.0, 3.0)
    assert asked_by(rule, error=ValueError()) == Span(3.0, 3.0)
    assert asked_by(rule, 503) == Span(3.0, 3.0)


@pytest.mark.parametrize("name", ["__class__", "a.__dict__", "_private", "a b", "a..b", "a()", "1a"])
def test_L10_an_attribute_is_public(name):
    with pytest.raises(PolicyError, match="takes a public attribute's name"):
        RULE.after_attribute(name)


def test_a_template_says_one_amount():
    with pytest.raises(PolicyError, match="after_message: ") as caught:
        RULE.after_message("come back later")
    assert caught.value.argument == "template"


def test_an_absurd_hint_is_finite():
    span = asked_by(RULE.after_header("Retry-After"), 429, {"Retry-After": "9" * 400})
    assert span.low == EXCESSIVE
    assert math.isfinite(span.high)
