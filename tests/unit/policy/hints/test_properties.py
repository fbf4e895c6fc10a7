from __future__ import annotations

import json
import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bide.policy.hints import (
    ROWS,
    dates,
    duration,
    header,
    message,
    parse_body,
    path,
    read,
    reset,
    seconds,
    value,
    verdict,
)
from bide.policy.hints.catalogue import UNITS

NOW = 1771452000.0
NAMES = [row.name for row in ROWS if row.where == "header"] + [
    "Date",
    "Age",
    "X-RateLimit-Remaining",
    "X-Other",
]
PIECES = ["5", "0", "-1", "1771452060", "1771452060000", "1.5", "6m0s", "9" * 400, "true", "false", ", ", ";", "=", '"a"',
          "r=0", "t=30", "remaining=0", "reset=3", "Wed, 18 Feb 2026 22:05:00 GMT", "2026-02-18T22:05:00Z", " ", "\t",
          "Wed", '{"1":[{"estimated_time_to_regain_access":19}]}', "\u0661", "Sunday, 06-Nov-94 08:49:37 GMT"]  # fmt: skip
texts = st.one_of(st.text(max_size=40), st.lists(st.sampled_from(PIECES), max_size=5).map("".join))
clocks = st.one_of(st.none(), st.just(NOW), st.floats())
pairs = st.lists(st.tuples(st.sampled_from(NAMES), st.one_of(texts, st.binary(max_size=20))), max_size=8)
trees = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(
        st.one_of(st.text(max_size=5), st.sampled_from(["error", "details", "retry_after", "@type", "message", "errors",
                                                        "extensions", "cost", "code", "parameters"])), inner, max_size=4)),
    max_leaves=12,
)  # fmt: skip


def is_sound(delay):
    return delay is None or (isinstance(delay, float) and math.isfinite(delay) and delay >= 0)


@given(pairs, trees, clocks)
def test_whatever_a_server_sends_a_hint_is_finite_or_none(headers, body, now):
    hint = read(headers, body, now=now)
    assert hint is None or is_sound(hint.delay)
    assert verdict(headers, body) in (True, False, None)


@given(pairs, clocks, st.sampled_from([*UNITS, "policies", "value", "Retry-After"]))
def test_whatever_kind_is_asked_for_a_hint_is_finite_or_none(headers, now, kind):
    hint = read(headers, kind=kind, now=now)
    assert hint is None or is_sound(hint.delay)


@given(
    st.sampled_from(NAMES),
    st.lists(texts, max_size=3),
    clocks,
    st.one_of(st.none(), texts),
    st.sampled_from([None, *UNITS]),
)
def test_one_header_is_read_or_refused(name, lines, now, date, unit):
    for hint in (
        header(name, lines, now=now, date=date, unit=unit),
        reset(name, lines, remaining=date, now=now),
    ):
        assert hint is None or is_sound(hint.delay)


@given(st.one_of(texts, trees, st.integers(), st.floats()))
def test_an_amount_is_finite_or_none(held):
    assert is_sound(value(held))


@given(texts, clocks)
def test_texts_are_read_or_refused(text, now):
    assert is_sound(seconds(text))
    assert is_sound(duration(text))
    dates.moment(text, now=now)
    for template in ("{seconds}", "in {duration}", "until {date}", "{ms} ms", "wait {minutes} minutes"):
        assert is_sound(message(template, text, now=now))


@given(st.one_of(st.binary(max_size=60), texts))
def test_a_body_is_parsed_or_none(raw):
    parse_body(raw)


@given(trees)
def test_a_body_that_was_dumped_is_parsed_back(tree):
    assert repr(parse_body(json.dumps(tree))) == repr(json.loads(json.dumps(tree)))


@given(trees, st.text(alphabet="ab01.[]=@$ ", max_size=20))
def test_a_path_never_raises(tree, where):
    path(tree, where)


@given(st.integers(0, 10**9), st.sampled_from(["", " ", "\t", "000"]))
def test_whole_seconds_are_read_exactly(amount, before):
    assert seconds(f"{before}{amount}") == amount


@given(st.datetimes())
def test_a_date_is_where_datetime_puts_it(moment):
    text = moment.replace(microsecond=0).isoformat() + "+00:00"
    from_epoch = (moment.replace(microsecond=0) - type(moment)(1970, 1, 1)).total_seconds()
    assert dates.rfc3339(text) == from_epoch


MEGABYTE = 1_000_000
LONG = [
    "x",
    "1",
    " ",
    "1 ",
    "1s",
    "1.",
    ".",
    ",",
    "wed ",
    "in ",
    "in 1",
    "in 1 ",
    "1ms ",
    '"a",',
    "1:",
    "{",
    "2026-02-18T",
]


@pytest.mark.parametrize("piece", LONG)
def test_a_megabyte_is_read_in_linear_time(piece):
    text = piece * (MEGABYTE // len(piece)) + "!"
    began = time.process_time()
    seconds(text)
    duration(text)
    dates.moment(text, now=NOW)
    value(text)
    parse_body(text)
    for template in (
        "{seconds} s",
        "in {seconds} s",
        "in {duration} x",
        "until {date}",
        "{date} x",
        "{duration} x",
    ):
        message(template, text, now=NOW)
    assert time.process_time() - began < 5  # eleven readers, some 10 ms each; the rest is for a busy machine
