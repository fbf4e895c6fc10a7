"""The error that a policy which cannot be built, bound or used raises, and how it shows a value."""

from __future__ import annotations


class PolicyError(ValueError):
    """
    A policy that says something impossible: what was wrong, where, and what to write instead.

    A `ValueError`. Text that is not a policy raises its subclass `bide.PolicySyntaxError`, which adds line, column
    and a caret.

    Attributes:
        argument: The name of the argument that is wrong, where it is one.
        part: Which of the policies joined by `|` is wrong, from 0, where it is one.
    """

    def __init__(self, message: str, *, argument: str | None = None, part: int | None = None) -> None:
        super().__init__(message)
        self.argument = argument
        self.part = part


def callable_name(fn: object) -> str:
    """Return what messages call a callable: its own name, with those around it; its type's where it has none."""
    return str(getattr(fn, "__qualname__", type(fn).__name__))


def shown(value: object, longest: int = 40) -> str:
    """Return a value as messages show it: its repr, cut; its type where the repr fails, as that of huge ints does."""
    try:
        return repr(value)[:longest]
    except Exception:
        return f"a value of type {type(value).__name__}"[:longest]
