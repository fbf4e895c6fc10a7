"""One request of httpx or httpx2 by a policy, wherever in the client that policy stands."""

from __future__ import annotations

from math import inf
from types import ModuleType
from typing import Any, Final, Unpack

from bide.adapters.http import (
    DRAIN_PATIENCE,
    NEW_CONNECTION,
    Options,
    RequestCall,
    Selector,
    Source,
    header_name,
    key_header,
    shortened,
)
from bide.adapters.httpx_bodies import adrain, drain, hang_up, headers_of, hurry, shares_its_connection
from bide.adapters.httpx_requests import comes_again, copied, seekable, seekable_file
from bide.engine.runtime import Runtime
from bide.engine.settings import Settings
from bide.policy.policy import Policy

_KINDS: Final = ("connect", "read", "write", "pool")


class Seam:
    """Where a policy stands in a client: whose client, which policy for which request, and the headers of ours."""

    module: ModuleType
    stream_class: type

    def __init__(
        self,
        policy: Policy | Runtime | Source | Selector,
        *,
        count_header: str | None = None,
        idempotency_key: bool | str = False,
        **options: Unpack[Options],
    ) -> None:
        self.selector = policy if isinstance(policy, Selector) else Selector(policy, **options)
        self.count_header = header_name(count_header)
        self.key_header = key_header(idempotency_key)


class HttpxCall(RequestCall):
    """
    One request: for each attempt the body is rewound and the timeouts are shrunk.

    The client's own request is never changed: an attempt that differs from it is a copy, `_sent`.
    """

    __slots__ = ("_file", "_key", "_left_unread", "_request", "_seam", "_sent", "_start")

    def __init__(self, seam: Seam, settings: Settings, request: Any, key: str | None) -> None:
        """
        Begin a call.

        Args:
            seam: Where the policy stands.
            settings: The request's policy, bound.
            request: The client's own.
            key: The idempotency key that goes with every attempt, if we made one.
        """
        self._seam = seam
        self._key = key
        keyed = self.key() or request.headers
        super().__init__(settings, request.method, request.url, keyed, seam.key_header, seam.selector)
        self._left_unread = False
        self._request = self._sent = request
        self._file, self._start = seekable_file(request.stream)

    def key(self) -> dict[str, str]:
        """Return the header with the idempotency key that goes with every attempt, if we made one."""
        return {} if self._key is None else {str(self._seam.key_header): self._key}

    def _rewind(self) -> None:
        """Put a body that is read from a file back to where it began."""
        if self.attempt > 1 and self._file is not None:
            self._file.seek(self._start)

    def _counts(self) -> bool:
        """Tell whether the next attempt says how many came before."""
        return self.attempt > 1 and self._seam.count_header is not None

    def _copy(self, extensions: dict[str, Any]) -> Any:
        """Return a copy of the client's request to send next, with the headers that we add."""
        seam = self._seam
        copy = copied(seam.module, self._request, self._sent.stream, extensions)
        copy.headers.update(self.key())
        if self._counts():
            copy.headers[str(seam.count_header)] = str(self.attempt - 1)
        copy.headers.update(self.renewed_headers())
        return copy

    def replayable(self) -> bool:
        stream = self._sent.stream
        if isinstance(stream, self._seam.module.ByteStream):
            return True
        return comes_again(stream) if self._file is None else seekable(self._file)

    def status_of(self, response: Any) -> int:
        return int(response.status_code)

    def headers_of(self, response: Any) -> list[tuple[str, str]]:
        return headers_of(response)

    def worth_draining(self, response: Any) -> bool:
        if response.is_stream_consumed:
            return False
        worth = super().worth_draining(response)
        if shares_its_connection(response) and self._read_timeout(response) is None:
            worth = False  # what a silent server makes us wait for is ended by nothing
        self._left_unread = not worth
        return worth

    def drain(self, response: Any) -> None:
        seconds = self._patience(response)
        self._left_unread = not drain(response.stream, seconds)

    async def adrain(self, response: Any) -> None:
        seconds = self._patience(response)
        self._left_unread = not await adrain(response.stream, seconds)

    def close(self, response: Any) -> None:
        self._hang_up_after(response)
        response.close()

    async def aclose(self, response: Any) -> None:
        self._hang_up_after(response)
        await response.aclose()

    def _hang_up_after(self, response: Any) -> None:
        """What is left unread of a connection of HTTP/2 would stay in its window for good, until nothing fits in."""
        if response.status_code in NEW_CONNECTION or (self._left_unread and shares_its_connection(response)):
            hang_up(response)
        self._left_unread = False

    def _answered(self, response: Any) -> Any:
        """Return the request that a response answers: what was sent last."""
        return self._sent

    def _read_timeout(self, response: Any) -> float | None:
        timeouts: dict[str, float | None] = self._answered(response).extensions.get("timeout", {})
        return timeouts.get("read")

    def _patience(self, response: Any) -> float:
        """Return how long draining a body may take, and let no read of it take longer."""
        read = self._read_timeout(response)
        seconds = DRAIN_PATIENCE if read is None else min(DRAIN_PATIENCE, read)
        if not shares_its_connection(response):  # there, one request's timeout is the end of all the others
            hurry(response, seconds)
        return seconds


def shrunk(timeouts: dict[str, Any], allowed: float) -> dict[str, Any]:
    """Return a client's timeouts, none of them longer than what is allowed."""
    if allowed == inf:
        return dict(timeouts)
    return {**timeouts, **{kind: shortened(timeouts.get(kind), allowed) for kind in _KINDS}}
