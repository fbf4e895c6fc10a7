"""Retries over HTTP/2, where many requests share a connection and the server can say what it did not do."""

import io
import threading
from contextlib import asynccontextmanager

import anyio
import h2_server as steps
import pytest
from h2.errors import ErrorCodes

from bide import code, history, network, retry_on, timeout, unsent

POLICY = retry_on(421, 429, 503, network).after_header("Retry-After").fixed(2)
OK = steps.respond()
LATER = steps.respond(503, body=b"later")
MANY = 20
TASKED = ["httpx-asyncio", "httpx-trio", "httpx2-asyncio", "httpx2-trio"]

# What a server can do to a stream that it may have worked on, and whether its connection goes on after that.
FAULTS = {
    "no error": (steps.reset(ErrorCodes.NO_ERROR), True),
    "internal error": (steps.reset(ErrorCodes.INTERNAL_ERROR), True),
    "cancel": (steps.reset(ErrorCodes.CANCEL), True),
    "goaway": (steps.goaway(1, closes=True), False),
    "goaway after an error": (steps.goaway(1, code=ErrorCodes.ENHANCE_YOUR_CALM, closes=True), False),
    "goaway that speaks of refusing": (steps.goaway(1, code=7, data=b"REFUSED_STREAM", closes=True), False),
    "closed": (steps.drop(), False),
    "wrong frames": (steps.too_short(), False),
}
# What it can do to say that it did nothing.
UNSENT = {
    "refused stream": (steps.refuse(), True),
    "goaway before the first stream": (steps.goaway(0), False),
    "goaway before the first stream, and closed": (steps.goaway(0, closes=True), False),
}


def places(server):
    return [(seen.connection, seen.stream) for seen in server.requests]


async def test_a_rejected_request_is_repeated_as_another_stream_of_its_connection(connect, server, clock):
    server.on("/f", LATER, LATER, OK)
    async with connect(POLICY, count_header="X-Retry-Count") as client:
        response = await client.post(server.url + "/f", content=b"pay", headers={"Idempotency-Key": "k1"})
    assert (response.status_code, response.http_version, response.text) == (200, "HTTP/2", "done")
    assert places(server) == [(1, 1), (1, 3), (1, 5)]
    assert [seen.body for seen in server.requests] == [b"pay"] * 3
    assert [seen.headers.get("x-retry-count") for seen in server.requests] == [None, "1", "2"]
    assert clock.sleeps == [2.0, 2.0]
    assert history(response).attempts == 3


async def test_install_keeps_http2(kit, server, contexts, clock):
    server.on("/f", LATER, OK)
    async with kit.bare(http2=True, verify=contexts[1]) as client:
        kit.adapter.install(client.own, POLICY, clock=clock)
        response = await client.get(server.url + "/f")
    assert (response.status_code, response.http_version) == (200, "HTTP/2")
    assert places(server) == [(1, 1), (1, 3)]


async def test_the_delay_that_the_server_asks_for_is_kept(connect, server, clock):
    server.on("/f", steps.respond(429, {"retry-after": "7"}), OK)
    async with connect(POLICY) as client:
        response = await client.post(server.url + "/f", content=b"pay")
    assert response.status_code == 200
    assert [seen.body for seen in server.requests] == [b"pay", b"pay"]
    (slept,) = clock.sleeps
    assert slept >= 7


@pytest.mark.parametrize("fault", UNSENT)
async def test_a_write_is_repeated_where_the_server_did_nothing(connect, server, clock, fault):
    step, goes_on = UNSENT[fault]
    server.on("/f", step, OK)
    async with connect(retry_on(unsent).fixed(2)) as client:
        response = await client.post(server.url + "/f", content=b"pay")
    assert response.text == "done"
    assert [seen.body for seen in server.requests] == [b"pay", b"pay"]
    assert places(server) == [(1, 1), (1, 3) if goes_on else (2, 1)]
    assert clock.sleeps == [2.0]


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_write_is_not_repeated_where_the_server_may_have_done_something(
    kit, connect, server, clock, fault
):
    server.on("/f", FAULTS[fault][0], OK)
    async with connect(retry_on(unsent, network).fixed(2)) as client:
        with pytest.raises(kit.module.TransportError) as caught:
            await client.post(server.url + "/f", content=b"pay")
    assert history(caught.value).reason == "not_idempotent"
    assert len(server.requests) == 1
    assert clock.sleeps == []


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_request_that_can_be_repeated_is(connect, server, clock, fault):
    step, goes_on = FAULTS[fault]
    server.on("/f", step, OK)
    async with connect(POLICY) as client:
        response = await client.request("PUT", server.url + "/f", content=b"put")
    assert response.text == "done"
    assert [seen.body for seen in server.requests] == [b"put", b"put"]
    assert places(server) == [(1, 1), (1, 3) if goes_on else (2, 1)]
    assert clock.sleeps == [2.0]


