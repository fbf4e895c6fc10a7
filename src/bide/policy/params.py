"""What an argument of the language may be: one row a kind, used to build, parse and print alike."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

import attrs

from bide.policy.durations import rate_of, seconds_of
from bide.policy.errors import PolicyError, shown
from bide.policy.hints.paths import steps

FOREVER: Final = math.inf
REQUIRED: Final = "required"
"""Stands for the default of an argument that has none."""
JITTERS: Final = ("full", "equal", "decorrelated")
_NO_JITTER: Final = frozenset({"none", "null", "no", "off", "0", "0.0", "0s", "0ms", "0%"})
MOST: Final = 2**63 - 1
"""The largest whole number, `sys.maxsize` on most machines; what is more means `forever` and should say so."""
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}")
_LONGEST_PLACE: Final = 256
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")

S = TypeVar("S")
Convert = Callable[[Any, str], S]


@attrs.frozen(eq=False, repr=False)
class Param:
    """One argument: its name, kind and default, whether it takes all that are left, where it is kept, if by name only."""

    name: str
    kind: str
    default: Any = REQUIRED
    variadic: bool = False
    attribute: str = ""
    keyword: bool = False

    @property
    def required(self) -> bool:
        """Whether the argument must be written."""
        return self.default is REQUIRED


_PARAMS: Final[dict[type, tuple[Param, ...]]] = {}


def params_of(cls: type) -> tuple[Param, ...]:
    """Return the arguments of an attrs class in the order in which the language takes them."""
    known = _PARAMS.get(cls)
    if known is None:
        known = _PARAMS[cls] = tuple(_read(cls))
    return known


def _read(cls: type) -> Iterator[Param]:
    return (
        Param(
            name=field.alias or field.name,
            kind=str(field.metadata.get("kind", "any")),
            default=REQUIRED if field.default is attrs.NOTHING else field.default,
            variadic=bool(field.metadata.get("variadic")),
            attribute=field.name,
            keyword=bool(field.metadata.get("keyword")),
        )
        for field in attrs.fields(cls)
        if field.init and not field.metadata.get("hidden")
    )


def _field(
    kind: str, convert: Convert[object], default: Any, *, alias: str | None = None, **metadata: bool
) -> Any:
    """Return a field whose value, and whose default, are converted; faults name the argument."""

    def settled(value: Any, field: attrs.Attribute[Any]) -> object:
        return convert(value, field.alias or field.name)

    field: Any = attrs.field
    return field(
        default=default if default is attrs.NOTHING else convert(default, "the default"),
        converter=attrs.Converter(settled, takes_field=True),
        alias=alias,
        metadata={"kind": kind, **metadata},
    )


def _or_none(convert: Convert[object], default: Any) -> Convert[object]:
    """Return a conversion that lets None through where None is the default."""
    if default is not None:
        return convert
    return lambda value, name: None if value is None else convert(value, name)


def wrong(name: str, takes: str, value: object, instead: str = "") -> PolicyError:
    """Return the error for an argument that is not what it takes."""
    return PolicyError(f"{name} takes {takes}; got {shown(value)}{instead}", argument=name)


def seconds(default: Any = attrs.NOTHING, *, positive: bool = False, instead: str = "") -> Any:
    """Return a field of seconds >= 0 (> 0 when positive; `instead` advises); None only where None is the default."""

    def convert(value: Any, name: str) -> float:
        return positive_seconds(value, name, instead) if positive else seconds_of(value, name)

    return _field("seconds", _or_none(convert, default), default)


def positive_seconds(value: object, name: str, instead: str = "") -> float:
    """Return seconds > 0, or say which argument has none, and what to write instead."""
    number = seconds_of(value, name)
    if number == 0:
        raise PolicyError(f"{name} must be more than 0 seconds{instead}", argument=name)
    return number


def several_seconds() -> Any:
    """Return a field of one or more durations."""
    return _field(
        "seconds", lambda values, name: _each(seconds_of, values, name), attrs.NOTHING, variadic=True
    )


def number(default: Any = attrs.NOTHING, *, least: float = 0.0) -> Any:
    """Return a field of a finite number >= least."""

    def convert(value: Any, name: str) -> float:
        if not _is_number(value) or value < least:
            raise wrong(name, f"a finite number >= {least:g}", value)
        return float(value)

    return _field("number", convert, default)


def share(default: Any = attrs.NOTHING) -> Any:
    """Return a field of a fraction in (0, 1], written 20% in text."""

    def convert(value: Any, name: str) -> float:
        if not _is_number(value) or not 0 < value <= 1:
            raise wrong(name, "a share in (0, 1], such as 0.2, or 20% in text", value)
        return float(value)

    return _field("share", convert, default)


def count(default: Any = attrs.NOTHING, *, least: int = 0) -> Any:
    """Return a field of a whole number >= least; None only where None is the default."""
    return _field("count", _or_none(lambda value, name: whole(value, name, least=least), default), default)


def whole(value: Any, name: str, *, least: int = 0, forever: bool = False) -> float:
    """
    Return a whole number >= least (or `FOREVER` where that is allowed).

    Raises:
        PolicyError: anything else; True is not 1, and 3.0 is not 3.
    """
    if forever and isinstance(value, float) and value == FOREVER:
        return FOREVER
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MOST:
        also = ", or forever" if forever else ""
        counted = name == "max" and isinstance(value, str)
        instead = "; it counts retries, and the longest delay is cap=..." if counted else ""
        raise wrong(name, f"a whole number >= {least}{also}", value, instead)
    return value


def text(default: Any = attrs.NOTHING, *, keyword: bool = False) -> Any:
    """Return a field of a non-empty text; None only where None is the default; `keyword`: written by name only."""
    return _field("text", _or_none(one_text, default), default, keyword=keyword)


def texts() -> Any:
    """Return a field of one or more non-empty texts."""
    return _field("text", lambda values, name: _each(one_text, values, name), attrs.NOTHING, variadic=True)


def one_text(value: Any, name: str) -> str:
    """Return a non-empty text, or say which argument was none."""
    if not isinstance(value, str) or not value:
        raise wrong(name, "a text in quotes", value)
    return value


def place(default: Any = attrs.NOTHING, *, keyword: bool = False) -> Any:
    """Return a field of a place in a response; None only where None is the default; `keyword`: written by name only."""
    return _field("text", _or_none(one_place, default), default, keyword=keyword)


def one_place(value: Any, name: str) -> str:
    """Return a path into a body, such as "errors[0].code", or `header:` and a name; or say which argument was none."""
    said = one_text(value, name)
    if len(said) > _LONGEST_PLACE:
        why = f"it is longer than {_LONGEST_PLACE} characters"
    elif said.startswith("header:"):
        if is_token(said.removeprefix("header:")):
            return said
        raise PolicyError(
            f"{shown(said, 60)} names no header; write one, such as 'header:x-request-id'", argument=name
        )
    else:
        try:
            steps(said)
        except ValueError as error:
            why = str(error)
        else:
            return said
    advice = "write a path such as 'error.code' or 'errors[0].code'"
    raise PolicyError(f"{shown(said, 60)} is no place in a response: {why}; {advice}", argument=name)


def name(default: Any = attrs.NOTHING, *, keyword: bool = False) -> Any:
    """Return a field of a name, such as "agent_id"; `keyword`: written by name only."""
    return _field("text", one_name, default, keyword=keyword)


def one_name(value: Any, name: str) -> str:
    """Return a name: letters, digits, `_`, `-` and `.`, such as "refresh_token"; or say which argument was none."""
    said = one_text(value, name)
    if not _NAME.fullmatch(said):
        inside = said.strip("{}")
        advice = (
            f"; write {inside!r}" if _NAME.fullmatch(inside) else "; letters, digits, _, - and . make one"
        )
        raise PolicyError(f"{name} takes a name, and {shown(said)} is none{advice}", argument=name)
    return said


def named(alias: str = "name") -> Any:
    """Return a field of a text that the language calls `name`, whatever the attribute is called."""
    return _field("text", one_text, attrs.NOTHING, alias=alias)


def header_name(alias: str = "name", default: Any = attrs.NOTHING) -> Any:
    """Return a field of a header's name, that the language calls `name` where it is not called otherwise."""
    return _field("text", one_header_name, default, alias=alias)


