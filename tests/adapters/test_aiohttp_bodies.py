"""Bodies through an aiohttp session: sent again as they were, or not at all; read once, within bounds, and put back."""

import asyncio
import gzip
import io
import json
import os
import threading
import zlib

import aiohttp
import pytest
from aiohttp_sessions import Sessions
from packaging.version import Version

from bide import code, history, network, retry_on
from bide.adapters import http
from bide.engine.clock import SYSTEM_CLOCK
from bide.testing import steps

POLICY = retry_on(408, 421, 429, 503, network).fixed(2)
PEEKS = retry_on("4xx" & code("later")).fixed(2).any_method()
OK = steps.respond(body="done")
LATER = json.dumps({"error": {"code": "later", "text": "é" * 100}}).encode()
NEVER = json.dumps({"error": {"code": "never", "text": "é" * 100}}).encode()


class Kit(Sessions):
    async def got(self, server, *script, policy=POLICY, method="GET", session=(), middleware=(), **options):
        """Make one call; return the response, read, and its body."""
        server.on("/f", *script)
        async with (
            self.session(policy, session=session, **dict(middleware)) as made,
            made.request(method, server.url + "/f", **options) as response,
        ):
            return response, await response.read()


@pytest.fixture
def kit(clock):
    return Kit(clock, POLICY)


# What is sent


def at(position):
    file = io.BytesIO(b"0123456789")
    file.seek(position)
    return file


def opened(path, position, mode="rb"):
    path.write_bytes(b"0123456789" * 10_000)
    file = path.open(mode)
    file.seek(position)
    return file


def form(path):
    data = aiohttp.FormData()
    data.add_field("one", opened(path, 2), filename="one.txt")
    data.add_field("two", "2")
    data.add_field("three", io.BytesIO(b"3"), filename="three")
    return data


BODIES = {
    "bytes": lambda path: {"data": b"0123456789"},
    "text": lambda path: {"data": "é"},
    "json": lambda path: {"json": {"a": 1}},
    "form": lambda path: {"data": {"a": "1"}},
    "form with files": lambda path: {"data": form(path)},
    "in memory": lambda path: {"data": at(0)},
    "in memory from 2": lambda path: {"data": at(2)},
    "file": lambda path: {"data": opened(path, 0)},
    "file from 2": lambda path: {"data": opened(path, 2)},
    "text file": lambda path: {"data": opened(path, 0, "r")},
    "compressed": lambda path: {"data": at(2), "compress": "gzip"},
    "chunked": lambda path: {"data": at(2), "chunked": True},
    "nothing": lambda path: {},
}
WHOLE = {"file": 100_000, "file from 2": 99_998, "in memory from 2": 8, "text file": 100_000}


@pytest.mark.parametrize("kind", BODIES)
async def test_a_body_is_sent_again_as_it_was(kit, server, tmp_path, kind):
    options = BODIES[kind](tmp_path / "body")
    script = [steps.respond(503), steps.drop(), steps.early(503), OK]
    _, text = await kit.got(server, *script, policy=POLICY.max(6), method="PUT", **options)
    assert text == b"done"
    first, second, _, *_, last = server.requests
    assert first.body == second.body == last.body
    assert first.headers == second.headers == last.headers
    assert len(first.body) == WHOLE.get(kind, len(first.body))


async def generated():
    for chunk in (b"abc", b"def"):
        yield chunk


def piped():
    reading, writing = os.pipe()
    os.write(writing, b"abcdef")
    os.close(writing)
    return os.fdopen(reading, "rb")


class Stuck(io.BytesIO):
    """What says where it stands and cannot go elsewhere: aiohttp would send what is left of it, nothing."""

    def seekable(self):
        return False


@pytest.mark.parametrize("fault", [steps.respond(503), steps.drop(), steps.respond(429)])
@pytest.mark.parametrize("body", [generated, piped, lambda: Stuck(b"abcdef")])
async def test_a_body_that_can_be_read_once_is_sent_once_and_never_again_empty(
    kit, server, clock, body, fault
):
    body = body()
    try:
        came, _ = await kit.got(server, fault, OK, method="PUT", data=body)
    except aiohttp.ClientConnectionError as error:
        came = error
    assert [seen.body for seen in server.requests] == [b"abcdef"]
    assert history(came).reason == "body_not_replayable"
    assert clock.sleeps == []
    getattr(body, "close", int)()


