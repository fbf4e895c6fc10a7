"""Retries for httpx: transports for `Client` and `AsyncClient`, and `install` for a client that exists."""

from __future__ import annotations

from typing import Any, TypeVar, Unpack

import httpx

from bide.adapters import httpx_bodies, httpx_client, httpx_install, httpx_like
from bide.adapters.http import Options, Selector, Source
from bide.engine.runtime import Runtime
from bide.policy.policy import Policy

__all__ = ["AsyncRetryTransport", "RetryTransport", "install"]

ClientT = TypeVar("ClientT", bound="httpx.Client | httpx.AsyncClient")


class _Replayed(httpx_bodies.Replayed, httpx.SyncByteStream):
    """A body read ahead, as httpx takes it."""


class _AsyncReplayed(httpx_bodies.AsyncReplayed, httpx.AsyncByteStream):
    """A body read ahead, as httpx takes it."""


class _Auth(httpx_client.BoundedAuth, httpx.Auth):
    """An auth flow, as httpx takes it."""


class RetryTransport(httpx_like.SyncTransport, httpx.BaseTransport):
    """
    A transport that repeats requests by a policy: `httpx.Client(transport=RetryTransport(policy))`.

    A client with a transport of its own ignores proxies from the environment; `install` keeps them.
    """

    module = httpx
    stream_class = _Replayed


class AsyncRetryTransport(httpx_like.AsyncTransport, httpx.AsyncBaseTransport):
    """A transport that repeats requests by a policy: `httpx.AsyncClient(transport=AsyncRetryTransport(policy))`."""

    module = httpx
    stream_class = _AsyncReplayed


class _ClientSeam(httpx_client.SyncClientSeam):
    """What stands in the place of `Client.send`."""

    module = httpx
    stream_class = _Replayed
    auth_class = _Auth


class _AsyncClientSeam(httpx_client.AsyncClientSeam):
    """What stands in the place of `AsyncClient.send`."""

    module = httpx
    stream_class = _AsyncReplayed
    auth_class = _Auth


def install(
    client: ClientT,
    policy: Policy | Runtime | Source,
    *,
    seam: httpx_install.SeamName = "transport",
    count_header: str | None = None,
    idempotency_key: bool | str = False,
    **options: Unpack[Options],
) -> ClientT:
    """
    Return the same client, retrying by a policy; its proxies, mounts, limits and certificates stay as they are.

    Args:
        client: A `Client` or an `AsyncClient`.
        policy: A policy, a runtime from `policy.bind(...)`, or a source of policies: `Routes`, a `Strategy`.
        seam: What an attempt is. "transport": one exchange, inside redirects and the auth flow. "client": all that
            `client.send` does, with fresh credentials and cookies, and with the reading of the body.
        count_header: A request header that tells how many attempts came before, such as "X-Retry-Count".
        idempotency_key: True, or the name of a header, to send a new key with each call of a method such as POST, the
            same on all its attempts; such a call may then be repeated.
        **options: What `policy.bind` takes: clock, rng, listeners, name.

    Raises:
        PolicyError: the client retries already, or is no client of httpx; no such seam; not a policy; not the name of
            a header.
    """
    if isinstance(client, httpx.AsyncClient):
        seams: dict[str, Any] = {"transport": AsyncRetryTransport, "client": _AsyncClientSeam}
    elif isinstance(client, httpx.Client):
        seams = {"transport": RetryTransport, "client": _ClientSeam}
    else:
        raise httpx_install.refused(client, "httpx")
    selector = Selector(policy, **options)
    return httpx_install.install(
        client, seam, seams, selector, count_header=count_header, idempotency_key=idempotency_key
    )
