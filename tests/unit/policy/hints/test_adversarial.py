"""Inputs that broke other readers. Each id begins with its line in the project's list of adversarial hints."""

from __future__ import annotations

import math
import os
import time
from datetime import UTC, datetime

import pytest

from bide.policy.hints import EXCESSIVE, header, parse_body, path, read, reset, value

NOW = 1771452000.0  # Wed, 18 Feb 2026 22:00:00 GMT
DATE = "Wed, 18 Feb 2026 22:05:00 GMT"


def case(line, raw, expected):
    shown = raw if len(raw) < 24 else f"{raw[:12]}..{len(raw)}"
    return pytest.param(raw, expected, id=f"{line}-{shown!r}")


def delay(*lines, name="Retry-After", now=NOW, **options):
    hint = header(name, list(lines), now=now, **options)
    return None if hint is None else hint.delay


def epoch(*parts):
    return datetime(*parts, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        case("A01", "120", 120),
        case("A01", " 120 ", 120),
        case("A01", "\t42 ", 42),
        case("A01", "007", 7),
        case("A02", "-5", None),
        case("A02", "-0", None),
        case("A02", "-99999999999999999999", None),
        case("A03", "1.5", 1.5),
        case("A03", "120.", 120),
        case("A03", ".5", 0.5),
        case("A03", ".", None),
        case("A03", "1.2.3", None),
        case("A04", "+5", 5),
        case("A04", "1_000", None),
        case("A04", "1e3", None),
        case("A04", "0x10", None),
        case("A04", "--5", None),
        case("A04", "++5", None),
        case("A05", "1e309", None),
        case("A05", "inf", None),
        case("A05", "Infinity", None),
        case("A05", "nan", None),
        *(case("A06", "9" * digits, EXCESSIVE) for digits in (309, 400, 4300, 5000, 40_000, 1_000_000)),
        case("A06", "0" * 1_000_000 + "5", 5),
        case("A06", "0" * 1_000_000, 0),
        case("A07", str(2**31), 2**31),
        case("A07", str(2**32), 2**32),
        case("A07", str(2**63), EXCESSIVE),
        case("A07", "9999999999", 9999999999),
        case("A08", "\u0661\u0662\u0660", None),
        case("A08", "\uff11\uff12\uff10", None),
        case("A08", "\u0967\u0968\u0966", None),
        case("A08", "\u00b2", None),
        *(case("A09", f"12{odd}0", None) for odd in "\u00a0\u2003\ufeff\u200b\x00\r\n\t "),
        *(case("A09", f"{odd}120", None) for odd in "\u00a0\u2003\ufeff\u200b\x00\r\n"),
        *(case("A09", f"120{odd}", None) for odd in "\u00a0\u2003\ufeff\u200b\x00\r\n"),
        *(case("A10", word, None) for word in ("", "   ", "null", "None", "soon", "true", ",", ",,,")),
        case("A11", "120s", 120),
        case("A11", "2m", 120),
        case("A11", "500ms", 0.5),
        case("A11", "PT2M", None),
        case("A13", "Wed, 18 Feb 2026 22:05:00 GMT", 300),
        case("A13", "Wednesday, 18-Feb-26 22:05:00 GMT", 300),
        case("A13", "Wed Feb 18 22:05:00 2026", 300),
        case("A13", "Sun Mar  1 22:00:00 2026", 11 * 86400),
        case("A14", "Wed, 18 Feb 2026 21:00:00 GMT", 0),
        case("A14", "Wed, 18 Feb 2026 22:00:00 GMT", 0),
        case("A14", "Thu, 01 Jan 1970 00:00:00 GMT", 0),
        case("A14", "Mon, 01 Jan 1601 00:00:00 GMT", 0),
        case("A15", "Thu, 19 Feb 2026 23:00:00 GMT", 25 * 3600),
        case("A15", "Fri, 20 Mar 2026 22:00:00 GMT", 30 * 86400),
        case("A16", "Fri, 31 Dec 9999 23:59:59 GMT", EXCESSIVE),
        case("A16", "Sat, 01 Jan 10000 00:00:00 GMT", None),
        case("A16", "Sat, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        case("A16", "Sat, 01 Jan 0000 00:00:00 GMT", None),
        case("A16", "Sat, 01 Jan -27 00:00:00 GMT", None),
        *(
            case("A17", f"Wed, {day} {clock} GMT", None)
            for day, clock in [
                ("31 Feb 2027", "22:05:00"),
                ("29 Feb 2027", "22:05:00"),
                ("00 Mar 2026", "22:05:00"),
                ("32 Mar 2026", "22:05:00"),
                ("31 Apr 2026", "22:05:00"),
                ("18 Feb 2026", "24:00:00"),
                ("18 Feb 2026", "25:00:00"),
                ("18 Feb 2026", "22:60:00"),
                ("18 Feb 2026", "22:05:61"),
            ]
        ),
        case("A18", "Wed, 18 Feb 2026 23:59:60 GMT", 7200),
        case("A20", "Wed, 18 Feb 2026 22:05:00 +0000", 300),
        case("A20", "Wed, 18 Feb 2026 22:05:00 -0000", 300),
        case("A20", "Wed, 18 Feb 2026 23:05:00 +0100", 300),
        case("A20", "Wed, 18 Feb 2026 17:05:00 -0500", 300),
        case("A20", "Wed, 18 Feb 2026 22:05:00 UTC", 300),
        case("A20", "Wed, 18 Feb 2026 22:05:00 EST", None),
        case("A20", "Wed, 18 Feb 2026 22:05:00 +9999", None),
        case("A20", "Wed, 18 Feb 2026 22:05:00 +0160", None),
        case("A20", "Wed, 18 Feb 2026 22:05:00", None),
        case("A22", "2027-01-01T00:00:00Z", epoch(2027, 1, 1) - NOW),
        case("A22", "2027-01-01", None),
        case("A22", "2027", 2027),
        case("A30", "2026-02-18T22:05:00Z", 300),
        case("A30", "2026-02-18t22:05:00z", 300),
        case("A30", "2026-02-18T23:05:00+01:00", 300),
        case("A30", "2026-02-18T22:05Z", 300),
        case("A30", "2026-02-18T22:05:00.25Z", 300.25),
        case("A30", "2026-02-18T22:05:00.2500000Z", 300.25),
        case("A30", "2026-02-18T22:05:00", None),
        case("A30", "2026-02-30T22:05:00Z", None),
        case("A30", "2026-13-01T22:05:00Z", None),
    ],
)
def test_a_retry_after_is_read_right_or_not_at_all(raw, expected):
    assert delay(raw) == expected


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param("x" * 1_000_000, id="A12-junk"),
        pytest.param("1" + " " * 200_000 + "x", id="A12-inner blanks"),
        pytest.param("5," * 100_000, id="A12-100k members"),
        pytest.param("5 ," * 100_000, id="A12-100k members with blanks"),
        pytest.param("1-c-1" + " " * 60_000 + "!", id="A12-cookie date"),
        pytest.param("1" * 1_000_000 + "x", id="A12-digits and a letter"),
        pytest.param("1s" * 500_000, id="A12-durations"),
        pytest.param("Wed," * 250_000, id="A12-weekdays"),
        pytest.param('"a";r=0;' * 125_000, id="A12-parameters"),
        pytest.param('"' + "\\" * 1_000_000, id="A12-escapes"),
        pytest.param(";" * 1_000_000, id="A12-semicolons"),
        pytest.param("{" * 1_000_000, id="A12-braces"),
    ],
)
@pytest.mark.parametrize(
    "name",
    ["Retry-After", "retry-after-ms", "X-RateLimit-Reset", "RateLimit", "grpc-retry-pushback-ms",
     "X-Business-Use-Case-Usage", "zendesk-ratelimit-tickets-index"],
)  # fmt: skip
def test_a_megabyte_of_junk_is_refused_in_no_time(name, raw):
    began = time.process_time()
    assert read([(name, raw)], now=NOW) is None
    assert time.process_time() - began < 1  # some 5 ms; the rest is for a busy machine under coverage


