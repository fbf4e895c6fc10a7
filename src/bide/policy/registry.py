"""The one table of words that policies are made of: built-ins and installed extensions come through the same door."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, Final, Literal, TypeVar

import attrs

from bide.policy.condition import Condition
from bide.policy.delay import Delay
from bide.policy.errors import PolicyError, shown
from bide.policy.params import params_of
from bide.policy.term import Term

Kind = Literal["conditions", "delays"]
C = TypeVar("C", bound=type[Condition])
D = TypeVar("D", bound=type[Delay])

_TABLE: Final[dict[Kind, dict[str, type[Term]]]] = {"conditions": {}, "delays": {}}
_BASES: Final[dict[Kind, type[Term]]] = {"conditions": Condition, "delays": Delay}
_BARE: Final[dict[str, Condition]] = {}
_installed: Final[dict[Kind, dict[str, Any]]] = {}


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
    if _BARE.setdefault(name, instance) != instance:
        raise PolicyError(f"{name!r} is already a condition; choose another name")
    return instance


def bare_condition(name: str) -> Condition | None:
    """Return the condition written as the bare word `name`, or None."""
    if name not in _BARE and name not in _TABLE["conditions"]:
        _load("conditions", name)
    return _BARE.get(name)


def bare_name(instance: Condition) -> str | None:
    """Return the bare word that says a condition, or None."""
    return next((name for name, known in _BARE.items() if known == instance), None)


def find(kind: Kind, name: str) -> type[Term] | None:
    """
    Return the class registered as `name`, from an installed extension (entry points `bide.*`) if need be.

    Raises:
        PolicyError: an installed extension has that name, and cannot be loaded.
    """
    if name not in _TABLE[kind]:
        _load(kind, name)
    return _TABLE[kind].get(name)


def names(kind: Kind) -> list[str]:
    """Return every registered name, sorted; for conditions the bare words too."""
    bare_words = _BARE.keys() if kind == "conditions" else ()
    return sorted({*_TABLE[kind], *bare_words, *_installed.get(kind, ())})


def _put(kind: Kind, name: str, cls: type[Term]) -> None:
    if not name.isidentifier() or not name.isascii():
        raise PolicyError(f"{shown(name)} is no name for one of the {kind}: write a plain ASCII identifier")
    base = _BASES[kind]
    if not _is_term(cls, base):
        raise PolicyError(
            f"{name} must be an attrs class, a subclass of bide.{base.__name__}; got {shown(cls, 60)}"
        )
    if any(param.name == "max" for param in params_of(cls)):
        raise PolicyError(f"{name}: every delay takes max= already; choose another name for the argument")
    already = _TABLE[kind].get(name)
    if already is not None and _place(already) != _place(cls):
        raise PolicyError(
            f"{name!r} is already one of the {kind} ({already.__module__}); choose another name"
        )
    if cls.__dict__.get("spelled", name) != name:
        raise PolicyError(f"{cls.__name__} is already registered, as {cls.spelled!r}")
    cls.spelled = name
    _TABLE[kind][name] = cls


def _is_term(cls: object, base: type[Term]) -> bool:
    return isinstance(cls, type) and issubclass(cls, base) and attrs.has(cls)


def _place(cls: type) -> tuple[str, str]:
    return cls.__module__, cls.__qualname__


def _load(kind: Kind, name: str) -> None:
    """Load the extension that is installed under a name, if there is one; nothing else is imported."""
    if kind not in _installed:
        metadata = importlib.import_module("importlib.metadata")  # slow to import, and rarely needed
        _installed[kind] = {entry.name: entry for entry in metadata.entry_points(group=f"bide.{kind}")}
    entry = _installed[kind].get(name)
    if entry is None:
        return
    try:
        loaded = entry.load()
        if isinstance(loaded, Condition):
            bare(name, loaded)
        else:
            _put(kind, name, loaded)
    except Exception as error:
        raise PolicyError(
            f"{name!r} is an installed extension that cannot be loaded: {type(error).__name__}: {error}"
        ) from error
