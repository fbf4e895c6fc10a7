"""What listeners are told: frozen events of one call, without arguments, bodies, addresses or credentials."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from bide.policy.decision import Reason


@attrs.frozen
class Event:
    """
    Something that happened to one call.

    `name`: the policy's name, else the function's. `attempt`: from 1. `outcome`: a status or the name of an exception.
    """

    name: str
    attempt: int
    outcome: str


@attrs.frozen
class AttemptFailed(Event):
    """An attempt came to an outcome that a rule is about; `rule` is its index from 0."""

    rule: int


@attrs.frozen
class RetryScheduled(Event):
    """Another attempt follows after `delay` seconds; `source` names the hint that asked for it."""

    rule: int
    delay: float
    source: str | None = None


@attrs.frozen
class Recovered(Event):
    """A recovery was taken, by this call or by another that needed it at the same time; another attempt follows."""

    rule: int
    recovery: str


@attrs.frozen
class Paced(Event):
    """An attempt waits `delay` seconds for its pace; of a first attempt `outcome` is empty."""

    delay: float


@attrs.frozen
class RecoveryFailed(Event):
    """A recovery raised `error`, or is not bound (None): no further attempt, since it could only fail again."""

    rule: int
    recovery: str
    error: Exception | None = None


@attrs.frozen
class GaveUp(Event):
    """No further attempt; `retry_at` is epoch seconds, when the server would welcome one."""

    reason: Reason
    rule: int | None = None
    retry_at: float | None = None


@attrs.frozen
class Succeeded(Event):
    """A call that had failed before came to a value; first attempts that succeed cost nothing, and say nothing."""


@attrs.frozen
class ConditionFailed(Event):
    """
    A condition, delay, listener or store of the user's raised; the call's own outcome stands. `error` is what it raised.

    `outcome` is empty where there was none yet: a store is asked before an attempt.
    """

    error: Exception


Listener = Callable[[Event], object]
"""
A callable of one event. What it raises is reported once and changes nothing.

An attribute `wants`, a callable without arguments, says whether events of retries are worth making at all.
"""

default_listeners: Final[list[Listener]] = []
"""Listeners of every policy that is bound without any of its own; `bide.observe.logs` is there from the start."""
