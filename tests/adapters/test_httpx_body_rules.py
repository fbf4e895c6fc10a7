"""Rules that look into a body: it is read once, within bounds, and the caller still reads the whole of it."""

import gzip
import json
import zlib

import pytest

from bide import code, history, message, network, retry_on
from bide.adapters import httpx_bodies
from bide.testing import steps

pytestmark = pytest.mark.both_seams

POLICY = retry_on("4xx" & code("later")).fixed(2).any_method()
LATER = json.dumps({"error": {"code": "later", "text": "é" * 100}}).encode()
NEVER = json.dumps({"error": {"code": "never", "text": "é" * 100}}).encode()
OK = steps.respond(body="done")


async def got(kit, server, clock, *script, policy=POLICY):
    server.on("/f", *script)
    async with kit.client(policy, clock=clock) as client:
        return await client.get(server.url + "/f")


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
async def test_a_code_in_the_body_decides(kit, server, clock, framing):
    response = await got(kit, server, clock, steps.respond(400, body=LATER, framing=framing), OK)
    assert response.text == "done"
    assert server.connections == (2 if framing == "close" else 1)
    assert clock.sleeps == [2.0]


async def test_another_code_is_the_callers_to_read(kit, server, clock):
    response = await got(kit, server, clock, steps.respond(400, body=NEVER, framing="chunked"))
    assert response.json()["error"]["code"] == "never"
    assert response.content == NEVER
    assert history(response) is None
    assert len(server.requests) == 1


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 1_000_000])
async def test_the_caller_streams_the_whole_body_whatever_its_length(kit, server, clock, size):
    body = NEVER[:size].ljust(size)
    server.on("/f", steps.respond(400, body=body))
    async with kit.client(POLICY, clock=clock) as client:
        async with client.stream("GET", server.url + "/f") as response:
            assert b"".join(await client.chunks(response)) == body
        async with client.stream("GET", server.url + "/f") as response:
            assert await client.read(response) == body
    assert server.connections == 1


async def test_the_caller_may_leave_a_long_body_unread(kit, server, clock):
    server.on("/f", steps.endless(status=400), OK)
    async with kit.client(POLICY, clock=clock) as client:
        async with client.stream("GET", server.url + "/f") as response:
            assert response.status_code == 400
        assert (await client.get(server.url + "/f")).text == "done"


async def test_the_last_rejected_body_is_the_callers_to_read(kit, server, clock):
    response = await got(kit, server, clock, steps.respond(400, body=LATER))
    assert response.json()["error"]["code"] == "later"
    assert history(response).reason == "retries_exhausted"
    assert "bide.peeked" not in response.extensions


ENCODINGS = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "bare deflate": ("deflate", lambda raw: zlib.compress(raw, wbits=-15)),
    "two members": ("gzip", lambda raw: gzip.compress(raw[:20]) + gzip.compress(raw[20:])),
    "padded": ("gzip", lambda raw: gzip.compress(raw) + bytes(8)),
    "identity": ("identity", bytes),
}


@pytest.mark.parametrize("how", ENCODINGS)
async def test_an_encoded_body_is_decoded_for_the_rule_and_left_as_it_is_for_the_client(
    kit, server, clock, how
):
    coding, encode = ENCODINGS[how]
    headers = {"Content-Encoding": coding}
    response = await got(kit, server, clock, steps.respond(400, headers, encode(LATER)), OK)
    assert response.text == "done"
    assert clock.sleeps == [2.0]


@pytest.mark.parametrize("how", ["gzip", "deflate", "bare deflate", "identity"])
async def test_the_caller_still_gets_an_encoded_body_decoded(kit, server, clock, how):
    coding, encode = ENCODINGS[how]
    response = await got(kit, server, clock, steps.respond(400, {"Content-Encoding": coding}, encode(NEVER)))
    assert response.content == NEVER


NO_MATCH = {
    "a bomb": ("gzip", gzip.compress(LATER[:-1] + b" " * 50_000_000 + b"}")),
    "too long": ("identity", LATER.ljust(65_537)),
    "too long by a member": ("gzip", gzip.compress(LATER.ljust(65_537)) + gzip.compress(b" ")),
    "not gzip": ("gzip", LATER),
    "not deflate": ("deflate", b""),
    "several codings": ("gzip, gzip", gzip.compress(gzip.compress(LATER))),
    "unknown coding": ("br", LATER),
    "no JSON": ("identity", b"<html>later</html>"),
    "cut JSON": ("identity", LATER[:-3]),
    "nothing": ("identity", b""),
    "deep": ("identity", b"[" * 60_000),
    "no object": ("identity", b'"later"'),
}


@pytest.mark.parametrize("what", NO_MATCH)
async def test_a_body_that_cannot_be_read_as_json_matches_nothing(kit, server, clock, what):
    coding, body = NO_MATCH[what]
    server.on("/f", steps.respond(400, {"Content-Encoding": coding}, body))
    async with kit.client(POLICY, clock=clock) as client, client.stream("GET", server.url + "/f") as response:
        assert response.status_code == 400
        assert history(response) is None
    assert len(server.requests) == 1


async def test_a_truncated_error_body_that_a_rule_looks_at_is_an_outcome(kit, server, clock):
    policy = POLICY | retry_on(network).fixed(5)
    response = await got(kit, server, clock, steps.truncate(LATER, status=400), OK, policy=policy)
    assert response.text == "done"
    assert clock.sleeps == [5.0]


