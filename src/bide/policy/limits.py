"""What binds a whole call: attempts, deadline, timeout, and what many callers share."""

from __future__ import annotations

from typing import ClassVar, cast

import attrs

from bide.policy import params
from bide.policy.durations import rate_of
from bide.policy.errors import PolicyError
from bide.policy.params import FOREVER
from bide.policy.term import Term


@attrs.frozen(eq=False, repr=False)
class Budget(Term):
    """How many retries are allowed, as a share of the calls."""

    spelled: ClassVar[str] = "budget"
    share: float = params.share()
    per: str = params.choice("process", "process", "host", "fleet", keyword=True)


@attrs.frozen(eq=False, repr=False)
class Cooldown(Term):
    """A pause that one caller's hint imposes on every caller with the same key."""

    spelled: ClassVar[str] = "cooldown"
    per: str = params.text("host", keyword=True)


@attrs.frozen(eq=False, repr=False)
class Breaker(Term):
    """Refuse calls for a while after too many failures."""

    spelled: ClassVar[str] = "breaker"
    failures: float = params.count(5, least=1)
    cooldown: float = params.seconds(30.0, positive=True)
    per: str = params.text("host", keyword=True)


@attrs.frozen(eq=False, repr=False)
class Hedge(Term):
    """Begin another attempt when the first has not ended in time."""

    spelled: ClassVar[str] = "hedge"
    after: float = params.seconds(positive=True)
    max: float = params.count(1, least=1)


@attrs.frozen(eq=False, repr=False)
class Pace(Term):
    """At most so many calls in a time, such as "60/minute"; what is too many waits."""

    spelled: ClassVar[str] = "pace"
    rate: str = params.rate()
    per: str = params.name("host", keyword=True)

    @property
    def most(self) -> tuple[int, float]:
        """How many attempts may begin in any span of how many seconds."""
        return cast("tuple[int, float]", rate_of(self.rate))  # the field has made sure of it


@attrs.frozen(eq=False, repr=False)
class PaceByHeaders(Term):
    """Wait for the reset once the server's headers say that nothing remains of its limit."""

    spelled: ClassVar[str] = "pace_by_headers"
    remaining: str = params.header_name("remaining", "X-RateLimit-Remaining")
    reset: str = params.header_name("reset", "X-RateLimit-Reset")
    per: str = params.name("host", keyword=True)


@attrs.frozen
class Limits:
    """Everything that is said of the whole call; None where nothing is said. Seconds."""

    attempts: float | None = params.count(None, least=1)
    within: float | None = params.seconds(None, positive=True)
    timeout: float | None = params.seconds(None, positive=True)
    budget: Budget | None = None
    cooldown: Cooldown | None = None
    breaker: Breaker | None = None
    hedge: Hedge | None = None
    pace: Pace | None = None
    pace_by_headers: PaceByHeaders | None = None
    over_inner: bool = False
    name: str | None = params.text(None)
    ceiling: float = attrs.field(default=FOREVER, eq=False, repr=False)
    """Attempts at which a call ends even where a rule says forever: what comes from text has one, and says nothing of it."""

    @property
    def said(self) -> bool:
        """Whether anything but the name is said."""
        return attrs.evolve(self, name=None) != NO_LIMITS

    @property
    def not_available(self) -> list[str]:
        """The names of what parses and prints, but nothing enforces yet."""
        return [name for name in _NOT_YET if getattr(self, name) is not None]


_NOT_YET = ("budget", "cooldown", "breaker", "hedge")
NO_LIMITS = Limits()


def joined(left: Limits, right: Limits) -> Limits:
    """
    Return the limits of two policies joined by `|`: those of the one that has any.

    Raises:
        PolicyError: both limit the whole call.
    """
    if left.said and right.said:
        raise PolicyError(
            "both sides of | limit the whole call, and only one may: join the rules first and limit them together, "
            "as in (a | b).attempts(5).within(30s)"
        )
    name = left.name if left.name is not None else right.name
    ceiling = min(left.ceiling, right.ceiling)
    return attrs.evolve(left if left.said else right, name=name, ceiling=ceiling)