LOOKING = retry_on(503 & code("later")).fixed(2)


@pytest.mark.parametrize("policy", [POLICY, LOOKING | POLICY])
async def test_a_rejected_answer_whose_stream_is_reset_leaves_its_connection_in_use(connect, server, policy):
    server.on("/f", steps.reset(ErrorCodes.INTERNAL_ERROR, head=503, body=b"la"), OK)
    async with connect(policy) as client:
        assert (await client.get(server.url + "/f")).text == "done"
    assert places(server) == [(1, 1), (1, 3)]


@pytest.mark.parametrize("closes", [True, False])
async def test_a_stream_beyond_the_last_that_a_goaway_names_is_sent_again_by_the_client_itself(
    connect, server, clock, closes
):
    server.on("/warm", OK).on("/f", steps.goaway(1, closes=closes), OK)
    async with connect(POLICY) as client:
        await client.get(server.url + "/warm")
        response = await client.post(server.url + "/f", content=b"pay")
    assert response.text == "done"
    assert history(response) is None
    assert [(seen.path, seen.body) for seen in server.requests[1:]] == [("/f", b"pay")] * 2
    assert places(server) == [(1, 1), (1, 3), (2, 1)]
    assert clock.sleeps == []


@pytest.mark.parametrize("size", [1, 65_535, 65_536, 300_000])
async def test_a_body_longer_than_the_servers_window_arrives_whole_each_time(connect, server, size):
    content = bytes(range(256)) * (size // 256 + 1)
    server.on("/f", LATER, steps.refuse(), steps.drop(), OK)
    async with connect(POLICY) as client:
        response = await client.request("PUT", server.url + "/f", content=content)
    assert response.text == "done"
    assert [seen.body == content for seen in server.requests] == [True] * 4


async def test_a_file_is_sent_again_from_its_beginning_and_a_generator_never(
    sync_kit, contexts, server, clock
):
    server.on("/f", steps.refuse(), OK)
    transport = sync_kit.http_transport_class(verify=contexts[1], http2=True)
    async with sync_kit.client(POLICY, over=transport, clock=clock) as client:
        assert (await client.post(server.url + "/f", content=io.BytesIO(b"filed"))).text == "done"
        server.on("/f", steps.refuse(), OK)
        with pytest.raises(sync_kit.module.RemoteProtocolError) as caught:
            await client.post(server.url + "/f", content=sync_kit.body(b"once"))
    assert [seen.body for seen in server.requests] == [b"filed", b"filed", b"once"]
    assert history(caught.value).reason == "body_not_replayable"


@pytest.mark.parametrize("size", [0, 1, 60_000, 200_000])
@pytest.mark.parametrize("announced", [True, False])
async def test_whatever_the_length_of_a_rejected_body_the_next_attempt_succeeds(
    connect, server, size, announced
):
    headers = {"content-length": str(size)} if announced else {}
    server.on("/f", steps.respond(503, headers, b"x" * size), OK)
    async with connect(POLICY) as client:
        for _ in range(3):
            assert (await client.get(server.url + "/f")).text == "done"
    if size <= 60_000:
        assert places(server) == [(1, 1), (1, 3), (1, 5), (1, 7)]


async def test_a_rule_looks_into_a_body_and_puts_it_back(connect, server, clock):
    later, never = b'{"code": "later"}', b'{"code": "never"}'
    server.on("/f", steps.respond(503, body=later), steps.respond(503, body=never))
    async with connect(LOOKING) as client:
        response = await client.get(server.url + "/f")
    assert response.content == never
    assert clock.sleeps == [2.0]


async def test_a_success_comes_out_before_its_body_is_there(connect, server):
    gate = threading.Event()
    server.on("/f", LATER, steps.gated(gate, b"first, ", b"second"))
    async with connect(POLICY) as client, client.stream("GET", server.url + "/f") as response:
        assert not response.is_stream_consumed
        gate.set()  # not earlier: nobody has waited for the rest
        assert b"".join(await client.chunks(response)) == b"first, second"


# Many at once


async def all_at_once(function, arguments):
    """Call for each argument, in tasks, and return the results in order."""
    results = [None] * len(arguments)

    async def one(index):
        results[index] = await function(arguments[index])

    async with anyio.create_task_group() as group:
        for index in range(len(arguments)):
            group.start_soon(one, index)
    return results


@asynccontextmanager
async def warm(connect, server, policy, **options):
    """A client with one connection, over which the server has said how many streams it takes."""
    server.on("/warm", OK)
    async with connect(policy, **options) as client:
        await client.get(server.url + "/warm")
        server.requests.clear()
        server.arrived = 0
        yield client


in_tasks = pytest.mark.parametrize(
    "kit", TASKED, indirect=True
)  # blocking, the clients' HTTP/2 bears one thread


@in_tasks
@pytest.mark.parametrize("fault", ["503", "refused", "reset"])
async def test_many_streams_of_one_connection_are_retried_each_by_itself(connect, server, clock, fault):
    step = {"503": LATER, "refused": steps.refuse(), "reset": steps.reset(ErrorCodes.INTERNAL_ERROR)}[fault]
    names = [str(number) for number in range(MANY)]
    async with warm(connect, server, POLICY) as client:
        for name in names:
            server.on("/" + name, step, steps.respond(body=name.encode()))
        server.together = MANY  # no answer before all of them have come: they are under way together, twice

        async def put(name):
            response = await client.request("PUT", f"{server.url}/{name}", content=name.encode())
            return response.text, history(response).attempts

        assert await all_at_once(put, names) == [(name, 2) for name in names]
    assert {seen.connection for seen in server.requests} == {1}
    assert sorted(seen.body.decode() for seen in server.requests) == sorted(names * 2)
    assert clock.sleeps == [2.0] * MANY


@in_tasks
async def test_what_breaks_half_of_the_streams_does_not_touch_the_others(kit, connect, server, clock):
    paths = ["/a", "/b"] * 5
    async with warm(connect, server, retry_on(unsent).fixed(2)) as client:
        server.on("/a", OK).on("/b", steps.reset(ErrorCodes.INTERNAL_ERROR))
        server.together = len(paths)

        async def post(path):
            try:
                return (await client.post(server.url + path, content=b"pay")).text
            except kit.module.RemoteProtocolError as error:
                return type(error).__name__

        assert await all_at_once(post, paths) == ["done", "RemoteProtocolError"] * 5
        server.together = 1
        assert (await client.get(server.url + "/a")).text == "done"
    assert {seen.connection for seen in server.requests} == {1}
    assert clock.sleeps == []


async def test_what_breaks_one_stream_does_not_touch_those_that_are_open(kit, connect, server, clock):
    halves = steps.Halves(b"first, ", b"second")
    server.on("/a", halves.first).on("/rest", halves.rest(OK)).on(
        "/b", steps.reset(ErrorCodes.INTERNAL_ERROR)
    )
    async with (
        warm(connect, server, retry_on(unsent).fixed(2)) as client,
        client.stream("GET", server.url + "/a") as one,
        client.stream("POST", server.url + "/a") as other,
    ):
        with pytest.raises(kit.module.RemoteProtocolError):
            await client.post(server.url + "/b", content=b"pay")
        assert (await client.get(server.url + "/rest")).text == "done"
        for response in (one, other):
            assert b"".join(await client.chunks(response)) == b"first, second"
    assert {seen.connection for seen in server.requests} == {1}
    assert clock.sleeps == []


@in_tasks
async def test_streams_that_a_connection_takes_with_it_are_each_repeated_on_the_next(connect, server, clock):
    bodies = [b"1", b"2", b"3"]
    async with warm(connect, server, POLICY) as client:
        server.on("/f", steps.drop(), OK)
        server.together = len(bodies)

        async def put(body):
            return (await client.request("PUT", server.url + "/f", content=body)).text

        assert await all_at_once(put, bodies) == ["done"] * 3
    assert [seen.connection for seen in server.requests] == [1, 2, 2, 2]
    assert sorted(seen.body for seen in server.requests[1:]) == bodies
    assert clock.sleeps == [2.0] * 3


# Time


async def test_a_silent_stream_is_a_read_timeout_whose_connection_is_not_used_again(
    kit, connect, server, clock
):
    server.on("/f", steps.stall(), OK)
    impatient = kit.module.Timeout(5, read=0.25)
    async with connect(POLICY, timeout=impatient) as client:
        with pytest.raises(kit.module.ReadTimeout) as caught:
            await client.post(server.url + "/f", content=b"pay")
        assert clock.sleeps == []
        server.on("/f", steps.stall(), OK)
        assert (await client.get(server.url + "/f")).text == "done"
    assert history(caught.value).reason == "not_idempotent"
    assert clock.sleeps
    connections = [seen.connection for seen in server.requests]
    assert len(connections) == len(set(connections)) >= 3


async def test_a_policys_timeout_bounds_each_attempt(connect, server, clock):
    server.on("/f", steps.stall(), OK)
    async with connect(retry_on(timeout).fixed(2).timeout(0.25)) as client:
        assert (await client.get(server.url + "/f")).text == "done"
    assert len(server.requests) >= 2
    assert set(clock.sleeps) == {2.0}
