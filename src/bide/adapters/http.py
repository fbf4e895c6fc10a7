"""What the adapters share: a request's call, its idempotency key, and the reading and draining of bodies."""

from __future__ import annotations

import zlib
from abc import abstractmethod
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import lru_cache
from io import BytesIO, RawIOBase
from math import inf
from typing import Any, Final

from bide.adapters.keys import KEY_HEADER, header_name, key_header, new_key, same_origin
from bide.adapters.selecting import Selector, Source
from bide.engine.call import Call
from bide.engine.clock import SYSTEM_CLOCK
from bide.engine.history import exhausted
from bide.engine.nesting import tick
from bide.engine.pacing import Place
from bide.engine.readers import has_key
from bide.engine.runtime import Options
from bide.engine.settings import Settings
from bide.policy.outcome import HeadersLike, Outcome
from bide.policy.params import is_token

__all__ = [
    "DRAINED",
    "DRAIN_PATIENCE",
    "KEY_HEADER",
    "NEW_CONNECTION",
    "PEEKED",
    "Ahead",
    "Options",
    "RequestCall",
    "Selector",
    "Source",
    "decoded",
    "drain",
    "header_name",
    "key_header",
    "new_key",
    "read_ahead",
    "same_origin",
    "shortened",
    "worth_draining",
]

DRAINED: Final = 65_536
"""Bytes of a rejected response that are read so that its connection can be used again; past them it is closed."""
PEEKED: Final = 65_536
"""Bytes of a body, decoded, that rules may look into."""
DRAIN_PATIENCE: Final = 0.5
"""Real seconds that reading it may take; past them it is closed."""
NEW_CONNECTION: Final = frozenset({408, 421})
"""Statuses after which the next attempt gets another connection."""
_SHORTEST_TIMEOUT: Final = 0.001
_GZIP: Final = b"\x1f\x8b"
_AT_ONCE: Final = 16_384
_UNBOUNDED: Final = nullcontext(inf)


