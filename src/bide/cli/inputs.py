"""What people type, turned into what policies are asked with: durations, headers, bodies, exceptions."""

from __future__ import annotations

import re
from typing import Final

import click

from bide.policy.durations import seconds_of
from bide.policy.errors import PolicyError
from bide.policy.params import is_token
from bide.policy.raised import Raises

_LAST_ATTEMPT: Final = 1_000_000
_LAST_EPOCH: Final = 253_402_300_800.0  # the year 10000: no date is after it


def duration(value: str) -> float:
    """Return the seconds of 3, 0.25, 250ms, 30s or 1m30s."""
    number = _number(value)
    try:
        return seconds_of(value if number is None else number, "a duration")
    except PolicyError:
        raise click.BadParameter(f"{value!r} is no duration; write 3, 250ms, 30s or 1m30s") from None


def positive_duration(value: str) -> float:
    """Return the seconds of a duration that is more than none."""
    found = duration(value)
    if found == 0:
        raise click.BadParameter("it must be more than 0")
    return found


def status(value: str) -> int:
    """Return an HTTP status."""
    return _whole(value, 100, 599)


def attempt(value: str) -> int:
    """Return which attempt it is, from 1."""
    return _whole(value, 1, _LAST_ATTEMPT)


def speed(value: str) -> float:
    """Return how many seconds of a wait pass in one."""
    found = _number(value)
    if found is None or not 0.1 <= found <= 1000:
        raise click.BadParameter(f"{value!r} is none; write a number from 0.1 to 1000")
    return found


def epoch(value: str) -> float:
    """Return seconds since 1970."""
    found = _number(value)
    if found is None or not 0 <= found < _LAST_EPOCH:
        raise click.BadParameter(f"{value!r} is no time in epoch seconds, such as 1700000000")
    return found


def header(value: str) -> tuple[str, str]:
    """Return the name and value of name=value or "Name: value"; a fault is told without the value."""
    name, sign, rest = _halves(value)
    if not sign or not is_token(name):
        raise click.BadParameter('write it as name=value or "Name: value"')
    if not rest.isprintable() or not rest.isascii():
        raise click.BadParameter(f"the value of {name} has characters that no header may have")
    return name, rest


def method(value: str) -> str:
    """Return an HTTP method in upper case."""
    if not is_token(value):
        raise click.BadParameter(f"{value!r} is no HTTP method; write one, such as GET")
    return value.upper()


def url(value: str) -> str:
    """Return a URL, or a path; what is wrong with it is told without it, since it may hold a password."""
    if not value.startswith("/") and "://" not in value:
        raise click.BadParameter("write a path that begins with /, or a URL with its scheme")
    return value


def route(value: str) -> tuple[str, str]:
    """Return the method and the URL or path of 'POST /v1/jobs'; GET when there is no method."""
    words = value.split()
    if len(words) not in (1, 2):
        raise click.BadParameter("write a method and a path, such as 'POST /v1/jobs'")
    return method(words[0]) if len(words) == 2 else "GET", url(words[-1])


def exception(value: str) -> Exception:
    """Return an exception whose class has this dotted name: made up, never imported; the real one of a built-in."""
    try:
        known = Raises((value,)).classes[0]
    except PolicyError as error:
        raise click.BadParameter(str(error)) from None
    if known is None:
        module, _, name = value.rpartition(".")
        known = type(name, (Exception,), {"__module__": module, "__qualname__": name})
    try:
        made = known.__new__(known)
    except TypeError:
        raise click.BadParameter(f"{value} cannot be made from its name alone") from None
    assert isinstance(made, Exception)  # Raises takes no other
    return made


def _whole(value: str, least: int, most: int) -> int:
    known = value.isascii() and value.isdigit() and len(value) <= len(str(most))
    if not known or not least <= int(value) <= most:
        raise click.BadParameter(f"{value!r:.40} is none; write a whole number from {least} to {most}")
    return int(value)


def _number(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def _halves(value: str) -> tuple[str, str, str]:
    """Split at the first sign of the two: `a=b:c` at the equals sign, `a: b=c` at the colon."""
    at = re.search("[=:]", value)
    if at is None:
        return value, "", ""
    return value[: at.start()].strip(), at[0], value[at.end() :].strip()
