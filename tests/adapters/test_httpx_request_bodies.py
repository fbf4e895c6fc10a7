"""A body is sent again as it was, from where it began; or it is not sent again."""

import io
import os
import tempfile

import anyio
import pytest
from packaging.version import Version

from bide import history, network, retry_on
from bide.testing import steps

pytestmark = pytest.mark.both_seams

POLICY = retry_on(503, network).fixed(2).any_method()
ONCE_BROKEN = (steps.respond(503), steps.drop(), steps.respond(200))


async def posted(kit, server, clock, script=ONCE_BROKEN, policy=POLICY, **body):
    server.on("/f", *script)
    async with kit.client(policy, clock=clock) as client:
        return await client.post(server.url + "/f", **body)


REPLAYABLE = {
    "bytes": lambda: {"content": b"abcdef"},
    "str": lambda: {"content": "abcdéf"},
    "json": lambda: {"json": {"a": [1, 2]}},
    "form": lambda: {"data": {"a": "1", "b": ["2", "3"]}},
    "nothing": dict,
    "multipart of bytes": lambda: {"files": {"f": ("name", b"abcdef")}, "data": {"a": "1"}},
    "multipart of text": lambda: {"files": {"f": ("name", "abcdef")}},
    "multipart of a file": lambda: {"files": {"f": temporary(b"abcdef"), "g": io.BytesIO(b"ghi")}},
}


def temporary(content):
    file = tempfile.TemporaryFile()  # noqa: SIM115  # who asked for it closes it
    file.write(content)
    file.seek(0)
    return file


@pytest.mark.parametrize("kind", REPLAYABLE)
async def test_a_body_that_is_in_memory_or_can_be_rewound_is_sent_again_as_it_was(kit, server, clock, kind):
    body = REPLAYABLE[kind]()
    response = await posted(kit, server, clock, **body)
    assert response.status_code == 200
    first, second, third = (seen.body for seen in server.requests)
    assert first == second == third
    assert bool(first) == (kind != "nothing")
    assert clock.sleeps == [2.0, 2.0]
    for file in body.get("files", {}).values():
        getattr(file, "close", lambda: None)()


@pytest.mark.parametrize("make", [list, tuple])
async def test_a_list_of_chunks_is_sent_again(sync_kit, server, clock, make):
    await posted(sync_kit, server, clock, content=make([b"abc", b"def"]))
    assert [seen.body for seen in server.requests] == [b"abcdef"] * 3


async def test_a_file_is_sent_again_from_its_beginning(sync_kit, server, clock):
    with temporary(b"abcdef") as file:
        await posted(sync_kit, server, clock, content=file)
    assert [seen.body for seen in server.requests] == [b"abcdef"] * 3


def announces_a_whole_file(module):
    """Whether a client takes the length of a whole file for that of what is left of it."""
    return module.__name__ == "httpx" or Version(module.__version__) < Version("2.13.1")


async def test_a_file_is_sent_again_from_where_it_stood(sync_kit, server, clock):
    file = io.BytesIO(b"XXabcdef")
    file.seek(2)
    own = {"Content-Length": "6"} if announces_a_whole_file(sync_kit.module) else {}
    await posted(sync_kit, server, clock, content=file, headers=own)
    assert [seen.body for seen in server.requests] == [b"abcdef"] * 3


async def test_a_one_shot_body_is_sent_once_and_the_answer_is_the_servers(kit, server, clock):
    response = await posted(kit, server, clock, content=kit.body(b"abc", b"def"))
    assert response.status_code == 503
    assert history(response).reason == "body_not_replayable"
    assert [seen.body for seen in server.requests] == [b"abcdef"]
    assert clock.sleeps == []


async def test_a_one_shot_body_that_was_lost_on_the_way_leaves_the_clients_own_error(kit, server, clock):
    with pytest.raises(kit.module.RemoteProtocolError) as caught:
        await posted(kit, server, clock, [steps.drop()], content=kit.body(b"abc"))
    assert history(caught.value).reason == "body_not_replayable"
    assert [seen.body for seen in server.requests] == [b"abc"]


async def test_a_one_shot_body_of_which_nothing_was_taken_is_sent_after_a_refused_connection(
    kit, server, clock
):
    server.on("/f", steps.respond(200))
    faults = [kit.module.ConnectError("refused")]

    def refuse_once(request):
        if faults:
            raise faults.pop()

    async with kit.client(retry_on(network).fixed(2), over=kit.spying(refuse_once), clock=clock) as client:
        response = await client.post(server.url + "/f", content=kit.body(b"abc", b"def"))
    assert response.status_code == 200
    assert [seen.body for seen in server.requests] == [b"abcdef"]
    assert clock.sleeps == [2.0]


async def test_a_one_shot_body_may_be_tried_again_and_again_while_nothing_was_taken(kit, server, clock):
    async with kit.client(retry_on(network).fixed(2), clock=clock) as client:
        with pytest.raises(kit.module.ConnectError) as caught:
            await client.post(server.refused_url(), content=kit.body(b"abc"))
    assert history(caught.value).reason == "retries_exhausted"
    assert clock.sleeps == [2.0] * 3


class OneIterator:
    """Iterable, and yet its chunks come once."""

    def __init__(self):
        self._chunks = iter([b"abc", b"def"])

    def __iter__(self):
        return self._chunks