@pytest.mark.parametrize("fault", [steps.truncate(LATER, status=400), steps.bad_chunk(400)])
async def test_a_broken_error_body_that_no_rule_is_about_is_the_clients_own_error(kit, server, clock, fault):
    with pytest.raises(kit.module.RemoteProtocolError):
        await got(kit, server, clock, fault)
    assert len(server.requests) == 1


@pytest.mark.parametrize("fault", [steps.truncate(), steps.truncate(framing="chunked"), steps.bad_chunk()])
async def test_a_broken_body_of_a_success_comes_after_our_work_and_is_the_clients_own_error(
    transport_kit, server, clock, fault
):
    with pytest.raises(transport_kit.module.RemoteProtocolError):
        await got(transport_kit, server, clock, fault, OK, policy=retry_on("5xx", network).fixed(2))
    assert len(server.requests) == 1
    assert clock.sleeps == []


async def test_a_later_attempt_is_looked_at_as_the_first_is(kit, server, clock):
    script = [steps.respond(503), steps.respond(400, body=LATER), steps.respond(400, body=NEVER)]
    response = await got(kit, server, clock, *script, policy=POLICY | retry_on(503).fixed(5))
    assert response.content == NEVER
    assert clock.sleeps == [5.0, 2.0]
    assert [(one.outcome, one.rule) for one in history(response)] == [("503", 1), ("400", 0), ("400", None)]


async def test_a_body_whose_peeking_fails_later_on_is_decided_about_too(kit, server, clock):
    script = [steps.respond(400, body=LATER), steps.truncate(LATER, status=400), OK]
    response = await got(kit, server, clock, *script, policy=POLICY | retry_on(network).fixed(5))
    assert response.text == "done"
    assert clock.sleeps == [2.0, 5.0]


async def test_a_success_is_looked_at_only_when_a_rule_names_it(kit, server, clock):
    policy = retry_on(200 & code("later")).fixed(2)
    response = await got(
        kit, server, clock, steps.respond(200, body=LATER), steps.respond(200, body=NEVER), policy=policy
    )
    assert response.content == NEVER
    assert clock.sleeps == [2.0]


async def test_the_delay_can_stand_in_the_body(kit, server, clock):
    error = steps.json(429, {"details": {"retry_after": 40}})
    policy = retry_on(429).after_body("details.retry_after").any_method()
    assert (await got(kit, server, clock, error, OK, policy=policy)).text == "done"
    assert clock.sleeps[0] >= 40


async def test_the_text_for_people_can_decide(kit, server, clock):
    error = steps.json(500, {"message": "The model is overloaded, sorry"})
    policy = retry_on(message("*overloaded*")).fixed(2)
    assert (await got(kit, server, clock, error, OK, policy=policy)).text == "done"


def in_memory(kit, content, **attributes):
    def answer(request):
        response = kit.module.Response(400, content=content)
        for name, value in attributes.items():
            setattr(response, name, value)
        return response

    return answer


async def test_a_response_that_is_in_memory_already_is_looked_at_there(kit, clock):
    inner = kit.scripted(in_memory(kit, LATER), in_memory(kit, NEVER))
    async with kit.client(POLICY, over=inner, clock=clock) as client:
        response = await client.get("http://example.test/")
    assert response.content == NEVER
    assert clock.sleeps == [2.0]


async def test_a_response_that_is_in_memory_is_bounded_too(kit, clock):
    inner = kit.scripted(in_memory(kit, LATER.ljust(65_537)))
    async with kit.client(POLICY, over=inner, clock=clock) as client:
        response = await client.get("http://example.test/")
    assert len(response.content) == 65_537
    assert clock.sleeps == []


async def test_a_response_whose_closing_fails_too_leaves_the_error_of_its_reading(kit, clock):
    class Broken(kit.module.SyncByteStream, kit.module.AsyncByteStream):
        def __iter__(self):
            yield b"{"
            raise kit.module.ReadError("lost")

        async def __aiter__(self):
            for chunk in self:
                yield chunk

        def close(self):
            raise OSError("gone")

        async def aclose(self):
            raise OSError("gone")

    inner = kit.scripted(lambda request: kit.module.Response(400, stream=Broken()))
    async with kit.client(POLICY, over=inner, clock=clock) as client:
        with pytest.raises(kit.module.ReadError, match="lost"):
            await client.get("http://example.test/")


async def test_a_body_of_single_bytes_is_read_in_linear_time(kit, clock):
    class Dribble(kit.module.SyncByteStream, kit.module.AsyncByteStream):
        def __iter__(self):
            yield from (b" " for _ in range(65_537))

        async def __aiter__(self):
            for chunk in self:
                yield chunk

    inner = kit.scripted(lambda request: kit.module.Response(400, stream=Dribble()))
    async with kit.client(POLICY, over=inner, clock=clock) as client:
        response = await client.get("http://example.test/")
    assert len(response.content) == 65_537


async def test_a_body_that_was_put_back_comes_once_never_a_beginning_without_its_rest(sync_kit):
    replayed = httpx_bodies.Replayed([b"a", b"b"], iter([b"c"]), None)
    assert list(replayed) == [b"a", b"b", b"c"]
    assert list(replayed) == []


async def test_a_body_that_was_put_back_comes_once_for_tasks_too(async_kit):
    replayed = httpx_bodies.AsyncReplayed([b"a", b"b"], async_kit.body(b"c"), None)
    assert [chunk async for chunk in replayed] == [b"a", b"b", b"c"]
    assert [chunk async for chunk in replayed] == []
