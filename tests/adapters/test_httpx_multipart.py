"""A multipart body is sent again byte for byte, or not at all: never with a part that has become empty."""

import io
import os
import tempfile

import pytest

from bide import history, network, retry_on
from bide.testing import steps

pytestmark = pytest.mark.both_seams

POLICY = retry_on(503, network).fixed(2).any_method()
ONCE_BROKEN = (steps.respond(503), steps.drop(), steps.respond(200))
CONTENT = os.urandom(200_000)


async def posted(kit, server, clock, files, script=ONCE_BROKEN, **options):
    server.on("/f", *script)
    async with kit.client(POLICY, clock=clock) as client:
        return await client.post(server.url + "/f", files=files, **options)


def on_disk():
    file = tempfile.TemporaryFile()  # noqa: SIM115  # the test closes it
    file.write(CONTENT)
    return file  # at its end: the client goes to its beginning


def spooled():
    file = tempfile.SpooledTemporaryFile(max_size=10)  # noqa: SIM115  # the test closes it
    file.write(CONTENT)
    return file


class WithoutSeek(io.RawIOBase):
    """A file that can be read once, from its beginning to its end."""

    def __init__(self):
        self._file = io.BytesIO(b"once only")

    def readable(self):
        return True

    def readinto(self, buffer):
        return self._file.readinto(buffer)


class ReadOnly:
    """As little of a file as the client needs."""

    def __init__(self):
        self.read = io.BytesIO(b"once only").read


class Liar(io.BytesIO):
    """A file that says that it can seek, and cannot."""

    def seek(self, *where):
        raise io.UnsupportedOperation


@pytest.mark.parametrize("make", [on_disk, spooled, lambda: io.BytesIO(CONTENT)])
async def test_a_file_is_sent_again_byte_for_byte(kit, server, clock, make):
    with make() as file:
        response = await posted(
            kit, server, clock, {"f": ("name", file, "image/png")}, data={"a": ["1", "2"]}
        )
    assert response.status_code == 200
    first, second, third = (seen.body for seen in server.requests)
    assert first == second == third
    assert first.count(CONTENT) == 1


async def test_the_boundary_that_the_caller_chose_stays(kit, server, clock):
    headers = {"Content-Type": "multipart/form-data; boundary=mine"}
    await posted(kit, server, clock, {"f": io.BytesIO(b"abc"), "g": b"def"}, headers=headers)
    first, second, third = (seen.body for seen in server.requests)
    assert first == second == third
    assert first.startswith(b"--mine\r\n")


async def test_several_files_under_one_name_are_sent_again_in_order(kit, server, clock):
    files = [("f", ("1", io.BytesIO(b"first"))), ("f", ("2", io.BytesIO(b"second"))), ("f", ("3", "third"))]
    await posted(kit, server, clock, files)
    (body,) = {seen.body for seen in server.requests}
    assert body.index(b"first") < body.index(b"second") < body.index(b"third")


@pytest.mark.parametrize("make", [WithoutSeek, ReadOnly, lambda: Liar(b"once only")])
async def test_one_file_that_cannot_be_rewound_is_enough_to_send_it_once(kit, server, clock, make):
    files = {"before": io.BytesIO(b"one"), "f": ("name", make()), "after": b"two"}
    response = await posted(kit, server, clock, files)
    assert response.status_code == 503
    assert history(response).reason == "body_not_replayable"
    (seen,) = server.requests
    assert all(part in seen.body for part in (b"one", b"once only", b"two"))
    assert clock.sleeps == []


@pytest.mark.parametrize("make", [WithoutSeek, ReadOnly, lambda: Liar(b"once only")])
async def test_such_a_file_leaves_the_clients_own_error(kit, server, clock, make):
    with pytest.raises(kit.module.RemoteProtocolError) as caught:
        await posted(kit, server, clock, {"f": ("name", make())}, [steps.drop()])
    assert history(caught.value).reason == "body_not_replayable"
    assert len(server.requests) == 1


async def test_a_file_goes_along_a_redirect_and_the_retries_after_it(kit, server, clock):
    server.on("/f", steps.respond(307, {"Location": "/g"})).on("/g", *ONCE_BROKEN)
    async with kit.client(POLICY, clock=clock, follow_redirects=True) as client:
        response = await client.post(server.url + "/f", files={"f": io.BytesIO(CONTENT)})
    assert response.status_code == 200
    assert len({seen.body for seen in server.requests}) == 1
    assert all(CONTENT in seen.body for seen in server.requests)


@pytest.mark.parametrize("seam", ["client"])
@pytest.mark.parametrize("cut", [steps.truncate(), steps.truncate(framing="chunked")])
async def test_a_file_is_sent_again_when_the_answer_was_cut_off(kit, server, clock, cut):
    response = await posted(kit, server, clock, {"f": io.BytesIO(CONTENT)}, [cut, steps.respond(200)])
    assert response.status_code == 200
    first, second = (seen.body for seen in server.requests)
    assert first == second
    assert CONTENT in first
