"""Bodies of responses of httpx and httpx2: read ahead and put back, drained, or let go of in good order."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from contextlib import suppress
from importlib import import_module
from socket import SHUT_RDWR
from typing import Any, Final

from bide.adapters.http import DRAINED, PEEKED, decoded
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


def drain(stream: Iterable[bytes], seconds: float) -> None:
    """Read a body to its end, if that is near: 64 KiB and these real seconds at most."""
    left = DRAINED
    until = SYSTEM_CLOCK.monotonic() + seconds
    for chunk in stream:
        left -= len(chunk)
        if left < 0 or SYSTEM_CLOCK.monotonic() > until:
            break


async def adrain(stream: AsyncIterable[bytes], seconds: float) -> None:
    """Read a body to its end, if that is near: 64 KiB and these real seconds at most."""
    left = DRAINED
    chunks = aiter(stream)
    with import_module("anyio").move_on_after(seconds):
        async for chunk in chunks:
            left -= len(chunk)
            if left < 0:
                break
    await _end(chunks)


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


def hang_up(response: Any) -> None:
    """Make sure that the connection of a response is not used again, even if the response was read to its end."""
    network = response.extensions.get("network_stream")
    version = response.extensions.get("http_version", b"")
    if network is not None and version.startswith(b"HTTP/1"):  # other requests share a connection of HTTP/2
        with suppress(Exception):
            network.get_extra_info("socket").shutdown(SHUT_RDWR)
