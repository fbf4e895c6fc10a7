"""Bodies of responses of httpx and httpx2: read ahead and put back, drained, or let go of in good order."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from contextlib import suppress
from importlib import import_module
from socket import SHUT_RDWR
from typing import Any, Final

from bide.adapters.http import DRAINED, NEW_CONNECTION, PEEKED, decoded
from bide.engine.clock import SYSTEM_CLOCK

_MOST_CHUNKS: Final = 65_536


class Replayed:
    """A body whose beginning was read ahead: first what was read, then the rest, as it comes; once."""

    def __init__(self, chunks: list[bytes], rest: Iterator[bytes], stream: Any) -> None:
        self._chunks, self._rest, self._stream = chunks, rest, stream

    def __iter__(self) -> Iterator[bytes]:
        chunks, self._chunks = self._chunks, []
        yield from chunks
        yield from self._rest

    def close(self) -> None:
        self._stream.close()

    @property
    def elapsed(self) -> Any:
        """What httpx2 asks of a response's stream: how long it all took, once it is closed."""
        return getattr(self._stream, "elapsed", None)


class AsyncReplayed:
    """A body whose beginning was read ahead: first what was read, then the rest, as it comes; once."""

    def __init__(self, chunks: list[bytes], rest: AsyncIterator[bytes], stream: Any) -> None:
        self._chunks, self._rest, self._stream = chunks, rest, stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks, self._chunks = self._chunks, []
        for chunk in chunks:
            yield chunk
        async for chunk in self._rest:
            yield chunk

    async def aclose(self) -> None:
        try:
            await _end(self._rest)
        finally:
            await self._stream.aclose()

    @property
    def elapsed(self) -> Any:
        """What httpx2 asks of a response's stream: how long it all took, once it is closed."""
        return getattr(self._stream, "elapsed", None)


def peek(response: Any, stream_class: Any) -> bytes | None:
    """Return a body that is read ahead and put back; None when it is too long, or in no coding that is read here."""
    if response.is_stream_consumed:
        return _in_memory(response)
    chunks: list[bytes] = []
    rest = iter(response.stream)
    left = PEEKED
    try:
        for chunk in rest:
            chunks.append(chunk)
            left -= len(chunk)
            if left < 0:
                break
        else:
            if response.status_code not in NEW_CONNECTION:  # else it is hung up first
                response.stream.close()  # a recovery may need the connection
    except BaseException:
        with suppress(Exception):
            response.close()
        raise
    response.stream = stream_class(chunks, rest, response.stream)
    return decoded(b"".join(chunks), headers_of(response)) if left >= 0 else None


async def apeek(response: Any, stream_class: Any) -> bytes | None:
    """Return a body that is read ahead and put back; None when it is too long, or in no coding that is read here."""
    if response.is_stream_consumed:
        return _in_memory(response)
    chunks: list[bytes] = []
    rest = aiter(response.stream)
    left = PEEKED
    try:
        async for chunk in rest:
            chunks.append(chunk)
            left -= len(chunk)
            if left < 0:
                break
        else:
            if response.status_code not in NEW_CONNECTION:  # else it is hung up first
                await response.stream.aclose()  # a recovery may need the connection
    except BaseException:
        with suppress(Exception):
            await response.aclose()
        raise
    response.stream = stream_class(chunks, rest, response.stream)
    return decoded(b"".join(chunks), headers_of(response)) if left >= 0 else None


def headers_of(response: Any) -> list[tuple[str, str]]:
    """Return a response's headers, repeats kept."""
    return list(response.headers.multi_items())


def _in_memory(response: Any) -> bytes | None:
    """Return the body of a response that the inner transport has read already, decoded by the client itself."""
    content: bytes | None = getattr(response, "_content", None)
    return content if content is not None and len(content) <= PEEKED else None


def drain(stream: Iterable[bytes], seconds: float) -> bool:
    """Read a body to its end, if that is near: 64 KiB and these real seconds at most; tell whether it was."""
    left = DRAINED
    until = SYSTEM_CLOCK.monotonic() + seconds
    for chunk in stream:
        left -= len(chunk)
        if left < 0 or SYSTEM_CLOCK.monotonic() > until:
            return False
    return True


async def adrain(stream: AsyncIterable[bytes], seconds: float) -> bool:
    """Read a body to its end, if that is near: 64 KiB and these real seconds at most; tell whether it was."""
    left = DRAINED
    chunks = aiter(stream)
    with import_module("anyio").move_on_after(seconds):
        async for chunk in chunks:
            left -= len(chunk)
            if left < 0:
                break
        else:
            return True
    await _end(chunks)
    return False


async def _end(chunks: AsyncIterator[bytes]) -> None:
    """
    End an iterator that may not have been read to its end.

    Closing it would leave the iterators beneath it to the garbage collector, which trio warns of. Cancelled in their
    next read, all of them end in order.
    """
    with import_module("anyio").CancelScope() as scope:
        scope.cancel()
        with suppress(Exception):
            for _ in range(_MOST_CHUNKS):  # there may be some that need no read
                await anext(chunks)
    close = getattr(chunks, "aclose", None)
    if close is not None:
        with suppress(Exception):
            await close()


def shares_its_connection(response: Any) -> bool:
    """Tell whether other requests may be under way on a response's connection: on one of HTTP/2."""
    return bool(response.extensions.get("http_version") == b"HTTP/2")


def hang_up(response: Any) -> None:
    """
    Make sure that the connection of a response is not used again, even if the response was read to its end.

    One of HTTP/2 goes on for the requests that are under way there, and is closed with the last of them.
    """
    with suppress(Exception):
        if shares_its_connection(response):
            connection = _connection_of(response.stream)
            connection._used_all_stream_ids = True  # noqa: SLF001  # there is no public way
            if connection.is_idle():
                connection._expire_at = 0.0  # noqa: SLF001
        else:
            response.extensions["network_stream"].get_extra_info("socket").shutdown(SHUT_RDWR)


def hurry(response: Any, seconds: float) -> None:
    """
    Shorten the read timeout of a body of which nothing was read yet: httpcore looks it up when its reading begins.

    It is looked up in a request of httpcore's, made for this response alone; its extensions are the client's request's.
    """
    with suppress(AttributeError):  # sent by something else than httpcore
        own = _body_of(response.stream)._request  # noqa: SLF001  # there is no public way
        timeouts = own.extensions.get("timeout", {})
        own.extensions = {**own.extensions, "timeout": {**timeouts, "read": seconds}}


def _connection_of(stream: Any) -> Any:
    """Return httpcore's connection beneath a response's stream."""
    return _body_of(stream)._connection  # noqa: SLF001  # there is no public way


def _body_of(stream: Any) -> Any:
    """Return httpcore's body beneath a response's stream, in whatever the stream is wrapped."""
    while not hasattr(stream, "_httpcore_stream"):
        stream = stream._stream  # noqa: SLF001  # as above
    return stream._httpcore_stream._stream  # noqa: SLF001  # as above
