"""Read the hints of a whole response, or of one header, and say where each came from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

import attrs

from bide.policy.hints import catalogue, dates, fields, readers
from bide.policy.hints.amounts import number, value
from bide.policy.hints.body import MISSING, members, parse_body, path
from bide.policy.hints.catalogue import HEADERS, ROWS, UNITS, Row
from bide.policy.hints.templates import message

Text = str | bytes
Values = Text | Sequence[Text]
Headers = Mapping[str, Values] | Mapping[bytes, Values] | Iterable[tuple[Text, Values]]

_MAX_FIELD, _MAX_LINES = 32_768, 1_000
_DIGITS = re.compile("[0-9]++")
_WEEKDAY = re.compile("(?:mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6}", re.IGNORECASE | re.ASCII)
_AMBIGUOUS = ("retry_after", "reset")
_LIMITS = (catalogue.GATED, catalogue.FIELD)
_READ = frozenset(HEADERS) | catalogue.GATES | {"date", "age"}
_KINDS = frozenset(row.kind for row in ROWS) - {"flag", "none"} | set(UNITS)
_NAMES = frozenset(row.name.lower() for row in ROWS)
_SECONDARY_LIMIT = 60.0
_SANE = (1e9, 1e10)


@attrs.frozen
class Hint:
    """
    A delay that a server asked for.

    Attributes:
        delay: Seconds, finite, >= 0.
        source: For people: where it stood and how it was read, "X-RateLimit-Reset read as epoch seconds".
    """

    delay: float
    source: str


def read(
    headers: Headers, body: object = None, *, kind: str | None = None, now: float | None = None
) -> Hint | None:
    """
    Find the delay that a response asks for, by every convention of the catalogue.

    Args:
        headers: A mapping, or pairs with repeats kept; names in any case, names and values str or bytes.
        body: Bytes or text, which are parsed as JSON up to 64 KiB, or parsed JSON.
        kind: Reads only the convention of that name ("Retry-After"), or those of that kind ("epoch"), which
            also reads headers that leave their unit open in that unit.
        now: Epoch seconds. Dates are read against the response's own `Date` when it is within a day of
            `now`, or when `now` is not given; else against `now`.

    Returns:
        The hint that wins by precedence; one of zero seconds only if there is no longer one. None if nothing
        is asked for. A hint that is malformed or negative is none.

    Raises:
        ValueError: `kind` is unknown.
    """
    if kind is not None and kind not in _KINDS and kind.lower() not in _NAMES:
        known = ", ".join(sorted(_KINDS))
        raise ValueError(f"unknown kind of hint {kind[:40]!r}; name a header or one of: {known}")
    lines = _collect(headers)
    roots = _roots(body)
    age = max((number(text) or 0.0 for text in lines.get("age", ())), default=0.0)
    server = _server_now(now, next(iter(lines.get("date", ())), None), age)
    found: list[tuple[bool, int, float, Hint]] = []
    for row in ROWS:
        read_as, rank = _read_as(row, kind), _rank(row, lines, cached=age > 0)
        if read_as is not None and rank is not None:
            hint = _row(row, lines, roots, server, read_as)
            if hint is not None:
                found.append((hint.delay == 0, rank, -hint.delay, hint))
    return min(found, key=lambda each: each[:3])[3] if found else None


def header(
    name: str,
    values: Values,
    *,
    now: float | None = None,
    date: Text | None = None,
    unit: str | None = None,
) -> Hint | None:
    """
    Read one header.

    Args:
        name: Its name, in any case; one that the catalogue does not know is read like Retry-After.
        values: Its lines as they came, each with one value or several between commas.
        now: Epoch seconds, as in `read`.
        date: The response's own `Date`.
        unit: Reads the header as that and as nothing else: "seconds", "ms", "epoch", "epoch_ms", "date",
            "duration" or "reset" (whichever the size of the number tells).

    Returns:
        The longest delay among its usable values, or None when there is none.

    Raises:
        ValueError: `unit` is unknown.
    """
    if unit is not None and unit not in UNITS:
        raise ValueError(f"unknown unit {unit[:40]!r}; write one of: {', '.join(UNITS)}")
    kind = unit or _kind_of(name, "retry_after")
    server = _server_now(now, None if date is None else _text(date))
    return _header(name, _lines(values), kind, server, forced=unit is not None)


def reset(
    name: str,
    values: Values,
    *,
    remaining: Values | None = None,
    now: float | None = None,
    date: Text | None = None,
) -> Hint | None:
    """
    Read a header that says when a limit is reset.

    Args:
        name: Its name, in any case; for one that the catalogue does not know, the size of the number tells
            its unit.
        values: Its lines as they came.
        remaining: The lines of the header that says how much is left (`gate_of(name)`), if the response has
            it.
        now: Epoch seconds, as in `read`.
        date: The response's own `Date`.

    Returns:
        The longest delay among its usable values; None when there is none, or when something is left.
    """
    left = [] if remaining is None else _lines(remaining)
    if left and not _used_up(left):
        return None
    server = _server_now(now, None if date is None else _text(date))
    return _header(name, _lines(values), _kind_of(name, "reset"), server)


def verdict(headers: Headers, body: object = None) -> bool | None:
    """
    Tell whether the server says outright if a retry is welcome.

    Args:
        headers: As in `read`.
        body: As in `read`.

    Returns:
        False = it says stop, which wins; True = it says retry; None = it says neither.
    """
    lines, roots = _collect(headers), _roots(body)
    said: set[bool] = set()
    for row in ROWS:
        if row.kind == "flag":
            in_header = row.where == "header"
            texts = _members(lines.get(row.name.lower(), [])) if in_header else _spelled(row, roots)
            said.update(_said(row, texts))
    pushed = lines.get("grpc-retry-pushback-ms", [])
    if pushed and (len(pushed) > 1 or readers.pushback(pushed[0]) is None):
        said.add(False)
    return False if False in said else True if said else None


def _read_as(row: Row, kind: str | None) -> str | None:
    # The kind to read a row as, or None to pass it over.
    if kind is None or kind.lower() == row.name.lower() or kind == row.kind:
        return row.kind
    return kind if row.kind in _AMBIGUOUS and kind in UNITS else None


def _rank(row: Row, lines: Mapping[str, list[str]], *, cached: bool) -> int | None:
    # What a cached response says about limits is old.
    if cached and row.rank in _LIMITS:
        return None
    left = lines.get(row.gate)
    if not row.gate or not left:
        return catalogue.GENERIC if row.gate else row.rank
    return row.rank if _used_up(left) else None


def _row(
    row: Row, lines: Mapping[str, list[str]], roots: list[object], now: float | None, kind: str
) -> Hint | None:
    if row.where == "header":
        return _header(row.name, lines.get(row.name.lower(), []), kind, now, forced=kind != row.kind)
    for root in roots:
        delay = _asked(row, path(root, row.name))
        if delay is not None:
            return Hint(delay, f"body {row.name}")
    return None


def _asked(row: Row, held: object) -> float | None:
    if row.kind == "bucket":
        return readers.bucket(held)
    if row.kind == "value":
        return value(held)
    if not isinstance(held, str) or row.kind == "flag":
        return None
    if row.kind == "phrase":
        return _SECONDARY_LIMIT if row.pattern in held.lower() else None
    return message(row.pattern, held)


def _header(
    name: str, lines: list[str], kind: str, now: float | None, *, forced: bool = False
) -> Hint | None:
    if not lines:
        return None
    if kind in readers.WHOLE:
        found = [readers.WHOLE[kind](", ".join(lines), now)]
    else:
        reader = readers.EACH.get(kind)
        found = [reader(text, now) for text in _members(lines)] if reader else []
    usable = [reading for reading in found if reading is not None]
    if not usable:
        return None
    delay, how = max(usable)
    shown = HEADERS[name.lower()].name if name.lower() in HEADERS else name
    return Hint(delay, f"{shown} read as {how}" if forced or kind == "reset" else shown)


def _members(lines: list[str]) -> list[str]:
    # The values in all lines: split at commas, but not at the comma of a date.
    found: list[str] = []
    for line in lines:
        parts = iter([part for part in line.split(",") if part] or [""])
        for part in parts:
            dated = _WEEKDAY.fullmatch(_strip(part)) is not None
            found.append(f"{part},{next(parts, '')}" if dated else part)
    return found


def _strip(text: str) -> str:
    return text.strip(" \t")


def _used_up(left: list[str]) -> bool:
    return any(fields.is_used_up(text) for line in left for text in line.split(","))


def _kind_of(name: str, otherwise: str) -> str:
    row = HEADERS.get(name.lower())
    return otherwise if row is None else row.kind


def _said(row: Row, texts: list[str]) -> list[bool]:
    meanings = [(spelled.lower(), meaning) for spelled, meaning in row.says]
    plain = [_strip(text).lower() for text in texts]
    return [meaning for text in plain for spelled, meaning in meanings if spelled in ("*", text)]


def _spelled(row: Row, roots: list[object]) -> list[str]:
    held = [path(root, row.name) for root in roots]
    if row.name.endswith("violations"):
        # Google's quotas are named like GenerateRequestsPerDayPerProject: the period stands inside the name.
        quotas = [str(path(each, "quotaId")) for found in held for each in members(found)]
        return [spelled for spelled, _ in row.says if any(spelled in quota for quota in quotas)]
    return [found for found in held if isinstance(found, str)]


def _roots(body: object) -> list[object]:
    # Where a body's paths start: some Google APIs wrap theirs in a list of one.
    parsed = parse_body(body) if isinstance(body, (bytes, bytearray, str)) else body
    first = path(parsed, "[0]")
    return [parsed] if first is MISSING else [parsed, first]


def _server_now(now: float | None, date: str | None, age: float = 0.0) -> float | None:
    # The clock that dates are read against: the server's own, unless it is absurd.
    ours = dates.clock(now)
    theirs = None if date is None else dates.http_date(date, now=ours)
    if theirs is None:
        return ours
    theirs += age
    if ours is None:
        return theirs if _SANE[0] <= theirs < _SANE[1] else None
    return theirs if abs(theirs - ours) <= dates.DAY else ours


def _collect(headers: Headers) -> dict[str, list[str]]:
    mapped = cast("Mapping[Text, Values]", headers).items() if isinstance(headers, Mapping) else headers
    found: dict[str, list[Text]] = {}
    for name, values in mapped:
        key = _text(name).lower()
        if key in _READ:
            found.setdefault(key, []).extend([values] if isinstance(values, Text) else values)
    return {key: _lines(values) for key, values in found.items()}


def _lines(values: Values) -> list[str]:
    # A header of absurd length is not taken apart; of its lines, only those that are one long number remain.
    lines = [_text(each) for each in ([values] if isinstance(values, Text) else values)]
    if sum(map(len, lines)) + len(lines) <= _MAX_FIELD:
        return lines
    stripped = (_strip(line) for line in lines[:_MAX_LINES])
    return [line.lstrip("0")[:64] or "0" for line in stripped if _DIGITS.fullmatch(line)]


def _text(text: Text) -> str:
    return text if isinstance(text, str) else text.decode("latin-1")
