"""What a delay is: a range of seconds for one retry, drawn from evenly."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import ClassVar

import attrs

from bide.policy.outcome import Outcome
from bide.policy.term import Term

SPREAD_SHARE = 0.1
SPREAD_LEAST = 1.0


@attrs.frozen
class Ask:
    """What a delay may look at: the outcome, which retry of its rule this is (from 1), the last delay, the wall clock."""

    outcome: Outcome
    retry: int = 1
    previous: float = 0.0
    now: float | None = None


@attrs.frozen
class Span:
    """Seconds from low to high, drawn evenly; `source` names the hint that they came from, None for our own."""

    low: float
    high: float
    source: str | None = None

    def at(self, draw: float) -> float:
        """Return the seconds at a uniform draw in [0, 1)."""
        return min(self.high, self.low + (self.high - self.low) * draw)


class Delay(Term):
    """
    How long to wait before one retry.

    Subclass it, decorate with `attrs.frozen` and `bide.delay("name")`, and it works in Python (`rule.waits(...)`) and
    in text (`.name(...)`).
    """

    __slots__ = ()
    schedule: ClassVar[bool] = True
    """Whether it always yields a range, and so ends a chain; a hint may yield none."""
    reads_body: ClassVar[bool] = False

    @abstractmethod
    def span(self, ask: Ask) -> Span | None:
        """Return the range to draw from, finite and >= 0, or None when there is nothing to go by."""

    def longest(self, retry: int) -> float:
        """
        Return the most seconds that this schedule asks for before the given retry (from 1).

        Infinity where nobody can tell. A hint has none: `.at_most(...)` bounds it.
        """
        return math.inf


def spread(seconds: float) -> float:
    """
    Return the most that is added to what a server asked for, so that its clients do not come back in one instant.

    A tenth of the hint, at least one second, but never more than the hint itself.
    """
    return min(seconds, max(SPREAD_LEAST, SPREAD_SHARE * seconds))
