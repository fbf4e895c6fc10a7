"""Recoveries: actions between two attempts, each taken once for all the calls that need it at the same time."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from contextvars import ContextVar, copy_context
from importlib import import_module
from math import inf
from typing import Any, Final, Protocol, cast

import attrs

from bide.engine.awaiting import is_coroutine_function, never_awaitable
from bide.engine.chaining import detach
from bide.engine.clock import SYSTEM_CLOCK, Clock, on_asyncio
from bide.engine.deadline import Deadline, forget
from bide.engine.nesting import tick
from bide.engine.timeouts import AttemptTimeout, bounded
from bide.engine.told import told_of_fault
from bide.fleet.forking import lock_across_forks
from bide.policy.errors import PolicyError

Action = Callable[[], Any]
"""A plain function or a coroutine function without arguments."""
_NOT_PLAIN: Final = "this call is a plain one and cannot await the recovery: bind a plain function as its action, or call from a coroutine"
_WAITS_FOR_ITSELF: Final = (
    "the recovery waits for itself: what its action calls fails, and needs the same recovery; let the action use a "
    "function or client that does not call it, and in coroutines no plain function that does"
)
_BROKEN_OFF: Final = "the recovery was cancelled, and not by its caller"
_LOCK: Final = lock_across_forks()
"""Held for a few steps by whoever joins or ends a run; one for all of them, since runs may wait for one another."""


@attrs.frozen(eq=False)
class Taken:
    """
    What one run of an action came to: a value, or the fault that it raised; and the tick at which it ended.

    The fault hangs on the errors of all who waited, and so holds neither frames nor any of their errors; `told` says
    what can be told of it.
    """

    value: object
    fault: Exception | None
    at: int
    told: str = ""

    @classmethod
    def failed(cls, fault: Exception, handled: BaseException | None = None) -> Taken:
        """Return what a run that raised came to; `handled` is what was being handled when it began."""
        told = told_of_fault(fault)
        detach(fault, handled)
        return cls(None, fault, tick(), told)


class Flight:
    """One run of an action, and how to wake those who wait for it; `taken` stays None when it was broken off."""

    __slots__ = ("_loop", "_process", "awaits", "interrupt", "taken", "task", "thread", "wakers")

    def __init__(self, loop: Any) -> None:
        self.taken: Taken | None = None
        self.interrupt: BaseException | None = None
        """What is no outcome, and is for whoever began this run."""
        self.awaits: list[Flight] = []
        """The runs of other actions that this one waits for, once for each wait."""
        self.task: object = None  # an event loop holds its tasks by weak references only
        self.wakers: list[Callable[[], None]] = []
        self.thread = threading.get_ident()
        self._loop = loop
        self._process = os.getpid()

    def lost(self) -> bool:
        """Tell whether this can never end: its event loop was closed under it, or it was left in a parent process."""
        return self._process != os.getpid() or (self._loop is not None and bool(self._loop.is_closed()))

    def waits(self, for_one: Callable[[Flight], bool]) -> bool:
        """Tell whether this run is, or waits for, one of which something is true."""
        return for_one(self) or any(other.waits(for_one) for other in self.awaits)


_INSIDE: Final[ContextVar[Flight | None]] = ContextVar("bide.recovery", default=None)
"""The run whose action makes the present call."""


class Recovery:
    """
    One action, shared by threads and by tasks of asyncio and trio.

    Whoever needs it while it runs waits for that run. Whoever's attempt began before a run had ended takes what that
    run came to, its fault too: a hundred calls that fail together cause one run.
    """

    __slots__ = ("_action", "_flight", "_taken")

    def __init__(self, action: Action) -> None:
        self._action = action
        self._flight: Flight | None = None
        self._taken: Taken | None = None

    def take(self, begun: int, clock: Clock = SYSTEM_CLOCK, left: float = inf) -> Taken | None:
        """
        Return what the action comes to for an attempt that began at a tick, to a plain function.

        None: another's run of it did not end within the seconds that are left. A run of its own is not interrupted.
        """
        here, ends = threading.get_ident(), clock.monotonic() + left
        while True:
            woken = threading.Event()
            flight, leads = self._joined(begun, woken.set, None, lambda other: other.thread == here)
            if isinstance(flight, Taken):
                return flight
            try:
                if leads:
                    self._lead(flight, clock, ends)
                elif not woken.wait(_patience(clock, ends)):
                    return None
            finally:
                _left(flight)
            if flight.taken is not None:
                return flight.taken

    async def atake(self, begun: int, clock: Clock = SYSTEM_CLOCK, left: float = inf) -> Taken | None:
        """
        Return what the action comes to for an attempt that began at a tick, on asyncio or trio.

        None: it did not come to anything within the seconds that are left.
        """
        ends = clock.monotonic() + left
        while True:
            waiter: _Waiter = _AsyncioWaiter() if on_asyncio() else _TrioWaiter()
            flight, leads = self._joined(begun, waiter.wake, waiter.loop, lambda _: False)
            if isinstance(flight, Taken):
                return flight
            try:
                if leads:
                    self._begin(flight, waiter)
                await (
                    waiter.woken() if ends == inf else bounded(clock, ends - clock.monotonic(), waiter.woken)
                )
            except AttemptTimeout:
                return None
            finally:
                _left(flight)
            if flight.interrupt is not None and leads:
                raise flight.interrupt
            if flight.taken is not None or leads:
                return flight.taken or Taken.failed(PolicyError(_BROKEN_OFF))

    def _joined(
        self, begun: int, wake: Callable[[], None], loop: Any, blocks: Callable[[Flight], bool]
    ) -> tuple[Flight | Taken, bool]:
        """Return the run to wait for, and whether the caller begins it; or what has been taken since the attempt began."""
        inside = _INSIDE.get()
        with _LOCK:
            if self._taken is not None and self._taken.at > begun:
                return self._taken, False
            flight = self._flight
            leads = flight is None or flight.lost()
            if flight is None or leads:
                flight = self._flight = Flight(loop)
            elif flight.waits(lambda other: other is inside or blocks(other)):
                return Taken.failed(PolicyError(_WAITS_FOR_ITSELF)), False
            if inside is not None:
                inside.awaits.append(flight)
            flight.wakers.append(wake)
            return flight, leads

    def _lead(self, flight: Flight, clock: Clock, ends: float) -> None:
        """Run the action here and now, within the deadline of the call that needs it first."""
        inside = _INSIDE.set(flight)
        deadline = Deadline(clock, ends)
        try:
            flight.taken = self._called()
        finally:  # an interrupt is no result, and passes untouched
            deadline.leave()
            _INSIDE.reset(inside)
            self._land(flight)

    def _begin(self, flight: Flight, waiter: _Waiter) -> None:
        """Run the action in a task of its own: whoever asked first may be cancelled, and the others go on waiting."""
        handled = sys.exception()
        try:
            flight.task = waiter.start(lambda: self._run(flight), lambda: self._land(flight))
        except Exception as fault:
            flight.taken = Taken.failed(fault, handled)
            self._land(flight)

    async def _run(self, flight: Flight) -> None:
        forget()
        _INSIDE.set(flight)
        try:
            flight.taken = await self._acalled()
        except (KeyboardInterrupt, SystemExit) as interrupt:  # a task of trio that raises it takes trio down
            flight.interrupt = interrupt
        finally:
            self._land(flight)

    def _land(self, flight: Flight) -> None:
        """Wake those who waited; if the run was broken off, one of them begins another."""
        with _LOCK:
            if self._flight is flight:
                self._flight = None
            self._taken = flight.taken or self._taken
            wakers, flight.wakers = flight.wakers, []
        for wake in wakers:
            with suppress(Exception):  # whoever waited there is gone, with its event loop
                wake()

    def _called(self) -> Taken:
        handled = sys.exception()
        try:
            if is_coroutine_function(self._action):
                raise PolicyError(_NOT_PLAIN)  # noqa: TRY301  # a fault like any other of the action
            return Taken(never_awaitable(self._action(), _NOT_PLAIN), None, tick())
        except Exception as fault:
            return Taken.failed(fault, handled)

    async def _acalled(self) -> Taken:
        """Call the action; a plain function runs in a thread, since it may block."""
        handled = sys.exception()
        try:
            if is_coroutine_function(self._action):
                value: Any = self._action()
            else:
                value = await _in_a_thread(self._action)
            if hasattr(cast("object", type(value)), "__await__"):
                value = await value
            return Taken(value, None, tick())
        except Exception as fault:
            return Taken.failed(fault, handled)


async def _in_a_thread(action: Action) -> Any:
    """Return what a plain function returns, in a thread that nobody else can have taken: they may wait for this one."""
    one = import_module("anyio").CapacityLimiter(1)
    return await import_module("anyio.to_thread").run_sync(action, limiter=one)


def _left(flight: Flight) -> None:
    """Note that the present call waits for a run no longer."""
    inside = _INSIDE.get()
    if inside is not None:
        with _LOCK:
            inside.awaits.remove(flight)


def _patience(clock: Clock, ends: float) -> float | None:
    """Return the machine's seconds that a thread waits, None for as long as it takes: other clocks have other seconds."""
    if ends == inf or hasattr(clock, "fail_after"):
        return None
    return min(ends - clock.monotonic(), threading.TIMEOUT_MAX)


