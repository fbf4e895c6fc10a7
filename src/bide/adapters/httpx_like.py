"""The transports of httpx and its successor httpx2, which have the same shape and different classes."""

from __future__ import annotations

from math import inf
from types import TracebackType
from typing import Any, Final, Self, Unpack

from bide.adapters.http import Options, Selector, Source
from bide.adapters.httpx_bodies import apeek, peek
from bide.adapters.httpx_call import HttpxCall, Seam, shrunk
from bide.adapters.httpx_requests import first_url, key_over_redirects, note_url
from bide.engine import aloop, loop
from bide.engine.deadline import around
from bide.engine.nesting import tick
from bide.engine.runtime import Runtime
from bide.engine.settings import Settings
from bide.policy.errors import PolicyError
from bide.policy.outcome import IDEMPOTENT_METHODS
from bide.policy.policy import Policy

_OF_HTTP: Final = frozenset(
    {
        "verify",
        "cert",
        "trust_env",
        "http1",
        "http2",
        "limits",
        "proxy",
        "uds",
        "local_address",
        "socket_options",
    }
)


class Transport(Seam):
    """What the transports have in common: an inner transport, and the policy of each request."""

    sends_by: str
    _own_class: str
    """The name of the client library's own HTTP transport."""

    def __init__(
        self,
        policy: Policy | Runtime | Source | Selector,
        transport: Any = None,
        *,
        count_header: str | None = None,
        idempotency_key: bool | str = False,
        **options: Unpack[Options],
    ) -> None:
        """
        Wrap a transport.

        Args:
            policy: A policy, a runtime from `policy.bind(...)`, or a source of policies: `Routes`, a `Strategy`.
            transport: What sends; the client library's own HTTP transport when not given.
            count_header: A request header that tells how many attempts came before, such as "X-Retry-Count".
            idempotency_key: True, or the name of a header, to send a new key with each call of a method such as POST,
                the same on all its attempts; such a call may then be repeated.
            **options: What `policy.bind` takes: clock, rng, listeners, name.

        Raises:
            PolicyError: not a policy; or one that is unbounded, or asks for what is not available yet; not a
                transport; not the name of a header.
            TypeError: an option that there is not, such as one of the transport's own.
        """
        for name in _OF_HTTP.intersection(options):
            inner = f"{self.module.__name__}.{self._own_class}({name}=...)"
            raise TypeError(
                f"{type(self).__name__} has no argument {name!r}: say it to what it wraps, as in "
                f"{type(self).__name__}(policy, {inner})"
            )
        if transport is not None and not _can(transport, self.sends_by):
            raise PolicyError(
                f"{type(self).__name__} wraps what has {self.sends_by}(); got {class_of(transport)}"
            )
        super().__init__(policy, count_header=count_header, idempotency_key=idempotency_key, **options)
        self.inner = getattr(self.module, self._own_class)() if transport is None else transport
        self.closings: int = 0
        self._notes_url = self.selector.recovers or self.key_header is not None
        self._plain_body = self.module.ByteStream

    def _first_is_plain(self, settings: Settings, request: Any) -> bool:
        """Tell whether the first attempt needs nothing of ours: no clock, pace, timeouts or key, and a body of bytes."""
        return (
            type(request.stream) is self._plain_body
            and (self.key_header is None or request.method in IDEMPOTENT_METHODS)
            and not settings.needs_clock
            and not settings.attended
            and settings.policy.limits.timeout is None
            and around() is None
        )


class SyncTransport(Transport):
    """A transport for plain clients."""

    sends_by = "handle_request"
    _own_class = "HTTPTransport"

    def handle_request(self, request: Any) -> Any:
        """Return the response to a request, after as many attempts as the policy makes."""
        settings = self.selector.settings(request.method, request.url)
        if self._notes_url:
            note_url(request)
        if settings is None:
            return self.inner.handle_request(request)
        if not self._first_is_plain(settings, request):
            call = TransportCall(self, settings, request)
            return loop.run(call, call.send)
        begun = tick(), self.closings
        try:
            response = self.inner.handle_request(request)
        except Exception as error:
            call = TransportCall(self, settings, request, begun, error)
        else:
            if response.status_code not in settings.statuses:
                return response
            call = TransportCall(self, settings, request, begun, response)
            del response
        return loop.run(call, call.send)

    def close(self) -> None:
        """Close the inner transport."""
        self.closings += 1
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
        self.closings += 1
        self.inner.__exit__(exc_type, exc_value, traceback)


