"""A proxy, a server before it and one behind TLS, and every client that can go through."""

import ssl
import sys
from pathlib import Path

import attrs
import pytest
import trustme

sys.path.append(str(Path(__file__).parent))  # test folders are no packages

from proxy_server import Proxy, TLSServer
from ways import WAYS, Way

from bide.testing import FaultServer


@attrs.frozen
class Trust:
    """An authority of the session's own: TLS for servers, and what clients trust, as a context and as a file."""

    serving: ssl.SSLContext
    context: ssl.SSLContext
    path: str


@pytest.fixture(scope="session")
def trust(tmp_path_factory):
    authority = trustme.CA()
    path = tmp_path_factory.mktemp("authority") / "authority.pem"
    authority.cert_pem.write_to_path(path)
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(serving)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return Trust(serving, context, str(path))


@pytest.fixture
def proxy():
    with Proxy() as running:
        yield running


@pytest.fixture(params=["http", "https"])
def server(request, proxy, trust):
    """A server reached by absolute-form requests, or through a tunnel; nobody leaves it a connection open."""
    with FaultServer() if request.param == "http" else TLSServer(trust.serving) as running:
        yield running
        running.wait_until_idle()


@pytest.fixture
def tls_server(proxy, trust):
    with TLSServer(trust.serving) as running:
        yield running
        running.wait_until_idle()


@pytest.fixture(params=WAYS)
def any_kit(request, trust, clock):
    return Way(request.param, WAYS[request.param], trust, clock)
