"""Retries for aiohttp (3.12 or newer): a client middleware."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from math import inf
from typing import Any, Final, Unpack

import aiohttp
import attrs
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.payload import AsyncIterablePayload, IOBasePayload, Payload

from bide.adapters.http import (
    DRAIN_PATIENCE,
    DRAINED,
    NEW_CONNECTION,
    PEEKED,
    Options,
    RequestCall,
    Selector,
    Source,
    decoded,
    header_name,
    key_header,
)
from bide.adapters.keys import key_of_hop, same_origin
from bide.engine import aloop
from bide.engine.history import exhausted, history
from bide.engine.readers import REDIRECTS
from bide.engine.runtime import Runtime
from bide.engine.settings import Settings
from bide.engine.timeouts import bounded
from bide.policy.decision import GiveUp, Reason
from bide.policy.policy import Policy

__all__ = ["RetriesExhausted", "retry_middleware"]

Send = Callable[[aiohttp.ClientRequest], Awaitable[aiohttp.ClientResponse]]
Middleware = Callable[[aiohttp.ClientRequest, Send], Awaitable[aiohttp.ClientResponse]]

_REPEATED_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
_REPEATED: Final = (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError)
_NEVER_REPEATED: Final = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
_GZIP: Final = b"\x1f\x8b"
_EVENTS: Final = "text/event-stream"
_FIRST_ERROR: Final = 400
_FIRST_FINAL: Final = 200
_WHERE_TO: Final = ("Location", "URI")


@attrs.define
class _Hop:
    """What a request that is redirected leaves to the next, a new one that has the same timer: where it began, its key."""

    timer: object
    first_url: object
    key: str | None = None


_redirected: ContextVar[_Hop | None] = ContextVar("redirected", default=None)


class RetriesExhausted(aiohttp.ClientConnectionError):  # says what happened
    """
    A lost connection on which the policy has given up; the client's own exception is its `__cause__`.

    aiohttp repeats an idempotent request once by itself when it sees its own exception, and with it the whole policy.
    """


def retry_middleware(
    policy: Policy | Runtime | Source,
    *,
    read_body: bool = True,
    count_header: str | None = None,
    idempotency_key: bool | str = False,
    **options: Unpack[Options],
) -> Middleware:
    """
    Return a middleware that repeats requests by a policy: `ClientSession(middlewares=(retry_middleware(policy),))`.

    Args:
        policy: A policy, a runtime from `policy.bind(...)`, or a source of policies: `Routes`, a `Strategy`.
        read_body: Read bodies within the attempt, so that one that is cut off is an outcome; False keeps streaming.
            An event stream is never read.
        count_header: A request header that tells how many attempts came before, such as "X-Retry-Count".
        idempotency_key: True, or the name of a header, to send a new key with each call of a method such as POST, the
            same with all its attempts and redirects, so that it may be repeated.
        **options: What `policy.bind` takes: clock, rng, listeners, name.

    A session's `ClientTimeout(total=...)`, 300 s when not said, covers all attempts and the waits between them.

    Raises:
        PolicyError: not a policy; or one that is unbounded, or asks for what is not available yet; not the name of a
            header.
    """
    count_header = header_name(count_header)
    header = key_header(idempotency_key)
    selector = Selector(policy, **options)

    async def retry(request: aiohttp.ClientRequest, send: Send) -> aiohttp.ClientResponse:
        settings = selector.settings(request.method, request.url)
        hop = _hop_of(request)
        response = await (send(request) if settings is None else repeat(request, send, settings, hop))
        if response.status in REDIRECTS:
            _redirected.set(hop)
        return response

    async def repeat(
        request: aiohttp.ClientRequest, send: Send, settings: Settings, hop: _Hop
    ) -> aiohttp.ClientResponse:
        key = key_of_hop(header, request.method, request.headers, request.url, hop.first_url, hop.key)
        if key is not None:
            request.headers[str(header)] = hop.key = key
        call = MiddlewareCall(
            settings, request, header, selector, send, read_body=read_body, count_header=count_header
        )
        call.first_url = hop.first_url
        try:
            return await aloop.run(call, call.send)
        except _REPEATED as error:
            if call.is_silent_about(error):
                raise
            raise RetriesExhausted(str(error)) from error

    return retry


def _hop_of(request: aiohttp.ClientRequest) -> _Hop:
    """
    Return what a request's redirect has left to it, or what it may leave itself.

    At another origin it stays left, since a middleware around us may send the request there once more.
    """
    timer, left = _timer_of(request), _redirected.get()
    if left is None:
        return _Hop(timer, request.url)
    follows = timer is not None and left.timer is timer
    if not follows or same_origin(request.url, left.first_url):
        _redirected.set(None)
    return left if follows else _Hop(timer, request.url)


def _timer_of(request: aiohttp.ClientRequest) -> Any:
    """Return the timer of a call's total timeout, which is one and the same in all requests of the call."""
    return getattr(request, "_timer", None)


