"""Pacing: when an attempt may begin, by a rate of our own and by what the server says is left of its limit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import attrs

from bide.engine.clock import Clock
from bide.fleet.store import Store, Window
from bide.policy import hints
from bide.policy.errors import PolicyError
from bide.policy.limits import Limits, Pace, PaceByHeaders
from bide.policy.outcome import Outcome

_USED_UP: Final = ("0",)


class PaceTimeout(TimeoutError):  # noqa: N818  # as AttemptTimeout
    """A call's deadline ends before its pace lets an attempt begin; nothing was sent."""


@attrs.frozen(eq=False)
class Place:
    """
    Where a call goes: what keys are made of.

    `params` are the parts of the path that the endpoint's pattern names. A function knows no host: its name stands for it.
    """

    host: str
    endpoint: str
    params: Mapping[str, str] = attrs.field(factory=dict[str, str])

    def key(self, said: Pace | PaceByHeaders) -> str:
        """
        Return the key under which callers share what a policy says of its pace.

        Raises:
            PolicyError: it is said per a part of the path that the endpoint's pattern does not name.
        """
        named = {"host": self.host, "endpoint": self.endpoint, "policy": ""}
        value = named.get(said.per, self.params.get(said.per))
        if value is None:
            raise PolicyError(
                f".{said.spelled}(per={said.per!r}): the endpoint {self.endpoint!r:.80} has no part of that name; write "
                f'it into its pattern, as in "POST /items/{{{said.per}}}", or say per="host"'
            )
        what = said.rate if isinstance(said, Pace) else said.remaining.lower()
        return f"{what} per {said.per} {value}"


@attrs.frozen(eq=False)
class Pacer:
    """What a bound policy says of its pace, and the store that it is kept in."""

    rate: Pace | None
    by_headers: PaceByHeaders | None
    store: Store

    @classmethod
    def of(cls, limits: Limits, store: Store) -> Pacer | None:
        """Return the pacer of a policy, or None when it says nothing of a pace."""
        if limits.pace is None and limits.pace_by_headers is None:
            return None
        return cls(limits.pace, limits.pace_by_headers, store)

    def keep(self, clock: Clock, place: Place, pause: Callable[[float], float]) -> None:
        """Wait until an attempt may begin; `pause` is asked before each wait, and may refuse it."""
        if self.rate is not None:
            turn = self.store.slot(place.key(self.rate), *self.rate.most, clock.monotonic())
            if turn > 0:
                clock.sleep(pause(turn))
        if self.by_headers is not None:
            key = place.key(self.by_headers)
            while (wait := self.store.window(key, clock.monotonic())) > 0:
                clock.sleep(pause(wait))

    async def akeep(self, clock: Clock, place: Place, pause: Callable[[float], float]) -> None:
        """Wait until an attempt may begin; `pause` is asked before each wait, and may refuse it."""
        if self.rate is not None:
            turn = await self.store.aslot(place.key(self.rate), *self.rate.most, clock.monotonic())
            if turn > 0:
                await clock.asleep(pause(turn))
        if self.by_headers is not None:
            key = place.key(self.by_headers)
            while (wait := await self.store.awindow(key, clock.monotonic())) > 0:
                await clock.asleep(pause(wait))

    def observe(self, clock: Clock, place: Place, outcome: Outcome) -> None:
        """Remember what a response says of the server's limit, whatever its status; what makes no sense says nothing."""
        said = self.by_headers
        if said is None:
            return
        remaining = [
            int(value) for value in map(str.strip, outcome.values(said.remaining)) if _is_count(value)
        ]
        date = next(iter(outcome.values("date")), None)
        hint = hints.reset(
            said.reset, outcome.values(said.reset), remaining=_USED_UP, now=clock.time(), date=date
        )
        if remaining and hint is not None and hint.delay > 0:
            self.store.observe(place.key(said), Window(min(remaining), hint.delay), clock.monotonic())


def _is_count(value: str) -> bool:
    return value.isascii() and value.isdecimal() and len(value) <= 18
