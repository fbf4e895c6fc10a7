"""A store in this process's memory, for its threads and tasks."""

from __future__ import annotations

import threading
from collections import deque
from typing import Final

import attrs

from bide.fleet.store import Window

_SWEPT_EVERY: Final = 1024
"""New keys after which those that no longer hold anybody back are let go."""
_SAME_WINDOW: Final = 1.5
"""Seconds by which resets of one window may differ, told in whole seconds as they are."""


@attrs.define(eq=False)
class _Row:
    """The turns that were given of late, oldest first: at most so many in any span."""

    turns: deque[float]
    seconds: float

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

    __slots__ = ("_left", "_lock", "_new", "_rows")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[str, _Row] = {}
        self._left: dict[str, _Left] = {}
        self._new = 0

    def __reduce__(self) -> tuple[type[MemoryStore], tuple[()]]:
        return MemoryStore, ()  # another process's memory is another store

    def slot(self, key: str, most: int, seconds: float, now: float) -> float:
        """Return the seconds until the turn that is taken with this; 0 when it is now."""
        with self._lock:
            row = self._rows.get(key)
            if row is None or row.turns.maxlen != most or row.seconds != seconds:
                self._sweep(now)
                row = self._rows[key] = _Row(deque(maxlen=most), seconds)
            turn = now if len(row.turns) < most else max(now, row.turns[0] + seconds)
            row.turns.append(turn)
            return turn - now

    def window(self, key: str, now: float) -> float:
        """Return 0 when one of the requests that remain is taken with this; else the seconds until the reset."""
        with self._lock:
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
        """Remember what the server said; of one window the least, since answers overtake one another."""
        resets = now + window.resets_in
        with self._lock:
            left = self._left.get(key)
            if left is None or left.over(now) or resets > left.resets + _SAME_WINDOW:
                self._sweep(now)
                self._left[key] = _Left(window.remaining, resets)
            else:
                left.requests = min(left.requests, window.remaining)

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
