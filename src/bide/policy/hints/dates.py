"""
Turn the text of a date into epoch seconds, or refuse it.

Rule of this file: the calendar is strict (31 February is refused, never rolled into March) and nothing
depends on the locale or on the local time zone. `email.utils` and `strptime` break one or the other, and are
slow to import.
"""

from __future__ import annotations

import re

DAY = 86_400.0
_FIFTY_YEARS = 50 * 365.25 * DAY
_YEAR = 365.2425 * DAY
_EPOCH_ORDINAL = 719_163
_MAX_TEXT = 160
_MILLISECONDS = 1e11

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

_WEEKDAY = r"(?:mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6}"
_MONTH = rf"(?P<month>{'|'.join(_MONTHS)})"
_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.ASCII | re.IGNORECASE)


_DMY = _pattern(
    rf"(?:{_WEEKDAY},?[ ]{{1,4}})?(?P<day>[0-9]{{1,2}})[ -]{_MONTH}[ -](?P<year>[0-9]{{4}}|[0-9]{{2}})"
    rf"[ ]{{1,4}}{_TIME}[ ]{{1,4}}(?P<zone>GMT|UTC|UT|Z|[+-][0-9]{{4}})"
)
_ASCTIME = _pattern(
    rf"{_WEEKDAY}[ ]{{1,4}}{_MONTH}[ ]{{1,4}}(?P<day>[0-9]{{1,2}})[ ]{{1,4}}{_TIME}[ ](?P<year>[0-9]{{4}})"
)
_RFC3339 = _pattern(
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})[T ](?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})"
    r"(?::(?P<second>[0-9]{2})(?:\.(?P<fraction>[0-9]{1,32}))?)?(?P<zone>Z|[+-][0-9]{2}:?[0-9]{2})"
)
_JAVASCRIPT = _pattern(
    rf"{_WEEKDAY}[ ]{_MONTH}[ ](?P<day>[0-9]{{2}})[ ](?P<year>[0-9]{{4}})[ ]{_TIME}[ ]GMT"
    r"(?P<zone>[+-][0-9]{4})(?:[ ]\([^()]{0,80}\))?"
)
_HTTP = (_DMY, _ASCTIME)
_ANY = (_DMY, _JAVASCRIPT, _ASCTIME, _RFC3339)


def clock(now: float | None) -> float | None:
    """Pass on a clock's reading that can be epoch seconds; None for NaN, infinities and milliseconds."""
    return now if now is not None and abs(now) < _MILLISECONDS else None


def http_date(text: str, *, now: float | None = None) -> float | None:
    """
    Read one of HTTP's three date formats.

    Args:
        text: An IMF-fixdate, an RFC 850 date or asctime's format; letters of either case, weekday optional
            in the first two and never checked against the date. A numeric zone is honoured, a named one
            other than GMT, UTC and Z refuses the date.
        now: Epoch seconds, which a two-digit year needs.

    Returns:
        Epoch seconds, or None.

    Source: RFC 9110, section 5.6.7.
    """
    return _whole(_HTTP, text, now)


def rfc3339(text: str) -> float | None:
    """
    Read an RFC 3339 date, whose seconds may be missing.

    Args:
        text: Such as `2026-02-18T22:05:00Z` or `2026-02-18T22:05+01:00`. The offset is required.

    Returns:
        Epoch seconds, or None.
    """
    return _whole((_RFC3339,), text, None)


def moment(text: str, *, now: float | None = None) -> float | None:
    """Read a date in any of these formats, or in that of JavaScript's `Date`, as epoch seconds, or None."""
    return _whole(_ANY, text, now)


def moment_at(text: str, start: int, *, now: float | None = None) -> tuple[float, int] | None:
    """Read a date that begins at `start`, as (epoch seconds, where it ends), or None."""
    for pattern in _ANY:
        match = pattern.match(text, start)
        if match is not None and not text[match.end() : match.end() + 1].isalnum():
            found = _epoch(match.groupdict(), now)
            return None if found is None else (found, match.end())
    return None


def _whole(patterns: tuple[re.Pattern[str], ...], text: str, now: float | None) -> float | None:
    text = text.strip(" \t")
    if len(text) > _MAX_TEXT:
        return None
    for pattern in patterns:
        match = pattern.fullmatch(text)
        if match is not None:
            return _epoch(match.groupdict(), now)
    return None


def _epoch(parts: dict[str, str | None], now: float | None) -> float | None:
    month_text = (parts["month"] or "").lower()
    month = _MONTHS.index(month_text) + 1 if month_text in _MONTHS else int(month_text)
    time = _time(int(parts["hour"] or 0), int(parts["minute"] or 0), int(parts["second"] or 0))
    offset = _offset(parts.get("zone") or "Z")
    if time is None or offset is None:
        return None
    time += float(f"0.{parts.get('fraction') or 0}") - offset
    year, day = parts["year"] or "", int(parts["day"] or 0)
    if len(year) == 2:
        now = clock(now)
        return None if now is None else _two_digit_year(int(year), month, day, time, now)
    return _moment(int(year), month, day, time)


def _moment(year: int, month: int, day: int, time: float) -> float | None:
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if year < 1 or not 1 <= month <= 12 or not 1 <= day <= _LENGTHS[month - 1] + (leap and month == 2):
        return None
    past = year - 1
    ordinal = past * 365 + past // 4 - past // 100 + past // 400 + sum(_LENGTHS[: month - 1]) + day
    return (ordinal + (leap and month > 2) - _EPOCH_ORDINAL) * DAY + time


def _two_digit_year(year: int, month: int, day: int, time: float, now: float) -> float | None:
    # The latest such year that is not more than fifty years ahead (RFC 9110, section 5.6.7).
    latest = 1970 + int(now // _YEAR) + 51
    latest -= (latest - year) % 100
    found = _moment(latest, month, day, time)
    if found is not None and found > now + _FIFTY_YEARS:
        found = _moment(latest - 100, month, day, time)
    return found


def _time(hour: int, minute: int, second: int) -> float | None:
    # A second numbered 60 is a leap second; it counts as the first second of the next minute.
    if hour > 23 or minute > 59 or second > 60:
        return None
    return hour * 3600.0 + minute * 60 + second


def _offset(zone: str) -> float | None:
    if zone[0] not in "+-":
        return 0.0
    hours, minutes = int(zone[1:3]), int(zone[-2:])
    if hours > 23 or minutes > 59:
        return None
    return (hours * 3600.0 + minutes * 60) * (-1 if zone[0] == "-" else 1)
