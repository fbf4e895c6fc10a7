"""What the doors of this package are given: the right thing, or an error at once that says what they take."""

from __future__ import annotations

import math
from typing import SupportsFloat

from bide.policy.errors import shown


def real(value: object, takes: str) -> float:
    """
    Return a number as a float; the error's message begins with what is taken: "a sleep takes a number of seconds".

    Raises:
        TypeError: it is no number.
        ValueError: it is too large for a float.
    """
    if not isinstance(value, (int, float)) and not isinstance(value, SupportsFloat):
        raise TypeError(f"{takes}, not {shown(value)}")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{takes}, not {shown(value)}") from None


def finite(value: object, takes: str, *, least: float = -math.inf) -> float:
    """
    Return a finite number >= least as a float.

    Raises:
        TypeError: it is no number.
        ValueError: it is infinite, less, or not a number.
    """
    number = real(value, takes)
    if not (math.isfinite(number) and number >= least):
        raise ValueError(f"{takes}, not {shown(value)}")
    return number


def whole(value: object, takes: str, *, least: int = 0, most: float = math.inf) -> int:
    """
    Return a whole number from `least` to `most`.

    Raises:
        TypeError: it is no whole number; True is none.
        ValueError: it is outside.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{takes}, not {shown(value)}")
    if not least <= value <= most:
        raise ValueError(f"{takes}, not {shown(value)}")
    return value


def patience(seconds: object) -> float:
    """
    Return the real seconds that a test is ready to wait.

    Raises:
        TypeError: they are no number.
        ValueError: they are less than 0, infinite, or not a number.
    """
    return finite(seconds, "timeout takes a finite number of real seconds >= 0", least=0)


def one_of(value: object, name: str, *allowed: str) -> None:
    """
    See that a text is one of those allowed.

    Raises:
        ValueError: it is not.
    """
    if value not in allowed:
        raise ValueError(f"{name} is one of {', '.join(map(repr, allowed))}, not {shown(value)}")


def flag(value: object, name: str) -> bool:
    """
    Return True or False.

    Raises:
        TypeError: it is neither.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{name} is True or False, not {shown(value)}")
    return value
