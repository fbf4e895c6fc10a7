"""Seconds as people write them: "250ms", "30s", "1m30s", a timedelta, a number."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeAlias

from bide.policy.errors import PolicyError, shown

if TYPE_CHECKING:
    from datetime import timedelta

Duration: TypeAlias = "float | str | timedelta"

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_WHOLE: Final = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h))+")
LONGEST_NUMBER: Final = 400
"""Characters: every float can be written without an exponent."""
LONGEST: Final = 1e9
"""Seconds, 31 years: what clocks and timers of every platform can still count."""
_RATE: Final = re.compile(r"([0-9]{1,6})/([0-9a-z.]{1,40})")
_SPANS: Final = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86_400.0}
_MINUTES_FROM: Final = 180
_MINUTE: Final = 60
_HOUR: Final = 3600


def parse_duration(text: str) -> float | None:
    """
    Return the seconds that a text such as "250ms", "1.5s" or "1m30s" says, or None when it says none.

    Units are h, m, s and ms; the largest comes first and none comes twice.
    """
    if len(text) > LONGEST_NUMBER or not _WHOLE.fullmatch(text):
        return None
    parts = _PART.findall(text)
    sizes = [_UNITS[unit] for _, unit in parts]
    if any(later >= earlier for earlier, later in pairwise(sizes)):
        return None
    if (
        len(parts) == 1 and parts[0][1] == "ms"
    ):  # divided, 100ms is 0.1; multiplied by 0.001 it may be a neighbour
        return float(parts[0][0]) / 1000
    return math.fsum(float(number) * _UNITS[unit] for number, unit in parts)


def format_duration(seconds: float) -> str:
    """Return the shortest text that `parse_duration` reads back as exactly these seconds."""
    whole = int(seconds)
    if seconds == whole:
        if whole and whole % _HOUR == 0:
            return f"{whole // _HOUR}h"
        if whole >= _MINUTES_FROM and whole % _MINUTE == 0:
            return f"{whole // _MINUTE}m"
        return f"{whole}s"
    if seconds < 1 and round(seconds * 1000) / 1000 == seconds:
        return f"{round(seconds * 1000)}ms"
    return f"{plain(seconds)}s"


def seconds_of(value: object, name: str) -> float:
    """
    Return seconds in [0, 10**9] from a number, a timedelta or a text.

    Raises:
        PolicyError: anything else, with the name of the argument and what to write.
    """
    if isinstance(value, str):
        parsed = parse_duration(value)
        if parsed is None:
            raise PolicyError(
                f'{name}: {shown(value)} is not a duration; write "250ms", "30s" or "1m30s"', argument=name
            )
        value = parsed
    total = None if isinstance(value, type) else getattr(value, "total_seconds", None)
    number = total() if callable(total) else value
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise PolicyError(
            f'{name} takes seconds, such as 30, 0.25 or "30s"; got {shown(value)}', argument=name
        )
    if not 0 <= number <= LONGEST:  # refuses NaN too
        raise PolicyError(
            f"{name} takes a finite number of seconds, from 0 to {LONGEST:.0f}; got {shown(value)}",
            argument=name,
        )
    return float(number)


def rate_of(text: str) -> tuple[int, float] | None:
    """Return the calls and the seconds that a text such as "60/minute" or "5/10s" says, or None when it says none."""
    found = _RATE.fullmatch(text)
    if found is None:
        return None
    calls, per = int(found[1]), found[2]
    seconds = _SPANS.get(per) or parse_duration(per if per[0].isdecimal() else f"1{per}")
    return (calls, seconds) if calls and seconds and seconds <= LONGEST else None


def digits(seconds: float) -> str:
    """Write seconds as messages tell them: three digits, or whole ones from 1000 on, and no exponent."""
    if 1000 <= seconds < math.inf:
        return f"{seconds:.0f}"
    text = f"{seconds:.3g}"
    return plain(float(text)).removesuffix(".0") if "e" in text else text


def plain(number: float) -> str:
    """Write a float without an exponent, so that reading it back gives the same float."""
    digits = repr(number)
    if "e" not in digits:
        return digits
    sign, digits = ("-", digits[1:]) if digits.startswith("-") else ("", digits)
    mantissa, _, exponent = digits.partition("e")
    whole, _, fraction = mantissa.partition(".")
    shift = int(exponent)
    if shift < 0:
        return f"{sign}0.{'0' * (-shift - 1)}{whole}{fraction}"
    return f"{sign}{(whole + fraction).ljust(len(whole) + shift, '0')}.0"