class AsyncTransport(Transport):
    """A transport for asynchronous clients, on asyncio or trio."""

    sends_by = "handle_async_request"
    _own_class = "AsyncHTTPTransport"

    async def handle_async_request(self, request: Any) -> Any:
        """Return the response to a request, after as many attempts as the policy makes."""
        settings = self.selector.settings(request.method, request.url)
        if self._notes_url:
            note_url(request)
        if settings is None:
            return await self.inner.handle_async_request(request)
        if not self._first_is_plain(settings, request):
            call = TransportCall(self, settings, request)
            return await aloop.run(call, call.asend)
        begun = tick(), self.closings
        try:
            response = await self.inner.handle_async_request(request)
        except Exception as error:
            call = TransportCall(self, settings, request, begun, error)
        else:
            if response.status_code not in settings.statuses:
                return response
            call = TransportCall(self, settings, request, begun, response)
            del response
        return await aloop.run(call, call.asend)

    async def aclose(self) -> None:
        """Close the inner transport."""
        self.closings += 1
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
        self.closings += 1
        await self.inner.__aexit__(exc_type, exc_value, traceback)


class TransportCall(HttpxCall):
    """One request through a transport."""

    __slots__ = ("_closings", "_first")
    _seam: Transport

    def __init__(
        self,
        transport: Transport,
        settings: Settings,
        request: Any,
        begun: tuple[int, int] | None = None,
        first: Any = None,
    ) -> None:
        """
        Begin a call.

        Args:
            transport: What makes the attempts.
            settings: The request's policy, bound.
            request: The client's own.
            begun: The tick at which the first attempt began, and how often the transport had been closed then, if it was
                made already.
            first: What it came to, a response or an exception, if it was made already.
        """
        super().__init__(transport, settings, request, key_over_redirects(transport.key_header, request))
        self._closings = transport.closings
        if begun is not None:
            self.since, self._closings = begun
        self._first = first
        self.first_url = first_url(request)

    def send(self) -> Any:
        """Return the response to one attempt, its body read ahead where a rule may ask about it."""
        response = self._made_already()
        with self.dating() as allowed:
            if response is None:
                self._prepare(allowed)
                response = self._seam.inner.handle_request(self._sent)
            asked = response.status_code in self.settings.body_statuses
            self.peeked = peek(response, self._seam.stream_class) if asked else None
        self._lift_timeouts()
        return response

    async def asend(self) -> Any:
        """Return the response to one attempt, its body read ahead where a rule may ask about it."""
        response = self._made_already()
        with self.dating() as allowed:
            if response is None:
                self._prepare(allowed)
                response = await self._seam.inner.handle_async_request(self._sent)
            asked = response.status_code in self.settings.body_statuses
            self.peeked = await apeek(response, self._seam.stream_class) if asked else None
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

    def _prepare(self, allowed: float) -> None:
        """Make ready what is sent next: the body at its start, the timeouts shortened, our headers added."""
        if self._seam.closings != self._closings:  # what it would connect to now nobody would ever close
            raise RuntimeError("the client was closed while this call waited for its next attempt")
        self._rewind()
        if allowed == inf and self._key is None and not self._counts() and not self.renewed_headers():
            return
        extensions = dict(self._request.extensions)
        if allowed != inf:
            extensions["timeout"] = shrunk(extensions.get("timeout", {}), allowed)
        self._sent = self._copy(extensions)

    def _lift_timeouts(self) -> None:
        """Let the rest of the body be read under the client's own timeouts: the attempt has its answer."""
        if self._sent is not self._request:
            self._sent.extensions["timeout"] = self._request.extensions.get("timeout", {})


def _can(one: object, method: str) -> bool:
    """Tell whether this is an object with such a method: a class of them cannot."""
    return not isinstance(one, type) and callable(getattr(one, method, None))


def class_of(value: object) -> str:
    """Return what messages call a value that is of the wrong class: that class and its library."""
    cls = type(value)
    return f"{cls.__module__.partition('.')[0]}.{cls.__qualname__}"
