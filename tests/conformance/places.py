"""Where a request can go and come to grief on a real socket: each place is a context that yields an address."""

import socket
import ssl
import threading
from contextlib import ExitStack, contextmanager, suppress

import trustme

NO_SUCH_HOST = "no-such-host.invalid"
_WAITS = 4  # connections that a system may let wait for a listener which takes none, and one more
_SOON = 0.02  # real seconds; on the loopback interface a connection that is not made at once is not made


@contextmanager
def an_answering_server(server, monkeypatch):
    """The scripted server itself."""
    yield server.url


@contextmanager
def nobody(server, monkeypatch):
    """Nobody listens: connecting is refused."""
    yield server.refused_url("")


@contextmanager
def no_such_host(server, monkeypatch):
    """The resolver knows no such name. It is not asked: without a network it might take long to say so."""
    ask = socket.getaddrinfo

    def answered(host, *args, **options):
        if host in (NO_SUCH_HOST, NO_SUCH_HOST.encode()):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return ask(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", answered)
    yield f"http://{NO_SUCH_HOST}:9"


@contextmanager
def no_tls(server, monkeypatch):
    """The server knows no TLS: it hangs up in the handshake."""
    yield server.url.replace("http://", "https://")


@contextmanager
def a_stranger(server, monkeypatch):
    """A server with a certificate that nobody here trusts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with _listening() as listener:

        def serve():
            with suppress(OSError):  # the client refuses; or the test is over
                while True:
                    taken, _ = listener.accept()
                    with taken, suppress(OSError), context.wrap_socket(taken, server_side=True) as wrapped:
                        wrapped.recv(1)

        thread = threading.Thread(target=serve, name="fault-server-tls")
        thread.start()
        yield _url(listener, "https")
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


@contextmanager
def a_full_house(server, monkeypatch):
    """A listener whose queue is full: connecting gets no answer."""
    with _listening(0) as listener, ExitStack() as stack:
        for _ in range(_WAITS):
            guest = stack.enter_context(socket.socket())
            guest.settimeout(_SOON)
            with suppress(TimeoutError):
                guest.connect(listener.getsockname())
        yield _url(listener)


@contextmanager
def a_deaf_ear(server, monkeypatch):
    """A listener that takes the connection, and never reads what is sent."""
    with _listening() as listener:
        yield _url(listener)


@contextmanager
def _listening(backlog=8):
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen(backlog)
        yield listener


def _url(listener, scheme="http"):
    return "{}://{}:{}".format(scheme, *listener.getsockname()[:2])
