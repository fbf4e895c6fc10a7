import math
from datetime import timedelta

import pytest

from bide import PolicyError, retry_on
from bide.policy.durations import digits, format_duration, parse_duration, plain, seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0s", 0.0), ("250ms", 0.25), ("30s", 30.0), ("5m", 300.0), ("1h", 3600.0), ("1.5s", 1.5), ("0.5m", 30.0),
        ("1m30s", 90.0), ("1h1m1s1ms", 3661.001), ("100ms", 0.1), ("007s", 7.0),
    ],
)  # fmt: skip
def test_a_duration_says_its_unit(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "30",
        "30 s",
        "30S",
        "s",
        ".5s",
        "5.s",
        "-5s",
        "+5s",
        "1e3s",
        "30s1m",
        "1s2s",
        "30sec",
        "٣s",
        "1M",
        "1d",
        "9" * 500 + "s",
        "infs",
        "nans",
        "1_000s",
    ],
)
def test_what_is_no_duration_is_none(text):
    assert parse_duration(text) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0s"), (0.25, "250ms"), (0.001, "1ms"), (1.0, "1s"), (1.5, "1.5s"), (90.0, "90s"), (120.0, "120s"),
        (180.0, "3m"), (300.0, "5m"), (3600.0, "1h"), (3660.0, "61m"), (3601.0, "3601s"), (0.0001, "0.0001s"),
        (1e-9, "0.000000001s"), (1e9, "1000000000s"),
    ],
)  # fmt: skip
def test_seconds_are_written_as_people_would(seconds, text):
    assert format_duration(seconds) == text
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "number", [1e300, -1e300, 1.5e22, 5e-324, -5e-324, 1.7976931348623157e308, 1e16, 0.1, 123.456]
)
def test_a_float_is_written_without_an_exponent_and_read_back_exactly(number):
    assert "e" not in plain(number)
    assert float(plain(number)) == number


@pytest.mark.parametrize("value", [30, 30.0, "30s", timedelta(seconds=30)])
def test_seconds_come_as_numbers_texts_and_timedeltas(value):
    assert seconds_of(value, "within") == 30.0


class Broken:
    def __repr__(self):
        raise RuntimeError("no repr")


@pytest.mark.parametrize(
    "value",
    [
        None, True, "30", "soon", [], timedelta, timedelta(seconds=-1), -1, -0.001, math.nan, math.inf, -math.inf,
        1e10, 10**400, timedelta.max, 3 + 0j, b"30s", Broken(),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_is_no_amount_of_time_is_refused_by_the_name_of_its_argument(value):
    with pytest.raises(PolicyError, match="within") as caught:
        retry_on(503).within(value)
    assert caught.value.argument == "within"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0"), (0.00001, "0.00001"), (0.25, "0.25"), (1.23456, "1.23"), (59.999, "60"), (999.4, "999"),
        (999.6, "1000"), (3600.0, "3600"), (3661.7, "3662"), (1e15, "1000000000000000"), (math.inf, "inf"),
    ],
)  # fmt: skip
def test_messages_tell_seconds_without_an_exponent(seconds, text):
    assert digits(seconds) == text
