"""A server of HTTP/2 for each test, and clients that trust it."""

import ssl
import sys
from pathlib import Path

import pytest
import trustme

sys.path.append(str(Path(__file__).parent))  # test folders are no packages

from h2_server import H2Server


@pytest.fixture(scope="session")
def contexts():
    """TLS for servers and for their clients, by an authority of this session's own."""
    authority = trustme.CA()
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(serving)
    serving.set_alpn_protocols(["h2"])
    asking = ssl.create_default_context()
    authority.configure_trust(asking)
    return serving, asking


@pytest.fixture
def server(contexts):
    """A server whose every connection a client has let go of by the end of the test."""
    with H2Server(contexts[0]) as running:
        yield running
        running.wait_until_idle()


@pytest.fixture
def connect(kit, contexts, clock):
    """Make a client that retries over HTTP/2."""

    def make(policy, **options):
        over = kit.http_transport_class(verify=contexts[1], http2=True)
        return kit.client(policy, over=over, **{"clock": clock, **options})

    return make
