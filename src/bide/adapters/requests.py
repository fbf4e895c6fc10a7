"""Retries for requests: an adapter to mount, and `install` for a session that exists."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from math import inf
from typing import Any, Final, TypeVar, Unpack

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import ChunkedEncodingError, SSLError
from urllib3 import HTTPResponse
from urllib3.exceptions import ProtocolError, ReadTimeoutError
from urllib3.exceptions import SSLError as RawSSLError
from urllib3.util import Timeout

from bide.adapters.http import (
    NEW_CONNECTION,
    Options,
    RequestCall,
    Selector,
    Source,
    decoded,
    header_name,
    key_header,
    read_ahead,
    shortened,
)
from bide.adapters.keys import key_of_hop
from bide.adapters.requests_bodies import drain_raw, let_go, lines_of, part_from, put_back, socket_of
from bide.adapters.requests_origin import Origin
from bide.adapters.selecting import shared
from bide.engine import loop
from bide.engine.history import exhausted
from bide.engine.runtime import Runtime
from bide.engine.settings import Settings
from bide.policy.errors import PolicyError, shown
from bide.policy.faults import fault_of
from bide.policy.policy import Policy

__all__ = ["RetryAdapter", "install"]

SessionT = TypeVar("SessionT", bound=requests.Session)

_FIRST_ERROR: Final = 400


class RetryAdapter(HTTPAdapter):
    """
    An adapter that repeats requests by a policy: `session.mount("https://", RetryAdapter(policy))`.

    It pickles with its policy. A body that is cut off is an outcome like any other, unless `stream=True`.
    """

    __attrs__ = [*HTTPAdapter.__attrs__, "policy", "count_header", "idempotency_key", "options"]  # noqa: RUF012  # as requests has it

    def __init__(
        self,
        policy: Policy | Runtime | Source,
        *,
        count_header: str | None = None,
        idempotency_key: bool | str = False,
        pool_connections: int = 10,
        pool_maxsize: int = 10,
        pool_block: bool = False,
        **options: Unpack[Options],
    ) -> None:
        """
        Make an adapter.

        Args:
            policy: A policy, a runtime from `policy.bind(...)`, or a source of policies: `Routes`, a `Strategy`.
            count_header: A request header that tells how many attempts came before, such as "X-Retry-Count".
            idempotency_key: True, or the name of a header, to send a new key with each call of a method such as POST, the
                same with all its attempts and redirects, so that it may be repeated.
            pool_connections: As in `HTTPAdapter`.
            pool_maxsize: As in `HTTPAdapter`.
            pool_block: As in `HTTPAdapter`.
            **options: What `policy.bind` takes: clock, rng, listeners, name.

        Raises:
            PolicyError: not a policy; or one that is unbounded, or asks for what is not available yet; not the name
                of a header.
        """
        self.policy = policy
        self.count_header = header_name(count_header)
        self.idempotency_key = idempotency_key
        self.key_header = key_header(idempotency_key)
        self.options = options
        self.selector = Selector(policy, **options)
        super().__init__(pool_connections, pool_maxsize, pool_block=pool_block)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.key_header = key_header(self.idempotency_key)
        self.selector = Selector(self.policy, **self.options)

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        """
        Return the response to a request, after as many attempts as the policy makes.

        Raises:
            PolicyError: `max_retries` was set: urllib3 would repeat each attempt, and neither would know of the other.
        """
        if _repeats(self):
            raise PolicyError("this adapter has max_retries beside its policy; put all rules into one policy")
        settings = self.selector.settings(str(request.method), request.url)
        origin = Origin.of(request)
        if settings is None:
            response = self.send_once(request, stream, timeout, verify, cert, proxies)
        else:
            call = AdapterCall(self, settings, self._keyed(request, origin), stream=stream, timeout=timeout)
            call.first_url = origin.url
            response = loop.run(call, call.send, verify, cert, proxies)
        origin.answered(response)
        return response

    def _keyed(self, request: Any, origin: Origin) -> Any:
        """
        Return the request, or a copy with an idempotency key.

        The caller may send the request again, and then it is another call: the request itself gets no key.
        """
        header = self.key_header
        key = key_of_hop(header, request.method, request.headers, request.url, origin.url, origin.key)
        if key is None:
            return request
        origin.key = key
        keyed = request.copy()
        keyed.headers[header] = key
        return keyed

    def send_once(
        self,
        request: requests.PreparedRequest,
        stream: bool,
        timeout: Any,
        verify: Any,
        cert: Any,
        proxies: Any,
    ) -> requests.Response:
        """Return the response to one attempt, as `HTTPAdapter` makes it."""
        return super().send(
            request, stream=stream, timeout=timeout, verify=verify, cert=cert, proxies=proxies
        )


class AdapterCall(RequestCall):
    """One request through an adapter: for each attempt the body is rewound and the timeouts are shortened."""

    __slots__ = ("_adapter", "_looked", "_request", "_stream", "_timeout", "_untouched")

    def __init__(
        self, adapter: RetryAdapter, settings: Settings, request: Any, *, stream: bool, timeout: Any
    ) -> None:
        header = adapter.key_header
        super().__init__(
            settings, str(request.method), request.url, request.headers, header, adapter.selector
        )
        self._adapter = adapter
        self._request = request
        self._stream = stream
        self._timeout = timeout
        self._untouched = True
        self._looked = False

    def send(self, verify: Any, cert: Any, proxies: Any) -> requests.Response:
        """Return the response to one attempt, its body read as far as somebody asks about it."""
        with self.dating() as allowed:
            return self._attempt(allowed, verify, cert, proxies)

    def _attempt(self, allowed: float, verify: Any, cert: Any, proxies: Any) -> requests.Response:
        request = self._counted()
        timeout = self._shortened(allowed)
        self._looked, self.peeked = False, None
        try:
            response = self._adapter.send_once(request, self._stream, timeout, verify, cert, proxies)
        except requests.RequestException as error:
            error.request = self._request  # the caller's own, which counts nothing
            raise
        response.request = self._request
        self._untouched = False
        try:
            self._read(response)
        except BaseException:
            let_go(response)
            raise
        if self._stream and timeout is not self._timeout:
            _lift_timeout(response.raw, self._timeout)
        return response

    def _counted(self) -> Any:
        """Return the request, or a copy of it that tells how many attempts came before."""
        name, renewed = self._adapter.count_header, self.renewed_headers()
        if self.attempt == 1 or (name is None and not renewed):
            return self._request
        request = self._request.copy()
        request.headers.update(renewed)
        if name is not None:
            request.headers[name] = str(self.attempt - 1)
        return request

    def _shortened(self, allowed: float) -> Any:
        """Return the caller's timeouts, bounded by the seconds that the policy allows an attempt."""
        if allowed == inf:
            return self._timeout
        own: Any = _timeout_of(self._timeout)
        own.total = shortened(own.total, allowed)
        return own

    def _read(self, response: Any) -> None:
        """
        Read what a rule asks about, and the whole of a body that no rule may reject; a session reads it too late.

        But for that of a redirect, which a session does not mind to find broken.
        """
        status = response.status_code
        if status in self.settings.body_statuses:
            self._looked, self.peeked = True, _peek(response)
        if self._stream or response.is_redirect:
            return
        if status < _FIRST_ERROR or status not in self.settings.statuses:
            _ = response.content

    def failed(self, error: Exception) -> bool:
        if fault_of(error).phase not in ("connect", "pool"):
            self._untouched = False
        outcome = self._outcome(error=error, exhausted=exhausted(error, self.since))
        return self._goes_on(outcome, error)

    def replayable(self) -> bool:
        body = self._request.body
        if self._untouched or body is None:
            return True  # urllib3 looks at a body when it has a connection, and not before
        position = getattr(self._request, "_body_position", None)
        if not isinstance(position, int):
            return isinstance(body, (bytes, str, bytearray, memoryview, list, tuple))
        try:
            body.seek(position)  # at once: then it is certain that the next attempt sends all of it
        except Exception:  # a closed file, or one that cannot seek
            return False
        return True

    def status_of(self, response: Any) -> int:
        return int(response.status_code)

    def headers_of(self, response: Any) -> list[tuple[str, str]]:
        return lines_of(response)

    def worth_draining(self, response: Any) -> bool:
        return not self._looked and super().worth_draining(response)

    def drain(self, response: Any) -> None:
        drain_raw(response.raw)

    def close(self, response: Any) -> None:
        let_go(response)


