"""Bind a policy to a clock, a random source and listeners, and run functions by it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, ParamSpec, TypedDict, TypeVar, cast

from bide.engine import aloop, events, loop
from bide.engine.awaiting import giving_awaitables, is_coroutine_function, never_awaitable
from bide.engine.call import Call
from bide.engine.clock import SYSTEM_CLOCK, SYSTEM_RANDOM, Clock, RandomSource
from bide.engine.events import Listener
from bide.engine.nesting import tick
from bide.engine.recovery import Action, Recoveries
from bide.engine.settings import Settings
from bide.engine.wrap import refuse_timeout, wrapped
from bide.fleet.store import Store
from bide.fleet.stores.memory import MemoryStore
from bide.policy.errors import PolicyError
from bide.policy.policy import Policy

P = ParamSpec("P")
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])
_CLOCK: Final = ("monotonic", "time")  # which of its two ways to sleep is needed, the call tells
_STORE: Final = ("slot", "give_back", "window", "observe", "aslot", "awindow")


class Options(TypedDict, total=False):
    """What `policy.bind` takes; see `bind`."""

    clock: Clock | None
    rng: RandomSource | None
    listeners: Sequence[Listener] | None
    name: str | None
    store: Store | None
    recover: Mapping[str, Action] | Recoveries | None


class Runtime:
    """
    A policy with a clock, a random source, listeners and a name of its own: `policy.bind(...)`.

    Decorate with it, or use `call` and `acall`, just as with the policy itself. Shared freely by threads and tasks.
    """

    __slots__ = ("settings",)

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @property
    def policy(self) -> Policy:
        """The policy that was bound."""
        return self.settings.policy

    def open(self, fn: Callable[..., Any]) -> Call:
        """Return a call that has not begun its first attempt yet, its clock running if the policy needs one."""
        return Call(self.settings, fn, self.settings.clock.monotonic() if self.settings.needs_clock else None)

    def __call__(self, fn: F, /) -> F:
        """Return the function, coroutine function or method, retried, its signature and types kept."""
        return cast("F", wrapped(self.settings, fn))

    def call(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function now, retried."""
        refuse_timeout(self.settings, fn)
        call = self.open(fn)
        attempt: Callable[..., T] = fn if self.settings.policy.limits.within is None else call.dated
        return cast("T", never_awaitable(loop.run(call, attempt, *args, **kwargs)))

    async def acall(self, fn: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a coroutine function now, retried, on asyncio or trio."""
        fn = fn if is_coroutine_function(fn) else giving_awaitables(fn)
        call = self.open(fn)
        call.since = tick()
        limits = self.settings.policy.limits
        bounded = limits.timeout is not None or limits.within is not None
        attempt: Callable[..., Awaitable[T]] = call.bounded if bounded else fn
        return await aloop.run(call, attempt, *args, **kwargs)


def bind(
    policy: Policy,
    *,
    clock: Clock | None = None,
    rng: RandomSource | None = None,
    listeners: Sequence[Listener] | None = None,
    name: str | None = None,
    store: Store | None = None,
    recover: Mapping[str, Action] | Recoveries | None = None,
) -> Runtime:
    """
    Return a runtime of a policy; what is not given is the machine's.

    Args:
        policy: What to do.
        clock: Where time comes from; `bide.testing.VirtualClock()` in tests.
        rng: Where draws come from: anything with `random()`, such as a seeded `Random`.
        listeners: Callables of one event, instead of the default ones.
        name: What events are named after, instead of the policy's or the function's name.
        store: Where callers share what is theirs together, such as a pace: one in this process's memory when not given.
        recover: Actions by the names that `.calling(...)` gives: plain functions or coroutine functions without
            arguments. Calls that need one at the same time share one run of it, and so do runtimes that are bound to
            the same `Recoveries`.

    Raises:
        PolicyError: the policy is unbounded, or says what is not available yet; an option is not what it takes; an
            action is no callable, or no rule calls it.
    """
    policy.check()
    _check_listeners(listeners)
    if name is not None and (not isinstance(name, str) or not name):
        raise PolicyError(f"name takes a text; got {name!r:.60}")
    if policy.limits.not_available:
        raise PolicyError(
            f".{policy.limits.not_available[0]}(...) is not available yet: it parses, prints and compares, but nothing runs it"
        )
    return Runtime(
        Settings(
            policy,
            SYSTEM_CLOCK if clock is None else _having(clock, "clock", "bide.testing.VirtualClock()", _CLOCK),
            SYSTEM_RANDOM if rng is None else _having(rng, "rng", "random.Random(7)", ("random",)),
            events.default_listeners if listeners is None else listeners,
            name,
            recover
            if isinstance(recover, Recoveries)
            else _recoveries(policy, {} if recover is None else recover),
            MemoryStore() if store is None else _having(store, "store", "bide.MemoryStore()", _STORE),
        )
    )


def _recoveries(policy: Policy, actions: Mapping[str, Action]) -> Recoveries:
    recoveries = Recoveries(actions)
    recoveries.check(clause.recovery for clause in policy.clauses if clause.recovery is not None)
    return recoveries


def _having(value: T, option: str, such_as: str, methods: Sequence[str]) -> T:
    """Return what an option was given, if it has the methods that will be called; a class has them only once it is made."""
    missing = [name for name in methods if not callable(getattr(value, name, None))]
    if missing or isinstance(value, type):
        without = f", without {missing[0]}()" if missing else ", a class: make one"
        raise PolicyError(f"{option} takes an object such as {such_as}; got {value!r:.60}{without}")
    return value


def _check_listeners(listeners: Any) -> None:
    if listeners is None:
        return
    if not isinstance(listeners, (list, tuple)):
        raise PolicyError(f"listeners takes a list of callables of one event; got {listeners!r:.60}")
    for listener in cast("Sequence[object]", listeners):
        if not callable(listener):
            raise PolicyError(f"a listener is a callable of one event; got {listener!r:.60}")
        if is_coroutine_function(listener):
            raise PolicyError(
                f"{listener!r:.60} is a coroutine function, and nobody would await it: a listener is a plain one"
            )
