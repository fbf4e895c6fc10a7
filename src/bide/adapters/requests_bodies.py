"""Bodies of responses of requests: read ahead and put back, drained, or let go of in good order."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from io import BufferedReader
from math import inf
from typing import Any

from bide.adapters.http import Ahead, drain


def put_back(beginning: bytes, raw: Any) -> Any:
    """Return a body, as it is on the wire, whose beginning was read already: a file to urllib3, which decodes it."""
    return BufferedReader(Ahead(beginning, partial(raw.read1, decode_content=False), partial(close, raw)))


def part_from(connection: Any) -> None:
    """Take the socket from a connection, which makes itself another; a response that reads from it still can."""
    socket = getattr(connection, "sock", None)
    if socket is not None:
        connection.sock = None
        socket.close()


def drain_raw(raw: Any) -> None:
    """Read a body to its end, if that is near; no reading waits longer than the request's own timeout."""
    socket = socket_of(raw)
    own = inf if socket is None else socket.gettimeout() or inf

    def wait_at_most(seconds: float) -> None:
        if socket is not None:
            socket.settimeout(min(seconds, own))  # the next request on this connection sets its own

    drain(lambda most: raw.read1(most, decode_content=False), wait_at_most)


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
    close(response.raw)


def close(raw: Any) -> None:
    """Close what a response is read from, and give its place in the pool back, even if closing fails half-way."""
    connection: Any = getattr(raw, "connection", None)
    with suppress(Exception):
        raw.close()
    with suppress(Exception):
        connection.close()
    with suppress(Exception):
        raw.release_conn()
