"""The one table of words that policies are made of: built-ins and installed extensions come through the same door."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Final, Literal, TypeVar

from bide.policy.condition import Condition
from bide.policy.delay import Delay
from bide.policy.errors import PolicyError
from bide.policy.term import Term

Kind = Literal["conditions", "delays"]
C = TypeVar("C", bound=type[Condition])
D = TypeVar("D", bound=type[Delay])

_TABLE: Final[dict[Kind, dict[str, type[Term]]]] = {"conditions": {}, "delays": {}}
_BARE: Final[dict[str, Condition]] = {}
_discovered: Final[set[str]] = set()


def condition(name: str) -> Callable[[C], C]:
    """Return a decorator that makes a condition usable from text as `name(...)`."""

    def register(cls: C) -> C:
        _put("conditions", name, cls)
        return cls

    return register


def delay(name: str) -> Callable[[D], D]:
    """Return a decorator that makes a delay usable from text as `.name(...)`."""

    def register(cls: D) -> D:
        _put("delays", name, cls)
        return cls

    return register


def bare(name: str, instance: Condition) -> Condition:
    """Register and return a condition that is written without parentheses, such as `network`."""
    _BARE[name] = instance
    return instance


def bare_condition(name: str) -> Condition | None:
    """Return the condition written as the bare word `name`, or None."""
    return _BARE.get(name)


def find(kind: Kind, name: str) -> type[Term] | None:
    """Return the class registered as `name`, looking at installed extensions (entry points `bide.*`) if need be."""
    found = _TABLE[kind].get(name)
    if found is None and kind not in _discovered:
        _discover(kind)
        found = _TABLE[kind].get(name)
    return found


def names(kind: Kind) -> list[str]:
    """Return every registered name, sorted; for conditions the bare words too."""
    return sorted(_TABLE[kind].keys() | (_BARE.keys() if kind == "conditions" else set()))


def _put(kind: Kind, name: str, cls: type[Term]) -> None:
    if not name.isidentifier() or not name.isascii():
        raise PolicyError(f"{name!r:.40} is no name for one of the {kind}: write a plain ASCII identifier")
    already = _TABLE[kind].get(name)
    if already is not None and (already.__module__, already.__qualname__) != (
        cls.__module__,
        cls.__qualname__,
    ):
        raise PolicyError(
            f"{name!r} is already one of the {kind} ({already.__module__}); choose another name"
        )
    cls.name = name
    _TABLE[kind][name] = cls


def _discover(kind: Kind) -> None:
    _discovered.add(kind)
    metadata = importlib.import_module("importlib.metadata")  # slow to import, and rarely needed
    for entry in metadata.entry_points(group=f"bide.{kind}"):
        cls = entry.load()
        _put(kind, entry.name, cls)
