"""What the requests have in common that a session of requests makes for one call: where it began, and its key."""

from __future__ import annotations

from typing import Any, Final
from weakref import ref

_NAME: Final = "bide.origin"
_LOGINS: Final = frozenset({401, 407})
_SAME_METHOD: Final = frozenset({301, 307, 308})


class Origin:
    """
    What a call began with: its first request, where that went, and its idempotency key.

    It is kept among the hooks of that request, which are what redirects, and answers to a demand for a login, share with
    it. `open`: one of these may follow. The first request itself, met again, is another call.
    """

    __slots__ = ("first", "key", "open", "url")

    def __init__(self, request: Any) -> None:
        self.first = ref(request)
        self.url: object = request.url
        self.key: str | None = None
        self.open = False

    def __reduce__(self) -> tuple[type[object], tuple[()]]:
        return object, ()  # where it is unpickled, a request begins another call

    @classmethod
    def of(cls, request: Any) -> Origin:
        """Return what the call began with that a request belongs to; if it begins one itself, that is noted in it."""
        left = request.hooks.get(_NAME)
        if isinstance(left, cls) and left.open and left.first() is not request:
            left.open = False
            return left
        origin = cls(request)
        request.hooks = {
            **request.hooks,
            _NAME: origin,
        }  # not in place: copies made before are calls of their own
        return origin

    def answered(self, response: Any) -> None:
        """Take in what a request came to: whether another one of this call may follow, and whether it needs the key."""
        status = response.status_code
        self.open = response.is_redirect or status in _LOGINS
        if status not in _SAME_METHOD | _LOGINS:
            self.key = None