async def test_a_form_with_one_part_that_can_be_read_once_is_sent_once(kit, server, clock):
    with aiohttp.MultipartWriter("mixed") as parts:
        parts.append(b"one")
        parts.append(generated())
    came, _ = await kit.got(server, steps.respond(503), OK, method="PUT", data=parts)
    assert history(came).reason == "body_not_replayable"
    assert len(server.requests) == 1


async def test_a_file_that_was_closed_meanwhile_is_not_sent_again(kit, server, clock):
    file = io.BytesIO(b"abcdef")

    async def closing(request, send):
        response = await send(request)
        file.close()
        return response

    server.on("/f", steps.respond(503), OK)
    async with kit.session(inner=[closing]) as session, session.put(server.url + "/f", data=file) as response:
        assert history(response).reason == "body_not_replayable"
    assert clock.sleeps == []


async def test_a_generator_that_was_read_into_memory_is_sent_again(kit, server):
    async def signing(request, send):
        await request.body.as_bytes()
        return await send(request)

    server.on("/f", steps.respond(503), OK)
    url = server.url + "/f"
    async with kit.session(inner=[signing]) as session, session.put(url, data=generated()) as response:
        assert await response.text() == "done"
    assert [seen.body for seen in server.requests] == [b"abcdef", b"abcdef"]


async def test_a_generator_that_nobody_has_begun_to_read_is_sent_after_all(kit, server, clock):
    refusals = iter([True, True, False])

    async def refusing(request, send):
        if next(refusals):
            raise aiohttp.ClientConnectorError(request.connection_key, ConnectionRefusedError(111, "refused"))
        return await send(request)

    server.on("/f", OK)
    url = server.url + "/f"
    async with kit.session(inner=[refusing]) as session, session.put(url, data=generated()) as response:
        assert await response.text() == "done"
    assert [seen.body for seen in server.requests] == [b"abcdef"]
    assert clock.sleeps == [2.0, 2.0]


async def test_an_expectation_that_was_not_met_is_had_again(kit, server):
    _, text = await kit.got(
        server, steps.early(503), steps.drop(), OK, method="PUT", data=b"abc", expect100=True
    )
    assert text == b"done"
    assert [seen.header("Expect") for seen in server.requests] == ["100-continue"] * 3
    assert server.requests[-1].body == b"abc"


# What comes back, and is rejected


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("size", [0, 1000, http.DRAINED])
async def test_the_connection_is_used_again_after_a_small_body(kit, server, clock, framing, size):
    error = steps.respond(503, body=b"e" * size, framing=framing)
    _, text = await kit.got(server, error, error, OK)
    assert text == b"done"
    assert server.connections == 1
    assert clock.sleeps == [2.0, 2.0]


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("read_body", [False, True])
async def test_a_large_body_is_closed_and_a_pool_of_one_goes_on(kit, server, framing, read_body):
    size = 5_000_000 if framing == "length" else 1_000_000
    error = steps.respond(503, body=b"e" * size, framing=framing)
    _, text = await kit.got(server, error, OK, middleware={"read_body": read_body})
    assert text == b"done"
    assert server.connections == 2


async def test_an_endless_body_is_closed_not_read(kit, server):
    _, text = await kit.got(server, steps.endless(status=503), steps.endless(b".", status=503), OK)
    assert text == b"done"
    assert server.connections == 3


@pytest.mark.parametrize("pause", [0.02, 0.7])
async def test_a_body_that_stalls_or_dribbles_is_closed_after_half_a_real_second(kit, server, clock, pause):
    began = SYSTEM_CLOCK.monotonic()
    _, text = await kit.got(server, steps.trickle(b"e" * 1000, pause=pause, status=503), OK)
    assert text == b"done"
    assert SYSTEM_CLOCK.monotonic() - began < 10  # all of it would take twenty seconds, or seven hundred
    assert clock.sleeps == [2.0]


@pytest.mark.parametrize("fault", [steps.truncate(status=503), steps.bad_chunk(503)])
async def test_a_body_that_breaks_while_it_is_drained_is_nobodys_business(kit, server, clock, fault):
    _, text = await kit.got(server, fault, OK)
    assert text == b"done"
    assert clock.sleeps == [2.0]


async def test_an_answer_to_head_leaves_its_connection_whatever_length_it_names(kit, server):
    error = steps.respond(503, {"Content-Length": "5000000"}, b"")
    await kit.got(server, error, OK, method="HEAD")
    assert server.connections == 1


