"""The transports of httpx and its successor httpx2, which have the same shape and different classes."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from math import inf
from types import ModuleType, TracebackType
from typing import Any, Final, Self, TypeVar, Unpack

from bide.adapters.http import (
    DRAIN_PATIENCE,
    DRAINED,
    PEEKED,
    Options,
    RequestCall,
    Selector,
    Source,
    decoded,
    worth_draining,
)
from bide.engine import aloop, loop
from bide.engine.runtime import Runtime
from bide.policy.errors import PolicyError
from bide.policy.policy import Policy

_PEEKED: Final = "bide.peeked"
_KINDS: Final = ("connect", "read", "write", "pool")
C = TypeVar("C")


class Transport:
    """What the transports have in common: an inner transport, and the policy of each request."""

    module: ModuleType
    stream_class: type[Replayed | AsyncReplayed]

    def __init__(
        self,
        policy: Policy | Runtime | Source,
        transport: Any = None,
        *,
        count_header: str | None = None,
        **options: Unpack[Options],
    ) -> None:
        """
        Wrap a transport.

        Args:
            policy: A policy, a runtime from `policy.bind(...)`, or a source of policies: `Routes`, a `Strategy`.
            transport: What sends; the client library's own HTTP transport when not given.
            count_header: A request header that tells how many attempts came before, such as "X-Retry-Count".
            **options: What `policy.bind` takes: clock, rng, listeners, name.

        Raises:
            PolicyError: not a policy; or one that is unbounded, or asks for what is not available yet.
        """
        self.selector = Selector(policy, **options)
        self.inner = self._default() if transport is None else transport
        self.count_header = count_header

    def _default(self) -> Any:
        raise NotImplementedError


class SyncTransport(Transport):
    """A transport for plain clients."""

    def handle_request(self, request: Any) -> Any:
        """Return the response to a request, after as many attempts as the policy makes."""
        call = HttpxCall(self, request)
        return loop.run(call, call.send, request)

    def close(self) -> None:
        """Close the inner transport."""
        self.inner.close()

    def __enter__(self) -> Self:
        self.inner.__enter__()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self.inner.__exit__(exc_type, exc_value, traceback)


class AsyncTransport(Transport):
    """A transport for asynchronous clients, on asyncio or trio."""

    async def handle_async_request(self, request: Any) -> Any:
        """Return the response to a request, after as many attempts as the policy makes."""
        call = HttpxCall(self, request)
        return await aloop.run(call, call.asend, request)

    async def aclose(self) -> None:
        """Close the inner transport."""
        await self.inner.aclose()

    async def __aenter__(self) -> Self:
        await self.inner.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.inner.__aexit__(exc_type, exc_value, traceback)


class HttpxCall(RequestCall):
    """One request through a transport: for each attempt the body is rewound and the timeouts are shrunk."""

    __slots__ = ("_offset", "_request", "_timeouts", "_transport")

    def __init__(self, transport: Transport, request: Any) -> None:
        method, url = request.method, str(request.url)
        super().__init__(transport.selector.settings(method, url), method, url, request.headers)
        self._transport = transport
        self._request = request
        self._timeouts: dict[str, float | None] = request.extensions.get("timeout", {})
        self._offset = _offset(_source(request.stream))

    def send(self, request: Any) -> Any:
        """Return the response to one attempt, its body read ahead where a rule may ask about it."""
        self._prepare()
        response = self._transport.inner.handle_request(request)
        if response.status_code in self.settings.body_statuses:
            _peek(response, self._transport.stream_class)
        return response

    async def asend(self, request: Any) -> Any:
        """Return the response to one attempt, its body read ahead where a rule may ask about it."""
        self._prepare()
        response = await self._transport.inner.handle_async_request(request)
        if response.status_code in self.settings.body_statuses:
            await _apeek(response, self._transport.stream_class)
        return response

    def _prepare(self) -> None:
        request = self._request
        if self.attempt > 1:
            if self._offset is not None:
                _source(request.stream).seek(self._offset)
            if self._transport.count_header is not None:
                request.headers[self._transport.count_header] = str(self.attempt - 1)
        if self.time_allowed() != inf:
            shrunk = {kind: self.shrunk(self._timeouts.get(kind)) for kind in _KINDS}
            request.extensions = {**request.extensions, "timeout": shrunk}

    def replayable(self) -> bool:
        stream = self._request.stream
        if isinstance(stream, self._transport.module.ByteStream) or self._offset is not None:
            return True
        fields = getattr(stream, "fields", None)
        if fields is not None:
            return all(_plain_or_seekable(getattr(field, "file", b"")) for field in fields)
        if isinstance(_source(stream), (list, tuple)):
            return True
        return getattr(stream, "_is_stream_consumed", True) is False  # nothing of a generator was taken yet

    def status_of(self, response: Any) -> int:
        return int(response.status_code)

    def headers_of(self, response: Any) -> list[tuple[str, str]]:
        return list(response.headers.multi_items())

    def peeked(self, response: Any) -> bytes | None:
        raw = response.extensions.get(_PEEKED)
        return None if raw is None else decoded(raw, self.headers_of(response))

    def release(self) -> None:
        response: Any = self.rejected
        self.rejected = None
        try:
            if self._worth_draining(response):
                _drain(response.stream)
        except Exception:  # noqa: S110  # what a rejected response still does wrong is nobody's business
            pass
        finally:
            response.close()

    async def arelease(self) -> None:
        response: Any = self.rejected
        self.rejected = None
        try:
            if self._worth_draining(response):
                await _adrain(response.stream)
        except Exception:  # noqa: S110  # as above
            pass
        finally:
            await response.aclose()

    def _worth_draining(self, response: Any) -> bool:
        if not worth_draining(response.status_code, self.headers_of(response)):
            return False
        timeouts = self._request.extensions.get("timeout")
        if timeouts is not None:  # the stream looks its timeout up when reading begins
            patience = (
                DRAIN_PATIENCE if timeouts.get("read") is None else min(DRAIN_PATIENCE, timeouts["read"])
            )
            timeouts["read"] = patience
        return True


class Replayed:
    """A body whose beginning was read ahead: first what was read, then the rest, as it comes."""

    def __init__(self, chunks: list[bytes], rest: Iterator[bytes], stream: Any) -> None:
        self._chunks, self._rest, self._stream = chunks, rest, stream

    def __iter__(self) -> Iterator[bytes]:
        yield from self._chunks
        yield from self._rest

    def close(self) -> None:
        self._stream.close()


class AsyncReplayed:
    """A body whose beginning was read ahead: first what was read, then the rest, as it comes."""

    def __init__(self, chunks: list[bytes], rest: AsyncIterator[bytes], stream: Any) -> None:
        self._chunks, self._rest, self._stream = chunks, rest, stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk
        async for chunk in self._rest:
            yield chunk

    async def aclose(self) -> None:
        await _finish(self._rest)
        await self._stream.aclose()


def _drain(stream: Iterable[bytes]) -> None:
    drained = 0
    for chunk in stream:
        drained += len(chunk)
        if drained > DRAINED:
            break


async def _adrain(stream: AsyncIterable[bytes]) -> None:
    drained = 0
    chunks = aiter(stream)
    try:
        async for chunk in chunks:
            drained += len(chunk)
            if drained > DRAINED:
                break
    finally:
        await _finish(chunks)


async def _finish(chunks: AsyncIterator[bytes]) -> None:
    """Close an iterator that may not have been read to its end, so that nobody else has to."""
    close = getattr(chunks, "aclose", None)
    if close is not None:
        await close()


def _peek(response: Any, stream_class: Any) -> None:
    """Read the beginning of a body, and put it back in front of the rest."""
    chunks: list[bytes] = []
    rest = iter(response.stream)
    try:
        for chunk in rest:
            chunks.append(chunk)
            if sum(map(len, chunks)) > PEEKED:
                break
    except BaseException:
        response.close()
        raise
    _put_back(response, stream_class(chunks, rest, response.stream), chunks)


async def _apeek(response: Any, stream_class: Any) -> None:
    """Read the beginning of a body, and put it back in front of the rest."""
    chunks: list[bytes] = []
    rest = aiter(response.stream)
    try:
        async for chunk in rest:
            chunks.append(chunk)
            if sum(map(len, chunks)) > PEEKED:
                break
    except BaseException:
        await response.aclose()
        raise
    _put_back(response, stream_class(chunks, rest, response.stream), chunks)


def _put_back(response: Any, stream: Any, chunks: list[bytes]) -> None:
    response.stream = stream
    response.extensions = {**response.extensions, _PEEKED: b"".join(chunks)}


def _source(stream: Any) -> Any:
    """Return what a request's stream was made from: a file, a generator, a list."""
    return getattr(stream, "_stream", None)


