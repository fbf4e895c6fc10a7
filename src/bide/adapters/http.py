"""What the adapters share: which policy a request gets, a request's call, peeking into bodies, draining responses."""

from __future__ import annotations

import zlib
from abc import abstractmethod
from collections.abc import Mapping
from math import inf
from typing import Any, Final, Protocol, TypedDict, Unpack

from bide.engine.call import Call
from bide.engine.clock import Clock, RandomSource
from bide.engine.events import Listener
from bide.engine.history import exhausted
from bide.engine.readers import has_key
from bide.engine.runtime import Runtime, bind
from bide.engine.settings import Settings
from bide.policy.errors import PolicyError
from bide.policy.outcome import Outcome
from bide.policy.policy import Policy

DRAINED: Final = 65_536
"""Bytes of a rejected response that are read so that its connection can be used again; past them it is closed."""
PEEKED: Final = 65_536
"""Bytes of a body, decoded, that rules may look into."""
DRAIN_PATIENCE: Final = 0.5
"""Seconds without a byte after which a rejected response is closed instead."""
_SHORTEST_TIMEOUT: Final = 0.001
_NEW_CONNECTION: Final = frozenset({408, 421})


class Source(Protocol):
    """Where policies come from, one for each endpoint: `bide.Routes`, a `bide.Strategy`, or yours."""

    def policy_for(self, method: str, url: str) -> Policy:
        """Return the policy for a request."""
        ...


class Options(TypedDict, total=False):
    """What `policy.bind` takes, said to an adapter."""

    clock: Clock | None
    rng: RandomSource | None
    listeners: list[Listener] | None
    name: str | None


class Selector:
    """
    Choose the policy for each request, and bind each policy once.

    Raises:
        PolicyError: neither a policy nor a source of policies; or options beside a runtime, which has its own.
    """

    __slots__ = ("_bound", "_only", "_options", "_source")

    def __init__(self, policy: Policy | Runtime | Source, **options: Unpack[Options]) -> None:
        self._options = options
        self._bound: dict[Policy, Settings] = {}
        self._only: Settings | None = None
        self._source: Source | None = None
        if isinstance(policy, Runtime):
            if options:
                raise PolicyError("a runtime is bound already: say these options to policy.bind(...)")
            self._only = policy.settings
        elif isinstance(policy, Policy):
            self._only = bind(policy, **options).settings
        elif callable(getattr(policy, "policy_for", None)):
            self._source = policy
        else:
            raise PolicyError(f"an adapter takes a policy, routes or a strategy; got {policy!r:.60}")

    def settings(self, method: str, url: str) -> Settings:
        """Return the bound policy of a request."""
        if self._only is not None:
            return self._only
        assert self._source is not None
        policy = self._source.policy_for(method, url)
        bound = self._bound.get(policy)
        if bound is None:
            bound = self._bound[policy] = bind(policy, **self._options).settings
        return bound


class RequestCall(Call):
    """One request's use of a policy: its outcomes know the request, and its bodies are sent again or not at all."""

    __slots__ = ("_keyed", "method", "url")

    def __init__(self, settings: Settings, method: str, url: str, headers: Mapping[str, str]) -> None:
        started = settings.clock.monotonic() if settings.needs_clock else None
        super().__init__(settings, _named(method), started)
        self.method = method
        self.url = url
        self._keyed = has_key(headers)

    @abstractmethod
    def replayable(self) -> bool:
        """Tell whether the request's body can be sent again, from its start, as it was."""

    @abstractmethod
    def status_of(self, response: Any) -> int:
        """Return a response's status."""

    @abstractmethod
    def headers_of(self, response: Any) -> list[tuple[str, str]]:
        """Return a response's headers, repeats kept."""

    @abstractmethod
    def peeked(self, response: Any) -> bytes | None:
        """Return the beginning of a response's body, decoded, if it was read ahead."""

    def failed(self, error: Exception) -> bool:
        return self._goes_on(self._outcome(error=error, exhausted=exhausted(error)), error)

    def returned(self, value: Any) -> bool:
        status = self.status_of(value)
        if status not in self.settings.statuses:
            self._end_well(str(status))
            return False
        outcome = self._outcome(
            status=status, headers=self.headers_of(value), body=self.peeked(value), exhausted=exhausted(value)
        )
        return self.judged(outcome, value)

    def _outcome(self, **facts: Any) -> Outcome:
        return Outcome(
            method=self.method,
            url=self.url,
            idempotency_key=self._keyed,
            replayable=self.replayable(),
            elapsed=self._took(),
            **facts,
        )

    def shrunk(self, seconds: float | None) -> float | None:
        """Return a client's timeout, shortened to what the policy allows an attempt that begins now."""
        allowed = self.time_allowed()
        if allowed == inf:
            return seconds
        allowed = max(allowed, _SHORTEST_TIMEOUT)
        return allowed if seconds is None else min(seconds, allowed)


def _named(method: str) -> Any:
    """Return what a request's events are named after: the method, since addresses may hold secrets."""

    def request() -> None: ...

    request.__qualname__ = f"{method[:16]} request"
    return request


def worth_draining(status: int, headers: list[tuple[str, str]]) -> bool:
    """Tell whether reading a rejected response to its end may save its connection for the next attempt."""
    if status in _NEW_CONNECTION:
        return False
    for name, value in headers:
        if name.lower() == "content-length" and value.isdecimal() and value.isascii():
            return len(value) <= len(str(DRAINED)) and int(value) <= DRAINED
    return True


def decoded(raw: bytes, headers: list[tuple[str, str]]) -> bytes | None:
    """Return the first 64 KiB of a body as it was before `Content-Encoding`; None when that cannot be told safely."""
    codings = [value.strip().lower() for name, value in headers if name.lower() == "content-encoding"]
    codings = [coding for coding in codings if coding not in ("", "identity")]
    if not codings:
        return raw[:PEEKED]
    if codings not in (["gzip"], ["x-gzip"], ["deflate"]):
        return None
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(raw, PEEKED)
    except zlib.error:
        return None
