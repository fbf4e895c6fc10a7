"""What people type, turned into what policies are asked with: durations, headers, bodies, exceptions."""

from __future__ import annotations

import re
from typing import Any, Final

import click

from bide.policy.durations import seconds_of
from bide.policy.errors import PolicyError
from bide.policy.raised import Raises

_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_LONGEST_EPOCH: Final = 253_402_300_800.0  # the year 10000: no date is after it


class Seconds(click.ParamType):
    """A duration: 3, 0.25, 250ms, 30s, 1m30s."""

    name = "duration"

    def __init__(self, *, positive: bool = False) -> None:
        self.positive = positive

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds."""
        try:
            found = seconds_of(_number(value), "a duration")
        except PolicyError:
            self.fail(f"{value!r} is no duration; write 3, 250ms, 30s or 1m30s", param, ctx)
        if self.positive and found == 0:
            self.fail("it must be more than 0", param, ctx)
        return found


class Epoch(click.ParamType):
    """Seconds since 1970, as a number."""

    name = "epoch"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the epoch seconds."""
        found = _number(value)
        if isinstance(found, str) or not 0 <= found < _LONGEST_EPOCH:
            self.fail(f"{value!r} is no time in epoch seconds, such as 1700000000", param, ctx)
        return float(found)


class Header(click.ParamType):
    """A header as name=value or "Name: value"; what is wrong with one is told without its value."""

    name = "name=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Return its name and value."""
        if isinstance(value, tuple):  # a default, converted already
            return value
        name, sign, rest = _halves(value)
        if not sign or not _TOKEN.fullmatch(name):
            self.fail('write it as name=value or "Name: value"', param, ctx)
        if not rest.isprintable() or not rest.isascii():
            self.fail(f"the value of {name} has characters that no header may have", param, ctx)
        return name, rest


class Method(click.ParamType):
    """An HTTP method."""

    name = "method"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return it in upper case."""
        if not _TOKEN.fullmatch(value):
            self.fail(f"{value!r} is no HTTP method", param, ctx)
        return str(value).upper()


class Raised(click.ParamType):
    """An exception by its dotted name; a class of that name is made up, and nothing is imported."""

    name = "exception"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Exception:
        """Return an exception whose class has that name: the real class of a built-in one."""
        if isinstance(value, Exception):
            return value
        try:
            known = Raises((value,)).classes[0]
        except PolicyError as error:
            self.fail(str(error), param, ctx)
        if known is not None:
            try:
                return known.__new__(known)  # type: ignore[return-value]  # Raises refuses what is no Exception
            except TypeError:
                self.fail(f"{value} cannot be made from its name alone", param, ctx)
        module, _, name = value.rpartition(".")
        made: Exception = type(name, (Exception,), {"__module__": module, "__qualname__": name})()
        return made


def _number(value: Any) -> Any:
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


def _halves(value: str) -> tuple[str, str, str]:
    """Split at the first sign of the two: `a=b:c` at the equals sign, `a: b=c` at the colon."""
    at = re.search("[=:]", value)
    if at is None:
        return value, "", ""
    return value[: at.start()].strip(), at[0], value[at.end() :].strip()
