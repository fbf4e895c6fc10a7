"""What would follow an outcome, and why: the same decision that the engine takes, told to people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import attrs

from bide.policy.clause import Clause
from bide.policy.decide import decide
from bide.policy.decision import Accept, GiveUp, Reason, Retry, State
from bide.policy.durations import digits
from bide.policy.limits import Limits
from bide.policy.outcome import Outcome

Action = Literal["retry", "recover", "give_up", "accept", "return"]


@attrs.frozen
class Explanation:
    """
    Which rule decides about an outcome, what it does, and why the rules before it did not match.

    `delay` is (low, high) in seconds, None without a retry; `retry_at` epoch seconds, when the server would welcome a
    retry that is not made; `source` the hint that the delay came from, None for a delay of our own.
    """

    action: Action
    rule: int | None
    reason: Reason | None
    delay: tuple[float, float] | None = None
    retry_at: float | None = None
    recovery: str | None = None
    source: str | None = None
    skipped: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"rule {index + 1} does not match: {why}" for index, why in enumerate(self.skipped)]
        decided = "no rule matches" if self.rule is None else f"rule {self.rule + 1} matches"
        lines.append(f"{decided}: {_DONE[self.action]}" + (f" ({self.reason})" if self.reason else ""))
        if self.delay is not None:
            low, high = self.delay
            lines.append(
                f"delay: {digits(low)} to {digits(high)} s" + (f", from {self.source}" if self.source else "")
            )
        if self.recovery is not None:
            lines.append(f"recovery first: {self.recovery}")
        if self.retry_at is not None:
            lines.append(f"a retry would be welcome at {self.retry_at:.0f} (epoch seconds)")
        return "\n".join(lines)


_DONE: dict[Action, str] = {
    "retry": "retry",
    "recover": "recover, then retry",
    "give_up": "give up",
    "accept": "accept",
    "return": "hand it back as it came",
}


def state_at(
    rules: Sequence[Clause], outcome: Outcome, *, attempt: int, elapsed: float, now: float | None
) -> State:
    """Return the state in which an outcome is met at an attempt, as if the rule that decides had decided every time."""
    rule = next((index for index, clause in enumerate(rules) if clause.matches(outcome)), 0)
    used = (0,) * rule + (attempt - 1,)
    spent = (0.0,) * rule + (max(0.0, elapsed - outcome.elapsed),)
    return State(attempt=attempt, elapsed=elapsed, now=now, used=used, spent=spent)


def explain(rules: Sequence[Clause], limits: Limits, outcome: Outcome, state: State) -> Explanation:
    """Return the explanation of the decision about an outcome."""
    decision = decide(rules, limits, outcome, state)
    before = rules if decision.rule is None else rules[: decision.rule]
    skipped = tuple(clause.miss(outcome) for clause in before)
    if isinstance(decision, Retry):
        return Explanation(
            action="recover" if decision.recovery else "retry",
            rule=decision.rule,
            reason=None,
            delay=(decision.span.low, decision.span.high),
            recovery=decision.recovery,
            source=decision.span.source,
            skipped=skipped,
        )
    action: Action = (
        "return" if decision.rule is None else "accept" if isinstance(decision, Accept) else "give_up"
    )
    retry_at = decision.retry_at if isinstance(decision, GiveUp) else None
    return Explanation(action, decision.rule, decision.reason, retry_at=retry_at, skipped=skipped)
