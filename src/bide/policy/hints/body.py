"""Look into a response's body: parse it as JSON without ever failing, and follow a path through it."""

from __future__ import annotations

import json
import re
from typing import cast

from bide.policy.hints.paths import STEP

LIMIT = 65_536
"""Bytes (or characters) of the largest body that is looked into."""

_SAFE_DIGITS = 600
_INDEX = re.compile("[0-9]{1,9}")


class Missing:
    """The type of `MISSING`: what a path finds where there is nothing, which JSON's null is not."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "MISSING"


MISSING = Missing()


def parse_body(raw: bytes | bytearray | str | None) -> object | None:
    """
    Parse a body as JSON, if it is small and well formed.

    Args:
        raw: Bytes in UTF-8, -16 or -32, or text, with or without a byte order mark.

    Returns:
        What it holds, or None when it is longer than `LIMIT`, truncated, nested too deeply, or no JSON. A key
        that an object gives twice is left out, since it says two things; an integer too long to convert is
        infinite.
    """
    if not raw or len(raw) > LIMIT:
        return None
    text = raw.removeprefix("\ufeff") if isinstance(raw, str) else raw
    try:
        parsed: object = json.loads(text, parse_int=_integer, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return None
    return parsed


def path(body: object, where: str) -> object:
    """
    Follow a dotted path through parsed JSON.

    Args:
        body: What `parse_body` returned, or any other object.
        where: Keys and list indexes, `errors.0.code`; a part in brackets chooses from a list, by index or by
            what a member holds: `details[@type=google.rpc.RetryInfo]` (the end of a type's URL suffices). Where it
            leads nowhere in a body that is a list of exactly one object, it is followed from that object.

    Returns:
        What stands there (None for JSON's null), or `MISSING`.
    """
    where = where.removeprefix("$.")
    found = _follow(body, where)
    if found is MISSING and isinstance(body, list):
        listed = cast("list[object]", body)
        if len(listed) == 1 and isinstance(listed[0], dict):
            return _follow(cast("dict[object, object]", listed[0]), where)
    return found


def _follow(body: object, where: str) -> object:
    position, found = 0, body
    while found is not MISSING and position < len(where):
        match = STEP.match(where, position)
        if match is None:
            return MISSING
        position = match.end()
        found = _step(found, match)
    return found if where else MISSING


def members(found: object) -> list[object]:
    """List what a JSON array or object holds (an object's values), or nothing for any other value."""
    if isinstance(found, dict):
        return list(cast("dict[object, object]", found).values())
    return cast("list[object]", found) if isinstance(found, list) else []


def _step(found: object, segment: re.Match[str]) -> object:
    name, key = segment["name"], segment["key"]
    if key is not None:
        return _select(found, key, segment["equals"])
    if isinstance(found, dict):
        return cast("dict[object, object]", found).get(name, MISSING)
    index = segment["index"] or name
    if not isinstance(found, list) or not _INDEX.fullmatch(index):
        return MISSING
    listed = cast("list[object]", found)
    return listed[int(index)] if int(index) < len(listed) else MISSING


def _select(found: object, key: str, equals: str) -> object:
    for member in members(found):
        held = _follow(member, key)
        if isinstance(held, str) and (held == equals or held.endswith(f"/{equals}")):
            return member
    return MISSING


def _integer(text: str) -> int | float:
    # CPython refuses to convert very long integers, and takes quadratic time for long ones.
    return int(text) if len(text) <= _SAFE_DIGITS else float(text)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    held = dict(pairs)
    if len(held) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                held.pop(key, None)
            seen.add(key)
    return held
