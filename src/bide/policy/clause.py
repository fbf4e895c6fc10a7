"""What one rule says, as data: a condition, what to do, how long to wait, and the limits that bind this rule alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

import attrs

from bide.policy.condition import ALL_STATUSES, AnyOf, Condition, Statuses, reach
from bide.policy.delay import Ask, Delay, Span
from bide.policy.outcome import Outcome
from bide.policy.params import FOREVER
from bide.policy.schedules import DEFAULT_SCHEDULE

Verb = Literal["retry_on", "give_up_on", "accept_on"]

DEFAULT_RETRIES: Final = 3
DEFAULT_AT_MOST: Final = 120.0


@attrs.frozen
class Clause:
    """
    One rule's words; `bide.Rule` is what people write them with.

    `retries` None: the policy's attempts say, else 3. `within` and `at_most` in seconds; `at_most` None: 120 s.
    """

    verb: Verb
    conditions: tuple[Condition, ...]
    delays: tuple[Delay, ...] = ()
    retries: float | None = None
    within: float | None = None
    at_most: float | None = None
    recovery: str | None = None
    any_method: bool = False
    reach: Statuses = attrs.field(init=False, eq=False, repr=False, default=ALL_STATUSES)
    _sees_values: bool = attrs.field(init=False, eq=False, repr=False, default=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "reach", reach(self.condition))
        object.__setattr__(self, "_sees_values", any(part.sees_values for part in self.condition.parts()))

    @property
    def condition(self) -> Condition:
        """The head's conditions as one."""
        return self.conditions[0] if len(self.conditions) == 1 else AnyOf(self.conditions)

    @property
    def sees_values(self) -> bool:
        """Whether the plain value that a function returned can match."""
        return self._sees_values

    @property
    def reads_body(self) -> bool:
        """Whether a condition or a delay of this rule looks into the body."""
        return any(part.reads_body for part in self.condition.parts()) or any(
            d.reads_body for d in self.delays
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
            if outcome.status is None:
                if not (self._sees_values or outcome.fault.network or outcome.fault.timed_out):
                    return False
            elif outcome.status not in self.reach:
                return False
        return any(condition.matches(outcome) for condition in self.conditions)

    def miss(self, outcome: Outcome) -> str:
        """Return why this rule is not about an outcome, for people."""
        if outcome.error is None and outcome.status is not None and outcome.status not in self.reach:
            named = self.condition.statuses() is not None
            return self.condition.miss(outcome) if named else f"status {outcome.status} is no failure"
        return self.condition.miss(outcome)

    def span(self, ask: Ask) -> Span:
        """Return the range of the first delay in the chain that yields one."""
        for delay in self.delays:
            span = delay.span(ask)
            if span is not None:
                return span
        return DEFAULT_SCHEDULE.span(ask)

    def allowed(self, attempts: float | None) -> float:
        """Return how many retries this rule may take in a policy with these attempts (None: not said)."""
        if self.retries is not None:
            return self.retries
        return DEFAULT_RETRIES if attempts is None else attempts - 1

    @property
    def endless(self) -> bool:
        """Whether nothing on this rule bounds its retries."""
        return self.retries == FOREVER and self.within is None

    def rewritten(self, change: Callable[[Condition], Condition], delay: Callable[[Delay], Delay]) -> Clause:
        """Return this rule with every condition and delay put through a function."""
        return attrs.evolve(
            self,
            conditions=tuple(condition.rewritten(change) for condition in self.conditions),
            delays=tuple(delay(one) for one in self.delays),
        )