@pytest.mark.parametrize("status", [408, 421])
@pytest.mark.parametrize("body", [b"", b'{"code": "wrong_host"}', b" " * 40_000])
@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("policy", [POLICY, retry_on(code("busy")).fixed(1) | POLICY])
async def test_a_misdirected_request_goes_to_a_new_connection(kit, server, status, body, framing, policy):
    error = steps.respond(status, body=body, framing=framing)
    _, text = await kit.got(server, error, OK, policy=policy, method="POST")
    assert text == b"done"
    assert server.connections == 2


@pytest.mark.parametrize("policy", [POLICY, retry_on(code("busy")).fixed(1) | POLICY])
async def test_a_misdirected_request_whose_answer_is_slow_goes_to_a_new_connection(kit, server, policy):
    slow = steps.trickle(b'{"code": "wrong_host"}', status=421, pause=0.003)
    _, text = await kit.got(server, slow, OK, policy=policy)
    assert text == b"done"
    assert server.connections == 2


async def test_a_connection_that_somebody_else_uses_by_now_is_left_to_them(kit, server):
    """An inner middleware that waits may let another request have the connection."""
    hold, others = threading.Event(), []

    async def slow(request, send):
        response = await send(request)
        if response.status == 421:
            others.append(asyncio.ensure_future(session.get(server.url + "/other")))
            await asyncio.to_thread(server.wait_for_requests, 2)
        return response

    server.on("/f", steps.respond(421, body=b""), OK).on("/other", steps.stall(hold, OK))
    async with kit.session(inner=[slow]) as session:
        call = asyncio.ensure_future(session.get(server.url + "/f"))
        await asyncio.to_thread(server.wait_for_requests, 2)
        await asyncio.sleep(0.05)  # by now the answer of 421 has been judged
        hold.set()
        assert await (await others[0]).text() == "done"
        assert (await call).status == 200
    assert [seen.connection for seen in server.requests] == [1, 1, 1]


# What comes back, and is the caller's


@pytest.mark.parametrize("step", [steps.truncate(), steps.truncate(framing="chunked"), steps.bad_chunk()])
async def test_a_body_that_was_cut_off_is_an_outcome(kit, server, clock, step):
    _, text = await kit.got(server, step, OK)
    assert text == b"done"
    assert clock.sleeps == [2.0]


@pytest.mark.parametrize("step", [steps.truncate(b"x" * 9_000), steps.truncate(framing="chunked")])
async def test_a_stream_that_is_cut_off_is_the_callers(kit, server, clock, step):
    with pytest.raises(aiohttp.ClientPayloadError):
        await kit.got(server, step, OK, middleware={"read_body": False})
    assert clock.sleeps == []
    assert len(server.requests) == 1


async def test_a_stream_is_not_read_ahead(kit, server):
    server.on("/f", steps.respond(503), steps.endless())
    async with kit.session(read_body=False) as session, session.get(server.url + "/f") as response:
        assert await response.content.readexactly(10) == b"." * 10
        assert response.content.total_bytes < 2_000_000


async def test_an_event_stream_is_never_read(kit, server):
    endless = steps.endless(b"data: 1\n\n", headers={"Content-Type": "text/event-stream; charset=utf-8"})
    server.on("/f", steps.respond(503), endless)
    async with kit.session() as session, session.get(server.url + "/f") as response:
        assert await response.content.readline() == b"data: 1\n"


async def in_chunks(response):
    return b"".join([chunk async for chunk in response.content.iter_chunked(700)])


async def as_it_comes(response):
    return b"".join([chunk async for chunk in response.content.iter_any()])


async def with_chunk_ends(response):
    return b"".join([chunk async for chunk, _ in response.content.iter_chunks()])


async def in_lines(response):
    return b"".join([line async for line in response.content])


READ = {
    "read": lambda response: response.read(),
    "content": lambda response: response.content.read(),
    "in chunks": in_chunks,
    "as it comes": as_it_comes,
    "with chunk ends": with_chunk_ends,
    "lines": in_lines,
}


@pytest.mark.parametrize("how", READ)
@pytest.mark.parametrize("read_body", [True, False])
@pytest.mark.parametrize("size", [0, 10, 300_000])
async def test_the_caller_reads_a_success_in_any_way(kit, server, how, read_body, size):
    body = (b"0123456789abcde\n" * 20_000)[:size]
    server.on("/f", steps.respond(503), steps.respond(200, body=body))
    async with kit.session(read_body=read_body) as session, session.get(server.url + "/f") as response:
        assert await READ[how](response) == body
        if read_body:
            assert await response.read() == body


