"""Delays that the server asked for, by header, body, message or exception attribute."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import attrs

from bide.policy import hints, params
from bide.policy.delay import Ask, Delay, Span, spread
from bide.policy.errors import PolicyError, shown
from bide.policy.hints import Hint
from bide.policy.registry import delay


class Asked(Delay):
    """A hint: a floor, never undercut, with a spread that only adds; nothing usable yields nothing."""

    __slots__ = ()
    schedule: ClassVar[bool] = False

    @abstractmethod
    def read(self, ask: Ask) -> Hint | None:
        """Return what the server asks for, or None."""

    def span(self, ask: Ask) -> Span | None:
        hint = self.read(ask)
        if hint is None or hint.delay <= 0:  # zero, or a date gone by: our own delay is the floor
            return None
        return Span(hint.delay, hint.delay + spread(hint.delay), hint.source)


def _date(ask: Ask) -> str | None:
    return next(iter(ask.outcome.values("date")), None)


@delay("after_header")
@attrs.frozen(eq=False, repr=False)
class AfterHeader(Asked):
    """What a header asks for: seconds, or an HTTP-date read against the response's own `Date`."""

    spelled: ClassVar[str]
    header: str = params.header_name(alias="name")

    def read(self, ask: Ask) -> Hint | None:
        values = ask.outcome.values(self.header)
        return hints.header(self.header, values, now=ask.now, date=_date(ask)) if values else None


@delay("after_reset")
@attrs.frozen(eq=False, repr=False)
class AfterReset(Asked):
    """The time until a rate limit resets, as a header tells it: seconds, an epoch, milliseconds, a duration, a date."""

    spelled: ClassVar[str]
    header: str = params.header_name(alias="name")

    def read(self, ask: Ask) -> Hint | None:
        values = ask.outcome.values(self.header)
        if not values:
            return None
        remaining = ask.outcome.values(hints.gate_of(self.header))
        return hints.reset(self.header, values, remaining=remaining, now=ask.now, date=_date(ask))


@delay("after_body")
@attrs.frozen(eq=False, repr=False)
class AfterBody(Asked):
    """The number of seconds at a dotted path of the JSON body, such as "details.retry_after"."""

    spelled: ClassVar[str]
    reads_body: ClassVar[bool] = True
    path: str = params.place()

    def read(self, ask: Ask) -> Hint | None:
        seconds = hints.value(ask.outcome.at(self.path))
        return None if seconds is None else Hint(seconds, f"body {self.path}")


@delay("after_message")
@attrs.frozen(eq=False, repr=False)
class AfterMessage(Asked):
    """What the message for people says, by a template such as "Retry after {seconds} seconds"."""

    spelled: ClassVar[str]
    reads_body: ClassVar[bool] = True
    template: str = params.text()
    at: str | None = params.place(None, keyword=True)

    def __attrs_post_init__(self) -> None:
        try:
            hints.check_template(self.template)
        except ValueError as error:
            raise PolicyError(f"after_message: {error}", argument="template") from None

    def read(self, ask: Ask) -> Hint | None:
        said = ask.outcome.read_message(self.at)
        seconds = None if said is None else hints.message(self.template, said, now=ask.now)
        return None if seconds is None else Hint(seconds, "message")


@delay("after_attribute")
@attrs.frozen(eq=False, repr=False)
class AfterAttribute(Asked):
    """The number of seconds in an attribute of the exception, such as "retry_after"."""

    spelled: ClassVar[str]
    attribute: str = params.named(alias="name")

    def __attrs_post_init__(self) -> None:
        if not all(part.isidentifier() and not part.startswith("_") for part in self.attribute.split(".")):
            raise PolicyError(
                f"after_attribute takes a public attribute's name; got {shown(self.attribute)}",
                argument="name",
            )

    def read(self, ask: Ask) -> Hint | None:
        found: object = ask.outcome.error
        for part in self.attribute.split("."):
            try:
                found = getattr(found, part, None)
            except Exception:  # a property of somebody's exception: a malformed hint is no hint
                return None
        seconds = hints.value(found)
        return None if seconds is None else Hint(seconds, f"attribute {self.attribute}")


@delay("after_hint")
@attrs.frozen(eq=False, repr=False)
class AfterHint(Asked):
    """What the server asks for by any convention known, in their order of precedence."""

    spelled: ClassVar[str]
    reads_body: ClassVar[bool] = True

    def read(self, ask: Ask) -> Hint | None:
        return ask.outcome.hint(ask.now)
