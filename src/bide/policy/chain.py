"""The delay methods that a rule is written with; each adds one link to its chain of delays."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from inspect import signature
from typing import TYPE_CHECKING

from bide.policy.asked import AfterAttribute, AfterBody, AfterHeader, AfterHint, AfterMessage, AfterReset
from bide.policy.loanwords import advising, argument
from bide.policy.schedules import Decorrelated, Delays, Exponential, Fibonacci, Fixed, Immediately, Linear

if TYPE_CHECKING:
    from typing import Self

    from bide.policy.delay import Delay
    from bide.policy.durations import Duration


class Chain:
    """
    A chain of delays: each is tried in turn, and the first that yields a number wins.

    Every method takes `max=`, the retries that the rule allows itself. Durations are seconds, "250ms", "1m30s" or a
    `timedelta`. Hints (`after_...`) are floors with a spread that only adds; a schedule ends the chain.
    """

    __slots__ = ()

    @abstractmethod
    def waits(self, delay: Delay, /, *, max: float | None = None) -> Self:  # noqa: A002  # the language's word
        """Return this rule with one more delay in its chain: for delays of your own."""

    def after_header(self, name: str, *, max: float | None = None) -> Self:  # noqa: A002
        """Wait as a header asks: seconds or an HTTP-date, as `Retry-After` has them."""
        return self.waits(AfterHeader(name), max=max)

    def after_body(self, path: str, *, max: float | None = None) -> Self:  # noqa: A002
        """Wait the seconds that stand at a dotted path of the JSON body, such as "details.retry_after"."""
        return self.waits(AfterBody(path), max=max)

    def after_message(
        self,
        template: str,
        *,
        at: str | None = None,
        max: float | None = None,  # noqa: A002
    ) -> Self:
        """
        Wait as the message for people says, by a template such as "Retry after {seconds} seconds".

        One placeholder: `{seconds}`, `{ms}`, `{minutes}`, `{duration}` or `{date}`. `at`: where the message stands.
        """
        return self.waits(AfterMessage(template, at), max=max)

    def after_attribute(self, name: str, *, max: float | None = None) -> Self:  # noqa: A002
        """Wait the seconds in an attribute of the exception, such as "retry_after"."""
        return self.waits(AfterAttribute(name), max=max)

    def after_reset(self, name: str, *, max: float | None = None) -> Self:  # noqa: A002
        """Wait until the rate limit resets, as a header such as "X-RateLimit-Reset" tells it."""
        return self.waits(AfterReset(name), max=max)

    def after_hint(self, *, max: float | None = None) -> Self:  # noqa: A002
        """Wait as the server asks by any convention known, in their order of precedence."""
        return self.waits(AfterHint(), max=max)

    def exponential(
        self,
        base: Duration = 0.5,
        factor: float = 2.0,
        cap: Duration = 30.0,
        jitter: str | bool = True,  # jitter=True is how the sentence reads
        *,
        max: float | None = None,  # noqa: A002
    ) -> Self:
        """
        Wait below a ceiling that multiplies: base, base * factor, ... up to cap.

        `jitter`: True or "full" (0 to the ceiling), "equal" (half of it to all), "decorrelated", False (the ceiling).
        """
        return self.waits(Exponential(base, factor, cap, jitter), max=max)  # type: ignore[arg-type]  # converted

    def decorrelated(
        self,
        base: Duration = 0.5,
        cap: Duration = 30.0,
        *,
        max: float | None = None,  # noqa: A002
    ) -> Self:
        """Wait between base and three times the last delay, up to cap."""
        return self.waits(Decorrelated(base, cap), max=max)  # type: ignore[arg-type]  # converted

    def linear(
        self,
        base: Duration = 1.0,
        step: Duration = 1.0,
        cap: Duration = 30.0,
        jitter: str | bool = True,
        *,
        max: float | None = None,  # noqa: A002
    ) -> Self:
        """Wait below a ceiling that grows by a step: base, base + step, ... up to cap."""
        return self.waits(Linear(base, step, cap, jitter), max=max)  # type: ignore[arg-type]  # converted

    def fibonacci(
        self,
        base: Duration = 1.0,
        cap: Duration = 30.0,
        jitter: str | bool = True,
        *,
        max: float | None = None,  # noqa: A002
    ) -> Self:
        """Wait below a ceiling that grows as base * 1, 1, 2, 3, 5, ... up to cap."""
        return self.waits(Fibonacci(base, cap, jitter), max=max)  # type: ignore[arg-type]  # converted

    def fixed(
        self,
        seconds: Duration,
        jitter: str | bool = False,
        *,
        max: float | None = None,  # noqa: A002
    ) -> Self:
        """Wait exactly this long, unless a jitter is asked for."""
        return self.waits(Fixed(seconds, jitter), max=max)  # type: ignore[arg-type]  # converted

    def delays(self, *seconds: Duration, max: float | None = None) -> Self:  # noqa: A002
        """Wait these delays in turn; the last is repeated."""
        return self.waits(Delays(seconds), max=max)  # type: ignore[arg-type]  # converted

    def immediately(self, *, max: float | None = None) -> Self:  # noqa: A002
        """Wait not at all."""
        return self.waits(Immediately(), max=max)


for _name, _method in list(vars(Chain).items()):
    if callable(_method):
        # Python's own TypeErrors name a method by this: as it is written, not by the class that nobody knows.
        _method.__qualname__ = f"retry_on(...).{_name}"
        setattr(Chain, _name, advising(partial(argument, known=signature(_method).parameters))(_method))
