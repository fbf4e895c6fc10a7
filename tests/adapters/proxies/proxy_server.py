"""A real forward proxy and a server behind TLS: absolute-form requests and CONNECT tunnels, told in part by a script."""

import socket
import struct
import threading
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

import attrs

from bide.testing import FaultServer

_READ = 65_536
_JOIN = 5.0
_END_OF_HEAD = b"\r\n\r\n"
_OWN_TO_A_HOP = {"connection", "proxy-connection", "proxy-authorization", "transfer-encoding", "keep-alive"}


@attrs.frozen
class Passed:
    """One request that came to the proxy: its target is a whole address, or of CONNECT a host and a port."""

    method: str
    target: str
    headers: dict
    body: bytes
    connection: int


# Steps: what the proxy does itself, instead of passing a request on


def answer(status, headers=(), body=b"from the proxy"):
    """Answer in place of the server."""
    lines = [f"HTTP/1.1 {status} Told By The Proxy", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in dict(headers).items()]
    return "\r\n".join(lines).encode() + _END_OF_HEAD + body


DROP = b""
RESET = b"reset"
ESTABLISHED_THEN_DROP = b"HTTP/1.1 200 Connection established" + _END_OF_HEAD
PASS_ON = None


class Proxy:
    """
    A proxy for the time of a `with` block.

    Attributes:
        url: `http://127.0.0.1:<port>`.
        passed: The requests that came, in their order.
    """

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = "http://{}:{}".format(*self._listener.getsockname()[:2])
        self.passed = []
        self._script = [PASS_ON]
        self._lock = threading.Lock()
        self._sockets = set()
        self._tunnels = set()
        self._threads = []
        self._closing = False
        self._begin(self._accept)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self._closing = True
        socket.create_connection(self._listener.getsockname()).close()
        self._hang_up(self._sockets)
        for thread in self._threads:
            thread.join(_JOIN)
        self._listener.close()

    def script(self, *steps):
        """Say what to do about the next requests, in their order; the last step repeats."""
        self._script = list(steps)
        return self

    def cut_tunnels(self):
        """Drop every tunnel that is open, in the midst of whatever it carries."""
        self._hang_up(self._tunnels)

    def _hang_up(self, sockets):
        with self._lock:
            for sock in sockets:
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    def _begin(self, work, *args):
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        number = 0
        while True:
            sock, _ = self._listener.accept()
            if self._closing:
                sock.close()
                return
            number += 1
            with self._lock:
                self._sockets.add(sock)
            self._begin(self._serve, sock, number)

    def _serve(self, sock, number):
        with suppress(OSError), sock:
            while self._exchange(sock, number):
                pass
        with self._lock:
            self._sockets.discard(sock)

    def _exchange(self, sock, number):
        """Do one request, and return whether another may follow on its connection."""
        request = _read_request(sock, number)
        if request is None:
            return False
        with self._lock:
            self.passed.append(request)
            step = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        if step is RESET:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        if step is not PASS_ON:
            sock.sendall(step)
            return step not in (DROP, ESTABLISHED_THEN_DROP)
        if request.method == "CONNECT":
            self._tunnel(sock, request)
            return False
        sock.sendall(_fetched(request))
        return True

    def _tunnel(self, sock, request):
        host, _, port = request.target.rpartition(":")
        with socket.create_connection((host, int(port))) as server:
            ends = {sock, server}
            with self._lock:
                self._tunnels |= ends
                self._sockets.add(server)
            sock.sendall(ESTABLISHED_THEN_DROP)
            back = threading.Thread(target=_copy, args=(server, sock), daemon=True)
            back.start()
            _copy(sock, server)
            back.join(_JOIN)
            with self._lock:
                self._tunnels -= ends
                self._sockets.discard(server)


def _copy(source, target):
    """Carry bytes one way until either end goes away, and then take leave of the other."""
    with suppress(OSError):
        while data := source.recv(_READ):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


def _read_request(sock, number):
    data = b""
    while _END_OF_HEAD not in data:
        more = sock.recv(_READ)
        if not more:
            return None
        data += more
    head, _, body = data.partition(_END_OF_HEAD)
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    length = int(headers.get("content-length", 0))
    while len(body) < length:
        body += sock.recv(_READ)
    method, target, _ = first.split(" ")
    return Passed(method, target, headers, body, number)


def _fetched(request):
    """Return what the server answers to a request, as it is sent on."""
    address = urlsplit(request.target)
    connection = HTTPConnection(address.hostname, address.port, timeout=_JOIN)
    path = address.path + (f"?{address.query}" if address.query else "")
    headers = {name: value for name, value in request.headers.items() if name not in _OWN_TO_A_HOP}
    try:
        connection.request(request.method, path, request.body or None, headers)
        response = connection.getresponse()
        body = response.read()
    except (OSError, HTTPException):
        return answer(502)
    finally:
        connection.close()
    kept = [
        (name, value)
        for name, value in response.getheaders()
        if name.lower() not in _OWN_TO_A_HOP | {"content-length"}
    ]
    return answer(response.status, kept, body)


class TLSServer(FaultServer):
    """A `FaultServer` behind TLS."""

    def __init__(self, context):
        super().__init__()
        self._context = context
        self.url = self.url.replace("http://", "https://")

    def _serve(self, number, sock):
        try:
            tls = self._context.wrap_socket(sock, server_side=True)
        except OSError:  # a handshake that the client broke off, or the proxy for it
            with self._changed:
                sock.close()
                del self._open[number]
                self._changed.notify_all()
            return
        with self._changed:
            self._open[number] = tls, self._open[number][1]
        super()._serve(number, tls)
