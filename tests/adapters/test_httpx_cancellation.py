"""Cancellation and Ctrl-C come out untouched, at once, with the connection let go of and nothing left running."""

import asyncio
import gc

import anyio
import pytest

from bide import code, network, retry_on
from bide.testing import VirtualClock, steps

pytestmark = pytest.mark.both_seams

POLICY = retry_on(503, network).fixed(60)
OK = steps.respond(body="done")


async def cancelled(call, ready):
    """Begin a call, cancel it once `ready` returns, and tell whether the cancellation was what ended it."""
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as group:
            group.start_soon(call)
            await ready()
            scope.cancel()
    gc.collect()  # what was left to the collector would warn now
    return scope.cancelled_caught


def pool_of_one(kit, policy, **options):
    return kit.client(policy, limits=kit.module.Limits(max_connections=1), **options)


async def test_cancelled_while_waiting(async_kit, server):
    clock = VirtualClock(auto=False)
    server.on("/f", steps.respond(503, body="e"), OK)
    async with pool_of_one(async_kit, POLICY, clock=clock) as client:

        async def waiting():
            await anyio.to_thread.run_sync(clock.wait_for_sleepers)

        assert await cancelled(lambda: client.get(server.url + "/f"), waiting)
        assert len(server.requests) == 1
        assert (await client.get(server.url + "/f")).text == "done"
    assert clock.sleeps == [60.0]


async def test_cancelled_during_an_attempt(async_kit, server, clock):
    server.on("/f", steps.respond(503), steps.stall(), OK)
    async with pool_of_one(async_kit, POLICY, clock=clock) as client:

        async def attempting():
            await anyio.to_thread.run_sync(server.wait_for_requests, 2)

        assert await cancelled(lambda: client.get(server.url + "/f"), attempting)
        assert (await client.get(server.url + "/f")).text == "done"
    assert clock.sleeps == [60.0]
    assert len(server.requests) == 3


DRAINS = POLICY
PEEKS = retry_on(503 & code("later")).fixed(60)


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("policy", [DRAINS, PEEKS])
async def test_cancelled_while_a_body_is_read(async_kit, server, clock, policy, framing):
    server.on("/f", steps.trickle(b"eeeee", pause=0.01, status=503, framing=framing), OK)
    head_is_there = anyio.Event()
    limits = async_kit.module.Limits(max_connections=1)
    over = async_kit.spying(then=lambda response: head_is_there.set(), limits=limits)
    async with async_kit.client(policy, over=over, clock=clock) as client:
        assert await cancelled(lambda: client.get(server.url + "/f"), head_is_there.wait)
        assert clock.sleeps == []
        assert (await client.get(server.url + "/f")).text == "done"
    assert server.connections == 2


async def test_a_stream_that_is_being_drained_is_closed_when_cancelled(async_kit, clock):
    class Stalling(async_kit.stream_base):
        def __init__(self):
            self.begun = anyio.Event()
            self.closed = 0

        async def __aiter__(self):
            self.begun.set()
            await anyio.sleep_forever()
            yield b""

        async def aclose(self):
            self.closed += 1

    stream = Stalling()
    inner = async_kit.scripted(lambda request: async_kit.module.Response(503, stream=stream))
    async with async_kit.client(POLICY, over=inner, clock=clock) as client:
        assert await cancelled(lambda: client.get("http://example.test/"), stream.begun.wait)
    assert stream.closed == 1
    assert len(inner.requests) == 1
    assert clock.sleeps == []


async def test_a_timeout_of_the_callers_own_fires_on_time(async_kit, server):
    server.on("/f", steps.respond(503))
    async with async_kit.client(POLICY) as client:  # the machine's clock: the wait is real
        with pytest.raises(TimeoutError), anyio.fail_after(0.15):
            await client.get(server.url + "/f")
    assert len(server.requests) == 1


async def test_a_cancelled_task_ends_with_the_very_cancellation(asyncio_kit, server):
    clock = VirtualClock(auto=False)
    server.on("/f", steps.respond(503))
    async with asyncio_kit.client(POLICY, clock=clock) as client:
        task = asyncio.create_task(client.get(server.url + "/f"))
        await anyio.to_thread.run_sync(clock.wait_for_sleepers)
        task.cancel("enough")
        with pytest.raises(asyncio.CancelledError, match="enough"):
            await task
    assert task.cancelling() == 1


class InterruptedClock(VirtualClock):
    def sleep(self, seconds):
        raise KeyboardInterrupt


async def test_ctrl_c_while_waiting(sync_kit, server):
    server.on("/f", steps.respond(503), OK)
    async with pool_of_one(sync_kit, POLICY, clock=InterruptedClock()) as client:
        with pytest.raises(KeyboardInterrupt):
            await client.get(server.url + "/f")
        assert (await client.get(server.url + "/f")).text == "done"
    assert server.connections == 1


@pytest.mark.parametrize("way_out", [KeyboardInterrupt, SystemExit, GeneratorExit])
async def test_what_is_no_exception_is_no_outcome(kit, clock, way_out):
    inner = kit.scripted(503, way_out(), 200)
    async with kit.client(retry_on(503, network, Exception).fixed(1), over=inner, clock=clock) as client:
        with pytest.raises(way_out) as caught:
            await client.get("http://example.test/")
    assert len(inner.requests) == 2
    assert not hasattr(caught.value, "__notes__")


@pytest.mark.parametrize("policy", [POLICY, retry_on(503 & code("later")).fixed(1)])
async def test_ctrl_c_while_a_body_is_read_closes_it(sync_kit, clock, policy):
    class Interrupted(sync_kit.stream_base):
        closed = 0

        def __iter__(self):
            yield b"{"
            raise KeyboardInterrupt

        def close(self):
            self.closed += 1
            raise OSError("gone")

    stream = Interrupted()
    inner = sync_kit.scripted(lambda request: sync_kit.module.Response(503, stream=stream))
    async with sync_kit.client(policy, over=inner, clock=clock) as client:
        with pytest.raises(KeyboardInterrupt):
            await client.get("http://example.test/")
    assert stream.closed == 1
    assert clock.sleeps == []
