"""A store in this process's memory, for its threads and tasks."""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from typing import Final

import attrs

from bide.fleet.forking import lock_across_forks
from bide.fleet.store import Window

_SWEPT_EVERY: Final = 1024
"""New keys after which those that no longer hold anybody back are let go."""
_SAME_WINDOW: Final = 1.5
"""Seconds by which resets of one window may differ, told in whole seconds as they are."""
_LOCK: Final = lock_across_forks()
"""One for all stores: it is held for a few steps only."""


@attrs.define(eq=False)
class _Row:
    """The turns that were given of late, oldest first: at most so many in any span; and those that were given back."""

    turns: deque[float]
    seconds: float
    free: list[float] = attrs.field(factory=list[float])

    def take(self, now: float) -> float:
        while self.free and self.free[0] < now:
            heappop(self.free)
        if self.free:
            return heappop(self.free)  # it stands among the turns still: those after it were told by it
        full = len(self.turns) == self.turns.maxlen
        self.turns.append(max(now, self.turns[0] + self.seconds) if full else now)
        return self.turns[-1]

    def over(self, now: float) -> bool:
        return self.turns[-1] + self.seconds <= now


@attrs.define(eq=False)
class _Left:
    """What is left of a server's limit, and when it is counted anew."""

    requests: int
    resets: float

    def over(self, now: float) -> bool:
        return self.resets <= now


class MemoryStore:
    """
    What callers in one process share; the default of every binding.

    Hand one to several bindings, `policy.bind(store=store)`, and they pace together.
    """

    __slots__ = ("_left", "_new", "_rows")

    def __init__(self) -> None:
        self._rows: dict[str, _Row] = {}
        self._left: dict[str, _Left] = {}
        self._new = 0

    def __reduce__(self) -> tuple[type[MemoryStore], tuple[()]]:
        return MemoryStore, ()  # another process's memory is another store

    def slot(self, key: str, most: int, seconds: float, now: float) -> float:
        """Return the seconds until the turn that is taken with this; 0 when it is now."""
        with _LOCK:
            row = self._rows.get(key)
            if row is None or row.turns.maxlen != most or row.seconds != seconds:
                self._sweep(now)
                row = self._rows[key] = _Row(deque(maxlen=most), seconds)
            return row.take(now) - now

    def give_back(self, key: str, turn: float, now: float) -> None:
        """Let whoever comes next have a turn that nobody takes."""
        with _LOCK:
            row = self._rows.get(key)
            if row is not None:
                heappush(row.free, now + turn)

    def window(self, key: str, now: float) -> float:
        """Return 0 when one of the requests that remain is taken with this; else the seconds until the reset."""
        with _LOCK:
            left = self._left.get(key)
            if left is None:
                return 0.0
            if left.over(now):
                del self._left[key]
                return 0.0
            if left.requests > 0:
                left.requests -= 1
                return 0.0
            return left.resets - now

    def observe(self, key: str, window: Window, now: float) -> None:
        """
        Remember what the server said; of one window the least, since answers overtake one another.

        Of two windows, an hour's and a minute's, the longer one is kept, unless only the shorter one is used up.
        """
        resets = now + window.resets_in
        with _LOCK:
            left = self._left.get(key)
            if left is None or left.over(now) or resets > left.resets + _SAME_WINDOW:
                self._sweep(now)
                self._left[key] = _Left(window.remaining, resets)
            elif resets >= left.resets - _SAME_WINDOW:
                left.requests = min(left.requests, window.remaining)
            elif window.remaining == 0 < left.requests:
                self._left[key] = _Left(0, resets)

    async def aslot(self, key: str, most: int, seconds: float, now: float) -> float:
        """Do as `slot` does: memory answers at once."""
        return self.slot(key, most, seconds, now)

    async def awindow(self, key: str, now: float) -> float:
        """Do as `window` does: memory answers at once."""
        return self.window(key, now)

    def _sweep(self, now: float) -> None:
        """Let go of keys that hold nobody back any more: there may be one for every user of a service."""
        self._new += 1
        if self._new % _SWEPT_EVERY == 0:
            self._rows = {key: row for key, row in self._rows.items() if not row.over(now)}
            self._left = {key: left for key, left in self._left.items() if not left.over(now)}
