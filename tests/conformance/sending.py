"""What a scenario asks a client to send, the bodies that it can have, and what came of it."""

import io
import json
from email import message_from_bytes

import attrs

import bide

WHOLE = "whole"
NOTHING = "nothing"

BYTES = b"\x00\xffthe bytes\r\n"
TEXT = "d\u00e9j\u00e0 vu"
OBJECT = {"name": "d\u00e9j\u00e0", "tags": [1, 2.5, None]}
FORM = {"name": "a b", "tag": "x&y"}
PART = b"the file, which is sent as one part"
LARGE = b"z" * 1_000_000
HUGE = b"z" * 16_000_000  # more than a connection holds on its way
SECRET = b"b0dy-secret"
SKIPPED = b"skip"


class Once(io.RawIOBase):
    """A file that can be read from its start to its end, once: a pipe."""

    def __init__(self, content):
        self._content = io.BytesIO(content)

    def readable(self):
        return True

    def readinto(self, buffer):
        return self._content.readinto(buffer)


def opened(kind):
    """A file object for the kinds of body that have one."""
    if kind == "file at an offset":
        file = io.BytesIO(SKIPPED + BYTES)
        file.seek(len(SKIPPED))
        return file
    return Once(PART) if kind == "multipart of a pipe" else io.BytesIO(PART if "multipart" in kind else BYTES)


def generated():
    """A body that can be read once."""
    yield BYTES[:4]
    yield BYTES[4:]


async def agenerated():
    """The same, for clients that await it."""
    yield BYTES[:4]
    yield BYTES[4:]


def arrived(kind, body):
    """Name what arrived of a body: `WHOLE`, `NOTHING`, or what else it was."""
    if not body and kind != "none":
        return NOTHING
    wholes = {"none": b"", "text": TEXT.encode(), "form": b"name=a+b&tag=x%26y", "large": LARGE}
    if kind == "json":
        return WHOLE if json.loads(body) == OBJECT else repr(body)
    if kind.startswith("multipart"):
        return WHOLE if sorted(parts_of(body)) == sorted([PART, b"the note"]) else repr(body)
    return WHOLE if body == wholes.get(kind, BYTES) else repr(body[:80])


def parts_of(body):
    """The contents of a multipart body's parts, read by the standard library."""
    head = b'Content-Type: multipart/form-data; boundary="' + boundary_of(body) + b'"\r\n\r\n'
    return [part.get_payload(decode=True) for part in message_from_bytes(head + body).get_payload()]


def boundary_of(body):
    """What stands between the parts of a multipart body: its first line says it."""
    return body.partition(b"\r\n")[0].removeprefix(b"--")


def unmarked(kind, body):
    """A body without the boundary that each writing of a multipart has for its own."""
    return body.replace(boundary_of(body), b"") if kind.startswith("multipart") else body


@attrs.frozen
class Ask:
    """One request, and how its answer is read."""

    url: str
    method: str = "GET"
    body: str = "none"
    headers: tuple = ()
    stream: bool = False
    first_chunk_only: bool = False


@attrs.frozen
class Answer:
    """What the caller got: a status and the content that was read, and its client's own response or an exception."""

    status: int | None = None
    content: bytes = b""
    final: object = None

    @property
    def error(self):
        return self.final if isinstance(self.final, Exception) else None

    @property
    def history(self):
        return bide.history(self.final)

    @property
    def reason(self):
        return None if self.history is None else str(self.history.reason)
