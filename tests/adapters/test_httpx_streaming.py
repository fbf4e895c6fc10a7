"""A response comes out as soon as its head is there; what follows is the caller's."""

import threading

import pytest

from bide import code, history, retry_on
from bide.testing import steps

pytestmark = pytest.mark.both_seams

POLICY = retry_on(503).fixed(2) | retry_on("4xx" & code("later")).fixed(2)
BODY = b"the first half, the second half"
HALF = 15


class Gated(bytes):
    """A body whose second half the server has only when the gate opens."""

    gate: threading.Event

    def __iter__(self):
        for at, byte in enumerate(bytes(self)):
            if at == HALF:
                assert self.gate.wait(5)
            yield byte


@pytest.fixture
def gate():
    return threading.Event()


@pytest.fixture
def halves(gate):
    body = Gated(BODY)
    body.gate = gate
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY)
    return steps.Step(head, body, pause=1e-6)


@pytest.mark.parametrize("before", [[], [steps.respond(503)]])
async def test_a_success_comes_out_before_its_body_is_there(kit, server, clock, halves, gate, before):
    server.on("/f", *before, halves)
    async with kit.client(POLICY, clock=clock) as client, client.stream("GET", server.url + "/f") as response:
        assert response.status_code == 200
        assert not response.is_stream_consumed
        gate.set()  # not earlier: nothing has waited for the second half
        assert await client.read(response) == BODY
    assert clock.sleeps == [2.0] * len(before)


@pytest.mark.parametrize("policy", [POLICY, POLICY.within(60), POLICY.timeout(5)])
async def test_a_body_without_end_can_be_read_as_it_comes(kit, server, clock, policy):
    server.on("/f", steps.respond(503), steps.endless(b"data: 1\n\n", limit=90_000))
    async with kit.client(policy, clock=clock) as client, client.stream("GET", server.url + "/f") as response:
        assert response.headers["Transfer-Encoding"] == "chunked"
        assert response.num_bytes_downloaded == 0
    assert server.connections == 2 - (server.requests[0].connection == server.requests[1].connection)


async def test_a_rejected_response_does_not_reach_the_one_who_streams(kit, server, clock):
    server.on(
        "/f", steps.respond(503, body="no"), steps.json(400, {"code": "later"}), steps.respond(body="yes")
    )
    async with kit.client(POLICY, clock=clock) as client, client.stream("GET", server.url + "/f") as response:
        assert b"".join(await client.chunks(response)) == b"yes"
    assert clock.sleeps == [2.0, 2.0]


async def test_the_last_response_can_be_streamed_and_tells_its_history(kit, server, clock):
    server.on("/f", steps.respond(503, body=BODY, framing="chunked"))
    async with kit.client(POLICY, clock=clock) as client, client.stream("GET", server.url + "/f") as response:
        assert response.status_code == 503
        assert b"".join(await client.chunks(response)) == BODY
    assert history(response).attempts == 4


async def test_a_streamed_body_is_read_under_the_clients_own_timeouts_not_what_was_left_of_a_deadline(
    transport_kit, server, clock
):
    """Of the deadline, 100 ms are left when the answer comes; the body takes longer, and is whole all the same."""

    def look(request):
        seen.append(request.extensions["timeout"]["read"])

    seen = []
    slowly = steps.trickle(b"ab", pause=0.15)
    server.on("/f", steps.respond(503), slowly)
    policy = (retry_on(503).fixed(59.5) | retry_on(429).fixed(1)).within(59.6)
    async with transport_kit.client(policy, over=transport_kit.spying(look), clock=clock) as client:
        response = await client.get(server.url + "/f")
    assert response.text == "ab"
    assert seen == [5, pytest.approx(0.1)]