class Recoveries:
    """The actions that the rules of one or several policies call, by name; share it, and they share every run."""

    __slots__ = ("_actions", "_by_name")

    def __init__(self, actions: Mapping[str, Action]) -> None:
        """
        Take the actions.

        Raises:
            PolicyError: not a mapping of names to callables.
        """
        if not isinstance(actions, Mapping):
            raise PolicyError(
                f'recover takes actions by name, such as {{"refresh_token": refresh}}; got {actions!r:.60}'
            )
        for name, action in actions.items():
            if not callable(action):
                raise PolicyError(f"recover: the action {name!r:.60} is no callable, but {action!r:.60}")
        self._actions = dict(actions)
        self._by_name = {name: Recovery(action) for name, action in actions.items()}

    def __reduce__(self) -> tuple[type[Recoveries], tuple[dict[str, Action]]]:
        return Recoveries, (self._actions,)  # in another process every run is its own

    def find(self, name: str) -> Recovery | None:
        """Return an action by its name, or None when none is bound."""
        return self._by_name.get(name)

    def check(self, called: Iterable[str]) -> None:
        """
        Make sure that rules call these actions.

        Raises:
            PolicyError: no rule calls one of them.
        """
        names = set(called)
        for name in self._by_name:
            if name not in names:
                says = f"they call {', '.join(map(repr, sorted(names)))}" if names else "none calls any"
                raise PolicyError(f"recover: no rule calls {name!r:.60}; {says}")


