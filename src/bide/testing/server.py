"""A real HTTP server on the loopback interface that answers as a script tells it, faults included."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Self, TypeAlias, cast

from bide.policy.errors import shown
from bide.policy.params import is_token
from bide.testing import given
from bide.testing.steps import Script, Seen, Step, respond, step_of
from bide.testing.wire import Incoming, Wire, check_reading_is_possible

if TYPE_CHECKING:
    from types import TracebackType

_JOIN = 5.0  # real seconds; a thread that outlives them is a fault of this server
_Function: TypeAlias = Callable[[Seen], object]
_UNKNOWN = respond(404, body="no script for this path")


class FaultServer:
    """
    A scripted HTTP/1.1 server on a real socket of 127.0.0.1, for the time of a `with` block.

        with FaultServer() as server:
            server.on("/jobs", steps.respond(503, {"Retry-After": "2"}), steps.drop(), steps.respond(200))
            httpx.get(server.url + "/jobs")

    Threads serve the connections, so any client may talk to it: blocking, asyncio or trio. Leaving the block closes
    every connection, waits for the threads, and raises what a callable step raised, if the block itself did not raise.

    Attributes:
        url: `http://127.0.0.1:<port>`, without a slash at the end. Before and after the block, connecting is refused.

    Raises:
        ImportError: h11 is not installed.
    """

    def __init__(self) -> None:
        check_reading_is_possible()
        self._listener = _bound()  # and does not listen yet: before the block a client is refused
        self.url = "http://{}:{}".format(*self._listener.getsockname()[:2])
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._scripts: dict[tuple[str | None, str], list[Step | _Function]] = {}
        self._seen: list[Seen] = []
        self._open: dict[int, tuple[socket.socket, threading.Thread]] = {}
        self._accepted = 0
        self._failures: list[Exception] = []
        self._silent: list[socket.socket] = []
        self._acceptor = threading.Thread(target=self._accept, name="fault-server", daemon=True)

    def __enter__(self) -> Self:
        if self._acceptor.ident is not None:
            raise RuntimeError("a FaultServer serves one `with` block; make another")
        self._listener.listen()
        self._acceptor.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close()
        if error is None and self._failures:
            raise self._failures[0]

    # The script

    def on(self, path: str, *steps: Script, method: str | None = None) -> Self:
        """
        Script the answers to a path, in place of an earlier script.

        Args:
            path: Without query, compared exactly; a path without a script is answered with 404.
            steps: One for each request, in order; the last one then repeats. A number is a status: `503` is
                `respond(503)`. A function `(Seen) -> Step` is called once the request's body has been read.
            method: Only for this method, which then goes before a script for any method.

        Returns:
            The server itself.

        Raises:
            TypeError: A step that is none; a path or a method that is no text.
            ValueError: No step; a path that no request has; a method that is none.
        """
        _check_method(method)
        _check_path(path, method)
        if "?" in path:
            raise ValueError(f"a script is for a path without its query: {shown(path.partition('?')[0])}")
        if not steps:
            raise ValueError("a script needs at least one step")
        script = [_scripted(step) for step in steps]
        with self._changed:
            self._scripts[method.upper() if method else None, path] = script
        return self

    def refused_url(self, path: str = "/") -> str:
        """Return a URL at which nothing listens, and nothing will while the block runs: connecting is refused."""
        if path != "":
            _check_path(path)
        sock = _bound()
        with self._changed:
            self._silent.append(sock)
        return "http://{}:{}{}".format(*sock.getsockname()[:2], path)

    # What came

    @property
    def requests(self) -> list[Seen]:
        """The requests so far, in the order in which they were read. A new list each time."""
        with self._changed:
            return list(self._seen)

    @property
    def connections(self) -> int:
        """How many connections were ever accepted."""
        with self._changed:
            return self._accepted

    @property
    def open_connections(self) -> int:
        """How many connections are open now."""
        with self._changed:
            return len(self._open)

    def wait_for_requests(self, count: int = 1, timeout: float = 5.0) -> list[Seen]:
        """
        Block this thread until `count` requests have been read, and return all of them.

        Raises:
            TypeError, ValueError: `count` is no whole number >= 0, or `timeout` no finite number >= 0.
            TimeoutError: `timeout` real seconds passed first.
        """
        wanted = given.whole(count, "count takes a whole number of requests >= 0")
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._seen) >= wanted, given.patience(timeout)):
                raise TimeoutError(f"{len(self._seen)} of {count} requests came within {timeout:g} s")
            return list(self._seen)

    def wait_until_idle(self, timeout: float = 5.0) -> None:
        """
        Block this thread until no connection is open: what a client that closes properly brings about.

        Raises:
            TypeError, ValueError: `timeout` is no finite number >= 0.
            TimeoutError: `timeout` real seconds passed first.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: not self._open, given.patience(timeout)):
                raise TimeoutError(f"{len(self._open)} connections are still open after {timeout:g} s")

    # Serving

    def _accept(self) -> None:
        while True:
            sock, _ = self._listener.accept()
            with self._changed:
                if self._closing.is_set():
                    sock.close()
                    return
                self._accepted += 1
                number = self._accepted
                name = f"fault-server-{number}"
                thread = threading.Thread(target=self._serve, args=(number, sock), name=name, daemon=True)
                self._open[number] = sock, thread
                thread.start()

    def _serve(self, number: int, sock: socket.socket) -> None:
        wire = Wire(sock)
        try:
            while not self._closing.is_set() and self._exchange(wire, number):
                pass
        except OSError:
            pass  # the client went away, or does not speak HTTP
        finally:
            with self._changed:
                sock.close()
                del self._open[number]
                self._changed.notify_all()

    def _exchange(self, wire: Wire, number: int) -> bool:
        """Answer one request, and return whether the connection may serve another."""
        incoming = wire.read_head()
        script = self._take(incoming)
        reads_body = not isinstance(script, Step) or script.reads_body
        if reads_body:
            wire.read_body(incoming)
        seen = self._record(incoming, number)
        if reads_body and not incoming.complete:
            return False
        step = script if isinstance(script, Step) else self._make(script, seen)
        if step is None:
            return False
        goes_on = wire.write(step, incoming.method) and incoming.keeps_open
        if step.lingers:
            wire.linger()
        return goes_on

    def _take(self, incoming: Incoming) -> Step | _Function:
        with self._changed:
            for method in (incoming.method, None):
                if script := self._scripts.get((method, incoming.path)):
                    return script.pop(0) if len(script) > 1 else script[0]
            return _UNKNOWN

    def _make(self, script: _Function, seen: Seen) -> Step | None:
        """Call a step function of the test's own. If it fails, the test hears of it when it leaves the block."""
        try:
            return step_of(script(seen))
        except Exception as error:
            self._failures.append(error)
            return None

    def _record(self, incoming: Incoming, number: int) -> Seen:
        with self._changed:
            seen = Seen(
                incoming.method,
                incoming.target,
                incoming.headers,
                incoming.body,
                number,
                len(self._seen),
                incoming.complete,
            )
            self._seen.append(seen)
            self._changed.notify_all()
            return seen

    def _close(self) -> None:
        self._closing.set()
        if self._acceptor.ident is not None:
            socket.create_connection(self._listener.getsockname()).close()  # wakes accept() on every system
            self._acceptor.join(_JOIN)
        self._listener.close()
        with self._changed:
            silent, self._silent = self._silent, []
            connections = list(self._open.values())
            for sock, _ in connections:
                _hang_up(sock)
        for sock in silent:
            sock.close()
        for _, thread in connections:
            thread.join(_JOIN)


