"""What follows one attempt: retry after a delay, give up, or accept; and what a call remembers between attempts."""

from __future__ import annotations

from enum import StrEnum

import attrs

from bide.policy.delay import Span


class Reason(StrEnum):
    """Why a call ended, or did not repeat: a closed set."""

    SUCCEEDED = "succeeded"
    ACCEPTED = "accepted"
    NO_RULE = "no_rule"
    RULE_GAVE_UP = "rule_gave_up"
    RETRIES_EXHAUSTED = "retries_exhausted"
    ATTEMPTS_EXHAUSTED = "attempts_exhausted"
    DEADLINE = "deadline"
    HINT_TOO_LONG = "hint_too_long"
    NOT_IDEMPOTENT = "not_idempotent"
    BODY_NOT_REPLAYABLE = "body_not_replayable"
    BUDGET_DENIED = "budget_denied"
    BREAKER_OPEN = "breaker_open"
    INNER_EXHAUSTED = "inner_exhausted"
    RECOVERY_FAILED = "recovery_failed"


EXHAUSTED = frozenset(
    {
        Reason.RETRIES_EXHAUSTED, Reason.ATTEMPTS_EXHAUSTED, Reason.DEADLINE, Reason.HINT_TOO_LONG,
        Reason.BUDGET_DENIED, Reason.BREAKER_OPEN, Reason.INNER_EXHAUSTED, Reason.RECOVERY_FAILED,
    }
)  # fmt: skip
"""The reasons that say "all that was allowed has been done": another policy around this one repeats none of it."""


@attrs.frozen
class Retry:
    """
    Another attempt, after `delay` seconds.

    `span` is the range that the delay was drawn from, with the source of a hint; `recovery` names an action to take
    first; `last` says that the delay was shortened so that one more attempt fits into the policy's deadline, and only one.
    """

    delay: float
    rule: int
    span: Span
    recovery: str | None = None
    last: bool = False


@attrs.frozen
class GiveUp:
    """No further attempt; `rule` is None when no rule matched, `retry_at` (epoch seconds) when it would be welcome."""

    reason: Reason
    rule: int | None = None
    retry_at: float | None = None


@attrs.frozen
class Accept:
    """The outcome is the call's: it succeeded, or a rule accepts it."""

    reason: Reason
    rule: int | None = None


Decision = Retry | GiveUp | Accept


@attrs.frozen
class State:
    """
    What one call remembers between attempts: all that `decide` knows beside the outcome.

    Args:
        attempt: The attempt that came to this outcome, from 1.
        elapsed: Seconds since the call began, waits included.
        draw: A uniform draw in [0, 1).
        now: Epoch seconds of the wall clock, for hints that are dates; None: such hints are read without it.
        used: Retries that each rule has taken so far, by the rule's index.
        spent: Seconds that each rule has cost so far: the attempts it answered and the waits it asked for.
        previous: The last delay of our own, in seconds.
        last: Whether this attempt was the last that fitted into the policy's deadline.
        left: Seconds that the deadline of an enclosing call leaves; None: there is none.
    """

    attempt: int = 1
    elapsed: float = 0.0
    draw: float = 0.5
    now: float | None = None
    used: tuple[int, ...] = ()
    spent: tuple[float, ...] = ()
    previous: float = 0.0
    last: bool = False
    left: float | None = None

    def used_by(self, rule: int) -> int:
        """Return how many retries a rule has taken."""
        return self.used[rule] if rule < len(self.used) else 0

    def spent_by(self, rule: int) -> float:
        """Return how many seconds a rule has cost."""
        return self.spent[rule] if rule < len(self.spent) else 0.0

    def after(self, retry: Retry, *, took: float = 0.0) -> State:
        """Return the state in which the next attempt begins, when the last took this many seconds."""
        size = max(retry.rule + 1, len(self.used), len(self.spent))
        used = [self.used_by(rule) for rule in range(size)]
        spent = [self.spent_by(rule) for rule in range(size)]
        used[retry.rule] += 1
        spent[retry.rule] += took + retry.delay
        return attrs.evolve(
            self,
            attempt=self.attempt + 1,
            elapsed=self.elapsed + retry.delay,
            used=tuple(used),
            spent=tuple(spent),
            previous=self.previous if retry.span.source else retry.delay,
            last=retry.last,
            left=None if self.left is None else self.left - retry.delay,
        )
