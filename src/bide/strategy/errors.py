"""An API's errors: what the catalogue says of each, and the exceptions that they are raised as."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import attrs

from bide.policy.condition import Condition
from bide.policy.errors import PolicyError, shown

Expected = Literal["retry", "give_up", "accept", "recover"]
EXPECTED: Final[tuple[Expected, ...]] = ("retry", "give_up", "accept", "recover")
_LONGEST_MESSAGE: Final = 500


@attrs.frozen
class CataloguedError:
    """
    One documented error: its code and status, what a policy must decide about it, and what people are told.

    `code` is None where a whole category, or a status without a code, is documented. `category` is the one that the
    code belongs to. `raises` names the exception class. `method`, `headers` and `example` (a body) are of the response
    that proves the decision; `endpoint` is the one whose policy decides, if not the default. `details` is the place of
    this code's details, if it is another than `[read]` says. `when` tells an error whose responses have no code: then
    the code is only a name for it.
    """

    code: str | None
    status: int
    decision: Expected
    meaning: str
    resolution: str
    raises: str | None = None
    method: str = "GET"
    example: str | None = None
    category: str | None = None
    details: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    endpoint: str | None = None
    when: Condition | None = None
    at: tuple[str, ...] = attrs.field(default=(), eq=False, repr=False)
    """Where it stands in its file."""

    @property
    def path(self) -> tuple[str, ...]:
        """The keys that lead to it in a file; those that it would have when it comes from none."""
        section, name = ("errors", self.code) if self.code is not None else ("categories", self.category)
        return self.at or (("statuses", str(self.status)) if name is None else (section, name))

    @property
    def label(self) -> str:
        """The status and the code, for people; the category, or nothing, where there is no code."""
        return " ".join([str(self.status), *filter(None, [self.code or self.category])])


class APIError(Exception):
    """
    An error response of an API, read as its strategy says.

    Attributes:
        status, code, message: What the response says; code and message are None where it does not. Of an error that
            the catalogue tells by `when`, code is the name that it has there.
        category: What kind of error the response says it is, of APIs that say both a kind and a code.
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
        category: str | None = None,
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
        self.category = category

    def __str__(self) -> str:
        said = self.message or self.meaning
        code = self.code or self.category
        line = f"{self.status} {code[:_LONGEST_MESSAGE]}" if code else str(self.status)
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


def checked_classes(classes: Mapping[Any, object]) -> dict[str | int | type[APIError], type[APIError]]:
    """
    Return exception classes by code, status or class of ours, if they can be raised as ours are.

    Raises:
        PolicyError: a key is none of these; a value is no subclass of `APIError`, or is built from other arguments.
    """
    checked: dict[str | int | type[APIError], type[APIError]] = {}
    for key, cls in classes.items():
        if not _can_be_asked(key):
            raise PolicyError(
                f"with_errors takes a code, a status or one of {', '.join(CLASSES)} as a key; got {shown(key)}"
            )
        if not (isinstance(cls, type) and issubclass(cls, APIError)):
            raise PolicyError(
                f"with_errors takes a subclass of APIError for {shown(key)}; got {shown(classes[key])}"  # noqa: PLR1733  # narrowed, `cls` has no type to name
            )
        try:
            cls(500, None, None, **dict.fromkeys(_SAID))
        except Exception as error:
            raise PolicyError(
                f"{cls.__name__} cannot be built as APIError is ({error}): leave its __init__ as it is, or let it "
                "take *args and **kwargs and hand them on"
            ) from None
        checked[key] = cls
    return checked


_SAID: Final = (
    "details", "param", "request_id", "retry_after", "meaning", "resolution", "response", "category",
)  # fmt: skip


def _can_be_asked(key: object) -> bool:
    if isinstance(key, type):
        return key in CLASSES.values()
    return (type(key) is int and key in range(100, 600)) or (isinstance(key, str) and key != "")
