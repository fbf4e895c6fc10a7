"""The vocabulary of a server script: each function makes one answer, right or wrong in one way."""

from __future__ import annotations

import json as _json
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

import attrs

from bide.policy.errors import shown
from bide.testing import given

if TYPE_CHECKING:
    import threading

Headers: TypeAlias = Mapping[str, str] | Iterable[tuple[str, str]]
Framing: TypeAlias = Literal["length", "chunked", "close"]
Ending: TypeAlias = Literal["keep", "close", "reset"]

_CHUNK = 16  # bytes; small, so that also a short body comes in several chunks


@attrs.frozen
class Seen:
    """
    One request, as the server saw it.

    Attributes:
        method: Upper case, as sent.
        path: The request target, query included.
        headers: Pairs as sent: repeats, order and case kept.
        body: What arrived of it, decoded from chunks; empty if the step was `early`.
        connection: Number of its connection, from 1; requests that share it shared a connection.
        ordinal: Its place in `FaultServer.requests`, from 0.
        complete: Whether the body arrived to its end.
    """

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    connection: int
    ordinal: int
    complete: bool = True

    def header(self, name: str) -> str | None:
        """Return the first value of a header, whatever the case of its name, or None."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


@attrs.frozen
class Step:
    """
    One answer, as bytes and the manner of sending them. The functions of this module make the usual ones.

    Attributes:
        head: Raw bytes up to and including the empty line; may be nothing or nonsense.
        body: Raw bytes after the head, framing included; not sent in answer to HEAD.
        ending: Then keep the connection for another request, close it, or reset it (RST).
        reads_body: Whether the request's body is read before the answer.
        lingers: Whether, before closing, what the client still sends is thrown away until it closes.
        pause: Real seconds between two bytes of the body; 0 sends it in one piece.
        repeats: How many more times the body is sent, at most.
        held: Whether the server first waits: for `hold`, or without one until the client goes away.
        hold: What to wait for.

    Raises:
        TypeError: `head` or `body` is not bytes, `pause` or `repeats` no number, `hold` no event.
        ValueError: An unknown `ending`; `pause` or `repeats` is negative.
    """

    head: bytes
    body: bytes = b""
    ending: Ending = "keep"
    reads_body: bool = True
    lingers: bool = False
    pause: float = 0.0
    repeats: int = 0
    held: bool = False
    hold: threading.Event | None = None

    def __attrs_post_init__(self) -> None:
        _bytes(self.head, "head")
        _bytes(self.body, "body")
        given.one_of(self.ending, "ending", "keep", "close", "reset")
        given.finite(self.pause, "pause takes a finite number of real seconds >= 0", least=0)
        given.whole(self.repeats, "repeats takes a whole number >= 0")
        if not hasattr(self.hold, "is_set") and self.hold is not None:
            raise TypeError(f"hold takes a threading.Event or None, not {shown(self.hold)}")


Answer: TypeAlias = Step | int
"""A step, or a status for a plain answer with it."""
Script: TypeAlias = Answer | Callable[[Seen], Answer]
"""An answer, or a function that makes one once the request has been read."""


def step_of(answer: object) -> Step:
    """
    Return the step that an answer is.

    Raises:
        TypeError: It is neither a step nor a status.
        ValueError: It is a number of more than three digits.
    """
    if isinstance(answer, Step):
        return answer
    if isinstance(answer, int) and not isinstance(answer, bool):
        return respond(answer)
    raise TypeError(f"{shown(answer)} is no step; write one, such as steps.respond(503), or a status")


def respond(
    status: int = 200, headers: Headers = (), body: bytes | str = b"ok", *, framing: Framing = "length"
) -> Step:
    """
    Answer correctly.

    Args:
        status: Any three digits.
        headers: A mapping or pairs. Framing headers are added unless they are here.
        body: Text is sent as UTF-8. Dropped where HTTP forbids one: 1xx, 204, 304, and in answer to HEAD.
        framing: How the end of the body is told: `Content-Length`, chunks, or by closing the connection.

    Raises:
        TypeError: `status` is no whole number, `headers` neither a mapping nor pairs, `body` neither bytes nor text.
        ValueError: `status` has not three digits, a header is not Latin-1, or `framing` is unknown.
    """
    head, wire = _render(status, headers, body, framing)
    return Step(head, wire, "close" if framing == "close" else "keep")


def json(status: int = 200, obj: object = None, headers: Headers = ()) -> Step:
    """Answer correctly with `obj` as JSON. The content type is `application/json` unless `headers` has another."""
    pairs = _pairs(headers)
    if not _has(pairs, "Content-Type"):
        pairs.append(("Content-Type", "application/json"))
    return respond(status, pairs, _json.dumps(obj))


def raw(payload: bytes, *, ending: Ending = "close") -> Step:
    """Answer with exactly these bytes, then end the connection in this way."""
    return Step(_bytes(payload, "payload"), ending=ending)


def drop() -> Step:
    """Read the request, then close the connection without a word."""
    return Step(b"", ending="close")


def reset() -> Step:
    """Read the request, then reset the connection (RST)."""
    return Step(b"", ending="reset")


def garbage() -> Step:
    """Answer with bytes that are not HTTP, then close."""
    return Step(b"\x16\x03\x01 not http\r\n\r\n", ending="close")


def half_head(status: int = 200) -> Step:
    """Send a status line and half a header, then close."""
    return Step(_status_line(status) + b"Content-Type: text/pl", ending="close")


def truncate(
    body: bytes | str = b"x" * 100,
    *,
    keep: int | None = None,
    status: int = 200,
    headers: Headers = (),
    framing: Framing = "length",
    ending: Ending = "close",
) -> Step:
    """
    Promise a whole body, send its beginning, and end the connection.

    Args:
        body: The body that is promised.
        keep: Bytes to send of the body as framed on the wire; half when not said.
        status: Any three digits.
        headers: A mapping or pairs.
        framing: `"length"` or `"chunked"`.
        ending: `"close"` or `"reset"`.

    Raises:
        TypeError: `keep` is no whole number, or as for `respond`.
        ValueError: `framing` is `"close"`, where the end of the connection is the end of the body; `keep` is
            negative, or as for `respond`.
    """
    if framing == "close":
        raise ValueError("a body that ends with its connection cannot be seen to be truncated")
    head, wire = _render(status, headers, body, framing)
    kept = len(wire) // 2 if keep is None else given.whole(keep, "keep takes a whole number of bytes >= 0")
    return Step(head, wire[:kept], ending)


def bad_chunk(status: int = 200, headers: Headers = ()) -> Step:
    """Answer with a chunked body whose first chunk size is not a number, then close."""
    head, _ = _render(status, headers, b"", "chunked")
    return Step(head, b"ZZ\r\nabc\r\n", "close")


def trickle(
    body: bytes | str = b"slowly",
    *,
    pause: float = 0.01,
    status: int = 200,
    headers: Headers = (),
    framing: Framing = "length",
) -> Step:
    """Answer correctly, one byte of the body at a time, `pause` real seconds between them, until the client goes away."""
    return attrs.evolve(respond(status, headers, body, framing=framing), pause=pause)


def stall(hold: threading.Event | None = None, then: Answer | None = None) -> Step:
    """
    Say nothing until `hold` is set, then answer with `then`.

    Args:
        hold: None: stall until the client goes away or the server stops. A client that goes away always ends it.
        then: None: close without a word.
    """
    return attrs.evolve(drop() if then is None else step_of(then), held=True, hold=hold)


def close_after(
    status: int = 200, headers: Headers = (), body: bytes | str = b"ok", *, framing: Framing = "length"
) -> Step:
    """Answer correctly, as on a connection that is kept, then close it unannounced."""
    return attrs.evolve(respond(status, headers, body, framing=framing), ending="close")


def early(
    status: int = 413, headers: Headers = (), body: bytes | str = b"too large", *, lingers: bool = True
) -> Step:
    """
    Answer as soon as the request's head is read, without waiting for its body, and close.

    Args:
        status: Any three digits.
        headers: A mapping or pairs.
        body: Of the answer.
        lingers: Whether to throw away what the client still sends, so that it is sure to get the answer. If not, the
            system resets the connection while the client writes: whether it sees the answer or an error is chance.
    """
    return attrs.evolve(close_after(status, headers, body), reads_body=False, lingers=lingers)


def endless(
    chunk: bytes = b"." * 65_536, *, limit: int = 64 * 2**20, status: int = 200, headers: Headers = ()
) -> Step:
    """
    Answer with a chunked body that does not end while the client reads it.

    Args:
        chunk: Sent again and again.
        limit: Bytes of body, about, after which the connection is closed: a bound for tests that go wrong.
        status: Any three digits.
        headers: A mapping or pairs.

    Raises:
        TypeError: `chunk` is not bytes, or `limit` no whole number.
        ValueError: `chunk` is empty, which would be the end of the body, or `limit` is negative.
    """
    _bytes(chunk, "chunk")
    if not chunk:
        raise ValueError("an empty chunk would end the body")
    head, _ = _render(status, headers, b"", "chunked")
    most = given.whole(limit, "limit takes a whole number of bytes >= 0")
    return Step(head, _framed_chunk(chunk), "close", repeats=most // len(chunk))


def _render(status: int, headers: Headers, body: bytes | str, framing: Framing) -> tuple[bytes, bytes]:
    content = (
        body.encode()
        if isinstance(body, str)
        else _bytes(body, "body", " or a text (for JSON, write steps.json)")
    )
    pairs = _pairs(headers)
    given.one_of(framing, "framing", "length", "chunked", "close")
    if _checked(status) < HTTPStatus.OK or status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
        return _head(status, pairs), b""
    if framing == "chunked":
        _default(pairs, "Transfer-Encoding", "chunked")
        pieces = [content[at : at + _CHUNK] for at in range(0, len(content), _CHUNK)]
        content = b"".join(_framed_chunk(piece) for piece in [*pieces, b""])
    elif framing == "length":
        _default(pairs, "Content-Length", str(len(content)))
    else:
        _default(pairs, "Connection", "close")
    return _head(status, pairs), content


def _head(status: int, pairs: list[tuple[str, str]]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in pairs)
    try:
        encoded = lines.encode("latin-1")
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{lines[error.start]!r} in a header is not Latin-1; send it with steps.raw()"
        ) from None
    return _status_line(status) + encoded + b"\r\n"


def _status_line(status: int) -> bytes:
    known = {each.value: each.phrase for each in HTTPStatus}
    return f"HTTP/1.1 {_checked(status):03d} {known.get(status, 'Unknown')}\r\n".encode("ascii")


def _checked(status: object) -> int:
    return given.whole(status, "a status has three digits, as in 503", most=999)


def _bytes(value: object, name: str, advice: str = "") -> bytes:
    if not isinstance(value, (bytes, bytearray)):
        raise TypeError(f"{name} takes bytes{advice}, not {shown(value)}")
    return bytes(value)


def _framed_chunk(piece: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(piece), piece)


def _pairs(headers: Headers) -> list[tuple[str, str]]:
    if isinstance(headers, Mapping):
        headers = cast("Mapping[str, str]", headers).items()
    try:
        pairs = [(name, value) for name, value in headers]
    except (TypeError, ValueError):
        raise TypeError(f"headers takes a mapping or pairs of texts, not {shown(headers)}") from None
    for name, _ in pairs:
        if not isinstance(name, str):
            raise TypeError(f"a header's name is a text, not {shown(name)}")
    return pairs


def _has(pairs: list[tuple[str, str]], name: str) -> bool:
    return any(key.lower() == name.lower() for key, _ in pairs)


def _default(pairs: list[tuple[str, str]], name: str, value: str) -> None:
    if not _has(pairs, name):
        pairs.append((name, value))
