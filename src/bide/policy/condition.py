"""What a condition is: a question about one outcome, and how questions combine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Final

import attrs

from bide.policy.errors import PolicyError
from bide.policy.outcome import Outcome
from bide.policy.term import Term

Statuses = frozenset[int]
ALL_STATUSES: Final[Statuses] = frozenset(range(100, 600))
ERROR_STATUSES: Final[Statuses] = frozenset(range(400, 600))
NO_STATUS: Final[Statuses] = frozenset()


class Condition(Term):
    """
    A question about one outcome; combine them with `&`, `|` and `~`.

    Subclass it, decorate with `bide.policy.registry.condition("name")`, and it works in Python and in text.
    """

    __slots__ = ()
    reads_body: ClassVar[bool] = False
    """Whether the question is about the body, which is read only for statuses at which somebody asks."""
    failures_only: ClassVar[bool] = False
    """Whether, with no status named beside it, the question is about failures: a success is never asked."""
    sees_values: ClassVar[bool] = False
    """Whether the question can be about the plain value that a function returned."""

    def matches(self, outcome: Outcome) -> bool:
        """Return the answer; must be a bool, must not raise for any outcome, must not do I/O."""
        raise NotImplementedError

    def statuses(self) -> Statuses | None:
        """Return the statuses at which the answer can be yes; None when the status does not matter."""
        return None

    def miss(self, outcome: Outcome) -> str:
        """Return why the answer is no, for people."""
        return f"not {self.name}"

    def parts(self) -> Iterator[Condition]:
        """Yield this condition and all that it is made of."""
        yield self

    def rewritten(self, change: Callable[[Condition], Condition]) -> Condition:
        """Return this condition with every part put through `change`."""
        return change(self)

    def __and__(self, other: object) -> Condition:
        return _joined(AllOf, self, other)

    def __rand__(self, other: object) -> Condition:
        return _joined(AllOf, other, self)

    def __or__(self, other: object) -> Condition:
        return _joined(AnyOf, self, other)

    def __ror__(self, other: object) -> Condition:
        return _joined(AnyOf, other, self)

    def __invert__(self) -> Condition:
        return self.condition if isinstance(self, Not) else Not(self)


@attrs.frozen(eq=False, repr=False)
class AllOf(Condition):
    """Every one of these (`a & b`)."""

    name: ClassVar[str] = "&"
    conditions: tuple[Condition, ...]

    def matches(self, outcome: Outcome) -> bool:
        return all(condition.matches(outcome) for condition in self.conditions)

    def statuses(self) -> Statuses | None:
        known = [found for condition in self.conditions if (found := condition.statuses()) is not None]
        return frozenset.intersection(*known) if known else None

    def miss(self, outcome: Outcome) -> str:
        return next(
            condition.miss(outcome) for condition in self.conditions if not condition.matches(outcome)
        )

    def parts(self) -> Iterator[Condition]:
        yield self
        for condition in self.conditions:
            yield from condition.parts()

    def rewritten(self, change: Callable[[Condition], Condition]) -> Condition:
        return change(AllOf(tuple(condition.rewritten(change) for condition in self.conditions)))


@attrs.frozen(eq=False, repr=False)
class AnyOf(Condition):
    """At least one of these (`a | b`, or the commas of a head)."""

    name: ClassVar[str] = "|"
    conditions: tuple[Condition, ...]

    def matches(self, outcome: Outcome) -> bool:
        return any(condition.matches(outcome) for condition in self.conditions)

    def statuses(self) -> Statuses | None:
        known = [condition.statuses() for condition in self.conditions]
        return None if None in known else frozenset().union(*(found for found in known if found is not None))

    def miss(self, outcome: Outcome) -> str:
        return ", ".join(condition.miss(outcome) for condition in self.conditions)

    def parts(self) -> Iterator[Condition]:
        yield self
        for condition in self.conditions:
            yield from condition.parts()

    def rewritten(self, change: Callable[[Condition], Condition]) -> Condition:
        return change(AnyOf(tuple(condition.rewritten(change) for condition in self.conditions)))


@attrs.frozen(eq=False, repr=False)
class Not(Condition):
    """Not this (`~a`)."""

    name: ClassVar[str] = "~"
    condition: Condition

    def matches(self, outcome: Outcome) -> bool:
        return not self.condition.matches(outcome)

    def statuses(self) -> Statuses | None:
        return self.condition.excluded() if isinstance(self.condition, StatusLike) else None

    def miss(self, outcome: Outcome) -> str:
        return f"~{self.condition.name} does not hold"

    def parts(self) -> Iterator[Condition]:
        yield self
        yield from self.condition.parts()

    def rewritten(self, change: Callable[[Condition], Condition]) -> Condition:
        return change(Not(self.condition.rewritten(change)))


class StatusLike(Condition):
    """A condition on the status alone, which therefore knows where it does not hold."""

    __slots__ = ()

    def excluded(self) -> Statuses:
        """Return the statuses at which the answer is no."""
        return ALL_STATUSES - (self.statuses() or NO_STATUS)


def reach(condition: Condition) -> Statuses:
    """
    Return the statuses of responses at which a condition can hold.

    A question about the body or the request is about error responses (400 and above) unless a status is named beside
    it, so that no success pays for it: `200 & code("THROTTLED")` asks for what it wants.
    """
    if isinstance(condition, AnyOf):
        return frozenset().union(*(reach(one) for one in condition.conditions))
    named = condition.statuses()
    if named is not None:
        return named
    return ERROR_STATUSES if any(part.failures_only for part in condition.parts()) else ALL_STATUSES


def _joined(how: type[AllOf | AnyOf], left: object, right: object) -> Condition:
    flat: list[Condition] = []
    for side in (left, right):
        condition = coerced(side)
        if isinstance(condition, how):
            flat.extend(condition.conditions)
        else:
            flat.append(condition)
    return how(tuple(flat))


_COERCIONS: list[Callable[[Any], Condition | None]] = []


def coercion(convert: Callable[[Any], Condition | None]) -> Callable[[Any], Condition | None]:
    """Register what turns a plain value (a status, an exception class) into a condition, or answers None."""
    _COERCIONS.append(convert)
    return convert


def coerced(value: object) -> Condition:
    """
    Return a condition from a condition, a status (429, "5xx", "500-504") or an exception class.

    Raises:
        PolicyError: anything else, with what to write instead.
    """
    if isinstance(value, Condition):
        return value
    for convert in _COERCIONS:
        condition = convert(value)
        if condition is not None:
            return condition
    raise PolicyError(
        f"{value!r:.60} is no condition; write a status, an exception class, or code(...), timeout, ..."
    )