class _Waiter(Protocol):
    """How a task waits for a run, and how it begins one that it does not own."""

    loop: Any
    """The event loop, if it can be closed under what it runs."""

    def wake(self) -> None: ...
    def start(self, run: Callable[[], Coroutine[Any, Any, None]], ended: Callable[[], None]) -> object: ...
    async def woken(self) -> None: ...


class _AsyncioWaiter:
    def __init__(self) -> None:
        self.loop: Any = sys.modules["asyncio"].get_running_loop()
        self._future: Any = self.loop.create_future()

    def wake(self) -> None:
        self.loop.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        if not self._future.done():
            self._future.set_result(None)

    def start(self, run: Callable[[], Coroutine[Any, Any, None]], ended: Callable[[], None]) -> object:
        def done(_task: object) -> None:
            ended()  # a task that is cancelled before its first step never begins

        task = self.loop.create_task(run())
        task.add_done_callback(done)
        return task

    async def woken(self) -> None:
        await self._future


class _TrioWaiter:
    def __init__(self) -> None:
        self._trio: Any = sys.modules["trio"]
        self.loop: Any = None  # it cancels its tasks before it ends
        self._event: Any = self._trio.Event()
        self._token: Any = self._trio.lowlevel.current_trio_token()

    def wake(self) -> None:
        self._token.run_sync_soon(self._event.set)

    def start(self, run: Callable[[], Coroutine[Any, Any, None]], ended: Callable[[], None]) -> object:
        return self._trio.lowlevel.spawn_system_task(run, context=copy_context())

    async def woken(self) -> None:
        await self._event.wait()
