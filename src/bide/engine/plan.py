"""What a policy decides by the type of an exception alone, worked out once: a memo of `decide`, never another rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from bide.policy.clause import Clause
from bide.policy.condition import AnyOf, Condition
from bide.policy.delay import Ask
from bide.policy.limits import Limits
from bide.policy.outcome import Outcome
from bide.policy.raised import Raises
from bide.policy.schedules import Decorrelated
from bide.policy.statuses import Status

_TELLING: Final = frozenset(
    {"response", "request", "request_info", "status", "status_code", "code", "headers"}
)
_MOST_SPANS: Final = 100


@attrs.frozen
class Row:
    """The rule that answers a type of exception, and the (low, width) of its delay before each retry."""

    rule: int
    spans: tuple[tuple[float, float], ...]


class Plan:
    """
    Rows by type of exception, made when the type is first met.

    Only for policies without a clock, and for rules whose answer can depend on nothing but the type: exception classes,
    statuses, and schedules that remember nothing. Every other outcome has no row, and is decided in full.
    """

    __slots__ = ("_clauses", "_limits", "_rows", "_usable")

    def __init__(self, clauses: Sequence[Clause], limits: Limits) -> None:
        self._clauses = clauses
        self._limits = limits
        self._rows: dict[type, Row | None] = {}
        self._usable = limits.within is None and limits.timeout is None and all(map(_plain, clauses))

    def row(self, error: Exception) -> Row | None:
        """Return the row of an exception that carries nothing but its type, or None."""
        cls = type(error)
        row = self._rows[cls] if cls in self._rows else self._find(cls)
        if row is None or error.__dict__ or error.__cause__ is not None or error.__context__ is not None:
            return None
        return row

    def _find(self, cls: type[Exception]) -> Row | None:
        row = None
        if self._usable and not any(hasattr(cls, name) for name in _TELLING):
            rule = next((i for i, clause in enumerate(self._clauses) if _answers(clause, cls)), None)
            if rule is not None and self._clauses[rule].verb == "retry_on":
                row = Row(rule, self._spans(self._clauses[rule]))
        self._rows[cls] = row
        return row

    def _spans(self, clause: Clause) -> tuple[tuple[float, float], ...]:
        retries = min(clause.allowed(self._limits.attempts), _MOST_SPANS)
        spans = (clause.span(Ask(_NOTHING, retry)) for retry in range(1, int(retries) + 1))
        return tuple((span.low, span.high - span.low) for span in spans)


_NOTHING: Final = Outcome(method=None)


def _plain(clause: Clause) -> bool:
    """Tell whether nothing but the type of an exception can matter to a rule."""
    schedule = clause.schedule
    forgetful = (
        not isinstance(schedule, Decorrelated) and getattr(schedule, "jitter", False) != "decorrelated"
    )
    built_in = type(schedule).__module__ == Decorrelated.__module__  # one of the user's may look at anything
    typed = all(_typed(condition) for condition in clause.conditions)
    return typed and forgetful and built_in and clause.within is None and not clause.asks_the_server


def _typed(condition: Condition) -> bool:
    if isinstance(condition, AnyOf):
        return all(_typed(one) for one in condition.conditions)
    return isinstance(condition, (Raises, Status))


def _answers(clause: Clause, cls: type[Exception]) -> bool:
    return any(isinstance(part, Raises) and part.covers(cls) for part in clause.condition.parts())
