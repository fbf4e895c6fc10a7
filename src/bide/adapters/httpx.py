"""Retries for httpx: transports for `Client` and `AsyncClient`, and `install` for a client that exists."""

from __future__ import annotations

from typing import Any, TypeVar, Unpack

import httpx

from bide.adapters import httpx_bodies, httpx_like
from bide.adapters.http import Options, Selector, Source
from bide.engine.runtime import Runtime
from bide.policy.policy import Policy

__all__ = ["AsyncRetryTransport", "RetryTransport", "install"]

ClientT = TypeVar("ClientT", httpx.Client, httpx.AsyncClient)


class _Replayed(httpx_bodies.Replayed, httpx.SyncByteStream):
    """A body read ahead, as httpx takes it."""


class _AsyncReplayed(httpx_bodies.AsyncReplayed, httpx.AsyncByteStream):
    """A body read ahead, as httpx takes it."""


class RetryTransport(httpx_like.SyncTransport, httpx.BaseTransport):
    """
    A transport that repeats requests by a policy: `httpx.Client(transport=RetryTransport(policy))`.

    A client with a transport of its own ignores proxies from the environment; `install` keeps them.
    """

    module = httpx
    stream_class = _Replayed

    def _default(self) -> Any:
        return httpx.HTTPTransport()


class AsyncRetryTransport(httpx_like.AsyncTransport, httpx.AsyncBaseTransport):
    """A transport that repeats requests by a policy: `httpx.AsyncClient(transport=AsyncRetryTransport(policy))`."""

    module = httpx
    stream_class = _AsyncReplayed

    def _default(self) -> Any:
        return httpx.AsyncHTTPTransport()


def install(
    client: ClientT,
    policy: Policy | Runtime | Source,
    *,
    count_header: str | None = None,
    **options: Unpack[Options],
) -> ClientT:
    """
    Return the same client, retrying by a policy; its proxies, mounts, limits and certificates stay as they are.

    Raises:
        PolicyError: the client retries already, or is no client of httpx; not a policy; not the name of a header.
    """
    if isinstance(client, httpx.AsyncClient):
        make: type[httpx_like.Transport] = AsyncRetryTransport
    elif isinstance(client, httpx.Client):
        make = RetryTransport
    else:
        raise httpx_like.refused(client, "httpx")
    return httpx_like.install(client, Selector(policy, **options), make, count_header=count_header)
