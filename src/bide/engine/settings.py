"""What a bound policy knows before any call: its clock, its chance, its listeners, and what can be worked out once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from math import inf
from typing import Final

from bide.engine.chaining import chain, isolate
from bide.engine.clock import SYSTEM_RANDOM, Clock, RandomSource
from bide.engine.deadline import Deadline, enclosing
from bide.engine.events import ConditionFailed, Event, Listener
from bide.engine.pacing import Pacer
from bide.engine.plan import Plan
from bide.engine.recovery import Recoveries
from bide.fleet.store import Store
from bide.policy.condition import NO_STATUS
from bide.policy.errors import callable_name
from bide.policy.policy import Policy

_KNOWN_SOURCES: Final = ("random", "bide.testing.scripts")


class Settings:
    """One policy, bound; shared by all its calls and never changed."""

    __slots__ = (
        "attended", "body_statuses", "clock", "draws_surely", "judges_values", "listeners", "listening", "name", "needs_clock",
        "pacer", "plan", "policy", "random", "reads_error_bodies", "recoveries", "recovers", "sees_values", "size",
        "statuses",
    )  # fmt: skip

    def __init__(
        self,
        policy: Policy,
        clock: Clock,
        rng: RandomSource,
        listeners: Sequence[Listener],
        name: str | None,
        recoveries: Recoveries,
        store: Store,
    ) -> None:
        clauses = policy.clauses
        self.policy = policy
        self.clock = clock
        self.draws_surely = type(rng).__module__ in _KNOWN_SOURCES or rng is SYSTEM_RANDOM
        """Whether draws neither raise nor leave [0, 1)."""
        self.random: Callable[[], float] = rng.random if self.draws_surely else partial(_drawn, rng)
        self.listeners = tuple(listeners)
        self.listening = _anybody(self.listeners)
        self.name = policy.name if name is None else name
        self.size = len(clauses)
        self.plan = Plan(clauses, policy.limits)
        self.needs_clock = policy.limits.within is not None or any(
            clause.within is not None for clause in clauses
        )
        self.sees_values = any(clause.sees_values for clause in clauses)
        self.statuses = NO_STATUS.union(*(clause.reach for clause in clauses))
        self.pacer = Pacer.of(policy.limits, store)
        heeds_headers = policy.limits.pace_by_headers is not None
        self.judges_values = self.sees_values or bool(self.statuses) or heeds_headers
        self.recoveries = recoveries
        recovering = [clause for clause in clauses if clause.recovery is not None]
        self.recovers = bool(recovering)
        self.attended = self.recovers or self.pacer is not None
        """Whether a call is there before its first attempt, which is not simply made."""
        reading = [clause for clause in clauses if clause.reads_body]
        self.body_statuses = NO_STATUS.union(*(clause.reach for clause in reading + recovering))
        """Where bodies are read ahead: a rule asks, or an action is taken, which may need the connection."""
        self.reads_error_bodies = bool(reading)

    def deadline(self, started: float) -> Deadline:
        """Return the deadline, already in force, of an attempt by which a call began."""
        within = inf if self.policy.limits.within is None else self.policy.limits.within
        return Deadline(self.clock, min(enclosing(self.clock), started + within))

    def name_of(self, fn: object) -> str:
        """Return what the events of a call are named after: the policy's name, else the function's."""
        return self.name or callable_name(fn)

    def tell(self, event: Event, about: object = None) -> None:
        """Tell every listener; one that raises is reported to the others, and chained to the error that it is about."""
        for listener in self.listeners:
            try:
                listener(event)
            except Exception as fault:  # the call's outcome does not depend on a listener's fault
                self.report(ConditionFailed(event.name, event.attempt, event.outcome, fault), source=listener)
                if isinstance(about, BaseException):
                    chain(about, fault, f"the listener {callable_name(listener)}")

    def report(self, event: ConditionFailed, source: Listener | None = None, about: object = None) -> None:
        """Report a fault once to every listener but its source; what they make of it changes nothing."""
        if event.error is not about:  # else it is the call's own error, raised again, and stays as it is
            isolate(event.error)
        for listener in self.listeners:
            if listener is not source:
                with suppress(Exception):
                    listener(event)


def _drawn(rng: RandomSource) -> float:
    """
    Return a draw of a source that nobody knows.

    Raises:
        ValueError: it is not in [0, 1), and would make a wait that nobody asked for.
    """
    draw = rng.random()
    if not 0 <= draw < 1:
        raise ValueError(f"a random source draws from [0, 1); {type(rng).__name__} drew {draw!r:.40}")
    return draw


def _anybody(listeners: Sequence[Listener]) -> Callable[[], bool]:
    """Return what tells whether a listener wants events of retries now, as cheaply as it can be told."""
    wants = [_wants(listener) for listener in listeners]
    return wants[0] if len(wants) == 1 else partial(_any_of, wants)


def _wants(listener: Listener) -> Callable[[], bool]:
    """Return what a listener says of its wants; one that raises when asked is told everything."""
    ask: Callable[[], bool] = getattr(listener, "wants", _everything)

    def wanted() -> bool:
        try:
            return bool(ask())
        except Exception:
            return True

    return (
        ask if type(listener).__module__.startswith("bide.") else wanted
    )  # ours do not raise, and cost a call less


def _everything() -> bool:
    return True


def _any_of(wants: Sequence[Callable[[], bool]]) -> bool:
    return any(want() for want in wants)
