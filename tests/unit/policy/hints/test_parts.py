"""What the smaller readers promise by themselves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bide.policy.hints import (
    EXCESSIVE,
    MISSING,
    ROWS,
    check_template,
    dates,
    duration,
    fields,
    message,
    parse_body,
    path,
    readers,
    seconds,
    value,
)
from bide.policy.hints.catalogue import UNITS

NOW = 1771452000.0


class Broken:
    def total_seconds(self):
        raise RuntimeError("out of order")


class Telling:
    def __init__(self, amount):
        self.amount = amount

    def total_seconds(self):
        return self.amount


class Touchy:
    def __getattr__(self, name):
        if name == "total_seconds":
            raise RuntimeError(name)
        raise AttributeError(name)


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        (5, 5),
        (1.5, 1.5),
        (0, 0),
        (-0.0, 0),
        ("5", 5),
        ("34s", 34),
        (timedelta(minutes=2), 120),
        (Telling(3), 3),
        (10**400, EXCESSIVE),
        (1e300, EXCESSIVE),
        (timedelta.max, EXCESSIVE),
        (True, None),
        (None, None),
        (-5, None),
        (-(10**400), None),
        (float("nan"), None),
        (float("inf"), None),
        (float("-inf"), None),
        ("soon", None),
        (b"5", None),
        ([5], None),
        ({}, None),
        (timedelta(seconds=-1), None),
        (Broken(), None),
        (Touchy(), None),
        (Telling("5"), None),
        (Telling(True), None),
        (Telling(float("nan")), None),
        (object(), None),
    ],
)
def test_an_amount_is_a_finite_number_of_seconds_or_none(held, expected):
    assert value(held) == expected


def test_a_zero_is_a_plain_zero():
    assert str(value(-0.0)) == "0.0"


@pytest.mark.parametrize("text", ["0.9999999999999999999999999999999999999", "59.9999999"])
def test_a_fraction_is_never_cut_off(text):
    found = seconds(text)
    assert found is not None
    assert found >= float(text) - 1e-9


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.5h", 5400),
        (".5s", 0.5),
        ("1.s", 1),
        (" 2m ", 120),
        ("1h1h", 7200),
        ("s", None),
        ("", None),
        ("1S", None),
    ],
)
def test_a_duration_is_numbers_with_units(text, expected):
    assert duration(text) == expected


DATES = [
    ("Sun, 06 Nov 1994 08:49:37 GMT", (1994, 11, 6, 8, 49, 37)),
    ("Sunday, 06-Nov-94 08:49:37 GMT", (1994, 11, 6, 8, 49, 37)),
    ("Sun Nov  6 08:49:37 1994", (1994, 11, 6, 8, 49, 37)),
    ("sun, 06 nov 1994 08:49:37 gmt", (1994, 11, 6, 8, 49, 37)),
    ("06 Nov 1994 08:49:37 GMT", (1994, 11, 6, 8, 49, 37)),
    ("Sun, 6 Nov 1994 08:49:37 GMT", (1994, 11, 6, 8, 49, 37)),
    ("Mon, 06 Nov 1994 08:49:37 GMT", (1994, 11, 6, 8, 49, 37)),
    ("Tue, 29 Feb 2000 00:00:00 GMT", (2000, 2, 29, 0, 0, 0)),
    ("Sat, 01 Jan 0001 00:00:00 GMT", (1, 1, 1, 0, 0, 0)),
    ("Thu, 01 Mar 1900 00:00:00 GMT", (1900, 3, 1, 0, 0, 0)),
    ("Fri, 31 Dec 9999 23:59:59 GMT", (9999, 12, 31, 23, 59, 59)),
]


@pytest.mark.parametrize(("text", "expected"), DATES)
def test_an_http_date_is_the_moment_that_datetime_knows(text, expected):
    assert dates.http_date(text, now=NOW) == datetime(*expected, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    "text",
    ["Sun, 29 Feb 1900 00:00:00 GMT", "Sun, 06 Nov 1994", "Sun, 06 Brumaire 1994 08:49:37 GMT", "2026-02-18T22:05:00Z",
     "Sun, 06 Nov 1994 08:49:37 GMT\n", "Mi, 18 Feb 2026 22:05:00 GMT", "Wed, 18 Feb 2026 22:05:00 GMT" + " x" * 99,
     "Monday, 30-Feb-27 00:00:00 GMT"],
)  # fmt: skip
def test_what_is_no_http_date_is_refused(text):
    assert dates.http_date(text, now=NOW) is None


def test_every_day_of_four_centuries_is_where_datetime_puts_it():
    day = datetime(1900, 1, 1, tzinfo=UTC)
    while day.year < 2300:
        assert dates.rfc3339(day.isoformat()) == day.timestamp()
        day += timedelta(days=11, minutes=1)


FIELDS = [
    ('"burst";q=100;w=60,"daily";q=1000;w=86400',
     [("burst", {"q": "100", "w": "60"}), ("daily", {"q": "1000", "w": "86400"})]),
    ('"default";r=50;t=30', [("default", {"r": "50", "t": "30"})]),
    ('"default";r=999;pk=:dHJpYWwxMjEzMjM=:', [("default", {"r": "999", "pk": ":dHJpYWwxMjEzMjM=:"})]),
    ("default;r=50;t=30", []),
    ('"a" ;  r=1;x;r=2', [("a", {"r": "2", "x": ""})]),
    ('"with, comma; and \\"quotes\\"";r=0', [('with, comma; and "quotes"', {"r": "0"})]),
    ('"a";r=1,', [("a", {"r": "1"})]),
    ('"a";r=1 "b"', []),
    ('("a" "b");r=1', []),
    ('"open', []),
    ("", []),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), FIELDS)
def test_a_structured_list_gives_its_strings_and_their_parameters(text, expected):
    assert fields.items(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"default";r=0;t=30', 30),
        ('"default";r=50;t=30', None),
        ('"default";t=30', None),
        ('"default";r=0;t="30"', None),
        ('"default";r=0;t=30.5', None),
        ('"default";r=-1;t=30', None),
        ('"default";r="0";t=30', None),
        ('"a";r=0;t="30","b";r=0;t=7', 7),
        ('"default";r=0;t=30;r=5', None),
        ('"default";r=0;t=' + "9" * 400, EXCESSIVE),
        ("default;r=0;t=30", None),
        ("limit=100, remaining=0, reset=30", 30),
        ("limit=100, remaining=5, reset=30", None),
        ("limit=100, reset=30", None),
        ("limit=100, remaining=0", None),
    ],
)
def test_a_rate_limit_field_speaks_only_when_nothing_is_left(text, expected):
    assert fields.exhausted(text) == expected


BODY = {"error": {"code": "busy", "none": None}, "errors": [{"code": 1}, {"code": 2, "0": "zero"}], "0": "key",
        "details": [7, {"@type": "a/b.C", "wait": 1}, {"@type": "b.D", "wait": 2}]}  # fmt: skip


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("error.code", "busy"),
        ("$.error.code", "busy"),
        ("error.none", None),
        ("error.code.deeper", MISSING),
        ("error.missing", MISSING),
        ("errors.1.code", 2),
        ("errors[1].code", 2),
        ("errors.1.0", "zero"),
        ("errors.9.code", MISSING),
        ("errors.-1.code", MISSING),
        ("errors.\u0661.code", MISSING),
        ("errors." + "9" * 5000, MISSING),
        ("errors.code", MISSING),
        ("0", "key"),
        ("details[@type=b.C].wait", 1),
        ("details[@type=b.D].wait", 2),
        ("details[@type=D].wait", MISSING),
        ("error[@type=b.D].wait", MISSING),
        ("error[0]", MISSING),
        ("", MISSING),
        (".", MISSING),
        ("error..code", MISSING),
        ("error[", MISSING),
        ("error.code]", MISSING),
        ("__class__", MISSING),
    ],
)
def test_a_path_finds_what_stands_there_or_missing(where, expected):
    found = path(BODY, where)
    assert found == expected
    assert (found is MISSING) == (expected is MISSING)


@pytest.mark.parametrize("body", [None, True, 5, "text", [], {}, object()])
def test_a_path_through_anything_else_finds_nothing(body):
    assert path(body, "a.0.b") is MISSING


def test_missing_is_false_and_says_its_name():
    assert not MISSING
    assert repr(MISSING) == "MISSING"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le"])
def test_a_body_is_parsed_in_any_encoding_of_json(encoding):
    assert parse_body('{"a": "\u00e9"}'.encode(encoding)) == {"a": "\u00e9"}


@pytest.mark.parametrize("raw", [None, "", b"", b"\xff\xfe\xfd", b"\x80", '{"a": 1', "x" * 65_537])
def test_a_body_that_is_no_small_json_is_none(raw):
    assert parse_body(raw) is None


def test_a_key_given_twice_says_nothing_and_its_neighbours_still_speak():
    assert parse_body('{"a": 1, "b": 2, "a": 3}') == {"b": 2}


def test_an_integer_is_exact_until_it_is_absurd():
    assert parse_body('{"id": 12345678901234567890123}') == {"id": 12345678901234567890123}
    assert parse_body("9" * 5000) == float("inf")


MESSAGES = [
    ("Retry after {seconds} seconds", "Retry after 5 seconds", 5),
    ("retry  AFTER {seconds}\tseconds", "please RETRY\n after   2.5 seconds, thanks", 2.5),
    ("Retry after {seconds} second", "Retry after 30 seconds.", 30),
    ("Retry after {seconds} seconds", "Retry after 1 second.", 1),
    ("Retry after {seconds} seconds.", "Retry after 1 second.", 1),
    ("Retry after {seconds} seconds or ask us", "Retry after 1 second or ask us", 1),
    ("Retry after {seconds} seconds", "Retry after 1 secondary limit", None),
    ("Retry after {seconds} seconds", "Retry after 5 second(s)", 5),
    ("Retry after {seconds}secs", "Retry after 1sec", 1),
    ("a {seconds}-seconds pause", "a 1-second pause", 1),
    ("wait {ms} milliseconds", "wait 1 millisecond", 0.001),
    ("wait {ms} msecs", "wait 1 msec", 0.001),
    ("wait {minutes} minutes", "wait 1 minute, please", 60),
    ("wait {minutes} mins", "wait 1 min", 60),
    ("in {seconds} of these seconds", "in 1 of these second", None),
    ("in {seconds} tries", "in 1 trie", None),
    ("in {duration} seconds", "in 1m second", None),
    ("until {date} seconds", "until 2026-02-18T22:05:00Z second", None),
    ("Retry after {seconds}", "Retry after soon. Retry after 7.", 7),
    ("Retry after {seconds}", "retry after retry after 7", 7),
    ("Retry after {seconds}", "Retry after 500ms", None),
    ("Retry after {seconds}", "Retry after 2m", None),
    ("Retry after {seconds}", "Retry after -5", None),
    ("Retry after {seconds}", "Retry after 1,000 seconds", None),
    ("Retry after {seconds}", "Retry after 10:30", None),
    ("Retry after {seconds}", "Retry after 1e3", None),
    ("Retry after {seconds}", "Retry after 1_000", None),
    ("Retry after {seconds}", "Retry after", None),
    ("Retry after {seconds}", "", None),
    ("in {seconds}", "again 5, in 6", 6),
    ("in {seconds} s", "in 5 sheep, in 6 s", 6),
    ("{seconds} seconds", "wait:5 seconds", 5),
    ("{seconds} seconds", "at 10:30 seconds", None),
    ("{seconds} seconds", "error 429: wait 5 seconds", 5),
    ("{seconds} seconds", "-5 seconds", None),
    ("{seconds}", "code x9, then 8", 8),
    ("wait {ms}ms", "wait 1500ms", 1.5),
    ("wait {ms} ms", "wait " + "9" * 400 + " ms", EXCESSIVE),
    ("wait {minutes} minute", "wait 2 minutes", 120),
    ("wait {minutes}m", "wait 500ms", None),
    ("retry in {duration}", "Please retry in 10.689924287s.", 10.689924287),
    ("retry in {duration}", "Please retry in 1h2m3.5s or so", 3723.5),
    ("retry in {duration}", "Please retry in 2months", None),
    ("retry in {duration}", "Please retry in 5", None),
    ("until {date}", "Closed until Wed, 18 Feb 2026 22:05:00 GMT.", 300),
    ("until {date}", "Closed until 2026-02-18T22:05:00Z (UTC)", 300),
    ("until {date} (UTC)", "Closed until 2026-02-18T22:05:00Z (UTC)", 300),
    ("until {date}", "Closed until 2026-02-18T21:05:00Z", 0),
    ("until {date}", "Closed until 2026-02-30T22:05:00Z", None),
    ("until {date}", "Closed until 2026-02-18T22:05:00Zulu", None),
    ("until {date}", "Closed until tomorrow", None),
    ("{date}", "the door: Wed, 18 Feb 2026 22:05:00 GMT", 300),
    ("{duration}", "429 for 5s", 5),
]


@pytest.mark.parametrize(("template", "text", "expected"), MESSAGES)
def test_a_message_is_searched_by_its_template(template, text, expected):
    assert message(template, text, now=NOW) == expected


def test_a_date_in_a_message_needs_a_clock():
    for now in (None, float("nan"), float("inf"), 1771452000000.0):
        assert message("until {date}", "until 2026-02-18T22:05:00Z", now=now) is None
        assert dates.http_date("Wednesday, 18-Feb-26 22:05:00 GMT", now=now) is None


def test_a_message_is_searched_only_so_far():
    assert message("retry in {seconds}", " " * 65_536 + "retry in 5") is None


@pytest.mark.parametrize(
    ("template", "advice"),
    [
        ("Retry after 5", "exactly one placeholder, not 0; write one of {seconds}, {ms}"),
        ("{seconds} or {ms}", "exactly one placeholder, not 2"),
        ("{weeks}", "unknown placeholder {weeks}; write one of {seconds}"),
        ("{Seconds}", "unknown placeholder {Seconds}"),
        ("{seconds", "a brace in a template belongs to its placeholder"),
        ("{{seconds}}", "a brace in a template"),
        ("", "not 0"),
    ],
)
def test_a_template_that_could_find_nothing_is_refused_with_advice(template, advice):
    with pytest.raises(ValueError) as refused:
        check_template(template)
    assert advice in str(refused.value)


def test_a_sound_template_is_accepted():
    check_template("Retry after {seconds} seconds")


def test_the_catalogue_names_only_kinds_that_something_reads():
    elsewhere = {"value", "bucket", "message", "phrase", "flag", "none"}
    for row in ROWS:
        assert row.kind in readers.EACH.keys() | readers.WHOLE.keys() | elsewhere, row.name
        assert row.who, row.name
        assert (row.kind == "flag") == bool(row.says), row.name
        assert row.gate == row.gate.lower(), row.name
    assert set(UNITS) <= readers.EACH.keys()


def test_no_header_has_two_rows():
    names = [row.name.lower() for row in ROWS if row.where == "header"]
    assert len(names) == len(set(names))
