"""Put a policy into a client of httpx or httpx2 that exists, at one of two seams."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias, TypeVar

from bide.adapters.http import Selector
from bide.adapters.httpx_client import ClientSeam
from bide.adapters.httpx_like import Transport, class_of
from bide.policy.errors import PolicyError, shown

SeamName: TypeAlias = Literal["transport", "client"]
C = TypeVar("C")


def install(
    client: C,
    seam: object,
    seams: Mapping[str, Callable[..., Any]],
    selector: Selector,
    *,
    count_header: str | None,
    idempotency_key: bool | str,
) -> C:
    """
    Put a policy into a client.

    Args:
        client: It is changed, and returned.
        seam: "transport": around every transport, its own, its proxies' and its mounts'. "client": around its `send`.
        seams: What makes each of them, by name.
        selector: The policy of each request.
        count_header: A request header that tells how many attempts came before.
        idempotency_key: Whether calls of methods such as POST get a key, or the header that it goes into.

    Raises:
        PolicyError: there is no such seam; the client retries already.
    """
    if not isinstance(seam, str) or seam not in seams:
        raise PolicyError(f"seam is {' or '.join(map(repr, seams))}; got {shown(seam)}")
    _refuse_retrying(client)
    own: Any = client
    added: dict[str, Any] = {"count_header": count_header, "idempotency_key": idempotency_key}
    if seam == "client":
        own.send = seams[seam](client, selector, **added).send
        return client
    transport = seams[seam](selector, own._transport, **added)  # noqa: SLF001  # there is no public way
    mounts = {
        pattern: None if mounted is None else seams[seam](selector, mounted, **added)
        for pattern, mounted in own._mounts.items()  # noqa: SLF001
    }
    own._transport = transport  # noqa: SLF001
    own._mounts = mounts  # noqa: SLF001
    return client


def _refuse_retrying(client: Any) -> None:
    """Raise PolicyError if a client retries already, and say where."""
    if isinstance(getattr(client.send, "__self__", None), ClientSeam):
        where = "around its send"
    elif any(isinstance(one, Transport) for one in [client._transport, *client._mounts.values()]):  # noqa: SLF001
        where = "in its transport"
    else:
        return
    raise PolicyError(f"this client retries already, {where}; put all rules into one policy, at one seam")


def refused(client: object, library: str) -> PolicyError:
    """Return the error for what is no client of a library."""
    return PolicyError(f"install() takes a Client or an AsyncClient of {library}; got {class_of(client)}")
