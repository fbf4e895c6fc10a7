"""The transports of httpx and its successor httpx2, which have the same shape and different classes."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Generator
from contextlib import contextmanager, suppress
from math import inf
from types import ModuleType, TracebackType
from typing import Any, Final, Self, TypeVar, Unpack

from bide.adapters.http import (
    DRAIN_PATIENCE,
    NEW_CONNECTION,
    Options,
    RequestCall,
    Selector,
    Source,
    shortened,
    worth_draining,
)
from bide.adapters.httpx_bodies import adrain, apeek, drain, hang_up, headers_of, peek
from bide.engine import aloop, loop
from bide.engine.nesting import tick
from bide.engine.runtime import Runtime
from bide.engine.settings import Settings
from bide.policy.errors import PolicyError
from bide.policy.policy import Policy

_KINDS: Final = ("connect", "read", "write", "pool")
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
C = TypeVar("C")


class Transport:
    """What the transports have in common: an inner transport, and the policy of each request."""

    module: ModuleType
    stream_class: type
    sends_by: str

    def __init__(
        self,
        policy: Policy | Runtime | Source | Selector,
        transport: Any = None,
        *,
        count_header: str | None = None,
        **options: Unpack[Options],
    ) -> None:
        """
        Wrap a transport.

        Args:
            policy: A policy, a runtime from `policy.bind(...)`, or a source of policies: `Routes`, a `Strategy`.
            transport: What sends; the client library's own HTTP transport when not given.
            count_header: A request header that tells how many attempts came before, such as "X-Retry-Count".
            **options: What `policy.bind` takes: clock, rng, listeners, name.

        Raises:
            PolicyError: not a policy; or one that is unbounded, or asks for what is not available yet; not a
                transport; not the name of a header.
        """
        if transport is not None and not callable(getattr(transport, self.sends_by, None)):
            raise PolicyError(
                f"{type(self).__name__} wraps what has {self.sends_by}(); got {_name(transport)}"
            )
        if count_header is not None and not _TOKEN.fullmatch(count_header):
            raise PolicyError(f"{count_header!r:.40} is no header name")
        self.selector = policy if isinstance(policy, Selector) else Selector(policy, **options)
        self.inner = self._default() if transport is None else transport
        self.count_header = count_header
        self._plain_body = self.module.ByteStream

    @abstractmethod
    def _default(self) -> Any:
        """Return the client library's own HTTP transport."""

    def _first_is_plain(self, settings: Settings, request: Any) -> bool:
        """Tell whether the first attempt needs nothing of ours: no clock, no timeouts, and a body of bytes."""
        return (
            type(request.stream) is self._plain_body
            and not settings.needs_clock
            and settings.policy.limits.timeout is None
        )


class SyncTransport(Transport):
    """A transport for plain clients."""

    sends_by = "handle_request"

    def handle_request(self, request: Any) -> Any:
        """Return the response to a request, after as many attempts as the policy makes."""
        settings = self.selector.settings(request.method, request.url)
        if settings is None:
            return self.inner.handle_request(request)
        if not self._first_is_plain(settings, request):
            call = HttpxCall(self, settings, request)
            return loop.run(call, call.send)
        since = tick()
        try:
            response = self.inner.handle_request(request)
        except Exception as error:
            call = HttpxCall(self, settings, request, since, error)
        else:
            if response.status_code not in settings.statuses:
                return response
            call = HttpxCall(self, settings, request, since, response)
            del response
        return loop.run(call, call.send)

    def close(self) -> None:
        """Close the inner transport."""
        self.inner.close()

    def __enter__(self) -> Self:
        self.inner.__enter__()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self.inner.__exit__(exc_type, exc_value, traceback)


