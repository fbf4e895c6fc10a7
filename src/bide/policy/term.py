"""What every word of the language has: a spelling, fields that print themselves, and equality by them."""

from __future__ import annotations

from typing import Any, ClassVar

from bide.policy.params import params_of


class Term:
    """
    A word with its arguments: immutable, hashable, picklable, compared by what it says.

    A subclass is an attrs class; the order of its fields is the order of its arguments in text. Registering it with
    `bide.condition` or `bide.delay` makes it usable from text and printable.
    """

    __slots__ = ()
    spelled: ClassVar[str]
    """The name that registering gave it."""
    why_no_text: ClassVar[str] = "its class is not registered with bide.condition or bide.delay"
    """Why no text can say it, where none can."""

    def key(self) -> tuple[Any, ...]:
        """Return what makes this term itself: two terms are equal when their classes and keys are."""
        return tuple(_typed(getattr(self, param.attribute)) for param in params_of(type(self)))

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self.key() == other.key()

    def __hash__(self) -> int:
        return hash((type(self).__name__, self.key()))

    def __repr__(self) -> str:
        said = ", ".join(
            f"{param.name}={getattr(self, param.attribute)!r}" for param in params_of(type(self))
        )
        return f"{type(self).__name__}({said})"


def _typed(value: object) -> object:
    """Keep True apart from 1, which Python holds equal and the language does not."""
    return (value, "flag") if isinstance(value, bool) else value
