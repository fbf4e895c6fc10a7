"""
Read one text of a header by its declared kind: one small reader a kind, and a table of them.

A reader is handed the text and the server's idea of now (epoch seconds or None), and answers with the delay
and how it took the text, for people; or with None when the text is no hint of that kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from bide.policy.hints import amounts, dates, fields
from bide.policy.hints.body import MISSING, members, parse_body, path

Reading = tuple[float, str]
Reader = Callable[[str, "float | None"], "Reading | None"]

_EPOCH, _EPOCH_MS, _SMALL = 1e9, 1e11, 1e8
_PUSHBACK = re.compile("[0-9]{1,10}")
_INT32 = 2_147_483_647


def _seconds(text: str, _now: float | None) -> Reading | None:
    found = amounts.seconds(text)
    return None if found is None else (found, "seconds")


def _milliseconds(text: str, _now: float | None) -> Reading | None:
    found = amounts.milliseconds(text)
    return None if found is None else (found, "milliseconds")


def _duration(text: str, _now: float | None) -> Reading | None:
    found = amounts.duration(text)
    return None if found is None else (found, "a duration")


def _date(text: str, now: float | None) -> Reading | None:
    found = dates.moment(text, now=now)
    return None if found is None or now is None else (_until(found, now), "a date")


def _epoch(text: str, now: float | None) -> Reading | None:
    return _since_1970(amounts.number(text), now, "epoch seconds")


def _epoch_ms(text: str, now: float | None) -> Reading | None:
    found = amounts.number(text)
    return _since_1970(None if found is None else found / 1000, now, "epoch milliseconds")


def _retry_after(text: str, now: float | None) -> Reading | None:
    return _seconds(text, now) or _duration(text, now) or _date(text, now)


def _reset(text: str, now: float | None) -> Reading | None:
    # One name, several units: the size of the number tells them apart; the gap between them belongs to none.
    found = amounts.number(text)
    if found is None:
        return _duration(text, now) or _date(text, now)
    if found >= _EPOCH_MS:
        return _epoch_ms(text, now)
    if found >= _EPOCH:
        return _epoch(text, now)
    return (found, "seconds") if found < _SMALL else None


def _policies(text: str, _now: float | None) -> Reading | None:
    found = fields.exhausted(text)
    return None if found is None else (found, "a list of policies")


def _counted(text: str, _now: float | None) -> Reading | None:
    found = fields.counted(text)
    return None if found is None else (found, "seconds")


def _pushback(text: str, _now: float | None) -> Reading | None:
    found = pushback(text)
    return None if found is None else (found / 1000, "milliseconds")


def _usage(text: str, _now: float | None) -> Reading | None:
    # {"an account": [{"estimated_time_to_regain_access": minutes, ...}, ...], ...}; 0 = not throttled.
    uses = [use for account in members(parse_body(text)) for use in members(account)]
    minutes = [amounts.value(path(use, "estimated_time_to_regain_access")) for use in uses]
    longest = max((each for each in minutes if each is not None), default=0.0)
    return (amounts.bounded(longest * 60), "minutes") if longest > 0 else None


def pushback(text: str) -> int | None:
    """Read gRPC's pushback: milliseconds as a non-negative int32, or None, by which the server says stop."""
    text = text.strip(" \t")
    found = int(text) if _PUSHBACK.fullmatch(text) else -1
    return found if 0 <= found <= _INT32 else None


def bucket(cost: object) -> float | None:
    """Read Shopify's query cost: seconds until enough points are restored, or None if there are enough."""
    wanted = amounts.value(path(cost, "requestedQueryCost"))
    left = path(cost, "throttleStatus")
    left = cost if left is MISSING else left
    available = amounts.value(path(left, "currentlyAvailable"))
    rate = amounts.value(path(left, "restoreRate"))
    if wanted is None or available is None or not rate or wanted <= available:
        return None
    return amounts.bounded((wanted - available) / rate)


EACH: dict[str, Reader] = {
    "seconds": _seconds,
    "ms": _milliseconds,
    "epoch": _epoch,
    "epoch_ms": _epoch_ms,
    "date": _date,
    "duration": _duration,
    "reset": _reset,
    "retry_after": _retry_after,
}
"""Kinds of which a header may hold several values, each read by itself."""

WHOLE: dict[str, Reader] = {
    "policies": _policies,
    "counted": _counted,
    "pushback": _pushback,
    "usage": _usage,
}
"""Kinds that are read from all lines of a header at once, joined by commas."""


def _since_1970(found: float | None, now: float | None, how: str) -> Reading | None:
    # More than a day in the past is no time to come back, but a number in some other unit.
    if found is None or now is None or now - found > dates.DAY:
        return None
    return _until(found, now), how


def _until(moment: float, now: float) -> float:
    return amounts.bounded(round(moment - now, 6))
