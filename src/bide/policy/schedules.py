"""Our own delays: exponential, decorrelated, linear, fixed, fibonacci, a list, none; and their jitter."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import attrs

from bide.policy import params
from bide.policy.delay import Ask, Delay, Span
from bide.policy.errors import PolicyError
from bide.policy.registry import delay

_FIBONACCI_END = 1476  # F(1476) is the last that a float holds
_NO_DELAY = "; no delay at all is written immediately()"


def jittered(ceiling: float, jitter: str | bool, *, base: float, cap: float, previous: float) -> Span:
    """
    Return the range below a ceiling that a jitter draws from; the cap bounds the range, so jitter never vanishes at it.

    "full": 0 to the ceiling. "equal": half the ceiling to all of it. "decorrelated": base to three times the last
    delay, or three times the base at first. False: the ceiling itself.

    Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    if jitter == "full":
        return Span(0.0, ceiling)
    if jitter == "equal":
        return Span(ceiling / 2, ceiling)
    if jitter == "decorrelated":
        return Span(base, min(cap, 3 * max(base, previous)))
    return Span(ceiling, ceiling)


def grown(base: float, factor: float, times: int, cap: float) -> float:
    """Return base * factor ** times, or the cap, if that is less or the power is beyond what a float holds."""
    try:
        return min(cap, base * factor**times)
    except OverflowError:
        return cap


class _Capped(Delay):
    """A schedule that grows from a base to a cap."""

    __slots__ = ()
    base: float
    cap: float

    def __attrs_post_init__(self) -> None:
        if self.cap < self.base:
            raise PolicyError(
                f"{self.spelled}: cap ({self.cap:g}s) is less than base ({self.base:g}s); swap or raise it",
                argument="cap",
            )


class _Ceiling(_Capped):
    """A schedule with a ceiling for each retry, and jitter below it."""

    __slots__ = ()
    jitter: str | bool

    @abstractmethod
    def ceiling(self, retry: int) -> float:
        """Return the ceiling before the given retry (from 1), never above the cap."""

    def span(self, ask: Ask) -> Span:
        most = self.longest(ask.retry)
        return jittered(most, self.jitter, base=self.base, cap=most, previous=ask.previous)

    def longest(self, retry: int) -> float:
        if self.jitter == "decorrelated":
            return grown(self.base, 3.0, retry, self.cap)
        return self.ceiling(retry)


@delay("exponential")
@attrs.frozen(eq=False, repr=False)
class Exponential(_Ceiling):
    """Ceilings that multiply: base, base * factor, base * factor ** 2, ... up to the cap."""

    spelled: ClassVar[str]
    base: float = params.seconds(0.5, positive=True, instead=_NO_DELAY)
    factor: float = params.number(2.0, least=1.0)
    cap: float = params.seconds(30.0, positive=True, instead=_NO_DELAY)
    jitter: str | bool = params.jitter("full")

    def ceiling(self, retry: int) -> float:
        return grown(self.base, self.factor, retry - 1, self.cap)


@delay("decorrelated")
@attrs.frozen(eq=False, repr=False)
class Decorrelated(_Capped):
    """Each delay between base and three times the one before, up to the cap."""

    spelled: ClassVar[str]
    base: float = params.seconds(0.5, positive=True, instead=_NO_DELAY)
    cap: float = params.seconds(30.0, positive=True, instead=_NO_DELAY)

    def span(self, ask: Ask) -> Span:
        most = self.longest(ask.retry)
        return jittered(most, "decorrelated", base=self.base, cap=most, previous=ask.previous)

    def longest(self, retry: int) -> float:
        return grown(self.base, 3.0, retry, self.cap)


@delay("linear")
@attrs.frozen(eq=False, repr=False)
class Linear(_Ceiling):
    """Ceilings that grow by the same step: base, base + step, base + 2 * step, ... up to the cap."""

    spelled: ClassVar[str]
    base: float = params.seconds(1.0, positive=True, instead=_NO_DELAY)
    step: float = params.seconds(1.0)
    cap: float = params.seconds(30.0, positive=True, instead=_NO_DELAY)
    jitter: str | bool = params.jitter("full")

    def ceiling(self, retry: int) -> float:
        return min(self.cap, self.base + self.step * (retry - 1))


@delay("fibonacci")
@attrs.frozen(eq=False, repr=False)
class Fibonacci(_Ceiling):
    """Ceilings that grow as base * 1, 1, 2, 3, 5, 8, ... up to the cap."""

    spelled: ClassVar[str]
    base: float = params.seconds(1.0, positive=True, instead=_NO_DELAY)
    cap: float = params.seconds(30.0, positive=True, instead=_NO_DELAY)
    jitter: str | bool = params.jitter("full")

    def ceiling(self, retry: int) -> float:
        before, number = 0.0, 1.0
        for _ in range(min(retry, _FIBONACCI_END) - 1):
            before, number = number, before + number
            if self.base * number >= self.cap:
                break
        return min(self.cap, self.base * number)


@delay("fixed")
@attrs.frozen(eq=False, repr=False)
class Fixed(Delay):
    """The same delay before every retry; exactly it, unless a jitter is asked for."""

    spelled: ClassVar[str]
    seconds: float = params.seconds()
    jitter: str | bool = params.jitter(default=False)

    def span(self, ask: Ask) -> Span:
        return jittered(
            self.seconds, self.jitter, base=self.seconds, cap=self.seconds * 3, previous=ask.previous
        )

    def longest(self, retry: int) -> float:
        return self.seconds * 3 if self.jitter == "decorrelated" else self.seconds


@delay("delays")
@attrs.frozen(eq=False, repr=False)
class Delays(Delay):
    """These delays in turn; the last is repeated."""

    spelled: ClassVar[str]
    seconds: tuple[float, ...] = params.several_seconds()

    def span(self, ask: Ask) -> Span:
        chosen = self.seconds[min(ask.retry, len(self.seconds)) - 1]
        return Span(chosen, chosen)

    def longest(self, retry: int) -> float:
        return self.seconds[min(retry, len(self.seconds)) - 1]


@delay("immediately")
@attrs.frozen(eq=False, repr=False)
class Immediately(Delay):
    """No delay at all; the loop still yields to other tasks."""

    spelled: ClassVar[str]

    def span(self, ask: Ask) -> Span:
        return Span(0.0, 0.0)

    def longest(self, retry: int) -> float:
        return 0.0


DEFAULT_SCHEDULE = Exponential()
