"""What a policy decides by the type of an exception alone, worked out once: a memo of `decide`, never another rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from bide.policy.clause import Clause
from bide.policy.condition import AnyOf, Condition
from bide.policy.delay import Ask
from bide.policy.limits import NO_LIMITS, Limits
from bide.policy.outcome import Outcome
from bide.policy.raised import Raises
from bide.policy.schedules import Decorrelated
from bide.policy.statuses import Status

_TELLING: Final = frozenset(
    {"response", "request", "request_info", "status", "status_code", "code", "headers", "__getattr__"}
)
_MOST_SPANS: Final = 100
_MOST_TYPES: Final = 1000


@attrs.frozen(eq=False)
class Row:
    """What answers a type of exception: the rule, and for each retry the low and width of its delay, and if it is the last."""

    cls: type[Exception]
    rule: int
    spans: tuple[tuple[float, float, bool], ...]


class Plan:
    """
    Rows by type of exception, made when the type is first met.

    Only for policies without a clock, and for rules whose answer can depend on nothing but the type: exception classes,
    statuses, and schedules that remember nothing. Every other outcome has no row, and is decided in full. A row is
    for exceptions that carry nothing: no attributes, no cause, no context; whoever looks it up makes sure of that.
    """

    __slots__ = ("_clauses", "_limits", "_met", "rows", "usable")

    def __init__(self, clauses: Sequence[Clause], limits: Limits) -> None:
        self._clauses = clauses
        self._limits = limits
        self._met: set[type] = set()
        self.rows: dict[type, Row] = {}
        only_counts = attrs.evolve(limits, attempts=None, over_inner=False, name=None) == NO_LIMITS
        self.usable = only_counts and all(map(_plain, clauses))

    def meet(self, cls: type[Exception]) -> None:
        """Make the row of a type of exception, if it can have one and has not been met before."""
        if cls in self._met or len(self._met) == _MOST_TYPES:
            return
        self._met.add(cls)
        if self.usable and _says_nothing(cls):
            rule = next((i for i, clause in enumerate(self._clauses) if _answers(clause, cls)), None)
            if rule is not None and self._clauses[rule].verb == "retry_on":
                spans = self._spans(self._clauses[rule])
                if spans:
                    self.rows[cls] = Row(cls, rule, spans)

    def _spans(self, clause: Clause) -> tuple[tuple[float, float, bool], ...]:
        attempts = self._limits.attempts
        retries = min(clause.allowed(attempts), _MOST_SPANS)
        retries = int(retries if attempts is None else min(retries, attempts - 1))
        spans = [clause.span(Ask(_NOTHING, retry)) for retry in range(1, retries + 1)]
        return tuple(
            (span.low, span.high - span.low, retry == retries) for retry, span in enumerate(spans, 1)
        )


_NOTHING: Final = Outcome(method=None)


def _says_nothing(cls: type[Exception]) -> bool:
    """Tell whether exceptions of a class have nothing to tell beside their type, unless it is on the instance."""
    looked_up = cls.__getattribute__ is not BaseException.__getattribute__
    return not looked_up and not any(hasattr(cls, name) for name in _TELLING)


def _plain(clause: Clause) -> bool:
    """Tell whether nothing but the type of an exception can matter to a rule."""
    schedule = clause.schedule
    forgetful = (
        not isinstance(schedule, Decorrelated) and getattr(schedule, "jitter", False) != "decorrelated"
    )
    built_in = type(schedule).__module__ == Decorrelated.__module__  # one of the user's may look at anything
    typed = all(_typed(condition) for condition in clause.conditions)
    alone = clause.within is None and clause.recovery is None and not clause.asks_the_server
    return typed and forgetful and built_in and alone


def _typed(condition: Condition) -> bool:
    if isinstance(condition, AnyOf):
        return all(_typed(one) for one in condition.conditions)
    return type(condition) in (Raises, Status)


def _answers(clause: Clause, cls: type[Exception]) -> bool:
    return any(isinstance(part, Raises) and part.covers(cls) for part in clause.condition.parts())