class AsyncTransport(Transport):
    """A transport for asynchronous clients, on asyncio or trio."""

    sends_by = "handle_async_request"

    async def handle_async_request(self, request: Any) -> Any:
        """Return the response to a request, after as many attempts as the policy makes."""
        settings = self.selector.settings(request.method, request.url)
        if settings is None:
            return await self.inner.handle_async_request(request)
        if not self._first_is_plain(settings, request):
            call = HttpxCall(self, settings, request)
            return await aloop.run(call, call.asend)
        since = tick()
        try:
            response = await self.inner.handle_async_request(request)
        except Exception as error:
            call = HttpxCall(self, settings, request, since, error)
        else:
            if response.status_code not in settings.statuses:
                return response
            call = HttpxCall(self, settings, request, since, response)
            del response
        return await aloop.run(call, call.asend)

    async def aclose(self) -> None:
        """Close the inner transport."""
        await self.inner.aclose()

    async def __aenter__(self) -> Self:
        await self.inner.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.inner.__aexit__(exc_type, exc_value, traceback)


class HttpxCall(RequestCall):
    """
    One request through a transport: for each attempt the body is rewound and the timeouts are shrunk.

    The client's own request is never changed: an attempt that differs from it is a copy, `_sent`.
    """

    __slots__ = ("_body", "_file", "_first", "_request", "_sent", "_start", "_transport")

    def __init__(
        self,
        transport: Transport,
        settings: Settings,
        request: Any,
        since: int | None = None,
        first: Any = None,
    ) -> None:
        """
        Begin a call.

        Args:
            transport: What makes the attempts.
            settings: The request's policy, bound.
            request: The client's own.
            since: The tick at which the first attempt began, if it was made already.
            first: What it came to, a response or an exception, if it was made already.
        """
        super().__init__(settings, request.method, request.url, request.headers)
        if since is not None:
            self.since = since
        self._transport = transport
        self._request = self._sent = request
        self._first = first
        self._body: bytes | None = None
        self._file, self._start = _seekable_file(request.stream)

    def send(self) -> Any:
        """Return the response to one attempt, its body read ahead where a rule may ask about it."""
        response = self._made_already()
        if response is None:
            self._prepare()
            response = self._transport.inner.handle_request(self._sent)
        asked = response.status_code in self.settings.body_statuses
        self._body = peek(response, self._transport.stream_class) if asked else None
        self._lift_timeouts()
        return response

    async def asend(self) -> Any:
        """Return the response to one attempt, its body read ahead where a rule may ask about it."""
        response = self._made_already()
        if response is None:
            self._prepare()
            response = await self._transport.inner.handle_async_request(self._sent)
        asked = response.status_code in self.settings.body_statuses
        self._body = await apeek(response, self._transport.stream_class) if asked else None
        self._lift_timeouts()
        return response

    def _made_already(self) -> Any:
        """Return or raise, once, what the first attempt came to, if it was made before there was a call."""
        first, self._first = self._first, None
        try:
            if isinstance(first, Exception):
                raise first
            return first
        finally:
            del first  # or the exception would be in a circle with this frame

    def _prepare(self) -> None:
        """Make ready what is sent next: the body at its start, the timeouts shortened, the attempts counted."""
        count_header = self._transport.count_header if self.attempt > 1 else None
        if self.attempt > 1 and self._file is not None:
            self._file.seek(self._start)
        allowed = self.time_allowed()
        if count_header is None and allowed == inf:
            return
        request = self._request
        extensions = dict(request.extensions)
        if allowed != inf:
            timeouts = extensions.get("timeout", {})
            shrunk = {kind: shortened(timeouts.get(kind), allowed) for kind in _KINDS}
            extensions["timeout"] = {**timeouts, **shrunk}
        self._sent = self._transport.module.Request(
            request.method,
            request.url,
            headers=request.headers,  # copied there
            stream=self._sent.stream,
            extensions=extensions,
        )
        if count_header is not None:
            self._sent.headers[count_header] = str(self.attempt - 1)

    def _lift_timeouts(self) -> None:
        """Let the rest of the body be read under the client's own timeouts: the attempt has its answer."""
        if self._sent is not self._request:
            self._sent.extensions["timeout"] = self._request.extensions.get("timeout", {})

    def replayable(self) -> bool:
        stream = self._sent.stream
        if isinstance(stream, self._transport.module.ByteStream):
            return True
        if self._file is not None:
            return _seekable(self._file)
        fields = getattr(stream, "fields", None)
        if fields is not None:
            return all(_plain_or_seekable(getattr(field, "file", b"")) for field in fields)
        consumed = getattr(stream, "_is_stream_consumed", None)
        if consumed is None:  # not one of the client's own: nobody knows what it does when it is read again
            return False
        return not consumed or isinstance(stream._stream, (list, tuple))  # noqa: SLF001  # there is no public way

    def status_of(self, response: Any) -> int:
        return int(response.status_code)

    def headers_of(self, response: Any) -> list[tuple[str, str]]:
        return headers_of(response)

    def peeked(self, response: Any) -> bytes | None:
        return self._body

    def release(self) -> None:
        response: Any = self.rejected
        self.rejected = self._body = None
        try:
            if self._worth_draining(response):
                with suppress(Exception), self._patience() as seconds:
                    drain(response.stream, seconds)
        finally:
            self._hang_up_after(response)
            with suppress(Exception):
                response.close()

    async def arelease(self) -> None:
        response: Any = self.rejected
        self.rejected = self._body = None
        try:
            if self._worth_draining(response):
                with suppress(Exception), self._patience() as seconds:
                    await adrain(response.stream, seconds)
        finally:
            self._hang_up_after(response)
            with suppress(Exception):
                await response.aclose()

    def _worth_draining(self, response: Any) -> bool:
        if response.is_stream_consumed:
            return False
        return self.method == "HEAD" or worth_draining(response.status_code, headers_of(response))

    def _hang_up_after(self, response: Any) -> None:
        if response.status_code in NEW_CONNECTION:
            hang_up(response)

    @contextmanager
    def _patience(self) -> Generator[float, None, None]:
        """Shorten the read timeout, which a stream looks up when its reading begins, while a body is drained."""
        extensions = self._sent.extensions
        own = extensions.get("timeout", {})
        read = own.get("read")
        seconds = DRAIN_PATIENCE if read is None else min(DRAIN_PATIENCE, read)
        extensions["timeout"] = {**own, "read": seconds}
        try:
            yield seconds
        finally:
            extensions["timeout"] = own


