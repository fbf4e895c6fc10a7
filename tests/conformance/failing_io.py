"""Fails one operation of a client's input and output: the n-th connect, write, read or close, for n = 1, 2, 3."""

import errno
import socket
from contextlib import suppress

import attrs
import httpcore
import httpcore2
import httpx2
import urllib3

LOST = errno.ECONNRESET


@attrs.define
class Operations:
    """
    Counts what a client does on its sockets, and fails the operation whose number is `fail_at` (from 1).

    `into_httpx`, `into_requests` and `for_aiohttp` put it below a client, at the lowest seam that the client has.
    """

    fail_at: int = 0
    done: list = attrs.field(factory=list)
    failed: str | None = None

    def begin(self, kind, sock=None):
        """Count an operation; raise what the system raises when it fails, if this is the one."""
        if self.fails(kind, sock):
            raise ConnectionResetError(LOST, f"{kind} number {self.fail_at} failed")

    def fails(self, kind, sock=None):
        """Count an operation, and tell whether it is the one that fails: then its connection is lost, too."""
        self.done.append(kind)
        if len(self.done) != self.fail_at:
            return False
        self.failed = kind
        if sock is not None:
            with suppress(OSError):  # it may be closed
                sock.shutdown(socket.SHUT_RDWR)
        return True

    def into_httpx(self, variant, transport):
        """Put a network backend of ours below a transport of httpx or httpx2."""
        library = httpcore2 if variant.module is httpx2 else httpcore
        make = _async_backend if variant.backend else _backend
        transport._pool._network_backend = make(self, library, transport._pool._network_backend)

    def into_requests(self, adapter):
        """Have an adapter's pools make connections whose sockets are ours."""
        operations = self

        class Connection(urllib3.connection.HTTPConnection):
            def _new_conn(self):
                if operations.fails("connect"):
                    raise urllib3.exceptions.NewConnectionError(self, "connecting failed")
                plain = super()._new_conn()
                wrapped = Socket(fileno=plain.detach())
                wrapped.operations = operations
                return wrapped

        class Pool(urllib3.HTTPConnectionPool):
            ConnectionCls = Connection

        classes = adapter.poolmanager.pool_classes_by_scheme
        adapter.poolmanager.pool_classes_by_scheme = {**classes, "http": Pool}

    def for_aiohttp(self):
        """Options for a connector whose sockets are ours; the loop reads and writes them."""

        def make(address):
            family, kind, proto, _, _ = address
            wrapped = Socket(family, kind, proto)
            wrapped.operations = self
            wrapped.closes_well = True  # the loop closes it, in a callback from which nobody could be told
            return wrapped

        return {"socket_factory": make}


class Socket(socket.socket):
    """A socket whose operations are counted; closing always closes, and then may fail."""

    operations = Operations()
    closes_well = False

    def connect(self, address):
        self.operations.begin("connect")
        return super().connect(address)

    def send(self, *args):
        self.operations.begin("write", self)
        return super().send(*args)

    def sendall(self, *args):
        self.operations.begin("write", self)
        return super().sendall(*args)

    def sendmsg(self, *args):
        self.operations.begin("write", self)
        return super().sendmsg(*args)

    def recv(self, *args):
        self.operations.begin("read", self)
        return super().recv(*args)

    def recv_into(self, *args):
        self.operations.begin("read", self)
        return super().recv_into(*args)

    def close(self):
        was_open = self.fileno() >= 0
        super().close()
        if was_open and not self.closes_well:
            self.operations.begin("close")


def _backend(operations, library, inner):
    class Stream(library.NetworkStream):
        def __init__(self, plain):
            self.plain = plain

        def read(self, *args, **options):
            if operations.fails("read", self.get_extra_info("socket")):
                raise library.ReadError("reading failed")
            return self.plain.read(*args, **options)

        def write(self, *args, **options):
            if operations.fails("write", self.get_extra_info("socket")):
                raise library.WriteError("writing failed")
            return self.plain.write(*args, **options)

        def close(self):
            self.plain.close()
            operations.begin("close")

        def get_extra_info(self, info):
            return self.plain.get_extra_info(info)

    class Backend(library.NetworkBackend):
        def connect_tcp(self, *args, **options):
            if operations.fails("connect"):
                raise library.ConnectError("connecting failed")
            return Stream(inner.connect_tcp(*args, **options))

    return Backend()


def _async_backend(operations, library, inner):
    class Stream(library.AsyncNetworkStream):
        def __init__(self, plain):
            self.plain = plain

        async def read(self, *args, **options):
            if operations.fails("read", self.get_extra_info("socket")):
                raise library.ReadError("reading failed")
            return await self.plain.read(*args, **options)

        async def write(self, *args, **options):
            if operations.fails("write", self.get_extra_info("socket")):
                raise library.WriteError("writing failed")
            return await self.plain.write(*args, **options)

        async def aclose(self):
            await self.plain.aclose()
            operations.begin("close")

        def get_extra_info(self, info):
            return self.plain.get_extra_info(info)

    class Backend(library.AsyncNetworkBackend):
        async def connect_tcp(self, *args, **options):
            if operations.fails("connect"):
                raise library.ConnectError("connecting failed")
            return Stream(await inner.connect_tcp(*args, **options))

    return Backend()
