"""Requests of httpx and httpx2: copied for an attempt, their bodies and cookies, and what goes along redirects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http.cookiejar import Cookie, CookieJar
from types import ModuleType
from typing import Any, Final
from weakref import ref

import attrs

from bide.adapters.keys import key_of_hop, same_origin
from bide.policy.outcome import IDEMPOTENT_METHODS

_KEPT_KEY: Final = "bide.idempotency_key"
_OURS: Final = "bide.ours"
_FIRST_URL: Final = "bide.first_url"


def copied(module: ModuleType, request: Any, stream: Any, extensions: dict[str, Any]) -> Any:
    """Return a request like another one, its headers its own, with this body and these extensions."""
    copy = module.Request(
        request.method,
        request.url,
        headers=request.headers,  # copied there
        stream=stream,
        extensions=extensions,
    )
    if isinstance(stream, module.ByteStream):
        copy.read()  # so that it has `content`, which what signs requests looks at
    return copy


# Bodies


def seekable_file(stream: Any) -> tuple[Any, int]:
    """Return the file that a request's body is read from, and where it stands, if it can be put back there."""
    file: Any = getattr(stream, "_stream", None)
    if hasattr(stream, "_is_stream_consumed") and hasattr(stream, "__iter__") and seekable(file):
        return file, file.tell()
    return None, 0


def seekable(file: Any) -> bool:
    """Tell whether this is a file that is open and can be put where it is to stand: it is tried, where it stands."""
    try:
        if not file.seekable():
            return False
        file.seek(file.tell())
    except (AttributeError, OSError, ValueError):  # no file, one that cannot after all, a closed one
        return False
    return True


def comes_again(stream: Any) -> bool:
    """Tell whether a body that is neither bytes nor a file can be read once more, from its start."""
    fields = getattr(stream, "fields", None)
    if fields is not None:
        return all(_plain_or_seekable(getattr(field, "file", b"")) for field in fields)
    consumed = getattr(stream, "_is_stream_consumed", None)
    if consumed is None:  # not one of the client's own: nobody knows what it does when it is read again
        return False
    return not consumed or isinstance(stream._stream, (list, tuple))  # noqa: SLF001  # there is no public way


def _plain_or_seekable(source: Any) -> bool:
    return isinstance(source, (str, bytes)) or seekable(source)


# Idempotency keys


def key_over_redirects(header: str | None, request: Any) -> str | None:
    """
    Return the idempotency key for a request at a transport, if it needs one: a redirect's is that of the first hop.

    A client builds a redirect from the request before it, extensions included: they carry the key, and tell the request
    that it was made for. Met there again, the request is one that is sent anew, and gets a new key.
    """
    made_for, made = request.extensions.get(_KEPT_KEY, (None, None))
    kept = None if made_for is None or made_for() is request else made
    key = key_of_hop(header, request.method, request.headers, request.url, first_url(request), kept)
    if key is None:
        return None
    # Not in place: httpx before 0.28 lets requests share their extensions.
    request.extensions = {**request.extensions, _KEPT_KEY: (ref(request), key)}
    return key


@attrs.define(eq=False)
class Ours:
    """
    The headers of ours that a copy of the caller's request has at the client's seam, for what its redirects inherit.

    `dropped` tells whether what needs a key was sent without, to another origin.
    """

    first_url: object
    key: Mapping[str, str]
    renewed: Mapping[str, str]
    dropped: bool = False

    def into(self, extensions: dict[str, Any]) -> dict[str, Any]:
        """Return extensions with these among them."""
        return {**extensions, _OURS: self}

    @staticmethod
    def redirected(request: Any, url: object, method: str, headers: Any) -> Any:
        """Return the headers that a client gives the redirect of a request, none of ours among them at other origins."""
        ours = request.extensions.get(_OURS)
        if isinstance(ours, Ours):
            ours.fit(url, method, headers)
        return headers

    def fit(self, url: object, method: str, headers: Any) -> None:
        """Take these out of headers that go to another origin; put the key back in where it is needed at its own."""
        needed = method.upper() not in IDEMPOTENT_METHODS
        if same_origin(url, self.first_url):
            for name, value in self.key.items():
                if needed:
                    headers.setdefault(name, value)
            return
        for name, value in (*self.key.items(), *self.renewed.items()):
            if headers.get(name) == value:
                del headers[name]
                self.dropped |= needed and name in self.key


# Redirects


def note_url(request: Any) -> None:
    """Note in a request at a transport where it goes, for its redirects, which have its extensions too."""
    if _FIRST_URL not in request.extensions:
        request.extensions = {**request.extensions, _FIRST_URL: request.url}  # not in place, as above


def first_url(request: Any) -> Any:
    """Return where the request went that this one is a redirect of, if that was noted; else where it goes itself."""
    return request.extensions.get(_FIRST_URL, request.url)


# Cookies


def renew_cookies(module: ModuleType, request: Any, before: Iterable[Cookie], now: Any) -> None:
    """
    Bring a request's cookies up to date: what has changed in the client's jar changes; what the caller set stays.

    Args:
        module: The client library.
        request: What is sent next.
        before: What the jar held when the call began.
        now: The client's cookies.
    """
    jar = CookieJar()
    for cookie in before:
        jar.set_cookie(cookie)
    old, new = (_pairs(module.Request("GET", request.url, cookies=cookies)) for cookies in (jar, now))
    if old == new:
        return
    pairs = _pairs(request)
    own = {_name(pair) for pair in pairs if pair not in old}
    pairs = [pair for pair in pairs if pair not in old or pair in new]
    pairs += [pair for pair in new if pair not in old and _name(pair) not in own]
    request.headers.pop("Cookie", None)
    if pairs:
        request.headers["Cookie"] = "; ".join(pairs)


def _pairs(request: Any) -> list[str]:
    return [pair.strip() for pair in request.headers.get("Cookie", "").split(";") if pair.strip()]


def _name(pair: str) -> str:
    return pair.partition("=")[0]
