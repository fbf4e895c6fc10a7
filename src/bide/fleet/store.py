"""Where callers keep what they share: the protocol of a store."""

from __future__ import annotations

from typing import Protocol

import attrs


@attrs.frozen
class Window:
    """What a server said of its own limit: how many requests remain, until it is counted anew in so many seconds."""

    remaining: int
    resets_in: float


class Store(Protocol):
    """
    What callers with the same key share. One process shares by memory; a store of yours may share among machines.

    Every method is one step that no other caller comes between. `now` is the caller's monotonic clock, in seconds; a
    store that is shared among machines has its own. `aslot` and `awindow` are the same for coroutines. What a method
    raises loses no call: it is told once, and memory takes over until the store answers again.
    """

    def slot(self, key: str, most: int, seconds: float, now: float) -> float:
        """
        Take the next place in a row of which at most so many may begin in any span of so many seconds.

        Returns:
            The seconds until that place's turn: 0 when it is now.
        """
        ...

    def give_back(self, key: str, turn: float, now: float) -> None:
        """
        Let whoever comes next have a place that nobody will use, if its turn is still to come; never wait for it.

        Args:
            key: As in `slot`.
            turn: What `slot` returned.
            now: What `slot` was told.
        """
        ...

    def window(self, key: str, now: float) -> float:
        """
        Take one of the requests that the server said remain; what nothing is known of is free.

        Returns:
            0 when it is taken; else the seconds after which to ask again.
        """
        ...

    def observe(self, key: str, window: Window, now: float) -> None:
        """Remember what the server said; never wait for it, since nobody waits for this."""
        ...

    async def aslot(self, key: str, most: int, seconds: float, now: float) -> float: ...
    async def awindow(self, key: str, now: float) -> float: ...