# What a rule looks into


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
async def test_a_code_in_the_body_decides(kit, server, clock, framing):
    _, text = await kit.got(server, steps.respond(400, body=LATER, framing=framing), OK, policy=PEEKS)
    assert text == b"done"
    assert server.connections == (2 if framing == "close" else 1)
    assert clock.sleeps == [2.0]


@pytest.mark.parametrize("status", [408, 421])
async def test_a_code_in_the_body_decides_about_a_status_that_wants_a_new_connection(
    kit, server, clock, status
):
    _, text = await kit.got(server, steps.respond(status, body=LATER), OK, policy=PEEKS)
    assert text == b"done"


CODINGS = {"identity": bytes, "gzip": gzip.compress, "deflate": zlib.compress}


@pytest.mark.parametrize("how", READ)
@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("read_body", [True, False])
async def test_the_caller_reads_all_of_a_body_that_a_rule_has_read(
    kit, server, how, coding, framing, read_body
):
    body = CODINGS[coding](NEVER)
    server.on("/f", steps.respond(400, {"Content-Encoding": coding}, body, framing=framing))
    async with kit.session(PEEKS, read_body=read_body) as session, session.get(server.url + "/f") as response:
        assert await READ[how](response) == NEVER
    assert history(response) is None


@pytest.mark.parametrize("how", [how for how in READ if how != "lines"])
@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("size", [65_536, 65_537, 500_000])
async def test_the_caller_reads_all_of_a_body_that_is_too_long_for_rules(kit, server, how, framing, size):
    body = (bytes(range(33, 127)) * 6000)[:size]
    server.on("/f", steps.respond(400, body=body, framing=framing))
    async with kit.session(PEEKS, read_body=False) as session, session.get(server.url + "/f") as response:
        assert await READ[how](response) == body


UNPACKS_ALL = Version(aiohttp.__version__) < Version("3.14.1")  # before anybody can look at the beginning
NO_MATCH = {
    "a bomb": ("gzip", gzip.compress(LATER[:-1] + b" " * 50_000_000 + b"}")),
    "too long": ("identity", LATER.ljust(65_537)),
    "no JSON": ("identity", b"<html>later</html>"),
    "nothing": ("identity", b""),
    "deep": ("identity", b"[" * 60_000),
}


@pytest.mark.parametrize("what", NO_MATCH)
async def test_a_body_that_cannot_be_read_as_json_matches_nothing(kit, server, what):
    coding, body = NO_MATCH[what]
    server.on("/f", steps.respond(400, {"Content-Encoding": coding}, body))
    async with kit.session(PEEKS, read_body=False) as session, session.get(server.url + "/f") as response:
        assert history(response) is None
        assert (response.content.total_bytes > 2_000_000) == (what == "a bomb" and UNPACKS_ALL)
    assert len(server.requests) == 1


@pytest.mark.parametrize("body", [LATER, NEVER])
async def test_a_session_that_does_not_decode_is_looked_into_all_the_same(kit, server, clock, body):
    wire = gzip.compress(body)
    script = [steps.respond(400, {"Content-Encoding": "gzip"}, wire), OK]
    _, text = await kit.got(server, *script, policy=PEEKS, session={"auto_decompress": False})
    assert text == (b"done" if body is LATER else wire)


@pytest.mark.parametrize("fault", [steps.truncate(LATER, status=400), steps.bad_chunk(400)])
async def test_a_broken_body_that_a_rule_looks_at_is_aiohttps_own_error(kit, server, clock, fault):
    with pytest.raises(aiohttp.ClientError):
        await kit.got(server, fault, policy=PEEKS)
    _, text = await kit.got(server, fault, OK, policy=PEEKS | retry_on(network).fixed(5))
    assert text == b"done"
    assert clock.sleeps == [5.0]


async def test_a_success_that_a_rule_may_reject_is_read_within_the_attempt(kit, server, clock):
    policy = retry_on(200 & code("later")).fixed(2) | retry_on(network).fixed(5)
    script = [steps.respond(200, body=LATER), steps.truncate(b"x" * 200_000, keep=150_000), OK]
    _, text = await kit.got(server, *script, policy=policy)
    assert text == b"done"
    assert clock.sleeps == [2.0, 5.0]


async def test_the_delay_can_stand_in_the_body(kit, server, clock):
    error = steps.json(429, {"details": {"retry_after": 40}})
    await kit.got(server, error, OK, policy=retry_on(429).after_body("details.retry_after"))
    assert clock.sleeps[0] >= 40