def _bound() -> socket.socket:
    """Return a socket with a port that nobody else is given, and at which nothing listens: connecting is refused."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    return sock


def _check_method(method: object) -> None:
    if method is not None and not (isinstance(method, str) and is_token(method)):
        wrong = ValueError if isinstance(method, str) else TypeError
        raise wrong(f"method takes one HTTP method, such as 'POST', not {shown(method)}")


def _check_path(path: object, method: str | None = None) -> None:
    """See that a path is one that a request may have: `CONNECT` goes to a host, and `OPTIONS` may go to `*`."""
    if not isinstance(path, str):
        raise TypeError(f"a path is a text, such as '/jobs', not {shown(path)}")
    if not path.startswith("/") and (method or "").upper() not in ("CONNECT", "OPTIONS"):
        raise ValueError(f"a path is such as '/jobs', without method and host, not {shown(path)}")


def _scripted(script: object) -> Step | _Function:
    """Return one step of a script, or a function that makes one, unless it is neither, or was not called."""
    if not callable(script) or isinstance(script, type):
        return step_of(script)
    if getattr(script, "__module__", None) == respond.__module__:
        name = getattr(script, "__name__", "")
        raise TypeError(f"steps.{name} makes a step when it is called; write steps.{name}()")
    return cast("_Function", script)


def _hang_up(sock: socket.socket) -> None:
    """Wake whoever reads from a connection or writes to it, in whichever thread."""
    with suppress(OSError):  # the other side may have been quicker
        sock.shutdown(socket.SHUT_RDWR)