@pytest.mark.parametrize(
    "make", [OneIterator, lambda: iter([b"abc", b"def"]), lambda: map(bytes, [b"abcdef"])]
)
async def test_an_iterator_is_never_sent_again_empty(sync_kit, server, clock, make):
    response = await posted(sync_kit, server, clock, content=make())
    assert response.status_code == 503
    assert history(response).reason == "body_not_replayable"
    assert [seen.body for seen in server.requests] == [b"abcdef"]


@pytest.mark.parametrize("how", ["content", "files"])
async def test_a_pipe_is_sent_once(sync_kit, server, clock, how):
    reading, writing = os.pipe()
    os.write(writing, b"abc")
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        body = pipe if how == "content" else {"f": ("name", pipe)}
        headers = {
            "Transfer-Encoding": "chunked"
        }  # its size on the disk is 0, which the client would believe
        response = await posted(sync_kit, server, clock, headers=headers, **{how: body})
    assert history(response).reason == "body_not_replayable"
    assert len(server.requests) == 1
    assert b"abc" in server.requests[0].body


class Untellable(io.BytesIO):
    """A file that can seek, and does not know where it is."""

    def tell(self):
        raise io.UnsupportedOperation


async def test_a_file_that_cannot_tell_where_it_stands_is_sent_once(sync_kit, server, clock):
    response = await posted(sync_kit, server, clock, content=Untellable(b"abc"))
    assert history(response).reason == "body_not_replayable"
    assert [seen.body for seen in server.requests] == [b"abc"]


async def test_a_closed_file_fails_as_it_does_without_retries(sync_kit, server, clock):
    file = io.BytesIO(b"abc")
    async with sync_kit.client(retry_on(503, ValueError).fixed(2).any_method(), clock=clock) as client:
        request = client.own.build_request("POST", server.url + "/f", content=file)
        file.close()
        with pytest.raises(ValueError, match="closed file") as caught:
            await client.send(request)
    assert history(caught.value).reason == "body_not_replayable"
    assert clock.sleeps == []


async def test_a_file_that_was_closed_meanwhile_leaves_the_servers_answer(sync_kit, server, clock):
    file = io.BytesIO(b"abc")
    server.on("/f", steps.respond(503, body="sorry"))
    over = sync_kit.spying(then=lambda response: file.close())
    async with sync_kit.client(POLICY, over=over, clock=clock) as client:
        response = await client.post(server.url + "/f", content=file)
    assert response.text == "sorry"
    assert history(response).reason == "body_not_replayable"


async def test_multipart_with_a_closed_file_among_its_parts_is_not_sent_again(kit, server, clock):
    file = io.BytesIO(b"abc")
    server.on("/f", steps.respond(503))
    over = kit.spying(then=lambda response: file.close())
    async with kit.client(POLICY, over=over, clock=clock) as client:
        response = await client.post(server.url + "/f", files={"f": file, "g": b"ghi"})
    assert history(response).reason == "body_not_replayable"
    assert len(server.requests) == 1


async def test_an_asynchronous_file_is_sent_once(async_kit, server, clock, tmp_path):
    path = anyio.Path(tmp_path / "upload")
    await path.write_bytes(b"abc\ndef\n")
    async with await anyio.open_file(path, "rb") as file:
        response = await posted(async_kit, server, clock, content=file)
    assert response.status_code == 503
    assert history(response).reason == "body_not_replayable"
    assert [seen.body for seen in server.requests] == [b"abc\ndef\n"]


async def test_a_stream_of_the_users_own_is_sent_once(kit, server, clock):
    class Stream(kit.module.SyncByteStream, kit.module.AsyncByteStream):
        _stream = io.BytesIO(b"abcdef")  # looks like the client's own, and is not

        def __iter__(self):
            yield b"abc"

        async def __aiter__(self):
            yield b"abc"

    server.on("/f", *ONCE_BROKEN)
    async with kit.client(POLICY, clock=clock) as client:
        request = kit.module.Request(
            "POST", server.url + "/f", headers={"Host": "x", "Content-Length": "3"}, stream=Stream()
        )
        response = await client.send(request)
    assert history(response).reason == "body_not_replayable"
    assert [seen.body for seen in server.requests] == [b"abc"]


async def test_a_body_that_an_inner_transport_has_read_into_memory_can_be_sent_again(kit, clock):
    bodies = []

    class Reading(kit.module.BaseTransport, kit.module.AsyncBaseTransport):
        def handle_request(self, request):
            bodies.append(request.read())
            return kit.module.Response(503)

        async def handle_async_request(self, request):
            bodies.append(await request.aread())
            return kit.module.Response(503)

    async with kit.client(POLICY.timeout(5), over=Reading(), clock=clock) as client:
        response = await client.post("http://example.test/", content=kit.body(b"abc", b"def"))
    assert bodies == [b"abcdef"] * 4
    assert history(response).reason == "retries_exhausted"


@pytest.mark.parametrize("status", [307, 308])
async def test_a_body_survives_a_redirect_and_then_a_retry(transport_kit, server, clock, status):
    server.on("/f", steps.respond(status, {"Location": "/g"})).on("/g", *ONCE_BROKEN)
    async with transport_kit.client(POLICY, clock=clock, follow_redirects=True) as client:
        response = await client.post(server.url + "/f", content=b"abc")
    assert response.status_code == 200
    assert [(seen.path, seen.body) for seen in server.requests] == [("/f", b"abc")] + [("/g", b"abc")] * 3
