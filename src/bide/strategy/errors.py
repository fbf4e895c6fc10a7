"""An API's errors: what the catalogue says of each, and the exceptions that they are raised as."""

from __future__ import annotations

from typing import Any, Final, Literal

import attrs

Expected = Literal["retry", "give_up", "accept", "recover"]
EXPECTED: Final[tuple[Expected, ...]] = ("retry", "give_up", "accept", "recover")
_LONGEST_MESSAGE: Final = 500


@attrs.frozen
class CataloguedError:
    """
    One documented error: its code and status, what a policy must decide about it, and what people are told.

    `raises` names the exception class. `method` and `example` (a body) are of the response that proves the decision.
    """

    code: str
    status: int
    decision: Expected
    meaning: str
    resolution: str
    raises: str | None = None
    method: str = "GET"
    example: str | None = None


class APIError(Exception):
    """
    An error response of an API, read as its strategy says.

    Attributes:
        status, code, message: What the response says; code and message are None where it does not.
        details, param: What stands where the strategy says that they do: parsed JSON, and the field at fault.
        request_id: What to tell the API's support.
        retry_after: Seconds that the server asks to wait.
        meaning, resolution: What the catalogue says of the code.
        response: The client's own response; a copy or a pickle has None.

    `str()` is one line, and holds no header but the request id.
    """

    def __init__(
        self,
        status: int,
        code: str | None = None,
        message: str | None = None,
        *,
        details: object = None,
        param: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        meaning: str | None = None,
        resolution: str | None = None,
        response: object = None,
    ) -> None:
        super().__init__(status, code, message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.param = param
        self.request_id = request_id
        self.retry_after = retry_after
        self.meaning = meaning
        self.resolution = resolution
        self.response = response

    def __str__(self) -> str:
        said = self.message or self.meaning
        line = f"{self.status} {self.code[:_LONGEST_MESSAGE]}" if self.code else str(self.status)
        if said:
            line += f": {said[:_LONGEST_MESSAGE]}"
        if self.request_id:
            line += f" (request {self.request_id[:_LONGEST_MESSAGE]})"
        return " ".join("".join(char if char.isprintable() else " " for char in line).split())

    def __reduce__(self) -> tuple[Any, ...]:
        # A client's response holds sockets and locks, which neither pickle nor travel.
        return type(self), self.args, self.__dict__ | {"response": None}


class AuthenticationError(APIError):
    """401: the server does not know who asks."""


class PermissionDeniedError(APIError):
    """403: the server knows who asks, and refuses."""


class NotFoundError(APIError):
    """404: there is no such thing, or it is not to be seen."""


class RateLimitError(APIError):
    """429: too many requests."""


_BY_STATUS: Final[dict[int, type[APIError]]] = {
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    429: RateLimitError,
}
_CLASSES: Final[list[type[APIError]]] = [APIError, *_BY_STATUS.values()]
CLASSES: Final = {cls.__name__: cls for cls in _CLASSES}


def class_for(status: int, raises: str | None) -> type[APIError]:
    """Return the exception class that a catalogue names, or the one for the status."""
    return CLASSES[raises] if raises is not None else _BY_STATUS.get(status, APIError)