@pytest.mark.parametrize(
    ("year", "expected"),
    [("00", 2000), ("27", 2027), ("70", 2070), ("75", 2075), ("76", 1976), ("78", 1978), ("99", 1999)],
    ids=lambda value: f"A19-{value}",
)
def test_a_two_digit_year_is_at_most_fifty_years_ahead(year, expected):
    ahead = epoch(expected, 6, 1) - NOW
    assert delay(f"Monday, 01-Jun-{year} 00:00:00 GMT") == max(ahead, 0)


def test_a_two_digit_year_without_a_clock_is_no_hint():
    assert delay("Monday, 01-Jun-27 00:00:00 GMT", now=None) is None


@pytest.mark.parametrize(
    "zone", ["Asia/Jerusalem", "America/New_York", "UTC"], ids=lambda zone: f"A21-{zone}"
)
@pytest.mark.skipif(not hasattr(time, "tzset"), reason="needs tzset")
def test_the_local_time_zone_changes_nothing(monkeypatch, zone):
    monkeypatch.setitem(os.environ, "TZ", zone)
    time.tzset()
    try:
        assert delay("Wed Feb 18 22:05:00 2026") == 300
        assert delay("Fri, 27 Mar 2026 00:30:00 GMT") == epoch(2026, 3, 27, 0, 30) - NOW
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param(["5", "10"], 10, id="A23-two lines"),
        pytest.param(["10", "5"], 10, id="A23-two lines, longest first"),
        pytest.param(["5, 10"], 10, id="A23-one line"),
        pytest.param([f"5, {DATE}"], 300, id="A23-seconds and a date"),
        pytest.param([f"{DATE}, 5"], 300, id="A23-a date and seconds"),
        pytest.param([f"Wed, 18 Feb 2026 22:01:00 GMT, {DATE}"], 300, id="A23-two dates joined"),
        pytest.param(["Wednesday, 18-Feb-26 22:05:00 GMT, 18 Feb 2026 22:01:00 GMT"], 300, id="A23-mixed"),
        pytest.param([str(seconds) for seconds in range(1000)], 999, id="A23-1000 lines"),
        pytest.param(["junk", "7", "-9"], 7, id="A23-one usable"),
        pytest.param(["5, Wed"], 5, id="A23-a weekday alone"),
        pytest.param(["9" * 40_000, "1"], EXCESSIVE, id="A23-one absurd"),
    ],
)
def test_of_several_values_the_longest_usable_counts(lines, expected):
    assert delay(*lines) == expected


