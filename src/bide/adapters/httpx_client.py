"""Retries around the whole of a client's `send`: the auth flow, the hooks, the redirects, and the reading of the body."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import contextmanager, suppress
from math import inf
from typing import Any, Final

import attrs

from bide.adapters.http import Selector, new_key
from bide.adapters.httpx_bodies import apeek, peek
from bide.adapters.httpx_call import HttpxCall, Seam, shrunk
from bide.adapters.httpx_requests import Ours, copied, renew_cookies
from bide.engine import aloop, loop
from bide.engine.history import attribute, exhausted, history, keep
from bide.engine.nesting import another_waits
from bide.engine.settings import Settings
from bide.policy.outcome import LaterOutcome, Outcome

_FIRST_ERROR: Final = 400


class ClientSeam(Seam):
    """What stands in the place of a client's `send`, and calls it for each attempt."""

    auth_class: type[BoundedAuth]

    def __init__(
        self,
        client: Any,
        selector: Selector,
        *,
        count_header: str | None = None,
        idempotency_key: bool | str = False,
    ) -> None:
        super().__init__(selector, count_header=count_header, idempotency_key=idempotency_key)
        self.client = client
        self.own = client.send
        if selector.recovers or self.key_header is not None:
            self._redirect_headers = client._redirect_headers  # noqa: SLF001  # there is no public way
            client._redirect_headers = self._redirected  # noqa: SLF001  # as above

    def _redirected(self, request: Any, url: Any, method: str) -> Any:
        """Return the headers of a redirect: those that the client gives it, but for what of ours must not go there."""
        return Ours.redirected(request, url, method, self._redirect_headers(request, url, method))


class SyncClientSeam(ClientSeam):
    """What stands in the place of a plain client's `send`."""

    def send(self, request: Any, *, stream: bool = False, **options: Any) -> Any:
        """Return the response to a request, after as many attempts as the policy makes."""
        settings = self.selector.settings(request.method, request.url)
        if settings is None:
            return self.own(request, stream=stream, **options)
        call = ClientCall(self, settings, request, stream=stream)
        response = loop.run(call, call.send, options)
        return response if stream else call.read(response)


class AsyncClientSeam(ClientSeam):
    """What stands in the place of an asynchronous client's `send`, on asyncio or trio."""

    async def send(self, request: Any, *, stream: bool = False, **options: Any) -> Any:
        """Return the response to a request, after as many attempts as the policy makes."""
        settings = self.selector.settings(request.method, request.url)
        if settings is None:
            return await self.own(request, stream=stream, **options)
        call = ClientCall(self, settings, request, stream=stream)
        response = await aloop.run(call, call.asend, options)
        return response if stream else await call.aread(response)


class BoundedAuth:
    """An auth flow like another one, of whose requests each is sent as a function returns it."""

    def __init__(self, own: Any, bounded: Callable[[Any], Any]) -> None:
        self._own, self._bounded = own, bounded

    def sync_auth_flow(self, request: Any) -> Generator[Any, Any]:
        """Yield what the auth flow would have sent, and take the responses."""
        flow = self._own.sync_auth_flow(request)
        try:
            sent = next(flow)
            while True:
                response = yield self._bounded(sent)
                try:
                    sent = flow.send(response)
                except StopIteration:
                    return
        finally:
            flow.close()

    async def async_auth_flow(self, request: Any) -> AsyncGenerator[Any, Any]:
        """Yield what the auth flow would have sent, and take the responses."""
        flow = self._own.async_auth_flow(request)
        try:
            sent = await anext(flow)
            while True:
                response = yield self._bounded(sent)
                try:
                    sent = await flow.asend(response)
                except StopAsyncIteration:
                    return
        finally:
            await flow.aclose()