def one_header_name(value: Any, name: str) -> str:
    """Return the name of a header, such as "Retry-After"; or say which argument was none."""
    if not isinstance(value, str) or not is_token(value):
        raise PolicyError(
            f"{shown(value)} is no header name; write one, such as 'Retry-After'", argument=name
        )
    return value


def rate() -> Any:
    """Return a field of a rate: a whole number of calls in a time, such as "60/minute"."""

    def convert(value: Any, name: str) -> str:
        if not isinstance(value, str) or rate_of(value) is None:
            raise wrong(name, 'calls in a time, such as "60/minute", "1000/hour" or "5/10s"', value)
        return value

    return _field("text", convert, attrs.NOTHING)


def is_token(text: str) -> bool:
    """Tell whether a text can be the name of a header or method (RFC 9110, section 5.6.2)."""
    return _TOKEN.fullmatch(text) is not None


def flag(default: bool) -> Any:
    """Return a field of True or False."""

    def convert(value: Any, name: str) -> bool:
        if not isinstance(value, bool):
            raise wrong(name, "True or False", value)
        return value

    return _field("flag", convert, default)


def choice(default: Any, *allowed: str, keyword: bool = False) -> Any:
    """Return a field of one of the allowed texts; `keyword`: written by name only."""

    def convert(value: Any, name: str) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise wrong(name, f"one of {', '.join(map(repr, allowed))}", value)
        return value

    return _field("text", convert, default, keyword=keyword)


