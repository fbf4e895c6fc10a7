"""Which rules can never decide because the rules before them already answer all that they are about."""

from __future__ import annotations

from collections.abc import Sequence

from bide.policy.clause import Clause, Question
from bide.policy.condition import ERROR_STATUSES, AllOf, Condition, Statuses, StatusLike
from bide.policy.conditions import Fact
from bide.policy.raised import Raises, Timeout, spellings

_ANYTHING = Fact("anything")


class Answered:
    """All that the rules so far answer; takes in one rule after the other, in time linear in what they say."""

    __slots__ = ("_asked", "_names", "_of_values", "_raised", "_statuses", "_timeouts")

    def __init__(self, rules: Sequence[Clause] = ()) -> None:
        self._statuses: set[int] = set()
        self._asked: dict[Condition, Statuses] = {}
        self._of_values: set[Condition] = set()
        self._raised: set[type[BaseException]] = set()
        self._names: set[str] = set()
        self._timeouts: set[tuple[str, ...] | str] = set()
        for rule in rules:
            self.add(rule)

    def add(self, rule: Clause) -> None:
        """Take in one more rule."""
        for condition, reached, sees_values in rule.questions:
            self._asked[condition] = self._asked.get(condition, frozenset()) | reached
            if sees_values:
                self._of_values.add(condition)
            if isinstance(condition, StatusLike):
                self._statuses |= reached
            elif condition == _ANYTHING:
                self._statuses |= ERROR_STATUSES
            elif isinstance(condition, Raises):
                self._raised.update(cls for cls in condition.classes if cls is not None)
                self._names.update(condition.names)
            elif isinstance(condition, Timeout):
                self._timeouts.update(condition.kinds or [()])

    def all_of(self, rule: Clause) -> bool:
        """Tell whether whatever a rule is about, a rule before is about too."""
        return all(map(self._answers, rule.questions))

    def _answers(self, question: Question) -> bool:
        condition, reached, sees_values = question
        if _ANYTHING in self._asked and reached <= ERROR_STATUSES and not sees_values:
            return True
        parts = (condition, *condition.conditions) if isinstance(condition, AllOf) else (condition,)
        return any(self._implied(part) or self._asks(part, reached, of_values=sees_values) for part in parts)

    def _asks(self, part: Condition, reached: Statuses, *, of_values: bool) -> bool:
        """Tell whether the same is asked before, and wherever it is asked here."""
        before = self._asked.get(part)
        return before is not None and reached <= before and (not of_values or part in self._of_values)

    def _implied(self, part: Condition) -> bool:
        """Tell whether a condition cannot hold where none of those before does."""
        if isinstance(part, StatusLike):
            return (part.statuses() or frozenset()) <= self._statuses
        if isinstance(part, Timeout):
            return () in self._timeouts or (bool(part.kinds) and self._timeouts.issuperset(part.kinds))
        return isinstance(part, Raises) and all(
            name in self._names if cls is None else self._raises(cls) for name, cls in part.named
        )

    def _raises(self, cls: type[BaseException]) -> bool:
        return any(base in self._raised for base in cls.__mro__) or not self._names.isdisjoint(spellings(cls))


def shadowed_by(rule: Clause, earlier: Sequence[Clause]) -> int | None:
    """Return the index of the earlier rule that makes a rule unreachable (the last of several), or None."""
    answered = Answered()
    for index, clause in enumerate(earlier):
        answered.add(clause)
        if answered.all_of(rule):
            return index
    return None
