"""Bodies of responses of requests: read ahead and put back, drained, or let go of in good order."""

from __future__ import annotations

from contextlib import suppress
from io import BytesIO
from typing import Any, Final

from bide.adapters.http import DRAIN_PATIENCE, DRAINED
from bide.engine.clock import SYSTEM_CLOCK

_AT_ONCE: Final = 16_384


class Ahead:
    """A body, as it is on the wire, whose beginning was read already: a file to urllib3, which decodes it."""

    def __init__(self, beginning: bytes, rest: Any) -> None:
        self._beginning, self._rest, self.closed = BytesIO(beginning), rest, False

    def read(self, amount: int | None = None) -> bytes:
        chunk: bytes = self._beginning.read(amount)
        if amount is None:
            chunk += self._rest.read(decode_content=False)
            self.close()
        elif not chunk:
            chunk = self._rest.read(amount, decode_content=False)
        return chunk

    def read1(self, amount: int | None = None) -> bytes:
        chunk: bytes = self._beginning.read(amount) or self._rest.read1(amount, decode_content=False)
        return chunk

    def close(self) -> None:
        self.closed = True
        self._rest.close()
        self._rest.release_conn()


def part_from(connection: Any) -> None:
    """Take the socket from a connection, which makes itself another; a response that reads from it still can."""
    socket = getattr(connection, "sock", None)
    if socket is not None:
        connection.sock = None
        socket.close()


def drain(raw: Any) -> None:
    """Read a body to its end, if that is near: 64 KiB, and half a second or the request's own timeout, at most."""
    socket = socket_of(raw)
    own = None if socket is None else socket.gettimeout()
    until = SYSTEM_CLOCK.monotonic() + min(DRAIN_PATIENCE, own or DRAIN_PATIENCE)
    left = DRAINED + 1
    while left > 0 and (patience := until - SYSTEM_CLOCK.monotonic()) > 0:
        if socket is not None:
            socket.settimeout(patience)  # the next request on this connection sets its own
        chunk = raw.read1(min(left, _AT_ONCE), decode_content=False)  # only what has come
        if not chunk:
            break
        left -= len(chunk)


def lines_of(response: Any) -> list[tuple[str, str]]:
    """Return a response's headers, repeats kept."""
    lines = getattr(response.raw, "headers", None)  # requests joins repeated lines, urllib3 keeps them
    return list((response.headers if lines is None else lines).items())


def socket_of(raw: Any) -> Any:
    """Return the socket that a response is being read from, or None."""
    return getattr(getattr(raw, "connection", None), "sock", None)


def let_go(response: Any) -> None:
    """Close a response; its connection, if the body was read to its end, has gone back to the pool already."""
    with suppress(Exception):
        response.close()