class MiddlewareCall(RequestCall):
    """One request through the middleware: its body's payload rewinds itself, if it can."""

    __slots__ = ("_count_header", "_read_body", "_request", "_send")

    def __init__(
        self,
        settings: Settings,
        request: aiohttp.ClientRequest,
        header: str | None,
        selector: Selector,
        send: Send,
        *,
        read_body: bool,
        count_header: str | None,
    ) -> None:
        super().__init__(settings, request.method, request.url, request.headers, header, selector)
        self._request = request
        self._send = send
        self._read_body = read_body
        self._count_header = count_header

    async def send(self) -> aiohttp.ClientResponse:
        """Return the response to one attempt, its body read as far as somebody asks about it."""
        self.peeked = None
        if self.attempt > 1:
            await self._make_ready()
        with self.dating() as allowed:
            if allowed == inf:
                return await self._attempt()
            return await bounded(self.settings.clock, allowed, self._attempt)

    async def _make_ready(self) -> None:
        """Wait until nothing of the attempt before is being sent any more; put in what a recovery renewed; expect anew."""
        if self._request.session.closed:
            raise RuntimeError("the session was closed while this call waited for its next attempt")
        await self._request.close()
        self._request.headers.update(self.renewed_headers())
        if getattr(self._request, "_continue", None) is not None:
            self._request.update_expect_continue(expect=True)

    async def _attempt(self) -> aiohttp.ClientResponse:
        with self._counted():
            response = await self._send(self._request)
        try:
            await self._read(response)
        except BaseException:
            response.close()
            raise
        return response

    @contextmanager
    def _counted(self) -> Generator[None]:
        """Tell in a header how many attempts came before, while this one is sent."""
        name, headers = self._count_header, self._request.headers
        if name is None or self.attempt == 1:
            yield
            return
        own = headers.getall(name, [])
        headers[name] = str(self.attempt - 1)
        try:
            yield
        finally:
            del headers[name]
            headers.extend((name, value) for value in own)

    async def _read(self, response: aiohttp.ClientResponse) -> None:
        """Read what a rule asks about, and the whole of a body that no rule may reject and no redirect throws away."""
        status = response.status
        if status in NEW_CONNECTION and status in self.settings.statuses:
            _hang_up(self._request, response)
        if status in self.settings.body_statuses:
            self.peeked = await _peek(response, self.headers_of(response))
        wanted = self._read_body and status >= _FIRST_FINAL and response.content_type != _EVENTS
        if (
            wanted
            and not _is_redirect(response)
            and (status < _FIRST_ERROR or status not in self.settings.statuses)
        ):
            await _read_whole(response)

    def failed(self, error: Exception) -> bool:
        # Told as a status of 400 that nobody sent; of a body that breaks off aiohttp says what it is.
        unreadable = isinstance(error.__cause__, HttpProcessingError) and not isinstance(
            error, aiohttp.ClientPayloadError
        )
        facts: dict[str, Any] = {"network": True, "phase": "read"} if unreadable else {}
        outcome = self._outcome(error=error, exhausted=exhausted(error, self.since), **facts)
        if self._out_of_time():
            self._give_up(GiveUp(Reason.DEADLINE), outcome, error)
            return False
        return self._goes_on(outcome, error)

    def is_silent_about(self, error: BaseException) -> bool:
        """Tell whether aiohttp may do with an exception what it always does: no rule was about it, or it does nothing."""
        if isinstance(error, _NEVER_REPEATED) or self.method not in _REPEATED_METHODS:
            return True
        return self.attempt == 1 and history(error) is None

    def replayable(self) -> bool:
        if getattr(self._request, "response", self) is None:
            return not getattr(self._request.body, "consumed", False)  # it has never been sent
        return _replayable(self._request.body)

    def status_of(self, response: Any) -> int:
        return int(response.status)

    def headers_of(self, response: Any) -> list[tuple[str, str]]:
        return list(response.headers.items())

    async def adrain(self, response: Any) -> None:
        async with asyncio.timeout(DRAIN_PATIENCE):
            await _read(response, DRAINED)

    async def aclose(self, response: Any) -> None:
        response.close()  # a connection whose response was read to its end has gone back to the pool already

    async def arelease(self) -> None:
        await super().arelease()
        if self._out_of_time():
            raise TimeoutError

    def _out_of_time(self) -> bool:
        """
        Tell whether the session's total timeout is over.

        It interrupts once. When aiohttp's own reading has turned that into a `TimeoutError`, nothing stops us but us.
        """
        return bool(getattr(_timer_of(self._request), "_cancelled", False))


