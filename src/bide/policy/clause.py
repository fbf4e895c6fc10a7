"""What one rule says, as data: a condition, what to do, how long to wait, and the limits that bind this rule alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Final, Literal

import attrs

from bide.policy.condition import NO_STATUS, AnyOf, Condition, Statuses, reach
from bide.policy.delay import Ask, Delay, Span
from bide.policy.errors import PolicyError, shown
from bide.policy.outcome import Outcome
from bide.policy.params import FOREVER
from bide.policy.schedules import DEFAULT_SCHEDULE

Verb = Literal["retry_on", "give_up_on", "accept_on"]
Question = tuple[Condition, Statuses, bool]
"""A condition, the statuses of responses at which it is asked, and whether it is asked of plain values and successes."""

DEFAULT_RETRIES: Final = 3
RECOVERED_RETRIES: Final = 1
"""What a recovery did not mend the first time, it will not mend the second."""
DEFAULT_AT_MOST: Final = 120.0


@attrs.frozen
class Clause:
    """
    One rule's words; `bide.Rule` is what people write them with.

    `retries` None: the policy's attempts say, else 3; 1 after a recovery, and forever when polling. `within` and
    `at_most` in seconds; `at_most` None: 120 s.
    """

    verb: Verb
    conditions: tuple[Condition, ...]
    delays: tuple[Delay, ...] = ()
    retries: float | None = None
    within: float | None = None
    at_most: float | None = None
    recovery: str | None = None
    any_method: bool = False
    polling: bool = False
    _asked: tuple[Question, ...] = attrs.field(default=(), eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if not self._asked:
            object.__setattr__(self, "_asked", tuple(_questions(self.conditions)))

    @property
    def questions(self) -> tuple[Question, ...]:
        """What the head asks, one of which must be answered with yes."""
        return self._asked

    @property
    def condition(self) -> Condition:
        """The head's conditions as one."""
        return self.conditions[0] if len(self.conditions) == 1 else AnyOf(self.conditions)

    @property
    def reach(self) -> Statuses:
        """The statuses of responses at which anything is asked."""
        return NO_STATUS.union(*(reached for _, reached, _ in self._asked))

    @property
    def sees_values(self) -> bool:
        """Whether the plain value that a function returned can match."""
        return any(sees for _, _, sees in self._asked)

    @property
    def reads_body(self) -> bool:
        """Whether a condition or a delay of this rule looks into the body."""
        return any(part.reads_body for part in self.condition.parts()) or any(
            delay.reads_body for delay in self.delays
        )

    @property
    def schedule(self) -> Delay:
        """The delay of our own that ends the chain: the one written, or `exponential()`."""
        return self.delays[-1] if self.delays and self.delays[-1].schedule else DEFAULT_SCHEDULE

    @property
    def asks_the_server(self) -> bool:
        """Whether a delay of the chain is a hint."""
        return any(not delay.schedule for delay in self.delays)

    @property
    def longest_hint(self) -> float:
        """The longest hint worth waiting for, in seconds."""
        return DEFAULT_AT_MOST if self.at_most is None else self.at_most

    def matches(self, outcome: Outcome) -> bool:
        """Tell whether this rule is about an outcome; a success is asked only where the condition says so."""
        if outcome.error is None:
            status = outcome.status
            if status is not None and not outcome.faulty:
                return any(status in reached and asked.matches(outcome) for asked, reached, _ in self._asked)
            if not outcome.failed:
                return any(sees and asked.matches(outcome) for asked, _, sees in self._asked)
        return any(asked.matches(outcome) for asked, _, _ in self._asked)

    def miss(self, outcome: Outcome) -> str:
        """Return why this rule is not about an outcome, for people."""
        missed = [asked.miss(outcome) for asked, _, _ in self._asked if not asked.matches(outcome)]
        if len(missed) == len(self._asked):
            return ", ".join(missed)
        return "nothing failed" if outcome.status is None else f"status {outcome.status} is no failure"

    def span(self, ask: Ask) -> Span:
        """
        Return the range of the first delay in the chain that yields one.

        Raises:
            PolicyError: a delay of the user's yields what is no range of seconds.
        """
        for delay in self.delays:
            span = delay.span(ask)
            if span is not None:
                if not 0 <= span.low <= span.high < math.inf:
                    raise PolicyError(f".{delay.spelled}() gave no range of seconds: {shown(span, 80)}")
                return span
        return DEFAULT_SCHEDULE.span(ask)

    def allowed(self, attempts: float | None) -> float:
        """Return how many retries this rule may take in a policy with these attempts (None: not said)."""
        if self.retries is not None:
            return self.retries
        if self.polling:
            return FOREVER
        if self.recovery is not None:
            return RECOVERED_RETRIES
        return DEFAULT_RETRIES if attempts is None else attempts - 1

    @property
    def endless(self) -> bool:
        """Whether nothing on this rule bounds its retries."""
        return self.allowed(None) == FOREVER and self.within is None

    def rewritten(self, change: Callable[[Condition], Condition], delay: Callable[[Delay], Delay]) -> Clause:
        """Return this rule with every condition and delay put through a function."""
        return attrs.evolve(
            self,
            conditions=tuple(condition.rewritten(change) for condition in self.conditions),
            delays=tuple(delay(one) for one in self.delays),
            asked=(),
        )


def _questions(conditions: tuple[Condition, ...]) -> Iterator[Question]:
    for condition in conditions:
        if isinstance(condition, AnyOf):
            yield from _questions(condition.conditions)
        else:
            yield condition, reach(condition), any(part.sees_values for part in condition.parts())
