"""Seconds as people write them: "250ms", "30s", "1m30s", a timedelta, a number."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeAlias

from bide.policy.errors import PolicyError

if TYPE_CHECKING:
    from datetime import timedelta

Duration: TypeAlias = "float | str | timedelta"

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_WHOLE: Final = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h))+")
_LONGEST_TEXT: Final = 64
_MINUTES_FROM: Final = 180
_MINUTE: Final = 60
_HOUR: Final = 3600


def parse_duration(text: str) -> float | None:
    """
    Return the seconds that a text such as "250ms", "1.5s" or "1m30s" says, or None when it says none.

    Units are h, m, s and ms; the largest comes first and none comes twice.
    """
    if len(text) > _LONGEST_TEXT or not _WHOLE.fullmatch(text):
        return None
    parts = _PART.findall(text)
    sizes = [_UNITS[unit] for _, unit in parts]
    if any(later >= earlier for earlier, later in pairwise(sizes)):
        return None
    if len(parts) == 1 and parts[0][1] == "ms":  # exact: 0.1 has no closer neighbour that 100ms could mean
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
    return f"{_plain(seconds)}s"


def seconds_of(value: object, name: str) -> float:
    """
    Return finite, non-negative seconds from a number, a timedelta or a text.

    Raises:
        PolicyError: anything else, with the name of the argument and what to write.
    """
    if isinstance(value, str):
        parsed = parse_duration(value)
        if parsed is None:
            raise PolicyError(f'{name}: {value[:40]!r} is not a duration; write "250ms", "30s" or "1m30s"')
        return parsed
    total = getattr(value, "total_seconds", None)
    if callable(total):
        value = total()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise PolicyError(f'{name} takes seconds, such as 30, 0.25 or "30s"; got {value!r:.40}')
    try:
        seconds = float(value)
    except OverflowError:
        seconds = math.inf
    if not math.isfinite(seconds) or seconds < 0:
        raise PolicyError(f"{name} takes a finite number of seconds >= 0; got {value!r:.40}")
    return seconds


def _plain(number: float) -> str:
    """Write a float without an exponent, so that reading it back gives the same float."""
    digits = repr(number)
    if "e" not in digits:
        return digits
    mantissa, _, exponent = digits.partition("e")
    whole, _, fraction = mantissa.partition(".")
    shift = int(exponent)
    if shift < 0:
        return "0." + "0" * (-shift - 1) + whole + fraction
    return (whole + fraction).ljust(len(whole) + shift, "0")
