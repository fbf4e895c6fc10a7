"""What a scenario asks a client to send, the bodies that it can have, and what came of it."""

import io
import json

import attrs

WHOLE = "whole"
NOTHING = "nothing"

BYTES = b"\x00\xffthe bytes\r\n"
TEXT = "d\u00e9j\u00e0 vu"
OBJECT = {"name": "d\u00e9j\u00e0", "tags": [1, 2.5, None]}
FORM = {"name": "a b", "tag": "x&y"}
PART = b"the file, which is sent as one part"
LARGE = b"z" * 1_000_000
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
        return WHOLE if body.count(PART) == 1 and body.count(b"the note") == 1 else repr(body)
    return WHOLE if body == wholes.get(kind, BYTES) else repr(body[:80])


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
    """What the caller got: a status and the content that was read, or an exception."""

    status: int | None = None
    content: bytes = b""
    error: Exception | None = None
    history: object = None

    @property
    def reason(self):
        return None if self.history is None else str(self.history.reason)
