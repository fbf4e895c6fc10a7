"""A clock whose seconds pass at once, for tests of code that waits."""

from __future__ import annotations

import math
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel

from bide.testing import given
from bide.testing.frozen import frozen
from bide.testing.loops import runner_in_this_loop
from bide.testing.timeline import Timeline
from bide.testing.timeouts import VirtualTimeout

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


_WALL = "wall time is a finite number of seconds since 1970"


class VirtualClock:
    """
    Virtual time for threads, asyncio and trio: waiting is virtual, input and output stay real.

    No event loop is patched, so real sockets work between two virtual hours. One clock may be shared by threads and
    event loops.

    * `auto=True`: time jumps to the next deadline as soon as every *worker* sleeps on this clock. A worker is whoever
      entered `with clock.worker():`; with none registered, every sleep jumps at once. Everybody registers before
      anybody sleeps (start them from a barrier), or time leaves without the late ones.
    * `auto=False`: time moves only by `advance()`.

    Args:
        start: First monotonic reading. Seconds.
        wall: First wall reading. Seconds since 1970; by default the start of the year 2026.
        auto: Whether time jumps by itself.

    Attributes:
        trace: One pair (monotonic reading, seconds asked for) for each sleep, in the order in which they began.

    Raises:
        TypeError: `start` or `wall` is no number, or `auto` no flag.
        ValueError: `start` or `wall` is infinite or not a number.
    """

    def __init__(self, start: float = 0.0, wall: float = 1_767_225_600.0, auto: bool = True) -> None:
        self.trace: list[tuple[float, float]] = []
        begin = given.finite(start, "start takes a finite number of seconds")
        self._timeline = Timeline(begin, auto=given.flag(auto, "auto"))
        self._wall_at_zero = given.finite(wall, _WALL) - begin

    def __repr__(self) -> str:
        line = self._timeline
        mode = "auto" if line.auto else "manual"
        return f"<VirtualClock at {line.now:g} s, {mode}, {line.workers} workers, {line.sleepers} sleeps pending>"

    @property
    def sleeps(self) -> list[float]:
        """The seconds asked for by each sleep so far, in the order in which they began. A new list each time."""
        return [seconds for _, seconds in self.trace]

    # The four methods that bide asks of any clock

    def monotonic(self) -> float:
        """Return virtual seconds since an arbitrary start. It never goes back."""
        return self._timeline.now

    def time(self) -> float:
        """Return virtual wall time, in seconds since 1970. `set_wall` and `step_wall` may put it back."""
        return self._wall_at_zero + self._timeline.now

    def sleep(self, seconds: float) -> None:
        """
        Block this thread for `seconds` of virtual time.

        Args:
            seconds: Finite; a negative number counts as 0.

        Raises:
            TypeError: `seconds` is no number.
            ValueError: `seconds` is infinite or not a number.
        """
        deadline = self._begin(seconds)
        timers = self._timeline.timers_here()
        while True:
            woken = threading.Event()
            sleeper = self._timeline.park(deadline, woken.set, timers)
            try:
                if not sleeper.due:
                    woken.wait()
            finally:
                self._timeline.unpark(sleeper)
            if sleeper.due:
                return
            timers = tuple(timer for timer in timers if not timer.rung)  # no timeout interrupts a thread

    async def asleep(self, seconds: float) -> None:
        """
        Suspend this task for `seconds` of virtual time. Always a checkpoint, also for 0.

        Args:
            seconds: Finite; a negative number counts as 0.

        Raises:
            TypeError: `seconds` is no number.
            ValueError: `seconds` is infinite or not a number.
        """
        await anyio.lowlevel.checkpoint()
        await (
            anyio.lowlevel.checkpoint()
        )  # a sleeper that we cancelled a moment ago has left before time may jump
        deadline = self._begin(seconds)
        run_here = runner_in_this_loop()
        timers = self._timeline.timers_here()
        while True:
            woken = anyio.Event()
            sleeper = self._timeline.park(deadline, partial(run_here, woken.set), timers)
            try:
                if not sleeper.due:
                    await woken.wait()
            finally:
                self._timeline.unpark(sleeper)
            if sleeper.due:
                return
            await (
                anyio.lowlevel.checkpoint()
            )  # the timeout that interrupted us cancels us here, unless we are shielded
            timers = tuple(timer for timer in timers if not timer.rung)

    # For the test that holds the clock

    def worker(self) -> AbstractContextManager[None]:
        """
        Return a context manager inside which its thread or task is one whom time waits for.

        In auto mode time stands still while any worker is awake: computing, or waiting for real input and output. A
        sleep belongs to the innermost worker block around it, also if that is around the code that started the task.
        Register those who sleep, not those who wait for them: a worker that waits for another's sleep, and does not
        sleep on this clock itself, holds time up for ever.
        """
        return self._timeline.worker()

    def advance(self, seconds: float) -> None:
        """
        Pass `seconds` of virtual time, waking in order everybody whose sleep ends and ringing each `fail_after`.

        It does not wait for those whom it wakes: they run later, and read the time that was advanced to.

        Raises:
            TypeError: `seconds` is no number.
            ValueError: `seconds` is negative, infinite or not a number.
        """
        self._timeline.advance(
            given.finite(seconds, "time goes forward by a finite number of seconds", least=0)
        )

    def wait_for_sleepers(self, count: int = 1, timeout: float = 5.0) -> None:
        """
        Block this thread until at least `count` sleeps are pending: what `advance()` in a test of threads waits for.

        In an event loop, use `await anyio.to_thread.run_sync(clock.wait_for_sleepers)`.

        Args:
            count: Pending sleeps to wait for.
            timeout: Real seconds.

        Raises:
            TypeError, ValueError: `count` is no whole number >= 0, or `timeout` no finite number >= 0.
            TimeoutError: `timeout` passed first.
        """
        wanted = given.whole(count, "count takes a whole number of sleeps >= 0")
        if not self._timeline.wait_for_sleepers(wanted, given.patience(timeout)):
            raise TimeoutError(f"{count} sleeps were not pending within {timeout:g} real seconds: {self!r}")

    def set_wall(self, epoch: float) -> None:
        """
        Make `time()` read `epoch`, seconds since 1970, now. `monotonic()` and pending sleeps are not touched.

        Raises:
            TypeError: `epoch` is no number.
            ValueError: `epoch` is infinite or not a number.
        """
        wall = given.finite(epoch, _WALL)
        with self._timeline.locked():
            self._wall_at_zero = wall - self._timeline.now
            self._timeline.tell_listeners()

    def step_wall(self, delta: float) -> None:
        """
        Move `time()` by `delta` seconds, back if negative. `monotonic()` and pending sleeps are not touched.

        Raises:
            TypeError: `delta` is no number.
            ValueError: `delta` is infinite or not a number.
        """
        step = given.finite(delta, "wall time is moved by a finite number of seconds")
        with self._timeline.locked():
            self._wall_at_zero += step
            self._timeline.tell_listeners()

    def fail_after(self, seconds: float) -> VirtualTimeout:
        """
        Return an async context manager that raises `TimeoutError` in its body once `seconds` of virtual time passed.

        It never makes time jump: only sleeps and `advance()` move time. A sleep that would end at the same instant
        does not end. See `VirtualTimeout`, whose `expired` tells this timeout from a `TimeoutError` of the body.

        Args:
            seconds: May be `inf`; a negative number counts as 0.

        Raises:
            TypeError: `seconds` is no number.
            ValueError: `seconds` is not a number.
        """
        bound = given.real(seconds, "a timeout needs a number of seconds")
        if math.isnan(bound):
            raise ValueError("a timeout needs a number of seconds, not nan")
        return VirtualTimeout(self._timeline, max(0.0, bound))

    def freezegun(self, **options: Any) -> AbstractContextManager[Any]:
        """
        Return a context manager in which freezegun shows this clock's time to all code.

        `datetime.now()` and the functions of the `time` module follow `time()`; the loops of asyncio and trio keep
        running on real time. freezegun keeps one frozen instant for every function, so under it a stepped wall clock
        also moves the standard library's monotonic readings (this clock's own it does not).

        Args:
            options: Keyword arguments for `freezegun.freeze_time`.

        Returns:
            A context manager that yields freezegun's own factory.

        Raises:
            ImportError: freezegun is not installed.
        """
        return frozen(self.time, self._timeline.listener, options)

    def _begin(self, seconds: float) -> float:
        """Write a sleep into the trace and return its deadline."""
        duration = max(0.0, given.finite(seconds, "a sleep takes a finite number of seconds"))
        with self._timeline.locked():
            self.trace.append((self._timeline.now, duration))
            return self._timeline.now + duration
