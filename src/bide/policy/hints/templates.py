"""
Find a delay inside a message written for people, by a template with one placeholder.

Rule of this file: no regular expression comes from the template, and a search reads each character of the
message a bounded number of times.
"""

from __future__ import annotations

import re

from bide.policy.hints.amounts import DURATION, bounded, duration, number
from bide.policy.hints.dates import clock, moment_at

LIMIT = 65_536
"""Characters of a message that are searched."""

PLACEHOLDERS = ("seconds", "ms", "minutes", "duration", "date")
_SCALE = {"seconds": 1.0, "ms": 0.001, "minutes": 60.0}
_BRACES = re.compile(r"\{([^{}]*)\}")
_UNITS = re.compile(r"([ -]?(?:(?:milli)?second|m?sec|min(?:ute)?))s(?![a-z])")
_NUMBER = re.compile(r"[0-9]++(?:\.[0-9]++)?(?![.,:][0-9])")
_START = re.compile(r"(?<![\w.+-])(?<![0-9][,:])(?=\w)")


def check_template(template: str) -> None:
    """
    Refuse a template that could not find a delay.

    Args:
        template: Text with one placeholder: `Retry after {seconds} seconds`.

    Raises:
        ValueError: There is no placeholder, more than one, an unknown one, or a brace left over.
    """
    _split(template)


def message(template: str, text: str, *, now: float | None = None) -> float | None:
    """
    Find the delay that a message speaks of.

    Args:
        template: Text with one of `{seconds}`, `{ms}`, `{minutes}`, `{duration}`, `{date}`. Letter case and
            the width of white space do not matter; a last word of three letters or more may be in the plural,
            and a unit in the plural right behind a number in the singular: "1 second" fits "{seconds} seconds".
        text: The message, in which the template may match anywhere. Its first match counts.
        now: Epoch seconds, against which a date is read.

    Returns:
        Seconds in [0, EXCESSIVE], or None when the message speaks of none.

    Raises:
        ValueError: The template is refused by `check_template`.
    """
    prefix, kind, suffix = _split(template)
    suffixes = _suffixes(kind, suffix)
    now = clock(now)
    text = " ".join(text[:LIMIT].lower().split())
    position = _next(text, prefix, 0)
    while position >= 0:
        amount, end = _amount(kind, text, position, now)
        whole = _begins_a_word(text, position - len(prefix)) and any(
            _follows(text, end, suffix) for suffix in suffixes
        )
        if amount is not None and whole:
            return bounded(amount)
        position = _next(text, prefix, end if prefix else max(end, position + 1))
    return None


def _split(template: str) -> tuple[str, str, str]:
    names = _BRACES.findall(template)
    rest = _BRACES.sub("", template)
    known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
    if "{" in rest or "}" in rest:
        raise ValueError(f"a brace in a template belongs to its placeholder; write one of {known}")
    if len(names) != 1:
        raise ValueError(f"a template needs exactly one placeholder, not {len(names)}; write one of {known}")
    if names[0] not in PLACEHOLDERS:
        raise ValueError(f"unknown placeholder {{{names[0][:40]}}}; write one of {known}")
    before, _, after = " ".join(template.lower().split()).partition(f"{{{names[0]}}}")
    return before, names[0], after


def _suffixes(kind: str, suffix: str) -> tuple[str, ...]:
    # What may follow the amount: the suffix, and with its unit in the singular where it is in the plural.
    unit = _UNITS.match(suffix) if kind in _SCALE else None
    return (suffix,) if unit is None else (suffix, unit[1] + suffix[unit.end() :])


def _next(text: str, prefix: str, start: int) -> int:
    # Where an amount may begin, from `start` on: behind the next prefix, or where the next word begins.
    if prefix:
        found = text.find(prefix, start)
        return found + len(prefix) if found >= 0 else -1
    match = _START.search(text, start)
    return match.start() if match else -1


def _amount(kind: str, text: str, start: int, now: float | None) -> tuple[float | None, int]:
    # The amount that begins at `start`, and where to read on: past it, so that no number is read twice.
    if kind == "date":
        found = moment_at(text, start, now=now)
        if found is None or now is None:
            return None, start
        return found[0] - now, found[1]
    match = (DURATION if kind == "duration" else _NUMBER).match(text, start)
    if match is None:
        return None, start
    amount = duration(match[0]) if kind == "duration" else (number(match[0]) or 0.0) * _SCALE[kind]
    return amount, match.end()


def _begins_a_word(text: str, start: int) -> bool:
    return start == 0 or not (text[start].isalnum() and text[start - 1].isalnum())


def _follows(text: str, end: int, suffix: str) -> bool:
    if not text.startswith(suffix, end):
        return False
    # What comes next must not go on with the same word: "2m" is not 2 {seconds}, "5 ms" not 5 {minutes} "m".
    after = text[end + len(suffix) : end + len(suffix) + 2].replace("_", "x")
    if not (suffix or "0")[-1].isalnum() or not after[:1].isalnum():
        return True
    word = len(suffix) - len(suffix.rstrip("abcdefghijklmnopqrstuvwxyz"))
    return word >= 3 and after[0] == "s" and not after[1:].isalnum()