def _offset(source: Any) -> int | None:
    """Return where a seekable file stands before the first attempt, or None when it is no such file."""
    if not hasattr(source, "read") or not _plain_or_seekable(source):
        return None
    return int(source.tell())


def _plain_or_seekable(source: Any) -> bool:
    if isinstance(source, (str, bytes)):
        return True
    try:
        return bool(source.seekable())
    except (AttributeError, ValueError):  # no file, or a closed one
        return False


def install(client: C, policy: Policy | Runtime | Source, make: Any, transport: type, **options: Any) -> C:
    """Put a policy around every transport of a client: its own, its proxies' and its mounts'."""
    own: Any = client
    present = [own._transport, *own._mounts.values()]  # noqa: SLF001  # the client has no public way to them
    if any(isinstance(one, Transport) for one in present):
        raise PolicyError("this client retries already; put all rules into one policy")
    if any(one is not None and not isinstance(one, transport) for one in present):
        raise PolicyError(f"install() takes a client of {transport.__module__}; got {type(client).__name__}")
    own._transport = make(policy, own._transport, **options)  # noqa: SLF001
    for pattern, mounted in own._mounts.items():  # noqa: SLF001
        if mounted is not None:
            own._mounts[pattern] = make(policy, mounted, **options)  # noqa: SLF001
    return client
