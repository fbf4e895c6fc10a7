"""What the server asks for is obeyed in full, or not at all; nonsense is no hint, no error, and no zero."""

import itertools
from email.utils import formatdate

import pytest

from bide import Outcome, Reason, history, parse, retry_on
from bide.testing import Draws, Scripted, steps

POLICY = retry_on(429, 503).after_header("Retry-After").exponential(base=8, cap=8, jitter="equal")
OWN = (4.0, 8.0)
NOW = 1_767_225_600.0
DAY = 86_400.0
MALFORMED = [
    "", " ", "soon", "120 s", "-5", "nan", "inf", "-inf", "1e400", "\u0663", "\uff13", "Wed, 31 Feb 2027 07:28:00 GMT",
    "0x10", "1_000", "\x00", "tomorrow, 12:00",
]  # fmt: skip


def explained(*values, status=503, now=NOW, policy=POLICY, elapsed=0.0):
    outcome = Outcome(status=status, headers=[("Retry-After", value) for value in values])
    return policy.explain(outcome, now=now, elapsed=elapsed)


@pytest.mark.parametrize("value", MALFORMED)
def test_a_malformed_retry_after_is_no_hint(value):
    assert explained(value).delay == OWN


@pytest.mark.parametrize("value", ["soon", "1.5", "120s", "-5", "nan"])
def test_a_malformed_retry_after_costs_neither_the_retry_nor_the_response(
    server, with_requests, clock, value
):
    server.on("/", steps.respond(503, {"Retry-After": value}), steps.respond(200))
    assert with_requests(POLICY).get(server.url + "/").status_code == 200
    assert clock.sleeps[0] >= 1.5


def test_a_fraction_of_a_second_is_a_number():
    low, high = explained("1.5").delay
    assert 1.5 <= low < high < 4


def test_a_delay_with_its_unit_is_understood():
    assert explained("100s").delay[0] == 100


def test_a_retry_after_of_zero_or_gone_by_leaves_our_own_delay():
    assert explained("0").delay == OWN
    assert explained(formatdate(NOW - 60, usegmt=True)).delay == OWN


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_read_on_429_and_503_alike(status):
    low, _ = explained("30", status=status).delay
    assert low == 30


def test_of_two_windows_that_are_used_up_the_one_that_opens_last_is_waited_for():
    headers = {
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "1s",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "6m0s",
    }
    policy = retry_on(429).after_hint().at_most("10m")
    low, _ = policy.explain(Outcome(status=429, headers=headers), now=NOW).delay
    assert low == 360


def test_a_window_that_has_something_left_is_not_waited_for():
    headers = {
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "1s",
        "x-ratelimit-remaining-tokens": "5000",
        "x-ratelimit-reset-tokens": "6m0s",
    }
    low, high = (
        retry_on(429).after_hint().fixed(1).explain(Outcome(status=429, headers=headers), now=NOW).delay
    )
    assert 1 <= low <= high < 10


@pytest.mark.parametrize("values", [("3", "9"), ("9", "3"), ("soon", "9")])
def test_of_several_header_lines_the_longest_usable_wins(values):
    assert explained(*values).delay[0] == 9


@pytest.mark.parametrize("days", [1, 2, 30])
def test_a_date_days_ahead_keeps_its_days(days):
    told = explained(formatdate(NOW + days * DAY + 5, usegmt=True))
    assert (told.action, told.reason) == ("give_up", Reason.HINT_TOO_LONG)
    assert told.retry_at == NOW + days * DAY + 5


def test_a_hint_beyond_every_clock_is_no_error():
    told = explained("99999999999")
    assert (told.action, told.reason) == ("give_up", Reason.HINT_TOO_LONG)


def test_a_hint_longer_than_the_deadline_gives_up_at_once_and_says_when_to_return(server, with_httpx, clock):
    server.on("/", steps.respond(429, {"Retry-After": "60"}))
    response = with_httpx(POLICY.within(10)).get(server.url + "/")
    assert clock.sleeps == []
    assert len(server.requests) == 1
    assert history(response).reason is Reason.DEADLINE
    assert history(response).retry_at == clock.time() + 60


def test_a_hint_is_never_shortened():
    for asked, elapsed in itertools.product([1, 30, 59, 60, 119], [0, 1, 9, 29]):
        told = explained(str(asked), elapsed=elapsed, policy=POLICY.within(60))
        assert told.action == ("retry" if asked + elapsed < 60 else "give_up")
        assert told.delay is None or asked <= told.delay[0] <= told.delay[1] < 60 - elapsed


@pytest.mark.parametrize("draw", [0.0, 0.5, 1.0 - 2**-53])
@pytest.mark.parametrize("limit", [None, 60])
def test_a_wait_is_never_shorter_than_the_hint_whatever_is_drawn(draw, limit, clock):
    class Limited(Exception):
        retry_after = 30.0

    policy = retry_on(Limited).after_attribute("retry_after").exponential()
    policy = policy if limit is None else policy.within(limit)
    assert policy.bind(clock=clock, rng=Draws(draw)).call(Scripted(Limited, "done")) == "done"
    assert 30 <= clock.sleeps[0] <= 33


@pytest.mark.parametrize("seconds", [float("inf"), float("nan"), -1.0, "soon", None])
def test_a_hint_on_an_exception_that_is_no_number_of_seconds_is_none(seconds, clock):
    class Limited(Exception):
        retry_after = seconds

    policy = retry_on(Limited).after_attribute("retry_after").exponential().bind(clock=clock, rng=Draws(0.5))
    assert policy.call(Scripted(Limited, Limited, "done")) == "done"
    assert clock.sleeps == [0.25, 0.5]


def test_a_hint_too_large_for_a_float_gives_up_at_once_with_the_error_itself(clock):
    class Limited(Exception):
        retry_after = 10**400

    policy = retry_on(Limited).after_attribute("retry_after").bind(clock=clock)
    with pytest.raises(Limited) as caught:
        policy.call(Scripted(Limited, "done"))
    assert clock.sleeps == []
    assert history(caught.value).reason is Reason.HINT_TOO_LONG


def test_an_hour_that_an_exception_asks_for_is_not_slept_under_a_deadline(clock):
    class Limited(Exception):
        retry_after = 3600.0

    policy = retry_on(Limited).after_attribute("retry_after").at_most("2h").within(45).bind(clock=clock)
    with pytest.raises(Limited) as caught:
        policy.call(Scripted(Limited, repeat_last=True))
    assert clock.sleeps == []
    assert history(caught.value).retry_at == clock.time() + 3600
    assert "would be welcome at" in caught.value.__notes__[0]


def test_a_post_that_was_declined_with_a_delay_is_repeated_after_it(server, with_requests, clock):
    server.on("/", steps.respond(429, {"Retry-After": "2"}), steps.respond(200))
    assert with_requests(POLICY).post(server.url + "/", data=b"charge-card").status_code == 200
    assert clock.sleeps[0] >= 2


def test_the_same_sentence_as_text_obeys_the_same():
    policy = parse(
        'retry_on(429, 503).after_header("Retry-After").exponential(base=8s, cap=8s, jitter="equal")'
    )
    assert policy == POLICY
