"""Pacing: when an attempt may begin, by a rate of our own and by what the server says is left of its limit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from math import inf
from typing import Final, Protocol, TypeVar

import attrs

from bide.engine.clock import Clock
from bide.fleet.store import Store, Window
from bide.fleet.stores.memory import MemoryStore
from bide.policy import hints
from bide.policy.delay import spread
from bide.policy.errors import PolicyError
from bide.policy.limits import Limits, Pace, PaceByHeaders
from bide.policy.outcome import Outcome

T = TypeVar("T")
_USED_UP: Final = ("0",)
_FARTHEST: Final = 86_400.0
"""Seconds: a reset that is farther away than a day is a mistake, or nothing that a call can wait for."""
_LONGEST: Final = 18
"""Digits of what is left."""


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


class Caller(Protocol):
    """A call, as far as its pace is concerned."""

    def place(self) -> Place:
        """Return where it goes."""
        ...

    def pause(self, least: float, most: float) -> float:
        """Return how long it waits, or raise PaceTimeout when its deadline does not leave that long."""
        ...

    def store_failed(self, fault: Exception) -> None:
        """Take in that the store raised."""
        ...


@attrs.define(eq=False)
class Pacer:
    """
    What a bound policy says of its pace, and the store that it is kept in.

    A store that raises loses nobody's call: the process's own memory takes over until the store answers again.
    """

    rate: Pace | None
    by_headers: PaceByHeaders | None
    store: Store
    _memory: Store = attrs.field(init=False, factory=MemoryStore)
    _fails: bool = attrs.field(init=False, default=False)
    _waiting: int = attrs.field(init=False, default=0)

    @classmethod
    def of(cls, limits: Limits, store: Store) -> Pacer | None:
        """Return the pacer of a policy, or None when it says nothing of a pace."""
        if limits.pace is None and limits.pace_by_headers is None:
            return None
        return cls(limits.pace, limits.pace_by_headers, store)

    def keep(self, clock: Clock, caller: Caller) -> float:
        """Wait until an attempt may begin, and return how long that was."""
        began = now = clock.monotonic()
        if self.rate is not None:
            key, most = caller.place().key(self.rate), self.rate.most
            turn = self._ask(caller, lambda store: _seconds(store.slot(key, *most, began)))
            if turn > 0:
                with self._given_back(caller, key, began, turn):
                    clock.sleep(caller.pause(turn, turn))
                now = max(now + turn, clock.monotonic())
        if self.by_headers is not None:
            told = caller.place().key(self.by_headers)
            while (wait := self._window(caller, told, now)) > 0:
                with self._queued(wait) as longest:
                    clock.sleep(caller.pause(wait, longest))
                now = max(now + wait, clock.monotonic())
        return clock.monotonic() - began

    async def akeep(self, clock: Clock, caller: Caller) -> float:
        """Wait until an attempt may begin, and return how long that was."""
        began = now = clock.monotonic()
        if self.rate is not None:
            key, most = caller.place().key(self.rate), self.rate.most
            turn = await self._aask(caller, lambda store: store.aslot(key, *most, began))
            if turn > 0:
                with self._given_back(caller, key, began, turn):
                    await clock.asleep(caller.pause(turn, turn))
                now = max(now + turn, clock.monotonic())
        if self.by_headers is not None:
            told = caller.place().key(self.by_headers)
            while (wait := await self._awindow(caller, told, now)) > 0:
                with self._queued(wait) as longest:
                    await clock.asleep(caller.pause(wait, longest))
                now = max(now + wait, clock.monotonic())
        return clock.monotonic() - began

    def observe(self, clock: Clock, caller: Caller, outcome: Outcome) -> None:
        """Remember what a response says of the server's limit, whatever its status; what makes no sense says nothing."""
        said = self.by_headers
        if said is None:
            return
        counts = [_count(value.strip()) for value in outcome.values(said.remaining)]
        remaining = [count for count in counts if count is not None]
        date = next(iter(outcome.values("date")), None)
        hint = hints.reset(
            said.reset, outcome.values(said.reset), remaining=_USED_UP, now=clock.time(), date=date
        )
        if remaining and hint is not None and 0 < hint.delay <= _FARTHEST:
            key, window = caller.place().key(said), Window(min(remaining), hint.delay)
            self._ask(caller, lambda store: store.observe(key, window, clock.monotonic()))

    @contextmanager
    def _given_back(self, caller: Caller, key: str, now: float, turn: float) -> Generator[None]:
        """Let whoever comes next have a turn that nobody takes: its wait is refused, or broken off."""
        try:
            yield
        except BaseException:
            self._ask(caller, lambda store: store.give_back(key, turn, now))
            raise

    @contextmanager
    def _queued(self, wait: float) -> Generator[float]:
        """Yield the longest that a caller waits for a reset: where others wait too, they come back one after another."""
        longest = wait + spread(wait) if self._waiting else wait
        self._waiting += 1
        try:
            yield longest
        finally:
            self._waiting -= 1

    def _window(self, caller: Caller, key: str, now: float) -> float:
        return self._ask(caller, lambda store: _seconds(store.window(key, now)))

    async def _awindow(self, caller: Caller, key: str, now: float) -> float:
        return await self._aask(caller, lambda store: store.awindow(key, now))

    def _ask(self, caller: Caller, question: Callable[[Store], T]) -> T:
        try:
            answer = question(self.store)
        except Exception as fault:
            self._failed(caller, fault)
            return question(self._memory)
        self._fails = False
        return answer

    async def _aask(self, caller: Caller, question: Callable[[Store], Awaitable[float]]) -> float:
        try:
            answer = _seconds(await question(self.store))
        except Exception as fault:
            self._failed(caller, fault)
            return await question(self._memory)
        self._fails = False
        return answer

    def _failed(self, caller: Caller, fault: Exception) -> None:
        """Tell of a store that fails once, and not again before it has answered."""
        if not self._fails:
            self._fails = True
            caller.store_failed(fault)


def _seconds(answer: float) -> float:
    if not 0 <= answer < inf:
        raise ValueError(f"a store answers with seconds, not with {answer!r:.60}")
    return answer


def _count(value: str) -> int | None:
    """Return what is left in whole requests, of which some servers count fractions too; None when nothing is told."""
    whole, _, fraction = value.partition(".")
    told = value.isascii() and whole.isdecimal() and (not fraction or fraction.isdecimal())
    return int(whole) if told and len(whole) <= _LONGEST else None