def _seekable_file(stream: Any) -> tuple[Any, int]:
    """Return the file that a request's body is read from, and where it stands, if it can be put back there."""
    file: Any = getattr(stream, "_stream", None)
    if hasattr(stream, "_is_stream_consumed") and hasattr(stream, "__iter__") and _seekable(file):
        with suppress(AttributeError, OSError):  # it can seek, and yet not tell where it is
            return file, file.tell()
    return None, 0


def _seekable(file: Any) -> bool:
    try:
        return bool(file.seekable())
    except (AttributeError, ValueError):  # no file, or a closed one
        return False


def _plain_or_seekable(source: Any) -> bool:
    return isinstance(source, (str, bytes)) or _seekable(source)


def install(client: C, selector: Selector, make: type[Transport], *, count_header: str | None) -> C:
    """
    Put a policy around every transport of a client: its own, its proxies' and its mounts'.

    Raises:
        PolicyError: the client retries already.
    """
    own: Any = client
    if any(isinstance(one, Transport) for one in [own._transport, *own._mounts.values()]):  # noqa: SLF001
        raise PolicyError("this client retries already; put all rules into one policy")
    transport = make(selector, own._transport, count_header=count_header)  # noqa: SLF001  # there is no public way
    mounts = {
        pattern: None if mounted is None else make(selector, mounted, count_header=count_header)
        for pattern, mounted in own._mounts.items()  # noqa: SLF001
    }
    own._transport = transport  # noqa: SLF001
    own._mounts = mounts  # noqa: SLF001
    return client


def refused(client: object, library: str) -> PolicyError:
    """Return the error for what is no client of a library."""
    return PolicyError(f"install() takes a Client or an AsyncClient of {library}; got {_name(client)}")


def _name(value: object) -> str:
    cls = type(value)
    return f"{cls.__module__.partition('.')[0]}.{cls.__qualname__}"