class RequestCall(Call):
    """
    One request's use of a policy: its outcomes know the request, and its bodies are sent again or not at all.

    `url` and `headers` are read when an outcome is asked about them, and not before. `key_header` is a header that
    counts as an idempotency key, beside the usual names. `peeked` is the beginning of a response's body, decoded, if
    it was read ahead in this attempt: a subclass sets it, for responses in `settings.body_statuses`. `first_url` is where
    the caller's own request went, of which this one is perhaps a redirect.
    """

    __slots__ = ("_key_header", "_place", "_url", "first_url", "headers", "method", "peeked")

    def __init__(
        self,
        settings: Settings,
        method: str,
        url: object,
        headers: HeadersLike,
        key_header: str | None = None,
        selector: Selector | None = None,
    ) -> None:
        started = settings.clock.monotonic() if settings.needs_clock else None
        super().__init__(settings, _named(method), started)
        self.since = tick()
        self.method = method
        self._url = self.first_url = url
        self.headers: Any = headers
        self._key_header = key_header
        self._place = None if selector is None or settings.pacer is None else selector.place(method, url)
        self.peeked: bytes | None = None

    @abstractmethod
    def replayable(self) -> bool:
        """Tell whether the request's body can be sent again, from its start, as it was."""

    @abstractmethod
    def status_of(self, response: Any) -> int:
        """Return a response's status."""

    @abstractmethod
    def headers_of(self, response: Any) -> list[tuple[str, str]]:
        """Return a response's headers, repeats kept."""

    def place(self) -> Place:
        return super().place() if self._place is None else self._place

    def renewed_headers(self) -> dict[str, str]:
        """
        Return the headers that the last recovery returned, for the request to be sent with from now on.

        What else it may have returned, such as the whole answer of a token server, is none and goes nowhere. Nor do
        they go where a redirect has led the request away from the caller's origin.
        """
        if self.renewed is None or not same_origin(self._url, self.first_url):
            return {}
        items = getattr(self.renewed, "items", None)
        pairs: list[tuple[object, object]] = [] if items is None else list(items())
        headers = {name: value for name, value in pairs if isinstance(name, str) and isinstance(value, str)}
        whole = len(headers) == len(pairs)
        return headers if whole and all(map(_is_field, headers, headers.values())) else {}

    def drain(self, response: Any) -> None:
        """Read what is left of a rejected response, if that is little: `DRAINED` bytes, `DRAIN_PATIENCE` seconds."""

    def close(self, response: Any) -> None:
        """Give the connection of a rejected response back, or close it if there is more to read."""

    async def adrain(self, response: Any) -> None:
        """Do as `drain` does, in an asynchronous client."""

    async def aclose(self, response: Any) -> None:
        """Do as `close` does, in an asynchronous client."""

    def worth_draining(self, response: Any) -> bool:
        """Tell whether reading a rejected response to its end may save its connection for the next attempt."""
        status = self.status_of(response)
        if self.method == "HEAD" and status not in NEW_CONNECTION:
            return True  # whatever length it names, nothing follows
        return worth_draining(status, self.headers_of(response))

    def release(self) -> None:
        response, self.rejected, self.peeked = self.rejected, None, None
        try:
            if self.worth_draining(response):
                with suppress(Exception):  # what a rejected response still does wrong is nobody's business
                    self.drain(response)
        finally:
            with suppress(Exception):
                self.close(response)

    async def arelease(self) -> None:
        response, self.rejected, self.peeked = self.rejected, None, None
        try:
            if self.worth_draining(response):
                with suppress(Exception):  # what a rejected response still does wrong is nobody's business
                    await self.adrain(response)
        finally:
            with suppress(Exception):
                await self.aclose(response)

    def failed(self, error: Exception) -> bool:
        return self._goes_on(self._outcome(error=error, exhausted=exhausted(error, self.since)), error)

    def returned(self, value: Any) -> bool:
        status = self.status_of(value)
        if self.attempt == 1 and status not in self.settings.statuses and self.settings.pacer is None:
            return False
        outcome = self._outcome(
            status=status,
            headers=self.headers_of(value),
            body=self.peeked,
            exhausted=exhausted(value, self.since),
        )
        return self.judged(outcome, value)

    def _outcome(self, kind: type[Outcome] = Outcome, **facts: Any) -> Outcome:
        return kind(
            method=self.method,
            url=str(self._url),
            idempotency_key=has_key(self.headers, self._key_header),
            replayable=self.replayable(),
            elapsed=self._took(),
            **facts,
        )

    def dating(self) -> AbstractContextManager[float]:
        """Return a context in which what an attempt calls knows how long it may take; it gives that, or infinity."""
        allowed = self.time_allowed()
        return _UNBOUNDED if allowed == inf else self._dating(allowed)

    @contextmanager
    def _dating(self, allowed: float) -> Generator[float]:
        deadline = self.enter(allowed)
        try:
            yield allowed
        finally:
            deadline.leave()

    def shrunk(self, seconds: float | None) -> float | None:
        """Return a client's timeout (None: it has none), shortened to what the policy allows an attempt begun now."""
        allowed = self.time_allowed()
        return seconds if allowed == inf else shortened(seconds, allowed)


def _is_field(name: str, value: str) -> bool:
    """Tell whether this may be a header: `access_token` is a key of JSON, and servers drop such headers."""
    return is_token(name) and "_" not in name and value.isprintable() and value.isascii()


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


def drain(read: Callable[[int], bytes], wait_at_most: Callable[[float], object]) -> None:
    """
    Read a body to its end, if that is near: 64 KiB and half a second at most.

    Args:
        read: Returns what has come, up to so many bytes, and nothing at the end.
        wait_at_most: Bounds the next reading to so many seconds.
    """
    until = SYSTEM_CLOCK.monotonic() + DRAIN_PATIENCE
    left = DRAINED + 1
    while left > 0 and (patience := until - SYSTEM_CLOCK.monotonic()) > 0:
        wait_at_most(patience)
        chunk = read(min(left, _AT_ONCE))
        if not chunk:
            break
        left -= len(chunk)


def read_ahead(read: Callable[[int], bytes]) -> tuple[bytes, bool]:
    """Return the beginning of a body, enough for `decoded`, and whether that is all of it; `read` as for `drain`."""
    parts: list[bytes] = []
    left = PEEKED + 1
    while left > 0 and (part := read(left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts), left > 0


class Ahead(RawIOBase):
    """
    A body that was read ahead and is put back, as a file: first its beginning, then the rest, as it comes.

    `read` as for `drain`; `close` is what closing the file does. At its end it closes itself, as a response of
    http.client does. `io.BufferedReader` makes a file with `read1` of it.
    """

    def __init__(self, beginning: bytes, read: Callable[[int], bytes], close: Callable[[], object]) -> None:
        super().__init__()
        self._beginning, self._read, self._close = BytesIO(beginning), read, close

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        chunk = self._beginning.read(len(buffer)) or self._read(len(buffer))
        buffer[: len(chunk)] = chunk
        if not chunk:
            self.close()
        return len(chunk)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._close()


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
