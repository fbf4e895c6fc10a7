"""A scripted HTTP/2 server over TLS on the loopback interface: each stream is answered, or broken, as a script says."""

import socket
import threading
from contextlib import suppress

import attrs
import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
from hyperframe.frame import GoAwayFrame

_READ = 65_536
_JOIN = 5.0


@attrs.frozen
class Seen:
    """One request, as the server saw it; `connection` is numbered from 1, `stream` as in HTTP/2."""

    method: str
    path: str
    headers: dict
    body: bytes
    connection: int
    stream: int


# Steps: what is done about a request, given the connection and the stream


def respond(status=200, headers=(), body=b"done"):
    """Answer correctly."""

    def act(link, stream):
        link.head(stream, status, headers)
        link.body(stream, body)

    return act


def reset(code, *, head=None, body=b""):
    """End the stream with RST_STREAM, after a head with this status and this beginning of a body if there is a head."""

    def act(link, stream):
        if head is not None:
            link.head(stream, head, ())
            link.h2.send_data(stream, body)
        link.h2.reset_stream(stream, code)

    return act


def refuse():
    """Say that nothing was done about the request."""
    return reset(h2.errors.ErrorCodes.REFUSED_STREAM)


def goaway(last, then=None, *, code=0, closes=False, data=b""):
    """Say that no stream after `last` was or will be looked at; then do something more about this one."""

    def act(link, stream):
        link.raw(GoAwayFrame(0, last_stream_id=last, error_code=code, additional_data=data).serialize())
        if then is not None:
            then(link, stream)
        if closes:
            raise ConnectionAbortedError

    return act


def gated(gate, first, rest):
    """Answer with the beginning of a body, and with the rest of it only when the gate opens."""

    def act(link, stream):
        link.head(stream, 200, ())
        link.h2.send_data(stream, first)
        link.flush()
        assert gate.wait(_JOIN)
        link.body(stream, rest)

    return act


def begin(status, body):
    """Answer with the beginning of a body, and never with the rest."""

    def act(link, stream):
        link.head(stream, status, ())
        link.h2.send_data(stream, body)

    return act


class Halves:
    """Bodies in two pieces, of one connection: `first` sends the one, and `rest` the other on every stream left open."""

    def __init__(self, one, other):
        self._one, self._other = one, other
        self._open = []

    def first(self, link, stream):
        begin(200, self._one)(link, stream)
        self._open.append(stream)

    def rest(self, then):
        """Send what is missing, and then do this about the request that has come."""

        def act(link, stream):
            for begun in self._open:
                link.body(begun, self._other)
            self._open.clear()
            then(link, stream)

        return act


def drop():
    """Close the connection without a word."""

    def act(link, stream):
        raise ConnectionAbortedError

    return act


def stall():
    """Say nothing."""
    return lambda link, stream: None


def too_short():
    """Answer with fewer bytes than the answer's own head promises, and say that they are all: no correct frames."""
    return respond(200, {"content-length": "10"}, b"abc")


class Link:
    """One connection: frames in and out, and bodies that wait for room in the flow-control window."""

    def __init__(self, sock):
        self._sock = sock
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        )
        self._unsent = {}
        self.h2.initiate_connection()
        self.flush()

    def head(self, stream, status, headers):
        self.h2.send_headers(stream, [(":status", str(status)), *dict(headers).items()])

    def body(self, stream, body):
        self._unsent[stream] = body
        self._send_bodies()

    def raw(self, frames):
        self.flush()
        self._sock.sendall(frames)

    def flush(self):
        self._sock.sendall(self.h2.data_to_send())

    def receive(self):
        """Return the next events; none when the client has gone."""
        data = self._sock.recv(_READ)
        if not data:
            raise ConnectionAbortedError
        events = self.h2.receive_data(data)
        for event in events:
            if isinstance(event, h2.events.DataReceived):
                with suppress(h2.exceptions.StreamClosedError):  # we have reset it
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            if isinstance(event, h2.events.StreamReset):
                self._unsent.pop(event.stream_id, None)
        self._send_bodies()
        return events

    def _send_bodies(self):
        for stream, body in list(self._unsent.items()):
            rest = body
            while rest and (room := self._room(stream)):
                self.h2.send_data(stream, rest[:room])
                rest = rest[room:]
            self._unsent[stream] = rest
            if not rest:
                self.h2.end_stream(stream)
                del self._unsent[stream]

    def _room(self, stream):
        return min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)


class H2Server:
    """
    A server for the time of a `with` block, whose connections are served by threads.

    Attributes:
        url: `https://127.0.0.1:<port>`.
        together: How many requests must be waiting on a connection before any of them is answered.
        requests: What came, in the order in which it was answered.
        arrived: How many requests have come whole, answered or not; to be set back as one likes.
    """

    def __init__(self, context):
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = "https://{}:{}".format(*self._listener.getsockname()[:2])
        self.together = 1
        self.connections = 0
        self.requests = []
        self.arrived = 0
        self._scripts = {}
        self._open = {}
        self._changed = threading.Condition()
        self._closing = False
        self._acceptor = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self):
        self._acceptor.start()
        return self

    def __exit__(self, *exc_info):
        self._closing = True
        socket.create_connection(self._listener.getsockname()).close()
        self._acceptor.join(_JOIN)
        self._listener.close()
        with self._changed:
            left = list(self._open.values())
        for sock, thread in left:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            thread.join(_JOIN)

    def on(self, path, *steps):
        """Script the answers to a path; the last one repeats."""
        self._scripts[path] = list(steps)
        return self

    def wait_until_idle(self, timeout=5.0):
        """Block until no connection is open."""
        with self._changed:
            assert self._changed.wait_for(lambda: not self._open, timeout), "connections are still open"

    def wait_for_arrivals(self, count, timeout=5.0):
        """Block until that many requests have come."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.arrived >= count, timeout), "they have not come"

    def _accept(self):
        while True:
            sock, _ = self._listener.accept()
            if self._closing:
                sock.close()
                return
            with self._changed:
                self.connections += 1
                number = self.connections
                thread = threading.Thread(target=self._serve, args=(number, sock), daemon=True)
                self._open[number] = sock, thread
                thread.start()

    def _serve(self, number, sock):
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._context.wrap_socket(sock, server_side=True) as tls:
                with self._changed:
                    self._open[number] = tls, self._open[number][1]
                self._talk(number, Link(tls))
        except (OSError, h2.exceptions.ProtocolError):
            pass  # either side has ended it
        finally:
            with self._changed:
                sock.close()
                del self._open[number]
                self._changed.notify_all()

    def _talk(self, number, link):
        heads, bodies, waiting = {}, {}, []
        while True:
            for event in link.receive():
                if isinstance(event, h2.events.RequestReceived):
                    heads[event.stream_id], bodies[event.stream_id] = dict(event.headers), []
                elif isinstance(event, h2.events.DataReceived):
                    bodies[event.stream_id].append(event.data)
                elif isinstance(event, h2.events.StreamEnded):
                    waiting.append(event.stream_id)
                    with self._changed:
                        self.arrived += 1
                        self._changed.notify_all()
            if len(waiting) >= self.together:
                for stream in waiting:
                    self._answer(number, link, stream, heads.pop(stream), b"".join(bodies.pop(stream)))
                waiting = []
            link.flush()

    def _answer(self, number, link, stream, head, body):
        with self._changed:
            script = self._scripts[head[":path"]]
            step = script.pop(0) if len(script) > 1 else script[0]
            self.requests.append(Seen(head[":method"], head[":path"], head, body, number, stream))
        step(link, stream)