def choices(*allowed: str) -> Any:
    """Return a field of any number of the allowed texts."""

    def one(value: Any, name: str) -> str:
        if value not in allowed:
            raise wrong(name, ", ".join(map(repr, allowed)), value)
        return str(value)

    return _field("text", lambda values, name: tuple(one(value, name) for value in values), (), variadic=True)


def jitter(default: str | bool) -> Any:
    """Return a field of a jitter's name; True stands for "full", False for none."""

    def convert(value: Any, name: str) -> str | bool:
        if isinstance(value, bool):
            return "full" if value else False
        if isinstance(value, str) and value in JITTERS:
            return value
        raise wrong(name, f"True, False, {', '.join(map(repr, JITTERS))}", value, jitter_instead(value))

    return _field("jitter", convert, default)


def jitter_instead(value: object) -> str:
    """Return "; ..." with what to write for a value that is easily taken for a jitter; else nothing."""
    if str(value).lower() in _NO_JITTER:
        return "; write False for none"
    if str(value)[:1].isdecimal():
        return '; it has no size of its own: True draws from 0 to the whole delay, "equal" from half of it'
    return ""


def json_value(default: Any = attrs.NOTHING) -> Any:
    """Return a field of a text, a number, a flag or None: what a JSON body may hold and text may say."""

    def convert(value: Any, name: str) -> object:
        if value is None or isinstance(value, (str, bool)) or _is_number(value):
            return value
        raise wrong(name, "a text, a number, True, False or None", value)

    return _field("json", convert, default)


def _each(convert: Convert[S], values: Any, name: str) -> tuple[S, ...]:
    if not values:
        raise PolicyError(f"{name}: at least one is needed", argument=name)
    side_by_side(values, name)
    return tuple(convert(value, name) for value in values)


def side_by_side(values: Sequence[object], name: str) -> None:
    """
    See that several values are not given as one.

    Raises:
        PolicyError: they are, in a list for instance.
    """
    first = values[0]
    if type(first) in {list, tuple, set, frozenset}:
        raise PolicyError(
            f"{name}: write the values side by side, without brackets; got {shown(first, 60)}",
            argument=name,
        )


def _is_number(value: Any) -> bool:
    """Tell whether a value is a number that a float can hold; True is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False
