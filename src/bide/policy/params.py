"""What an argument of the language may be: one row a kind, used to build, parse and print alike."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import attrs

from bide.policy.durations import seconds_of
from bide.policy.errors import PolicyError

FOREVER: Final = math.inf
REQUIRED: Final = "required"
"""Stands for the default of an argument that has none."""
JITTERS: Final = ("full", "equal", "decorrelated")


@attrs.frozen
class Param:
    """One argument: its name, its kind, whether it takes all that are left, and what stands for "not said"."""

    name: str
    kind: str
    default: Any = REQUIRED
    variadic: bool = False

    @property
    def required(self) -> bool:
        """Whether the argument must be written."""
        return self.default is REQUIRED


def params_of(cls: type) -> tuple[Param, ...]:
    """Return the arguments of an attrs class in the order in which the language takes them."""
    return tuple(
        Param(
            name=field.name,
            kind=str(field.metadata.get("kind", "any")),
            default=REQUIRED if field.default is attrs.NOTHING else field.default,
            variadic=bool(field.metadata.get("variadic")),
        )
        for field in attrs.fields(cls)
        if field.init and not field.metadata.get("hidden")
    )


def _field(kind: str, convert: Callable[[Any, str], Any], default: Any, **metadata: object) -> Any:
    return attrs.field(
        default=default,
        converter=attrs.Converter(lambda value, field: convert(value, field.name), takes_field=True),
        metadata={"kind": kind, **metadata},
    )


def seconds(default: Any = attrs.NOTHING, *, positive: bool = False) -> Any:
    """Return a field of finite seconds >= 0 (> 0 when positive); None only where None is the default."""

    def convert(value: Any, name: str) -> float | None:
        if value is None and default is None:
            return None
        number = seconds_of(value, name)
        if positive and number == 0:
            raise PolicyError(f"{name} must be more than 0 seconds")
        return number

    return _field("seconds", convert, default)


def several_seconds() -> Any:
    """Return a field of one or more durations."""
    return _field(
        "seconds",
        lambda values, name: tuple(seconds_of(value, name) for value in values),
        attrs.NOTHING,
        variadic=True,
    )


def number(default: Any = attrs.NOTHING, *, least: float = 0.0) -> Any:
    """Return a field of a finite number >= least."""

    def convert(value: Any, name: str) -> float:
        if (
            isinstance(value, bool)
            or not isinstance(value, (int, float))
            or not _finite(value)
            or value < least
        ):
            raise PolicyError(f"{name} takes a finite number >= {least:g}; got {value!r:.40}")
        return float(value)

    return _field("number", convert, default)


def share(default: Any = attrs.NOTHING) -> Any:
    """Return a field of a fraction in (0, 1], written 20% in text."""

    def convert(value: Any, name: str) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 1:
            raise PolicyError(
                f"{name} takes a share in (0, 1], such as 0.2, or 20% in text; got {value!r:.40}"
            )
        return float(value)

    return _field("share", convert, default)


def count(default: Any = attrs.NOTHING, *, least: int = 0, forever: bool = False) -> Any:
    """Return a field of a whole number >= least; None only where None is the default."""

    def convert(value: Any, name: str) -> float | None:
        if value is None and default is None:
            return None
        return whole(value, name, least=least, forever=forever)

    return _field("forever" if forever else "count", convert, default)


def whole(value: Any, name: str, *, least: int = 0, forever: bool = False) -> float:
    """
    Return a whole number >= least (or `FOREVER` where that is allowed).

    Raises:
        PolicyError: anything else; True is not 1, and 3.0 is not 3.
    """
    if forever and isinstance(value, float) and value == FOREVER:
        return FOREVER
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        also = ", or forever" if forever else ""
        raise PolicyError(f"{name} takes a whole number >= {least}{also}; got {value!r:.40}")
    return value


def text(default: Any = attrs.NOTHING) -> Any:
    """Return a field of a non-empty text; None only where None is the default."""

    def convert(value: Any, name: str) -> str | None:
        if value is None and default is None:
            return None
        return one_text(value, name)

    return _field("text", convert, default)


def texts() -> Any:
    """Return a field of one or more non-empty texts."""

    def convert(values: Any, name: str) -> tuple[str, ...]:
        if not values:
            raise PolicyError(f"{name}: at least one is needed")
        return tuple(one_text(value, name) for value in values)

    return _field("text", convert, attrs.NOTHING, variadic=True)


def one_text(value: Any, name: str) -> str:
    """Return a non-empty text, or say which argument was none."""
    if not isinstance(value, str) or not value:
        raise PolicyError(f"{name} takes a text in quotes; got {value!r:.40}")
    return value


def flag(default: bool) -> Any:
    """Return a field of True or False."""

    def convert(value: Any, name: str) -> bool:
        if not isinstance(value, bool):
            raise PolicyError(f"{name} takes True or False; got {value!r:.40}")
        return value

    return _field("flag", convert, default)


def choice(default: Any, *allowed: str) -> Any:
    """Return a field of one of the allowed texts."""

    def convert(value: Any, name: str) -> str:
        if value not in allowed:
            raise PolicyError(f"{name} takes one of {', '.join(map(repr, allowed))}; got {value!r:.40}")
        return str(value)

    return _field("text", convert, default)


def jitter(default: str | bool) -> Any:
    """Return a field of a jitter's name; True stands for "full", False for none."""

    def convert(value: Any, name: str) -> str | bool:
        if value is True:
            return "full"
        if value is not False and value not in JITTERS:
            raise PolicyError(f"{name} takes True, False, {', '.join(map(repr, JITTERS))}; got {value!r:.40}")
        return value  # type: ignore[no-any-return]  # one of the three names, or False

    return _field("jitter", convert, default)


def json_value(default: Any = attrs.NOTHING) -> Any:
    """Return a field of a text, a number, a flag or None: what a JSON body may hold and text may say."""

    def convert(value: Any, name: str) -> object:
        if (
            value is None
            or isinstance(value, (str, bool))
            or (isinstance(value, (int, float)) and _finite(value))
        ):
            return value
        raise PolicyError(f"{name} takes a text, a number, True, False or None; got {value!r:.40}")

    return _field("json", convert, default)


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False