def _peek(response: Any) -> bytes | None:
    """Return a body that is read ahead and put back; None when it is too long, or in no coding that is read here."""
    raw = response.raw
    if not isinstance(raw, HTTPResponse):
        return None
    if response.status_code in NEW_CONNECTION:
        part_from(raw.connection)
    with _as_requests_says(response.request):
        beginning, whole = read_ahead(lambda most: raw.read(most, decode_content=False))
    response.raw = HTTPResponse(
        body=put_back(beginning, raw),
        headers=raw.headers,
        status=raw.status,
        version=raw.version,
        reason=raw.reason,
        preload_content=False,
        decode_content=raw.decode_content,
        original_response=raw._original_response,  # noqa: SLF001  # a session reads cookies from it
        request_method=response.request.method,
    )
    return decoded(beginning, lines_of(response)) if whole else None


@contextmanager
def _as_requests_says(request: Any) -> Generator[None]:
    """Translate what urllib3 raises while a body is read, as `iter_content` does."""
    try:
        yield
    except ProtocolError as error:
        raise ChunkedEncodingError(error, request=request) from error
    except ReadTimeoutError as error:
        raise requests.ConnectionError(error, request=request) from error
    except RawSSLError as error:
        raise SSLError(error, request=request) from error


def _timeout_of(given: Any) -> Timeout:
    """Return timeouts in any form that requests takes as urllib3's."""
    if isinstance(given, Timeout):
        return given.clone()
    pair: Any = given
    try:
        connect, read = pair if isinstance(given, tuple) else (given, given)
    except ValueError as error:
        raise ValueError(f"timeout takes seconds, or a pair of (connect, read); got {pair!r:.40}") from error
    return Timeout(connect=connect, read=read)


