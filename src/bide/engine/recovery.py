"""Recoveries: actions between two attempts, each taken once for all the calls that need it at the same time."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from contextvars import copy_context
from importlib import import_module
from typing import Any, Final, Protocol, cast

import attrs

from bide.engine.awaiting import is_coroutine_function, never_awaitable
from bide.engine.clock import on_asyncio
from bide.engine.deadline import forget
from bide.engine.nesting import tick
from bide.policy.errors import PolicyError

Action = Callable[[], Any]
"""A plain function or a coroutine function without arguments."""
_NOT_PLAIN: Final = "this call is a plain one and cannot await the recovery: bind a plain function as its action, or call from a coroutine"


@attrs.frozen(eq=False)
class Taken:
    """What one run of an action came to: a value, or the fault that it raised; and the tick at which it ended."""

    value: object
    fault: Exception | None
    at: int


class Flight:
    """One run of an action, and how to wake those who wait for it; `taken` stays None when it was broken off."""

    __slots__ = ("taken", "task", "wakers")

    def __init__(self) -> None:
        self.taken: Taken | None = None
        self.task: object = None  # an event loop holds its tasks by weak references only
        self.wakers: list[Callable[[], None]] = []


class Recovery:
    """
    One action, shared by threads and by tasks of asyncio and trio.

    Whoever needs it while it runs waits for that run. Whoever's attempt began before a run had ended takes what that
    run came to, its fault too: a hundred calls that fail together cause one run.
    """

    __slots__ = ("_action", "_flight", "_lock", "_taken")

    def __init__(self, action: Action) -> None:
        self._action = action
        self._lock = threading.Lock()
        self._flight: Flight | None = None
        self._taken: Taken | None = None

    def take(self, begun: int) -> Taken:
        """Return what the action comes to for an attempt that began at a tick, to a plain function."""
        while True:
            woken = threading.Event()
            flight, leads = self._joined(begun, woken.set)
            if isinstance(flight, Taken):
                return flight
            if leads:
                try:
                    flight.taken = self._called()
                finally:  # an interrupt is no result, and passes untouched
                    self._land(flight)
            woken.wait()
            if flight.taken is not None:
                return flight.taken

    async def atake(self, begun: int) -> Taken:
        """Return what the action comes to for an attempt that began at a tick, on asyncio or trio."""
        while True:
            waiter: _Waiter = _AsyncioWaiter() if on_asyncio() else _TrioWaiter()
            flight, leads = self._joined(begun, waiter.wake)
            if isinstance(flight, Taken):
                return flight
            if leads:
                # in a task of its own: whoever asked first may be cancelled, and the others go on waiting
                flight.task = waiter.start(self._run, flight)
            await waiter.woken()
            if flight.taken is not None:
                return flight.taken

    def _joined(self, begun: int, wake: Callable[[], None]) -> tuple[Flight | Taken, bool]:
        """Return the run to wait for, and whether the caller begins it; or what has been taken since the attempt began."""
        with self._lock:
            if self._taken is not None and self._taken.at > begun:
                return self._taken, False
            leads = self._flight is None
            flight = self._flight = self._flight or Flight()
            flight.wakers.append(wake)
            return flight, leads

    async def _run(self, flight: Flight) -> None:
        forget()
        try:
            flight.taken = await self._acalled()
        finally:
            self._land(flight)

    def _land(self, flight: Flight) -> None:
        """Wake those who waited; if the run was broken off, one of them begins another."""
        with self._lock:
            self._flight = None
            self._taken = flight.taken or self._taken
        for wake in flight.wakers:
            with suppress(Exception):  # whoever waited there is gone, with its event loop
                wake()

    def _called(self) -> Taken:
        try:
            if is_coroutine_function(self._action):
                raise PolicyError(_NOT_PLAIN)  # noqa: TRY301  # a fault like any other of the action
            return Taken(never_awaitable(self._action(), _NOT_PLAIN), None, tick())
        except Exception as fault:
            return Taken(None, fault, tick())

    async def _acalled(self) -> Taken:
        """Call the action; a plain function runs in a thread, since it may block."""
        try:
            if is_coroutine_function(self._action):
                value: Any = self._action()
            else:
                value = await import_module("anyio.to_thread").run_sync(self._action)
            if hasattr(cast("object", type(value)), "__await__"):
                value = await value
            return Taken(value, None, tick())
        except Exception as fault:
            return Taken(None, fault, tick())


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

    def wake(self) -> None: ...
    def start(self, run: Callable[[Flight], Any], flight: Flight) -> object: ...
    async def woken(self) -> None: ...


class _AsyncioWaiter:
    def __init__(self) -> None:
        self._loop: Any = sys.modules["asyncio"].get_running_loop()
        self._future: Any = self._loop.create_future()

    def wake(self) -> None:
        self._loop.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        if not self._future.done():
            self._future.set_result(None)

    def start(self, run: Callable[[Flight], Any], flight: Flight) -> object:
        return self._loop.create_task(run(flight))

    async def woken(self) -> None:
        await self._future


class _TrioWaiter:
    def __init__(self) -> None:
        self._trio: Any = sys.modules["trio"]
        self._event: Any = self._trio.Event()
        self._token: Any = self._trio.lowlevel.current_trio_token()

    def wake(self) -> None:
        self._token.run_sync_soon(self._event.set)

    def start(self, run: Callable[[Flight], Any], flight: Flight) -> object:
        return self._trio.lowlevel.spawn_system_task(run, flight, context=copy_context())

    async def woken(self) -> None:
        await self._event.wait()
