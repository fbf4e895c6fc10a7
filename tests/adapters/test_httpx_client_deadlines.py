"""At the client's seam a deadline shortens the timeouts of all that an attempt does, and of nothing after it."""

import anyio
import attrs
import pytest

from bide import network, retry_on
from bide.testing import VirtualClock, steps

RULE = retry_on(503, network).fixed(4)
POLICY = (RULE | retry_on(429).fixed(1)).within(10)
OK = steps.respond(body="done")
KINDS = ("connect", "read", "write", "pool")


@pytest.fixture
def kit(kit):
    return attrs.evolve(kit, seam="client")


@pytest.fixture
def async_kit(async_kit):
    return attrs.evolve(async_kit, seam="client")


def all_kinds(seconds):
    return dict.fromkeys(KINDS, seconds)


def noting(kit, seen):
    return kit.spying(lambda request: seen.append(dict(request.extensions["timeout"])))


async def test_all_hops_of_an_attempt_have_what_was_left_when_it_began(kit, server, clock):
    seen = []
    server.on("/f", steps.respond(302, {"Location": "/g"})).on("/g", steps.respond(503), OK)
    async with kit.client(
        POLICY, over=noting(kit, seen), clock=clock, timeout=None, follow_redirects=True
    ) as client:
        response = await client.get(server.url + "/f")
    assert seen == [all_kinds(10.0)] * 2 + [all_kinds(6.0)] * 2
    assert response.request.extensions["timeout"] == all_kinds(None)


async def test_a_request_without_timeouts_gets_the_clients_bounded(kit, server, clock):
    seen = []
    server.on("/f", steps.respond(503), OK)
    own = kit.module.Timeout(connect=1, read=8, write=None, pool=60)
    async with kit.client(POLICY, over=noting(kit, seen), clock=clock, timeout=own) as client:
        request = kit.module.Request("GET", server.url + "/f")
        await client.send(request)
    assert seen == [
        {"connect": 1, "read": 8, "write": 10.0, "pool": 10.0},
        {"connect": 1, "read": 6.0, "write": 6.0, "pool": 6.0},
    ]
    assert request.extensions == {}


async def test_a_body_is_read_under_what_is_left_of_the_deadline(kit, server, clock):
    server.on("/f", steps.trickle(b"ab", pause=0.3), OK)
    async with kit.client(RULE.timeout(0.1), clock=clock, timeout=None) as client:
        response = await client.get(server.url + "/f")
    assert response.text == "done"
    assert len(server.requests) == 1 + len(clock.sleeps)


async def test_a_stream_is_read_under_the_clients_own_timeouts(kit, server, clock):
    seen = []
    server.on("/f", steps.respond(503), steps.trickle(b"ab", pause=0.15))
    policy = (retry_on(503).fixed(59.5) | retry_on(429).fixed(1)).within(59.6)
    retrying = kit.client(policy, over=noting(kit, seen), clock=clock)
    async with retrying as client, client.stream("GET", server.url + "/f") as response:
        assert await client.read(response) == b"ab"
    assert [timeouts["read"] for timeouts in seen] == [5, pytest.approx(0.1)]


async def test_gives_up_before_the_deadline_is_passed(kit, clock):
    def slow(request):
        clock.sleep(3)
        return kit.module.Response(503)

    async with kit.client(POLICY.within(20), over=kit.scripted(slow), clock=clock) as client:
        response = await client.get("http://example.test/")
    assert response.status_code == 503
    assert clock.monotonic() <= 20


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_cancelled_while_the_body_of_a_success_is_read(async_kit, server, clock, framing):
    server.on("/f", steps.trickle(b"a" * 1000, pause=0.01, framing=framing), OK)
    head_is_there = anyio.Event()
    limits = async_kit.module.Limits(max_connections=1)
    over = async_kit.spying(then=lambda response: head_is_there.set(), limits=limits)
    async with async_kit.client(RULE, over=over, clock=clock) as client:
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(client.get, server.url + "/f")
                await head_is_there.wait()
                scope.cancel()
        assert scope.cancelled_caught
        await anyio.to_thread.run_sync(server.wait_until_idle)
        assert (await client.get(server.url + "/f")).text == "done"
    assert clock.sleeps == []


async def test_cancelled_while_waiting_leaves_no_connection_in_use(async_kit, server):
    clock = VirtualClock(auto=False)
    server.on("/f", steps.endless(status=503), OK)
    async with async_kit.client(RULE, clock=clock) as client:
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(client.get, server.url + "/f")
                await anyio.to_thread.run_sync(clock.wait_for_sleepers)
                await anyio.to_thread.run_sync(server.wait_until_idle)
                scope.cancel()
        assert scope.cancelled_caught
        assert server.open_connections == 0
