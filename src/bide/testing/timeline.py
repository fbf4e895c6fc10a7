"""
Decides the order in which virtual time passes: who sleeps until when, and when time may jump.

The rules, which everything here keeps:

* Time jumps, in auto mode, only while somebody sleeps and no registered worker is awake.
* A timer never makes time jump; when time passes it on the way to somewhere else, it rings first.
* Whatever is due at one instant is released together: timers before sleepers, then in order of arrival.
* A ringing timer interrupts the sleeps inside it, so that a worker which is about to be cancelled counts as awake.
* Deadlines are absolute numbers, never sums of what has passed.

Nothing here knows an event loop: `wake` and `ring` are called with the lock held, and must neither block nor raise.
"""

from __future__ import annotations

import heapq
import itertools
import math
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar

import attrs

_TIMER, _SLEEPER = 0, 1


@attrs.define(eq=False)
class Worker:
    """Somebody whom time waits for, unless at least one sleep begun inside its block is pending."""

    timeline: Timeline
    registered: bool = True
    sleeps: int = 0


@attrs.define(eq=False)
class Timer:
    """A deadline that only watches time pass."""

    timeline: Timeline
    deadline: float
    ring: Callable[[], None]
    pending: bool = True
    rung: bool = False


@attrs.define(eq=False)
class Sleeper:
    """One pending sleep. No longer pending and not `due`: a timer around it rang first."""

    deadline: float
    wake: Callable[[], None]
    worker: Worker | None
    timers: tuple[Timer, ...]
    pending: bool = True
    due: bool = False


# Module-level, because a context keeps every variable that it has ever seen alive; hence also one for all timelines.
_workers_here: ContextVar[tuple[Worker, ...]] = ContextVar("bide_workers_here", default=())
_timers_here: ContextVar[tuple[Timer, ...]] = ContextVar("bide_timers_here", default=())


class Timeline:
    """Virtual seconds, and everybody who waits for them. Safe to use from any thread."""

    def __init__(self, start: float, *, auto: bool) -> None:
        self.now = start
        self.auto = auto
        self.workers = 0
        self._changed = threading.Condition(threading.RLock())
        self._queue: list[tuple[float, int, int, Timer | Sleeper]] = []
        self._order = itertools.count()
        self._sleepers: dict[Sleeper, None] = {}  # a dict, because a set forgets who came first
        self._awake: set[Worker] = set()
        self._listeners: list[Callable[[], None]] = []

    @property
    def sleepers(self) -> int:
        """How many sleeps are pending."""
        return len(self._sleepers)

    def locked(self) -> threading.Condition:
        """Return the lock that guards time, for use in a `with` statement; it may be entered twice."""
        return self._changed

    # Taking part

    @contextmanager
    def worker(self) -> Generator[None]:
        """Register a worker, to whom the sleeps of the block belong, and of what it starts."""
        worker = Worker(self)
        outside = _workers_here.get()
        _workers_here.set((*outside, worker))
        with self._changed:
            self.workers += 1
            self._awake.add(worker)
        try:
            yield
        finally:
            _workers_here.set(outside)  # no reset(token): a fixture may leave in another context
            with self._changed:
                self.workers -= 1
                worker.registered = False
                self._awake.discard(worker)
                self._jump()

    def timers_here(self) -> tuple[Timer, ...]:
        """Return the timers of this timeline around the running code, outermost first."""
        return tuple(timer for timer in _timers_here.get() if timer.timeline is self)

    @contextmanager
    def timer(self, seconds: float, ring: Callable[[], None]) -> Generator[Timer]:
        """Call `ring()` once if time reaches `seconds` from now while the block runs."""
        outside = _timers_here.get()
        with self._changed:
            timer = Timer(self, self.now + seconds, ring)
            if timer.deadline <= self.now:
                self._release(timer)
            else:
                self._enqueue(timer, _TIMER)
        _timers_here.set((*outside, timer))
        try:
            yield timer
        finally:
            _timers_here.set(outside)
            with self._changed:
                timer.pending = False

    def park(self, deadline: float, wake: Callable[[], None], timers: tuple[Timer, ...]) -> Sleeper:
        """
        Begin a sleep, after which time may jump at once.

        The caller waits until `wake()` is called, unless the answer is `due` already. A sleep that a ringing timer
        interrupted is woken without being due: if nothing cancels it, it parks again, without that timer.
        """
        worker = next((worker for worker in reversed(_workers_here.get()) if worker.timeline is self), None)
        with self._changed:
            sleeper = Sleeper(deadline, wake, worker, timers)
            if any(timer.rung for timer in timers):
                sleeper.pending = False
                wake()
            elif deadline <= self.now:
                sleeper.pending, sleeper.due = False, True
            else:
                self._enqueue(sleeper, _SLEEPER)
                self._sleepers[sleeper] = None
                if worker is not None:
                    worker.sleeps += 1
                    self._awake.discard(worker)
                self._changed.notify_all()
                self._jump()
        return sleeper

    def unpark(self, sleeper: Sleeper) -> None:
        """Forget a sleep whose sleeper is leaving, however that came about."""
        with self._changed:
            self._leave(sleeper)

    # Passing

    def advance(self, seconds: float) -> None:
        """Pass `seconds`, releasing on the way whatever becomes due, in order."""
        with self._changed:
            until = self.now + seconds
            while self._step(until):
                pass
            self._move(until)

    def wait_for_sleepers(self, count: int, timeout: float) -> bool:
        """Block for at most `timeout` real seconds; return whether `count` sleeps came to be pending."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._sleepers) >= count, timeout)

    @contextmanager
    def listener(self, moved: Callable[[], None]) -> Generator[None]:
        """Call `moved()` after every move of time while the block runs."""
        with self._changed:
            self._listeners.append(moved)
        try:
            yield
        finally:
            with self._changed:
                self._listeners.remove(moved)

    def tell_listeners(self) -> None:
        """Say that what can be read off the clock has changed."""
        with self._changed:
            for moved in self._listeners:
                moved()

    # With the lock held

    def _jump(self) -> None:
        while self.auto and self._sleepers and not self._awake:
            self._step(math.inf)

    def _step(self, limit: float) -> bool:
        """Move to the next deadline that is not past `limit`, and release everything that is due then."""
        deadline = self._next_deadline()
        if deadline > limit or deadline == math.inf:
            return False
        self._move(deadline)
        while self._next_deadline() <= self.now:
            self._release(heapq.heappop(self._queue)[-1])
        return True

    def _move(self, to: float) -> None:
        if to > self.now:
            self.now = to
            self.tell_listeners()

    def _next_deadline(self) -> float:
        while self._queue and not self._queue[0][-1].pending:
            heapq.heappop(self._queue)
        return self._queue[0][0] if self._queue else math.inf

    def _enqueue(self, entry: Timer | Sleeper, rank: int) -> None:
        heapq.heappush(self._queue, (entry.deadline, rank, next(self._order), entry))

    def _release(self, entry: Timer | Sleeper) -> None:
        if isinstance(entry, Sleeper):
            entry.due = True
            self._leave(entry)
            entry.wake()
            return
        entry.pending, entry.rung = False, True
        entry.ring()
        for sleeper in [sleeper for sleeper in self._sleepers if entry in sleeper.timers]:
            self._leave(sleeper)
            sleeper.wake()

    def _leave(self, sleeper: Sleeper) -> None:
        if not sleeper.pending:
            return
        sleeper.pending = False
        del self._sleepers[sleeper]
        if (worker := sleeper.worker) is not None:
            worker.sleeps -= 1
            if worker.registered and not worker.sleeps:
                self._awake.add(worker)
