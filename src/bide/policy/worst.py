"""The worst that a policy can do: how many attempts, and how many seconds, whatever the outcomes are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import attrs

from bide.policy.clause import Clause
from bide.policy.decide import most_attempts
from bide.policy.delay import Ask, spread
from bide.policy.limits import Limits
from bide.policy.outcome import Outcome

_MOST_STEPS: Final = 1000
_FAR: Final = 10**9
"""A retry so late that a schedule has reached its cap."""


_SHORTENED: Final = 2
"""How often a delay that is longer than its rule's deadline is shortened to fit in."""
_NOTHING: Final = Outcome(method=None)


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
    retries = _most_retries(rules, limits)
    seconds = longest_waiting(rules, limits)
    if limits.timeout is not None:
        seconds += limits.timeout * (retries + 1)
    bounded = seconds if limits.within is None else min(seconds, limits.within)
    polling = [clause for clause in _retrying(rules) if clause.polling]
    polls = sum(_most_polls(clause, limits) for clause in polling)
    attempts = min(retries + 1 + polls, limits.ceiling)
    return WorstCase(attempts, bounded + sum(_or_forever(clause.within) for clause in polling))


def _most_polls(clause: Clause, limits: Limits) -> float:
    """Return how often a polling rule can retry before its own deadline."""
    lowest = min(clause.span(Ask(_NOTHING, retry)).low for retry in (*range(1, _MOST_STEPS), _FAR))
    within = _or_forever(clause.within)
    told = clause.asks_the_server or lowest == 0  # a hint may be as short as it likes
    fits = math.inf if told else within / lowest
    if not math.isinf(fits):
        fits = max(_SHORTENED, math.ceil(fits))
    return min(clause.allowed(limits.attempts), fits)


def _or_forever(seconds: float | None) -> float:
    return math.inf if seconds is None else seconds


def longest_waiting(rules: Sequence[Clause], limits: Limits) -> float:
    """Return the most seconds that a call can spend between its attempts."""
    retrying = _counted(rules)
    allowed = [clause.allowed(limits.attempts) for clause in retrying]
    retries = _most_retries(rules, limits)
    if math.isinf(retries):
        longest = sum(_all_waits(rule, most) for rule, most in zip(retrying, allowed, strict=True))
    else:
        longest = _largest_mix(retrying, allowed, retries)
    return longest if limits.within is None else min(longest, limits.within)


def _retrying(rules: Sequence[Clause]) -> list[Clause]:
    return [clause for clause in rules if clause.verb == "retry_on"]


def _counted(rules: Sequence[Clause]) -> list[Clause]:
    """Return the rules whose retries count against the policy's limits."""
    return [clause for clause in _retrying(rules) if not clause.polling]


def _most_retries(rules: Sequence[Clause], limits: Limits) -> float:
    by_rules = sum(clause.allowed(limits.attempts) for clause in _counted(rules))
    return min(by_rules, most_attempts(rules, limits) - 1)


def _all_waits(rule: Clause, most: float) -> float:
    """Return the longest that all retries of one rule can wait."""
    if math.isinf(most):
        waits = any(_longest(rule, retry) > 0 for retry in (1, _FAR))
        return 0.0 if not waits else math.inf if rule.within is None else rule.within
    return _largest_mix([rule], [most], most)


def _largest_mix(rules: Sequence[Clause], allowed: Sequence[float], retries: float) -> float:
    """Return the largest sum of waits that any mix of rules can reach within so many retries."""
    total = int(min(retries, _MOST_STEPS))
    best = [0.0] * (total + 1)  # best[n]: the longest that n retries by the rules so far can wait
    for rule, most in zip(rules, allowed, strict=True):
        sums = _sums(rule, int(min(most, total)))
        best = [
            max(best[n - k] + sums[k] for k in range(min(n, len(sums) - 1) + 1)) for n in range(total + 1)
        ]
    beyond = retries - total
    if not beyond:
        return best[total]
    return best[total] + beyond * max(_longest(rule, _FAR) for rule in rules)


def _sums(rule: Clause, most: int) -> list[float]:
    """Return the longest waits of a rule's first retries, summed: none, the first, the first two, ..."""
    sums = [0.0]
    for retry in range(1, most + 1):
        longest = sums[-1] + _longest(rule, retry)
        sums.append(longest if rule.within is None else min(longest, rule.within))
    return sums


def _longest(rule: Clause, retry: int) -> float:
    own = rule.schedule.longest(retry)
    return max(own, rule.longest_hint + spread(rule.longest_hint)) if rule.asks_the_server else own