@pytest.mark.parametrize("skew", [-3600, 3600, 86400], ids=lambda skew: f"A24-{skew}")
def test_a_date_is_read_against_the_servers_own_clock(skew):
    server = "Wed, 18 Feb 2026 22:00:00 GMT"
    assert delay(DATE, now=NOW + skew, date=server) == 300
    hint = read([("Date", server), ("Retry-After", DATE)], now=NOW + skew)
    assert hint is not None
    assert hint.delay == 300


@pytest.mark.parametrize(
    "absurd",
    ["Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "yesterday", ""],
    ids=lambda date: f"A25-{date}",
)
def test_an_absurd_date_of_the_response_is_ignored(absurd):
    assert delay(DATE, date=absurd) == 300
    assert delay(DATE, now=None, date=absurd) is None


@pytest.mark.parametrize(
    ("raw", "unit", "expected"),
    [
        pytest.param("1771452060", "epoch", 60, id="A27-epoch"),
        pytest.param("1771452060.5", "epoch", 60.5, id="A27-fraction"),
        pytest.param("1771452060000", "epoch_ms", 60, id="A27-epoch ms"),
        pytest.param("60", "seconds", 60, id="A27-delta"),
        pytest.param("60", "ms", 0.06, id="A27-ms"),
        pytest.param("1771452060", "seconds", 1771452060, id="A27-epoch said to be seconds"),
        pytest.param("60", "epoch", None, id="A27-delta said to be an epoch"),
        pytest.param("60", "epoch_ms", None, id="A27-delta said to be an epoch in ms"),
        pytest.param("1771452060", "epoch_ms", None, id="A27-epoch said to be in ms"),
        pytest.param("1771452060000", "epoch", EXCESSIVE, id="A27-ms said to be an epoch"),
        pytest.param("junk", "epoch_ms", None, id="A27-junk"),
        pytest.param("1771452060", "reset", 60, id="A28-10 digits"),
        pytest.param("1771452060000", "reset", 60, id="A28-13 digits"),
        pytest.param("60", "reset", 60, id="A28-small"),
        pytest.param("2163603", "reset", 2163603, id="A28-weeks"),
        pytest.param("500000000", "reset", None, id="A28-gap below"),
        pytest.param("500000000000", "reset", None, id="A28-gap above"),
        pytest.param("9" * 400, "reset", EXCESSIVE, id="A28-400 digits"),
        pytest.param("1771451999", "reset", 0, id="A28-just passed"),
    ],
)
def test_a_unit_is_obeyed_and_a_wrong_one_noticed(raw, unit, expected):
    assert delay(raw, name="X-Anything", unit=unit) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        case("A29", "1s", 1),
        case("A29", "6m0s", 360),
        case("A29", "20ms", 0.02),
        case("A29", "1h2m3.5s", 3723.5),
        case("A29", "15us", 15e-6),
        case("A29", "15\u00b5s", 15e-6),
        case("A29", "0", 0),
        case("A29", "-1s", None),
        case("A29", "1d", None),
        case("A29", "1", None),
        case("A29", "1m 2s", None),
        case("A29", "9" * 400 + "h", EXCESSIVE),
    ],
)
def test_a_duration_follows_gos_rules(raw, expected):
    found = delay(raw, unit="duration")
    assert found == (expected if expected is None else pytest.approx(expected, rel=1e-12))


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        case("A31", '"a";r=0;t=30', 30),
        case("A31", '"a";r=0;t=30,"b";r=0;t=60', 60),
        case("A31", '"a";r=0;t=30,"b";r=5;t=600', 30),
        case("A31", '"a";r=5;t=30', None),
        case("A31", '"a";r=0', None),
    ],
)
def test_only_exhausted_policies_bind_and_the_longest_wins(raw, expected):
    assert delay(raw, name="RateLimit") == expected


