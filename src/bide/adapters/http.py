"""What the adapters share: which policy a request gets, a request's call, peeking into bodies, draining responses."""

from __future__ import annotations

import zlib
from abc import abstractmethod
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from typing import Any, Final, Protocol, TypedDict, Unpack

from bide.engine.call import Call
from bide.engine.clock import Clock, RandomSource
from bide.engine.events import Listener
from bide.engine.history import exhausted
from bide.engine.nesting import tick
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
"""Real seconds that reading it may take; past them it is closed."""
NEW_CONNECTION: Final = frozenset({408, 421})
"""Statuses after which the next attempt gets another connection."""
_SHORTEST_TIMEOUT: Final = 0.001
_MOST_BOUND: Final = 256
_GZIP: Final = b"\x1f\x8b"


class Source(Protocol):
    """Where policies come from, one for each endpoint: `bide.Routes`, a `bide.Strategy`, or yours."""

    def policy_for(self, method: str, url: str) -> Policy | None:
        """Return the policy for a request, or None when it is to be sent once, whatever comes of it."""
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

    __slots__ = ("_bound", "_only", "_source")

    def __init__(self, policy: Policy | Runtime | Source, **options: Unpack[Options]) -> None:
        self._only: Settings | None = None
        self._source: Source | None = None
        self._bound: Callable[[Policy], Settings] = lru_cache(_MOST_BOUND)(partial(_bound, options))
        if isinstance(policy, Runtime):
            if options:
                raise PolicyError("a runtime is bound already: say these options to policy.bind(...)")
            self._only = policy.settings
        elif isinstance(policy, Policy):
            self._only = _bound(options, policy)
        elif callable(getattr(policy, "policy_for", None)):
            self._source = policy
        else:
            raise PolicyError(f"an adapter takes a policy, routes or a strategy; got {policy!r:.60}")

    def settings(self, method: str, url: object) -> Settings | None:
        """Return the bound policy of a request; None when its endpoint has none."""
        if self._source is None:
            return self._only
        policy = self._source.policy_for(method, str(url))
        return None if policy is None else self._bound(policy)


def _bound(options: Options, policy: Policy) -> Settings:
    return bind(policy, **options).settings


class RequestCall(Call):
    """
    One request's use of a policy: its outcomes know the request, and its bodies are sent again or not at all.

    `url` and `headers` are read when an outcome is asked about them, and not before.
    """

    __slots__ = ("_headers", "_url", "method")

    def __init__(self, settings: Settings, method: str, url: object, headers: Iterable[str]) -> None:
        started = settings.clock.monotonic() if settings.needs_clock else None
        super().__init__(settings, _named(method), started)
        self.since = tick()
        self.method = method
        self._url = url
        self._headers = headers

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
        return self._goes_on(self._outcome(error=error, exhausted=exhausted(error, self.since)), error)

    def returned(self, value: Any) -> bool:
        status = self.status_of(value)
        if self.attempt == 1 and status not in self.settings.statuses:
            return False
        outcome = self._outcome(
            status=status,
            headers=self.headers_of(value),
            body=self.peeked(value),
            exhausted=exhausted(value, self.since),
        )
        return self.judged(outcome, value)

    def _outcome(self, **facts: Any) -> Outcome:
        return Outcome(
            method=self.method,
            url=str(self._url),
            idempotency_key=has_key(self._headers),
            replayable=self.replayable(),
            elapsed=self._took(),
            **facts,
        )

    def shrunk(self, seconds: float | None) -> float:
        """Return a client's timeout, shortened to the time that the policy allows an attempt which begins now."""
        return shortened(seconds, self.time_allowed())


def shortened(seconds: float | None, allowed: float) -> float:
    """Return a client's timeout, no longer than what is allowed, and never 0, which clients take for "at once"."""
    allowed = max(allowed, _SHORTEST_TIMEOUT)
    return allowed if seconds is None else min(seconds, allowed)


@lru_cache(64)
def _named(method: str) -> Callable[[], None]:
    """Return what a request's events are named after: the method, since addresses may hold secrets."""

    def request() -> None: ...

    request.__qualname__ = f"{method[:16] if method.isprintable() else '?'} request"
    return request


def worth_draining(status: int, headers: list[tuple[str, str]]) -> bool:
    """Tell whether reading a rejected response to its end may save its connection for the next attempt."""
    if status in NEW_CONNECTION:
        return False
    for name, value in headers:
        if name.lower() == "content-length" and value.isdecimal() and value.isascii():
            return len(value) <= len(str(DRAINED)) and int(value) <= DRAINED
    return True


def decoded(raw: bytes, headers: list[tuple[str, str]]) -> bytes | None:
    """Return a body as it was before `Content-Encoding`; None when it is longer than 64 KiB, or cannot be told."""
    codings = [value.strip().lower() for name, value in headers if name.lower() == "content-encoding"]
    codings = [coding for coding in codings if coding not in ("", "identity")]
    try:
        if codings in (["gzip"], ["x-gzip"]):
            raw = _inflated(raw, zlib.MAX_WBITS | 16)
        elif codings == ["deflate"]:
            raw = _inflated(raw, zlib.MAX_WBITS if _has_zlib_header(raw) else -zlib.MAX_WBITS)
        elif codings:
            return None
    except zlib.error:
        return None
    return raw if len(raw) <= PEEKED else None


def _inflated(raw: bytes, bits: int) -> bytes:
    """Return one byte more than may be looked at, at most; gzip members follow one another."""
    parts: list[bytes] = []
    room = PEEKED + 1
    while room:
        member = zlib.decompressobj(bits)
        parts.append(member.decompress(raw, room))
        room -= len(parts[-1])
        raw = member.unused_data
        if not raw.startswith(_GZIP):
            break
    return b"".join(parts)


def _has_zlib_header(raw: bytes) -> bool:
    """Tell what RFC 9110 calls deflate from the bare deflate that some servers send under that name."""
    return len(raw) > 1 and raw[0] & 15 == zlib.DEFLATED and int.from_bytes(raw[:2], "big") % 31 == 0