def _replayable(body: Any) -> bool:
    """Tell whether a body that was sent can be sent again from its start."""
    if not isinstance(body, Payload):
        return True  # nothing
    if body.consumed or (isinstance(body, AsyncIterablePayload) and body._cached_chunks is None):  # noqa: SLF001
        return False
    if isinstance(body, IOBasePayload):
        return _seekable(body._value)  # noqa: SLF001  # aiohttp would go on where a file stands that cannot seek
    return all(_replayable(part) for part, *_ in getattr(body, "_parts", ()))


def _seekable(file: Any) -> bool:
    try:
        return bool(file.seekable())
    except ValueError:  # it is closed
        return False


async def _peek(response: aiohttp.ClientResponse, headers: list[tuple[str, str]]) -> bytes | None:
    """Return a body that is read ahead and put back; None when it is too long, or in no coding that is read here."""
    content = response.content
    body = await _read(response, PEEKED)
    if not content.at_eof():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            content.unread_data(body)
        return None
    response.content = _in_memory(body)
    if body.startswith(_GZIP):  # the session leaves decoding to its user
        return decoded(body, headers)
    return body if len(body) <= PEEKED else None


async def _read_whole(response: aiohttp.ClientResponse) -> None:
    """Read a body into memory, where the response's `content` finds it too."""
    body = await response.read()
    response.content = _in_memory(body)


def _in_memory(body: bytes) -> aiohttp.StreamReader:
    loop = asyncio.get_running_loop()
    reader = aiohttp.StreamReader(BaseProtocol(loop), max(len(body), 1), loop=loop)
    reader.feed_data(body)
    reader.feed_eof()
    return reader


async def _read(response: aiohttp.ClientResponse, most: int) -> bytes:
    """Return a body, or of a longer one a little more than the most that was asked for."""
    chunks: list[bytes] = []
    left = most
    while left >= 0 and (chunk := await response.content.readany()):
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks)


def _is_redirect(response: aiohttp.ClientResponse) -> bool:
    """Tell whether a session follows a response, whose body it then does not read."""
    return response.status in REDIRECTS and any(name in response.headers for name in _WHERE_TO)


def _hang_up(request: aiohttp.ClientRequest, response: aiohttp.ClientResponse) -> None:
    """Make sure that the connection of a response is not used again, even if it has gone back to the pool already."""
    protocol: Any = getattr(response, "_protocol", None)
    if response.connection is not None:
        protocol.force_close()
    elif protocol not in getattr(request.session.connector, "_acquired", ()):  # no other request is using it
        protocol.close()
