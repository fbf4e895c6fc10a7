"""What every word of the language has: a name, fields that print themselves, and equality by them."""

from __future__ import annotations

from typing import Any, ClassVar

from bide.policy.params import Param, params_of


class Term:
    """
    A word with its arguments: immutable, hashable, picklable, compared by what it says.

    A subclass is an attrs class; the order of its fields is the order of its arguments in text. Registering it with
    `bide.policy.registry` makes it usable from text and printable.
    """

    __slots__ = ()
    name: ClassVar[str]

    def key(self) -> tuple[Any, ...]:
        """Return what makes this term itself: two terms are equal when their classes and keys are."""
        return tuple(_typed(getattr(self, param.name)) for param in params_of(type(self)))

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self.key() == other.key()

    def __hash__(self) -> int:
        return hash((type(self).__name__, self.key()))

    def __repr__(self) -> str:
        shown = ", ".join(_shown(param, getattr(self, param.name)) for param in params_of(type(self)))
        return f"{type(self).__name__}({shown})"


def _typed(value: object) -> object:
    """Keep True apart from 1, which Python holds equal and the language does not."""
    return (value, "flag") if isinstance(value, bool) else value


def _shown(param: Param, value: object) -> str:
    return f"{param.name}={value!r}"
