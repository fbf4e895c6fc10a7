"""Another origin than that of the fixture's server."""

from contextlib import contextmanager

from bide.testing import FaultServer


@contextmanager
def elsewhere():
    """A server under another name than the one that redirects to it."""
    with FaultServer() as server:
        server.url = server.url.replace("127.0.0.1", "localhost")
        yield server
