"""Which connection of HTTP/2 the next attempt gets, and what it does to the other requests on the one before."""

import time

import h2_server as steps
import pytest

from bide import code, network, retry_on

POLICY = retry_on(408, 421, 503, network).fixed(2)
LOOKING = retry_on("4xx" & code("later")).fixed(2)
OK = steps.respond()


def places(server):
    return [(seen.connection, seen.stream) for seen in server.requests]


@pytest.fixture(params=[100, 1])
def pooled(kit, contexts, clock, request):
    """Make a client that retries over HTTP/2 with a pool of many connections, or of one."""

    def make(policy, **options):
        limits = kit.module.Limits(max_connections=request.param)
        over = kit.http_transport_class(verify=contexts[1], http2=True, limits=limits)
        return kit.client(policy, over=over, clock=clock, **options)

    return make


@pytest.mark.parametrize("policy", [POLICY, LOOKING | POLICY])
@pytest.mark.parametrize("size", [0, 100_000])
async def test_a_misdirected_request_goes_to_a_new_connection(pooled, server, policy, size):
    server.on("/f", steps.respond(421, body=b"x" * size), OK)
    async with pooled(policy) as client:
        assert (await client.post(server.url + "/f", content=b"pay")).text == "done"
    assert places(server) == [(1, 1), (2, 1)]


async def test_what_is_under_way_on_the_connection_of_a_misdirected_request_goes_on(connect, server):
    server.on("/f", steps.respond(421), OK).on("/long", steps.respond(body=b"x" * 100_000))
    async with connect(POLICY) as client:
        async with client.stream("GET", server.url + "/long") as response:
            assert (await client.post(server.url + "/f", content=b"pay")).text == "done"
            assert b"".join(await client.chunks(response)) == b"x" * 100_000
        assert (await client.post(server.url + "/f", content=b"pay")).text == "done"
    assert [seen.connection for seen in server.requests] == [1, 1, 2, 2]


@pytest.mark.parametrize(("pooled", "announced"), [(100, True), (1, False)], indirect=["pooled"])
async def test_long_rejected_bodies_do_not_fill_a_window_for_good(pooled, server, announced):
    """The clients' connections have room for 16 MiB that nobody has read."""
    size = 2**20
    headers = {"content-length": str(size)} if announced else {}
    long = steps.respond(503, headers, b"x" * size)
    async with pooled(POLICY) as client:
        for _ in range(20):
            server.on("/f", long, OK)
            assert (await client.get(server.url + "/f")).text == "done"


async def test_a_rejected_body_that_stalls_does_not_end_what_others_have_under_way(kit, connect, server):
    """A read timeout ends every request of a connection, so that draining must not have one of its own."""
    halves = steps.Halves(b"first, ", b"second")

    def slowly(link, stream):
        steps.begin(503, b"la")(link, stream)
        link.flush()
        time.sleep(0.6)  # longer than a rejected response is drained
        halves.rest(steps.stall())(link, stream)

    server.on("/a", slowly, OK).on("/b", halves.first)
    async with (
        connect(POLICY, timeout=kit.module.Timeout(5, read=2)) as client,
        client.stream("POST", server.url + "/b") as response,
    ):
        assert (await client.get(server.url + "/a")).text == "done"
        assert b"".join(await client.chunks(response)) == b"first, second"
    assert [seen.path for seen in server.requests] == ["/b", "/a", "/a"]
