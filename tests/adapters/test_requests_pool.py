"""A pool of one connection keeps its place, whatever letting go of a response comes to."""

import socket

import pytest
import requests
import urllib3

from bide import code, retry_on, status
from bide.adapters.requests import RetryAdapter
from bide.testing import steps

LONG = b"x" * 100_000
POOL_PATIENCE = 5.0


class Stubborn(socket.socket):
    """A socket that closes, and says that it could not."""

    closed = 0

    def close(self):
        super().close()
        self.closed += 1
        if self.closed == 1:
            raise OSError("closing failed")


@pytest.fixture
def session(server, clock):
    """Makes a session with one connection; the socket of the first one does not close in order."""
    stubborn = [True, False]

    class Connection(urllib3.connection.HTTPConnection):
        def _new_conn(self):
            plain = super()._new_conn()
            return Stubborn(fileno=plain.detach()) if stubborn.pop(0) else plain

    class Pool(urllib3.HTTPConnectionPool):
        ConnectionCls = Connection

        def _get_conn(self, timeout=None):
            assert timeout is None
            return super()._get_conn(POOL_PATIENCE)  # so that a lost place fails, and does not hang

    with requests.Session() as session:
        session.trust_env = False

        def make(policy):
            adapter = RetryAdapter(policy, clock=clock, pool_maxsize=1, pool_block=True)
            adapter.poolmanager.pool_classes_by_scheme = {"http": Pool}
            session.mount("http://", adapter)
            return session

        yield make
    assert stubborn == []


@pytest.mark.parametrize("policy", [retry_on(503).fixed(2), retry_on(status(503) & ~code("never")).fixed(2)])
def test_a_place_in_a_pool_is_free_again_when_closing_a_socket_fails(session, server, clock, policy):
    server.on("/f", steps.respond(503, body=LONG), steps.respond(body="done"))
    server.on("/g", steps.respond(body="other"))
    retrying = session(policy)
    assert [retrying.get(server.url + path).text for path in ("/f", "/g")] == ["done", "other"]
    assert clock.sleeps == [2]
    assert [seen.connection for seen in server.requests] == [1, 2, 2]
