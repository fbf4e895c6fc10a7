"""Which policy a request gets, bound once, and where the request goes, as its pace knows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import lru_cache, partial
from typing import Any, Final, Protocol, Unpack, cast
from urllib.parse import urlsplit

from bide.engine.pacing import Place
from bide.engine.recovery import Recoveries
from bide.engine.runtime import Options, Runtime, bind
from bide.engine.settings import Settings
from bide.fleet.stores.memory import MemoryStore
from bide.policy.errors import PolicyError, shown
from bide.policy.policy import Policy

_MOST_BOUND: Final = 256
_HOW_MANY: Final = frozenset(
    {"max_retries", "retries", "total", "attempts", "max_attempts", "tries", "max_tries", "max"}
)
_OWN: Final = ("count_header", "idempotency_key")


class Source(Protocol):
    """
    Where policies come from, one for each endpoint: `bide.Routes`, a `bide.Strategy`, or yours.

    One that has `match(method, url)` too, as `Routes` has, tells the endpoint's pattern and the parts of the path that it
    names: a pace may be kept by them.
    """

    def policy_for(self, method: str, url: str) -> Policy | None:
        """Return the policy for a request, or None when it is to be sent once, whatever comes of it."""
        ...


class Selector:
    """
    Choose the policy for each request, and bind each policy once.

    The policies of one source share their recoveries and their store: they are about one API.

    Raises:
        PolicyError: neither a policy nor a source of policies; or options beside a runtime, which has its own.
        TypeError: an option that there is not.
    """

    __slots__ = ("_bound", "_only", "_source", "recovers")

    def __init__(self, policy: Policy | Runtime | Source, **options: Unpack[Options]) -> None:
        check_options(options)
        self._only: Settings | None = None
        self._source: Source | None = None
        if isinstance(policy, Runtime):
            if options:
                raise PolicyError("a runtime is bound already: say these options to policy.bind(...)")
            self._only = policy.settings
        elif isinstance(policy, Policy):
            self._only = bind(policy, **options).settings
        elif callable(getattr(policy, "policy_for", None)) and not isinstance(policy, type):
            self._source = policy
        else:
            raise PolicyError(
                f"an adapter takes a policy, routes or a strategy; got {shown(policy, 60)}{_instead_of(policy)}"
            )
        self.recovers = bool(options.get("recover")) if self._only is None else self._only.recovers
        """Whether an action may renew what requests are sent with."""
        if self._source is not None:
            _check_actions(self._source, options.get("recover"))
            options = shared(options)
        self._bound: Callable[[Policy], Settings] = lru_cache(_MOST_BOUND)(partial(_settings, options))

    def settings(self, method: str, url: object) -> Settings | None:
        """Return the bound policy of a request; None when its endpoint has none."""
        if self._source is None:
            return self._only
        policy = self._source.policy_for(method, str(url))
        if policy is None:
            return None
        if not isinstance(policy, Policy):
            raise PolicyError(f"policy_for() answers a policy or None; got {shown(policy)}")
        return self._bound(policy)

    def place(self, method: str, url: object) -> Place:
        """Return where a request goes: its host, its endpoint, and the parts of the path that the endpoint names."""
        target = urlsplit(str(url))
        host = target.netloc.rpartition("@")[2].lower()
        match: Callable[[str, str], Any] | None = getattr(self._source, "match", None)
        found = None if match is None else match(method, str(url))
        if found is None:
            return Place(host, f"{method} {target.path}")
        return Place(host, str(found.pattern), found.params)


def _instead_of(policy: object) -> str:
    """Say what makes a policy or a strategy of a text."""
    if not isinstance(policy, str):
        return ""
    if "(" in policy:
        return ": bide.parse(...) reads a policy text"
    return f': bide.load("{policy:.40}") loads a strategy'


def check_options(options: Mapping[str, object]) -> None:
    """Raise TypeError for an argument that no adapter has, and tell where that is said instead."""
    known = sorted(Options.__annotations__)
    for name in options:
        if name in known:
            continue
        if name in _HOW_MANY:
            advice = ": the policy says how many, as in retry_on(503).max(3)"
        elif name == "timeout":
            advice = ': write retry_on(503).timeout("5s"); the client\'s own timeouts are said to the client'
        elif near := get_close_matches(name, [*known, *_OWN], n=1):
            advice = f": did you mean {near[0]!r}?"
        else:
            advice = f": what is not about retries is said to the client; here may stand {', '.join(known)}"
        raise TypeError(f"an adapter has no argument {name!r}{advice}")


def _check_actions(source: object, recover: Any) -> None:
    """Raise PolicyError for an action that no policy of the source calls, if the source tells all that it has."""
    told = [getattr(source, name, None) for name in ("policies", "endpoints")]
    policies = [
        policy
        for held in told
        if isinstance(held, Mapping)
        for policy in cast("Mapping[str, Policy]", held).values()
    ]
    if policies and recover is not None and not isinstance(recover, Recoveries):
        called = (clause.recovery for policy in policies for clause in policy.clauses)
        Recoveries(recover).check(name for name in called if name is not None)


def _settings(options: Options, policy: Policy) -> Settings:
    return bind(policy, **options).settings


def shared(options: Options) -> Options:
    """Return options with which several bindings share their recoveries and their store."""
    store, recover = options.get("store"), options.get("recover")
    if not isinstance(recover, Recoveries):
        recover = Recoveries({} if recover is None else recover)
    return {**options, "store": MemoryStore() if store is None else store, "recover": recover}
