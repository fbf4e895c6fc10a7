"""Which rules can never decide because the rules before them already answer all that they are about."""

from __future__ import annotations

from collections.abc import Sequence

from bide.policy.clause import Clause
from bide.policy.condition import (
    ERROR_STATUSES,
    NO_STATUS,
    AllOf,
    AnyOf,
    Condition,
    Statuses,
    StatusLike,
    reach,
)
from bide.policy.conditions import Fact
from bide.policy.raised import Raises, Timeout


def shadowed_by(rule: Clause, earlier: Sequence[Clause]) -> int | None:
    """Return the index of the earlier rule that makes a rule unreachable (the last of several), or None."""
    statuses: Statuses = NO_STATUS
    questions: list[Condition] = []
    for index, clause in enumerate(earlier):
        for condition in clause.conditions:
            questions.extend(_alternatives(condition))
        statuses |= frozenset().union(
            *(c.statuses() or NO_STATUS for c in questions if isinstance(c, StatusLike))
        )
        if all(
            _answered(one, questions, statuses)
            for condition in rule.conditions
            for one in _alternatives(condition)
        ):
            return index
    return None


def _alternatives(condition: Condition) -> list[Condition]:
    """Flatten `a | b` into what stands on each side."""
    if isinstance(condition, AnyOf):
        return [found for one in condition.conditions for found in _alternatives(one)]
    return [condition]


def _answered(condition: Condition, questions: Sequence[Condition], statuses: Statuses) -> bool:
    """Tell whether whatever this condition holds for, one of the questions before holds for too."""
    if isinstance(condition, StatusLike):
        return (condition.statuses() or NO_STATUS) <= statuses | _failures(questions)
    if isinstance(condition, AllOf):
        return any(_answered(part, questions, statuses) for part in condition.conditions)
    return any(_covers(question, condition) for question in questions)


def _failures(questions: Sequence[Condition]) -> Statuses:
    """Return the statuses that `anything` before answers."""
    facts = [question for question in questions if isinstance(question, Fact) and question.word == "anything"]
    return facts[0].statuses() or NO_STATUS if facts else NO_STATUS


def _covers(earlier: Condition, later: Condition) -> bool:
    if earlier == later:
        return True
    if isinstance(earlier, Fact) and earlier.word == "anything":
        return reach(later) <= ERROR_STATUSES and not any(part.sees_values for part in later.parts())
    if isinstance(earlier, Timeout) and isinstance(later, Timeout):
        return not earlier.kinds or (bool(later.kinds) and set(later.kinds) <= set(earlier.kinds))
    if isinstance(earlier, Raises) and isinstance(later, Raises):
        return all(
            earlier.covers(cls) if cls is not None else name in earlier.names
            for name, cls in zip(later.names, later.classes, strict=True)
        )
    return False
