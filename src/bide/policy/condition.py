"""What a condition is: a question about one outcome, and how questions combine."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar, Final, NoReturn

import attrs

from bide.policy.errors import PolicyError, shown
from bide.policy.outcome import Outcome
from bide.policy.term import Term

Statuses = frozenset[int]
ALL_STATUSES: Final[Statuses] = frozenset(range(100, 600))
ERROR_STATUSES: Final[Statuses] = frozenset(range(400, 600))
NO_STATUS: Final[Statuses] = frozenset()


class Condition(Term):
    """
    A question about one outcome; combine them with `&`, `|` and `~`.

    Subclass it, decorate with `attrs.frozen` and `bide.condition("name")`, and it works in Python and in text.
    """

    __slots__ = ()
    reads_body: ClassVar[bool] = False
    """Whether the question is about the body, which is read only for statuses at which somebody asks."""
    failures_only: ClassVar[bool] = False
    """Whether, with no status named beside it, the question is about failures: a success is never asked."""
    sees_values: ClassVar[bool] = False
    """Whether the question can be about the plain value that a function returned, and about any success."""

    @abstractmethod
    def matches(self, outcome: Outcome) -> bool:
        """Return the answer; must be a bool, must not raise for any outcome, must not do I/O."""

    def statuses(self) -> Statuses | None:
        """Return the statuses at which the answer can be yes; None when the status does not matter."""
        return None

    @property
    def label(self) -> str:
        """What messages for people call this condition."""
        return self.spelled

    def miss(self, outcome: Outcome) -> str:
        """Return why the answer is no, for people."""
        return f"not {self.label}"

    def parts(self) -> Iterator[Condition]:
        """Yield this condition and all that it is made of."""
        yield self

    def rewritten(self, change: Callable[[Condition], Condition]) -> Condition:
        """Return this condition with every part put through `change`."""
        return change(self)

    def __and__(self, other: object) -> Condition:
        return joined(AllOf, (self, other))

    def __rand__(self, other: object) -> Condition:
        return joined(AllOf, (other, self))

    def __or__(self, other: object) -> Condition:
        return joined(AnyOf, (self, other))

    def __ror__(self, other: object) -> Condition:
        return joined(AnyOf, (other, self))

    def __invert__(self) -> Condition:
        return self.condition if isinstance(self, Not) else Not(self)

    def __bool__(self) -> NoReturn:
        """Refuse to be true or false by itself: `a and b` would be b, `a or b` would be a, and nobody would know."""
        raise PolicyError(
            f"{self.label:.60} is neither true nor false before there is an outcome; conditions are combined by &, | and ~, "
            "not by and, or, not; to tell whether there is one, write `is not None`"
        )


class _Joined(Condition):
    """Conditions joined by one operator."""

    __slots__ = ()
    conditions: tuple[Condition, ...]

    @property
    def label(self) -> str:
        return f"({f' {self.spelled} '.join(condition.label for condition in self.conditions)})"

    def parts(self) -> Iterator[Condition]:
        yield self
        for condition in self.conditions:
            yield from condition.parts()


@attrs.frozen(eq=False, repr=False)
class AllOf(_Joined):
    """Every one of these (`a & b`)."""

    spelled: ClassVar[str] = "&"
    conditions: tuple[Condition, ...]

    def matches(self, outcome: Outcome) -> bool:
        return all(condition.matches(outcome) for condition in self.conditions)

    def statuses(self) -> Statuses | None:
        known = [found for condition in self.conditions if (found := condition.statuses()) is not None]
        return ALL_STATUSES.intersection(*known) if known else None

    def miss(self, outcome: Outcome) -> str:
        missed = (condition.miss(outcome) for condition in self.conditions if not condition.matches(outcome))
        return next(missed, f"not {self.label}")

    def rewritten(self, change: Callable[[Condition], Condition]) -> Condition:
        return change(AllOf(tuple(condition.rewritten(change) for condition in self.conditions)))


@attrs.frozen(eq=False, repr=False)
class AnyOf(_Joined):
    """At least one of these (`a | b`, or the commas of a head)."""

    spelled: ClassVar[str] = "|"
    conditions: tuple[Condition, ...]

    def matches(self, outcome: Outcome) -> bool:
        return any(condition.matches(outcome) for condition in self.conditions)

    def statuses(self) -> Statuses | None:
        known = [condition.statuses() for condition in self.conditions]
        return None if None in known else NO_STATUS.union(*(found for found in known if found is not None))

    def miss(self, outcome: Outcome) -> str:
        return ", ".join(condition.miss(outcome) for condition in self.conditions)

    def rewritten(self, change: Callable[[Condition], Condition]) -> Condition:
        return change(AnyOf(tuple(condition.rewritten(change) for condition in self.conditions)))


@attrs.frozen(eq=False, repr=False)
class Not(Condition):
    """Not this (`~a`)."""

    spelled: ClassVar[str] = "~"
    condition: Condition

    def matches(self, outcome: Outcome) -> bool:
        return not self.condition.matches(outcome)

    def statuses(self) -> Statuses | None:
        known = self.condition.statuses() if isinstance(self.condition, StatusLike) else None
        return None if known is None else ALL_STATUSES - known

    @property
    def label(self) -> str:
        return f"~{self.condition.label}"

    def miss(self, outcome: Outcome) -> str:
        return f"{self.condition.label} holds"

    def parts(self) -> Iterator[Condition]:
        yield self
        yield from self.condition.parts()

    def rewritten(self, change: Callable[[Condition], Condition]) -> Condition:
        return change(Not(self.condition.rewritten(change)))


class StatusLike(Condition):
    """A condition on the status alone, which therefore knows where it does not hold."""

    __slots__ = ()


def reach(condition: Condition) -> Statuses:
    """
    Return the statuses of responses at which a condition is asked.

    A question about the body or the request is about error responses (400 and above) unless a status is named beside
    it, so that no success pays for it: `200 & code("THROTTLED")` asks for what it wants. What stands after `~` narrows
    and names nothing: `~404` is about the other errors, `2xx & ~204` about the other successes.
    """
    named = condition.statuses()
    possible = ALL_STATUSES if named is None else named
    parts = list(condition.parts())
    if any(part.sees_values for part in parts) or _names_statuses(condition):
        return possible
    narrow = any(part.failures_only or isinstance(part, Not) for part in parts)
    return possible & ERROR_STATUSES if narrow else possible


def _names_statuses(condition: Condition) -> bool:
    """Tell whether a condition says at which statuses it is asked, `~` aside."""
    if isinstance(condition, AllOf):
        return any(map(_names_statuses, condition.conditions))
    if isinstance(condition, AnyOf):
        return all(map(_names_statuses, condition.conditions))
    return not isinstance(condition, Not) and condition.statuses() is not None


def joined(how: type[AllOf | AnyOf], sides: Iterable[object]) -> Condition:
    """Return `a & b & ...` or `a | b | ...` as one flat condition."""
    flat: list[Condition] = []
    for side in sides:
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
    raise PolicyError(f"{shown(value, 60)} is no condition; {_instead(value)}")


def _instead(value: object) -> str:
    """Say what to write for what is easily taken for a condition."""
    if isinstance(value, Exception):
        return f"write its class, {type(value).__name__}"
    if isinstance(value, (list, tuple, set, frozenset)):
        return "write them side by side, without brackets, as in retry_on(429, 503)"
    if hasattr(value, "clauses"):
        return "it is a rule, and rules are joined by |"
    if callable(value) and not isinstance(value, type):
        return "wrap a function of your own in when(...), and call one of bide's, as in code(...)"
    return "write a status, an exception class, or code(...), timeout, ..."
