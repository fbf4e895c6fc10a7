"""The worst that a policy can do: how many attempts, and how many seconds, whatever the outcomes are."""

from __future__ import annotations

import math
from collections.abc import Sequence

import attrs

from bide.policy.clause import Clause
from bide.policy.delay import spread
from bide.policy.limits import Limits

_MOST_STEPS = 1000


@attrs.frozen
class WorstCase:
    """Bounds over every outcome: attempts (the first included), and seconds of waiting and of bounded attempts."""

    attempts: float
    seconds: float

    def __str__(self) -> str:
        attempts = "no bound" if math.isinf(self.attempts) else f"{self.attempts:.0f}"
        seconds = "no bound" if math.isinf(self.seconds) else f"{self.seconds:.6g} s"
        return f"at most {attempts} attempts, at most {seconds} of waiting"


def worst_case(rules: Sequence[Clause], limits: Limits) -> WorstCase:
    """
    Return the bounds of a call.

    Attempts without a `timeout` count as taking no time: nothing is known of how long they run.
    """
    retrying = [clause for clause in rules if clause.verb == "retry_on"]
    allowed = [clause.allowed(limits.attempts) for clause in retrying]
    retries = sum(allowed)
    if limits.attempts is not None:
        retries = min(retries, limits.attempts - 1)
    waiting = _longest_waits(retrying, allowed, retries)
    if limits.timeout is not None:
        waiting += limits.timeout * (retries + 1)
    return WorstCase(retries + 1, waiting if limits.within is None else min(waiting, limits.within))


def _longest_waits(rules: Sequence[Clause], allowed: Sequence[float], retries: float) -> float:
    """Return the largest sum of waits that any mix of rules can reach within so many retries."""
    if math.isinf(retries):
        return (
            math.inf if any(_endless(rule, most) for rule, most in zip(rules, allowed, strict=True)) else 0.0
        )
    total = int(min(retries, _MOST_STEPS))
    best = [0.0] * (total + 1)  # best[n]: the longest that n retries by the rules so far can wait
    for rule, most in zip(rules, allowed, strict=True):
        sums = [0.0]
        for retry in range(1, int(min(most, total)) + 1):
            sums.append(
                min(sums[-1] + _longest(rule, retry), math.inf if rule.within is None else rule.within)
            )
        best = [
            max(best[n - k] + sums[k] for k in range(min(n, len(sums) - 1) + 1)) for n in range(total + 1)
        ]
    beyond = retries - total
    return best[total] + beyond * max((_longest(rule, _MOST_STEPS) for rule in rules), default=0.0)


def _endless(rule: Clause, most: float) -> bool:
    return math.isinf(most) and rule.within is None and _longest(rule, 1) > 0


def _longest(rule: Clause, retry: int) -> float:
    own = rule.schedule.longest(retry)
    return max(own, rule.longest_hint + spread(rule.longest_hint)) if rule.asks_the_server else own
