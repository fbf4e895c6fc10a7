"""What a strategy holds, as immutable data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from types import MappingProxyType
from typing import Any

import attrs

from bide.policy.errors import PolicyError
from bide.policy.outcome import Outcome
from bide.policy.policy import Policy
from bide.strategy.endpoints import Pattern, Rows, rows_of
from bide.strategy.errors import APIError, CataloguedError
from bide.strategy.places import Places
from bide.strategy.positions import Document

EVERYTHING = "*"


def _frozen(value: Mapping[Any, Any]) -> Mapping[Any, Any]:
    return MappingProxyType(dict(value))


def _items(value: Mapping[Any, Any]) -> tuple[tuple[Any, Any], ...]:
    return tuple(value.items())


def by_code(catalogue: Iterable[CataloguedError]) -> dict[str, Any]:
    """Return `errors` and `also` of a catalogue."""
    errors: dict[str, CataloguedError] = {}
    also: list[CataloguedError] = []
    for error in catalogue:
        if error.code is None or error.code in errors:
            also.append(error)
        else:
            errors[error.code] = error
    return {"errors": errors, "also": tuple(also)}


def _table() -> Any:
    return attrs.field(factory=dict[Any, Any], converter=_frozen, eq=_items)


@attrs.frozen(kw_only=True, slots=False)
class Contents:
    """
    The policies of one API by name, its endpoints and its errors.

    `policies` has a "default". `endpoints` maps patterns to policies, `errors` codes to what is documented of them.
    `also` is what else is documented: further statuses of a code, categories, statuses without a code. `classes` are
    exception classes of your own; `Strategy.with_errors` sets them.
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
    also: tuple[CataloguedError, ...] = ()
    classes: Mapping[str | int | type[APIError], type[APIError]] = _table()
    document: Document | None = attrs.field(default=None, eq=False, repr=False)
    used: frozenset[str] | None = attrs.field(default=None, eq=False, repr=False)
    """The rules that a policy or endpoint names; None: nobody knows."""
    _rows: Rows = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if "default" not in self.policies:
            raise PolicyError('a strategy needs policies={"default": ...}')
        for error in self.catalogue:
            if error.endpoint is not None and error.endpoint not in self.endpoints:
                raise PolicyError(
                    f"{error.label!r:.60} names {error.endpoint!r:.60}, which is none of the endpoints"
                )
        rows = rows_of(self.endpoints)
        if not rows or not rows[-1][0].catches_all:
            rows += ((Pattern.of(EVERYTHING), self.policies["default"]),)
        object.__setattr__(self, "_rows", rows)

    @property
    def catalogue(self) -> tuple[CataloguedError, ...]:
        """Every documented error: each code under each of its statuses, each category, each status without a code."""
        return (*self.errors.values(), *self.also)

    def documented(self, code: str | None, category: str | None, status: int) -> CataloguedError | None:
        """Return what is documented of an error: of its code, else of its category, else of its status."""
        of_code = [error for error in self.catalogue if error.code is not None and error.code == code]
        return next(
            chain(
                (error for error in of_code if error.status == status),
                of_code,
                (
                    e
                    for e in self.also
                    if e.code is None and e.category is not None and e.category == category
                ),
                (e for e in self.also if e.code is None and e.category is None and e.status == status),
            ),
            None,
        )

    def _recognized(self, outcome: Outcome) -> CataloguedError | None:
        """Return what is documented of a response that no code tells: the first error of its status whose `when` holds."""
        of_status = (error for error in self.catalogue if error.status == outcome.status)
        return next((e for e in of_status if e.when is not None and e.when.matches(outcome)), None)

    def __reduce__(self) -> tuple[Any, ...]:
        said: dict[str, Any] = {}
        for field in attrs.fields(type(self)):
            if field.init:
                held = getattr(self, field.name)
                said[field.name] = dict(held) if field.converter is _frozen else held
        return _rebuilt, (type(self), said)


def _rebuilt(cls: Callable[..., Contents], said: dict[str, Any]) -> Contents:
    return cls(**said)
