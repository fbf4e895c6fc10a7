"""Reads requests from a socket and writes scripted bytes to it."""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    import threading

    import h11

    from bide.testing.steps import Step

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_READ = 65_536  # bytes
_LOOK_AT_HOLD = 0.01  # real seconds between two looks at an event while waiting on the socket


class HungUpError(OSError):
    """The client went away, or does not speak HTTP: either way there is nobody to talk to."""


@attrs.define
class Incoming:
    """A request that is being read. Not `complete`: the body broke off, or was not wanted."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    keeps_open: bool
    body: bytes = b""
    complete: bool = False

    @property
    def path(self) -> str:
        """The target without its query, and without scheme and host if it was sent to us as to a proxy."""
        target = self.target
        if "://" in target:
            target = "/" + target.partition("://")[2].partition("/")[2]
        return target.partition("?")[0]


def check_reading_is_possible() -> None:
    """
    Do nothing, if what reads requests is installed.

    Raises:
        ImportError: h11 is not installed.
    """
    try:
        _new_reader()
    except ImportError as error:
        raise ImportError("a FaultServer reads requests with h11: install h11") from error


class Wire:
    """One accepted connection, read as HTTP/1.1 requests and written as bytes."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setsockopt(
            socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
        )  # head and body go out in two sends, without a pause
        self._sock = sock
        self._reader = _new_reader()
        self._left_over = b""
        self._said_continue = False

    def read_head(self) -> Incoming:
        """
        Return the next request, its body still to be read.

        Raises:
            OSError: There is none.
        """
        self._reader = _new_reader()
        self._said_continue = False
        if self._left_over:
            self._reader.receive_data(self._left_over)
            self._left_over = b""
        head = self._read(asks_for_body=False)
        assert isinstance(head, Incoming)  # a request begins with its head
        return head

    def read_body(self, incoming: Incoming) -> None:
        """Fill in the body. One that breaks off leaves what came of it, and `complete` False."""
        pieces: list[bytes] = []
        with suppress(OSError):
            while isinstance(piece := self._read(asks_for_body=True), bytes):
                pieces.append(piece)
            incoming.complete = True
        incoming.body = b"".join(pieces)
        self._left_over = self._reader.trailing_data[0]

    def write(self, step: Step, method: str) -> bool:
        """Answer, and return whether the connection may serve another request."""
        if step.held and not self._hold(step.hold):
            return False
        if method == "HEAD":
            self._sock.sendall(step.head)
        elif step.pause:
            self._sock.sendall(step.head)
            self._trickle(step)
        else:
            self._sock.sendall(
                step.head + step.body
            )  # at once: clients tell some faults apart by what comes together
            for _ in range(step.repeats):
                self._sock.sendall(step.body)
        if step.ending == "reset":
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return step.ending == "keep"

    def linger(self) -> None:
        """Throw away what the client still sends, so that its answer is not lost in a reset; until it goes away."""
        self._sock.shutdown(socket.SHUT_WR)
        while self._sock.recv(_READ):
            pass

    def _trickle(self, step: Step) -> None:
        for repeat in range(1 + step.repeats):
            for index, byte in enumerate(step.body):
                if (repeat or index) and self._goes_away_within(step.pause):
                    return
                self._sock.sendall(bytes([byte]))

    def _goes_away_within(self, seconds: float) -> bool:
        """Wait, unless the client goes away first. What it says meanwhile ends the wait, and is kept."""
        self._sock.settimeout(seconds)
        try:
            said = self._sock.recv(_READ)
        except TimeoutError:
            return False
        finally:
            self._sock.settimeout(None)
        self._left_over += said
        return not said

    def _hold(self, hold: threading.Event | None) -> bool:
        """Wait for `hold`; False if the client went away first. What a client says meanwhile is lost."""
        self._sock.settimeout(None if hold is None else _LOOK_AT_HOLD)
        try:
            while hold is None or not hold.is_set():
                with suppress(TimeoutError):
                    if not self._sock.recv(_READ):
                        return False
        finally:
            self._sock.settimeout(None)
        return True

    def _read(self, *, asks_for_body: bool) -> Incoming | bytes | None:
        """Return the head of a request, a piece of its body, or None at its end."""
        import h11  # not at the top: pytest loads this package, also where h11 is not installed

        try:
            while (event := self._reader.next_event()) is h11.NEED_DATA:
                if asks_for_body and self._reader.they_are_waiting_for_100_continue:
                    self._say_continue()
                self._reader.receive_data(self._sock.recv(_READ))
        except h11.RemoteProtocolError as error:
            raise HungUpError from error
        if isinstance(event, h11.Request):
            return _incoming(event)
        if isinstance(event, h11.Data):
            return bytes(event.data)
        if isinstance(event, h11.EndOfMessage):
            return None
        raise HungUpError

    def _say_continue(self) -> None:
        if not self._said_continue:  # h11, which is not told, would have us say it again
            self._said_continue = True
            self._sock.sendall(_CONTINUE)


def _new_reader() -> h11.Connection:
    import h11

    return h11.Connection(h11.SERVER)


def _incoming(event: h11.Request) -> Incoming:
    pairs = event.headers.raw_items()
    closes = any(name == b"connection" and b"close" in value.lower() for name, value in event.headers)
    return Incoming(
        event.method.decode("ascii"),
        event.target.decode("latin-1"),
        tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in pairs),
        keeps_open=not closes and event.http_version >= b"1.1",
    )