@pytest.mark.parametrize("name", ["retry-after-ms", "x-ms-retry-after-ms", "x-amz-retry-after"])
@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        case("A32", "1500", 1.5),
        case("A32", "0", 0),
        case("A32", "-1", None),
        case("A32", "soon", None),
        case("A32", "1e3", None),
        case("A32", "9" * 400, EXCESSIVE),
        case("A32", "9" * 5000, EXCESSIVE),
    ],
)
def test_a_header_in_milliseconds_is_never_read_in_seconds(name, raw, expected):
    assert delay(raw, name=name) == expected


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(f'{{"retry_after": {held}}}', id=f"A33-{held[:20]}")
        for held in ("true", "false", "null", "{}", "[]", "[5]", "NaN", "Infinity", "-Infinity", "1e999", "-5",
                     "9" * 5000, '"soon"', '""', '"-5"', '"inf"')
    ]
    + [
        pytest.param('{"retry_after": 5, "retry_after": 600}', id="A33-key twice"),
        pytest.param('{"retry_after": 5, "retry_after": 600, "retry_after": 1}', id="A33-key thrice"),
        pytest.param('{"retry_after": 5', id="A33-truncated"),
        pytest.param("[" * 30_000, id="A33-deep and open"),
        pytest.param('{"a":' * 10_000 + "1" + "}" * 10_000, id="A33-deep object"),
        pytest.param("[" * 30_000 + "]" * 30_000, id="A33-deep"),
        pytest.param('{"retry_after": 5, "pad": "' + "x" * 70_000 + '"}', id="A33-too long"),
        pytest.param("<html>", id="A33-html"),
        pytest.param("", id="A33-empty"),
        pytest.param("5", id="A33-a number"),
        pytest.param('"retry_after"', id="A33-a text"),
    ],
)  # fmt: skip
def test_a_body_without_a_sound_amount_is_no_hint(raw):
    assert read({}, raw, now=NOW) is None
    assert read({}, raw.encode(), now=NOW) is None


def test_a_body_already_parsed_may_be_very_deep():
    deep: object = 1
    for _ in range(100_000):
        deep = {"retry_after": deep}
    assert read({}, deep) is None
    while isinstance(deep, dict):
        deep = deep["retry_after"]  # taken apart by hand: freeing it whole would recurse


@pytest.mark.parametrize(
    "raw", [b'\xef\xbb\xbf{"retry_after": 5}', '\ufeff{"retry_after": 5}'], ids=["A33-bytes", "A33-text"]
)
def test_a_byte_order_mark_does_not_hide_a_body(raw):
    hint = read({}, raw)
    assert hint is not None
    assert hint.delay == 5


def test_true_is_not_one():
    assert value(True) is None
    assert reset("X-RateLimit-Reset", "true", now=NOW) is None


def test_a_hint_never_quotes_what_the_server_sent():
    # A40: a source is written to logs.
    for name, raw in [("Retry-After", "5, \x1b[31mnote\r\nForged: 1"), ("RateLimit", '"\x1b[31m";r=0;t=5')]:
        hint = read([(name, raw)], now=NOW)
        assert hint is not None
        assert hint.source == name
    assert path(parse_body('{"a\\u001b": 1}'), "a") != 1


def test_no_hint_is_ever_infinite():
    for raw in ("9" * 309, "9" * 4300 + "ms", "9" * 400 + ".5", "Fri, 31 Dec 9999 23:59:59 GMT"):
        found = delay(raw)
        assert found is not None
        assert math.isfinite(found)