def _lift_timeout(raw: Any, given: Any) -> None:
    """Let the rest of the body be read under the caller's own timeout: the attempt has its answer."""
    socket = socket_of(raw)
    if socket is not None:
        own = _timeout_of(given)
        own.start_connect()
        socket.settimeout(own.read_timeout)


def _repeats(adapter: Any) -> bool:
    """Tell whether urllib3 repeats what an adapter sends: `total=None` leaves it to the other counts."""
    total = getattr(getattr(adapter, "max_retries", None), "total", 0)
    return total is None or total > 0


def install(
    session: SessionT,
    policy: Policy | Runtime | Source,
    *,
    count_header: str | None = None,
    idempotency_key: bool | str = False,
    **options: Unpack[Options],
) -> SessionT:
    """
    Return the same session, retrying by a policy for every prefix that an adapter is mounted on.

    What the adapters have set up, their pools of connections and their proxies, goes on being used.

    Raises:
        PolicyError: no session; an adapter retries already, or is not plain `HTTPAdapter`, so that a copy would lose what it does;
            or what `RetryAdapter` raises. The session is as it was then.
    """
    if not isinstance(session, requests.Session):
        raise PolicyError(f"install() takes a Session of requests; got {shown(session)}")
    mounted: dict[str, Any] = dict(session.adapters)
    for prefix, adapter in mounted.items():
        if isinstance(adapter, RetryAdapter):
            raise PolicyError(f"the adapter for {prefix!r} retries already; put all rules into one policy")
        if _repeats(adapter):
            raise PolicyError(
                f"the adapter for {prefix!r} retries already, by its max_retries; mount a plain HTTPAdapter() there first"
            )
        if type(adapter) is not HTTPAdapter:
            raise PolicyError(
                f"the adapter for {prefix!r} is a {type(adapter).__name__}; mount a subclass of RetryAdapter instead"
            )
    Selector(policy, **options)  # raises for the options as they are
    if not isinstance(policy, Runtime):
        options = shared(options)
    made: dict[int, RetryAdapter] = {}
    for adapter in mounted.values():
        made[id(adapter)] = RetryAdapter(
            policy, count_header=count_header, idempotency_key=idempotency_key, **options
        )
        made[id(adapter)].__dict__.update(adapter.__dict__)
    for prefix, adapter in mounted.items():
        session.mount(prefix, made[id(adapter)])
    return session
