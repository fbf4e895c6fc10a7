"""
Turn the text or object that holds an amount of time into seconds, or refuse it.

Rule of this file: what comes out is None or a finite float >= 0, whatever goes in. `float()` sees only text
that a pattern of ASCII digits has accepted, because it also takes signs, underscores, exponents, "nan" and
the digits of other scripts. The patterns are possessive, so refusing takes linear time.
"""

from __future__ import annotations

import re

EXCESSIVE = 1e10
"""Seconds, about 317 years, that stand for every larger amount: finite, so that sums stay finite."""

MAX_TEXT = 16_384
"""Characters of the longest text that is taken apart piece by piece."""

_HUGE, _HUGE_DIGITS = 1e300, 300
_NUMBER = re.compile(r"\+?([0-9]*+)(?:\.([0-9]*+))?")
_SMALL = {"ns": 1e-9, "us": 1e-6, "\u00b5s": 1e-6, "\u03bcs": 1e-6, "ms": 1e-3}
_UNITS = {**_SMALL, "s": 1.0, "m": 60.0, "h": 3600.0}
_AMOUNT, _UNIT = r"(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)", r"(?:ns|us|\u00b5s|\u03bcs|ms|[smh])"
_PARTS = re.compile(f"({_AMOUNT})({_UNIT})")
DURATION = re.compile(f"(?:{_AMOUNT}{_UNIT})+")  # not possessive: Python before 3.11.5 has those groups wrong
"""A run of numbers with units, the shape of Go's durations: `1h2m3.5s`, `20ms`."""


def bounded(amount: float) -> float:
    """Bring an amount into [0, EXCESSIVE]; NaN becomes 0."""
    return max(0.0, min(amount, EXCESSIVE))


def number(text: str) -> float | None:
    """
    Read a plain decimal number of any length: digits, perhaps a fraction, nothing else.

    Args:
        text: What a server sent. Spaces and tabs around it do not count; a leading plus sign is tolerated.

    Returns:
        A finite float in [0, 1e300], or None when the text is anything but such a number.
    """
    match = _NUMBER.fullmatch(text.strip(" \t"))
    if match is None:
        return None
    whole, fraction = match[1], match[2] or ""
    if not whole and not fraction:
        return None
    significant = whole.lstrip("0")
    if len(significant) > _HUGE_DIGITS:
        return _HUGE
    return float(f"{significant or '0'}.{fraction[:32] or '0'}")


def seconds(text: str) -> float | None:
    """
    Read a number of seconds, as in `Retry-After: 120`.

    Args:
        text: Digits, with a fraction at most (`1.5` is beyond RFC 9110, yet some gateways send it).

    Returns:
        Seconds in [0, EXCESSIVE], or None.

    Source: RFC 9110, section 10.2.3.
    """
    amount = number(text)
    return None if amount is None else bounded(amount)


def milliseconds(text: str) -> float | None:
    """Read a number of milliseconds, `retry-after-ms: 1500`, as seconds in [0, EXCESSIVE], or None."""
    amount = number(text)
    return None if amount is None else bounded(amount / 1000)


def duration(text: str) -> float | None:
    """
    Read a duration with units, as Go and protobuf's JSON write it.

    Args:
        text: Numbers, each followed by ns, us, ms, s, m or h: `6m0s`, `20ms`, `10.689924287s`; or `0`.

    Returns:
        Seconds in [0, EXCESSIVE], or None; a negative duration is None.

    Source: Go, package time, ParseDuration; protobuf, google.protobuf.Duration in JSON.
    """
    text = text.strip(" \t")
    if text == "0":
        return 0.0
    if len(text) > MAX_TEXT or DURATION.fullmatch(text) is None:
        return None
    return bounded(sum((number(amount) or 0.0) * _UNITS[unit] for amount, unit in _PARTS.findall(text)))


def value(found: object) -> float | None:
    """
    Read an amount found in a JSON body or in an exception's attribute as seconds.

    Args:
        found: A number (a bool is none), a text with a number or a duration, or an object that has
            `total_seconds()`, as a timedelta does.

    Returns:
        Seconds in [0, EXCESSIVE], or None for NaN, infinities, negative amounts and everything else.
    """
    if isinstance(found, bool):
        return None
    if isinstance(found, (int, float)):
        return _finite(found)
    if isinstance(found, str):
        amount = seconds(found)
        return duration(found) if amount is None else amount
    return _total_seconds(found)


def _finite(amount: float) -> float | None:
    # An int of any size compares with a float exactly; converting it first could overflow.
    if 0 <= amount < float("inf"):
        return EXCESSIVE if amount >= EXCESSIVE else abs(float(amount))
    return None


def _total_seconds(found: object) -> float | None:
    try:
        measure = getattr(found, "total_seconds", None)
        total: object = measure() if callable(measure) else None
    except Exception:  # somebody else's object: whatever it raises, it holds no amount
        return None
    return _finite(total) if isinstance(total, (int, float)) and not isinstance(total, bool) else None
