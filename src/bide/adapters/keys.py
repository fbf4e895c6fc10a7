"""Idempotency keys: the header that they go into, which requests need one, and where it may go."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit
from uuid import uuid4

from bide.engine.readers import has_key
from bide.policy.errors import PolicyError, shown
from bide.policy.outcome import IDEMPOTENT_METHODS, HeadersLike
from bide.policy.params import one_header_name

KEY_HEADER: Final = "Idempotency-Key"
_PLAIN: Final = ("http", 80)
_TLS: Final = ("https", 443)
_PORTS: Final[dict[str, int]] = dict([_PLAIN, _TLS])


def header_name(name: object, option: str = "count_header") -> str | None:
    """
    Return the name of a header as an option gave it, or None for None.

    Raises:
        PolicyError: it is no header name.
    """
    return None if name is None else one_header_name(name, option)


def key_header(option: object) -> str | None:
    """
    Return the header that an adapter's `idempotency_key=` names: `True` is "Idempotency-Key", `False` is None, no keys.

    Raises:
        PolicyError: neither True nor False nor the name of a header.
    """
    if isinstance(option, bool):
        return KEY_HEADER if option else None
    if not isinstance(option, str):
        raise PolicyError(f"idempotency_key takes True, False or the name of a header; got {shown(option)}")
    return header_name(option, "idempotency_key")


def new_key(header: str | None, method: str, headers: HeadersLike) -> str | None:
    """
    Return an idempotency key for a request that needs one, or None: its method is idempotent, or it carries one.

    A key is for one call. Put it where every attempt sends it, and whatever the client sends again by itself; and see
    that the user's next call, perhaps with the same request object, does not carry it too.

    Args:
        header: The header that it would go into, from `key_header`; None when no keys are asked for.
        method: The request's method.
        headers: Those that the request carries, a mapping or pairs; a key that is empty is none.
    """
    if header is None or method.upper() in IDEMPOTENT_METHODS or has_key(headers, header):
        return None
    return str(uuid4())


def key_of_hop(
    header: str | None, method: str, headers: HeadersLike, url: object, first_url: object, kept: str | None
) -> str | None:
    """
    Return the idempotency key for one hop of a call that a client redirects, or None: it needs none, or may have none.

    Our keys are for the origin that the caller's own request goes to. Elsewhere a request goes as the caller made it.

    Args:
        header: As for `new_key`.
        method: As for `new_key`.
        headers: As for `new_key`.
        url: Where this hop goes.
        first_url: Where the caller's own request went.
        kept: The key that was made for it, if there is one.
    """
    key = new_key(header, method, headers)
    if key is None or not same_origin(url, first_url):
        return None
    return key if kept is None else kept


def same_origin(url: object, first: object) -> bool:
    """Tell whether an address is of the origin of another, or of its host over TLS: what clients keep credentials for."""
    if url is first:
        return True
    here, there = _origin(url), _origin(first)
    return here == there or (here[1] == there[1] and here[::2] == _TLS and there[::2] == _PLAIN)


def _origin(url: object) -> tuple[str, str, int | None]:
    """Return the scheme, the host and the port of an address."""
    parts = urlsplit(str(url))
    return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme)
