"""What a strategy holds, as immutable data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import attrs

from bide.policy.errors import PolicyError
from bide.policy.policy import Policy
from bide.strategy.endpoints import Pattern, Rows, rows_of
from bide.strategy.errors import CataloguedError
from bide.strategy.places import Places
from bide.strategy.positions import Document

EVERYTHING = "*"


def _frozen(value: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType(dict(value))


def _items(value: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(value.items())


def _table() -> Any:
    return attrs.field(factory=dict[str, Any], converter=_frozen, eq=_items)


@attrs.frozen(kw_only=True, slots=False)
class Contents:
    """
    The policies of one API by name, its endpoints and its errors.

    `policies` has a "default". `endpoints` maps patterns to policies, `errors` codes to what is documented of them.
    """

    name: str
    policies: Mapping[str, Policy] = attrs.field(converter=_frozen, eq=_items)
    title: str = ""
    docs: str = ""
    base_url: str | None = None
    read: Places = attrs.field(factory=Places)
    rules: Mapping[str, Policy] = _table()
    endpoints: Mapping[str, Policy] = _table()
    errors: Mapping[str, CataloguedError] = _table()
    document: Document | None = attrs.field(default=None, eq=False, repr=False)
    used: frozenset[str] | None = attrs.field(default=None, eq=False, repr=False)
    """The rules that a policy or endpoint names; None: nobody knows."""
    _rows: Rows = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if "default" not in self.policies:
            raise PolicyError('a strategy needs policies={"default": ...}')
        rows = rows_of(self.endpoints)
        if not rows or not rows[-1][0].catches_all:
            rows += ((Pattern.of(EVERYTHING), self.policies["default"]),)
        object.__setattr__(self, "_rows", rows)

    def __reduce__(self) -> tuple[Any, ...]:
        said: dict[str, Any] = {}
        for field in attrs.fields(type(self)):
            if field.init:
                held = getattr(self, field.name)
                said[field.name] = dict(held) if field.converter is _frozen else held
        return _rebuilt, (type(self), said)


def _rebuilt(cls: Callable[..., Contents], said: dict[str, Any]) -> Contents:
    return cls(**said)