class ClientCall(HttpxCall):
    """
    One request through a client: each attempt is a copy of it, and goes all the way.

    What hooks and auth flows call by policies of their own knows how long the attempt may take.

    Every copy has timeouts of its own in a dict of its own, which redirects inherit: by that dict they are known.
    """

    __slots__ = ("_allowed", "_followed", "_jar", "_ours", "_stream", "_timeouts")
    _seam: ClientSeam

    def __init__(self, seam: ClientSeam, settings: Settings, request: Any, *, stream: bool) -> None:
        super().__init__(seam, settings, request, new_key(seam.key_header, request.method, request.headers))
        self._stream = stream
        self._jar = tuple(seam.client.cookies.jar)
        self._timeouts: dict[str, Any] = {}
        self._allowed = inf
        self._followed = False
        self._ours: Ours | None = None

    def send(self, options: dict[str, Any]) -> Any:
        """Return the response to one attempt, read to its end if it is a success that the caller does not stream."""
        with self.dating() as self._allowed, self._prepared():
            response = self._seam.own(self._sent, stream=True, **self._bounded(options))
            self._followed = not self._is_own(response)
            asked = response.status_code in self.settings.body_statuses
            with self._named(response):
                self.peeked = peek(response, self._seam.stream_class) if asked else None
            if self._reads(response.status_code):
                self.read(response)
        return response

    async def asend(self, options: dict[str, Any]) -> Any:
        """Return the response to one attempt, read to its end if it is a success that the caller does not stream."""
        with self.dating() as self._allowed, self._prepared():
            response = await self._seam.own(self._sent, stream=True, **self._bounded(options))
            self._followed = not self._is_own(response)
            asked = response.status_code in self.settings.body_statuses
            with self._named(response):
                self.peeked = await apeek(response, self._seam.stream_class) if asked else None
            if self._reads(response.status_code):
                await self.aread(response)
        return response

    def read(self, response: Any) -> Any:
        """Return a response with its body read, unless it was read before; close it if it breaks off."""
        try:
            response.read()
        except BaseException as error:
            _tell(error, response)
            with suppress(Exception):
                response.close()
            raise
        return response

    async def aread(self, response: Any) -> Any:
        """Return a response with its body read, unless it was read before; close it if it breaks off."""
        try:
            await response.aread()
        except BaseException as error:
            _tell(error, response)
            with suppress(Exception):
                await response.aclose()
            raise
        return response

    @contextmanager
    def _prepared(self) -> Generator[None]:
        """
        Make ready what is sent next: a copy of the request, as if nothing had been sent before.

        What follows the attempt has the client's own timeouts: redirects share the dict.
        """
        self._rewind()
        self._timeouts = shrunk(self._own_timeouts(), self._allowed)
        extensions = {**self._request.extensions, "timeout": self._timeouts}
        key, renewed = self.key(), self.renewed_headers()
        if key or renewed:
            self._ours = Ours(self._request.url, key, renewed)
            extensions = self._ours.into(extensions)
        self._sent = self._copy(extensions)
        if self.attempt > 1:
            renew_cookies(self._seam.module, self._sent, self._jar, self._seam.client.cookies)
        try:
            yield
        finally:
            self._timeouts.clear()
            self._timeouts.update(self._own_timeouts())

    def _own_timeouts(self) -> dict[str, Any]:
        own: dict[str, Any] | None = self._request.extensions.get("timeout")
        return self._seam.client.timeout.as_dict() if own is None else own

    def _bounded(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return the options of an attempt, by which the requests that its auth flow makes are bounded as it is."""
        if self._allowed == inf:
            return options
        client, module = self._seam.client, self._seam.module
        auth = client._build_request_auth(  # noqa: SLF001  # there is no public way
            self._sent, options.get("auth", module.USE_CLIENT_DEFAULT)
        )
        if type(auth) is module.Auth:  # it stands for none, and makes no requests
            return options
        return {**options, "auth": self._seam.auth_class(auth, self._shortened)}

    def _shortened(self, request: Any) -> Any:
        """Return what an auth flow sends; if it is of its own making, a copy: others may be sending it, too."""
        if self._is_sent(request):
            return request
        own = request.extensions
        extensions = {**own, "timeout": shrunk(own.get("timeout", {}), self._allowed)}
        return copied(self._seam.module, request, request.stream, extensions)

    def _reads(self, status: int) -> bool:
        """
        Tell whether the body is read as part of the attempt, since it may break off.

        An error that rules are about is judged as it stands: whatever its body does, a retry can follow. The last one
        is read when the call is over.
        """
        return not self._stream and (status < _FIRST_ERROR or status not in self.settings.statuses)

    def _answered(self, response: Any) -> Any:
        return response.request

    def failed(self, error: Exception) -> bool:
        request = attribute(error, "request")
        self._followed = not (self._is_sent(request) and request.method == self.method)
        if not isinstance(error, self._seam.module.HTTPStatusError):
            return super().failed(error)
        response = attribute(error, "response")
        outcome = self._outcome(  # a hook raises for statuses
            error=error,
            status=self.status_of(response),
            headers=self.headers_of(response),
            body=attribute(response, "content"),
            exhausted=exhausted(error, self.since),
        )
        return self._goes_on(outcome, error)

    def _is_sent(self, request: Any) -> bool:
        """Tell whether this is what the attempt sends, or a redirect of it, and none of an auth flow or a hook."""
        extensions: Any = attribute(request, "extensions") or {}
        return extensions.get("timeout") is self._timeouts

    def _is_own(self, response: Any) -> bool:
        """Tell whether a response is to the caller's request, rather than to what followed it."""
        request = response.request
        return request.method == self.method and (self._is_sent(request) or not response.history)

    def _outcome(self, kind: type[Outcome] = Outcome, **facts: Any) -> Outcome:
        outcome = super()._outcome(LaterOutcome if self._followed else Outcome, **facts)
        sent_without = self._ours is not None and self._ours.dropped
        return attrs.evolve(outcome, idempotency_key=False) if sent_without else outcome

    @contextmanager
    def _named(self, response: Any) -> Generator[None]:
        """Let what breaks while a body is read ahead know its request, as the client lets its own errors."""
        try:
            yield
        except self._seam.module.RequestError as error:
            error.request = response.request
            raise


def _tell(error: BaseException, response: Any) -> None:
    """Hand a response's history to the error that its body ended with: that is what the caller gets instead."""
    kept = history(response)
    if kept is not None and isinstance(error, Exception):
        keep(error, kept, awaited=another_waits(0))
