"""What would stop a policy: what its limits leave, and where it ends if every attempt comes to the same outcome."""

from __future__ import annotations

from typing import Any, Final

import attrs

from bide.policy.decide import time_left
from bide.policy.decision import Reason, Retry, State
from bide.policy.outcome import Outcome
from bide.policy.policy import Policy

_SHOWN: Final = 10
_LATEST: Final = 1 - 2**-53  # the largest draw


@attrs.frozen
class Left:
    """What a rule and the limits of the call still allow after an attempt; None where nothing bounds it."""

    retries: float
    attempts: float | None
    seconds: float | None


@attrs.frozen
class Ahead:
    """The (low, high) delays of the retries to come, the first ten, and why they end; None when they go on."""

    delays: tuple[tuple[float, float], ...]
    reason: Reason | None

    def document(self) -> dict[str, Any]:
        """Return it for machines."""
        return {"delays": self.delays, "reason": self.reason}


def left(policy: Policy, rule: int, outcome: Outcome, state: State) -> Left:
    """Return what is left for a rule that has just decided to retry."""
    clause, limits = policy.clauses[rule], policy.limits
    return Left(
        clause.allowed(limits.attempts) - state.used_by(rule),
        None if limits.attempts is None else limits.attempts - state.attempt,
        time_left(policy.clauses, rule, limits, outcome, state),
    )


def ahead(policy: Policy, outcome: Outcome, state: State) -> Ahead:
    """Return the retries to come, each after its longest delay, if nothing changes."""
    state = attrs.evolve(state, draw=_LATEST)
    ranges: list[tuple[float, float]] = []
    while len(ranges) < _SHOWN:
        decision = policy.decide(outcome, state)
        if not isinstance(decision, Retry):
            return Ahead(tuple(ranges), decision.reason)
        ranges.append((decision.span.low, decision.span.high))
        state = state.after(decision, took=outcome.elapsed)
    return Ahead(tuple(ranges), None)
