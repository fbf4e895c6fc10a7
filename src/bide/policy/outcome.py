"""What one attempt came to, in the words that conditions and delays ask with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import attrs

from bide.policy import hints
from bide.policy.errors import PolicyError, shown
from bide.policy.faults import NO_FAULT, PHASES, Fault, fault_of, said_by

if TYPE_CHECKING:
    from bide.policy.hints import Hint

HeadersLike: TypeAlias = Mapping[Any, Any] | Iterable[tuple[Any, Any]]

IDEMPOTENT_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
_DECLINED: Final = frozenset({408, 421, 425, 429})  # answered, and certainly not processed
_MISDIRECTED: Final = 421
_FIRST_ERROR: Final = 400
_STATUSES: Final = range(100, 600)
_CODE_PLACES: Final = (
    "error.code", "code", "error.type", "error", "errors.0.code", "errors.0.extensions.code", "errors.0.type",
    "__type", "header:x-amzn-errortype", "Code", "error_code", "type",
)  # fmt: skip
_QUALIFIED_CODE_PLACES: Final = ("__type", "header:x-amzn-errortype")
"""Where AWS puts a namespace before a code (`a.b#Code`) and an address behind it (`Code:http://...`)."""
_MESSAGE_PLACES: Final = (
    "error.message", "message", "error", "errors.0.message", "detail", "error_description", "Message", "title",
)  # fmt: skip
_LONGEST_MESSAGE: Final = 65_536


def _status(value: object) -> int | None:
    """Keep what is an HTTP status; anything else (0, 999, "200", True) is a status that nobody knows."""
    return value if type(value) is int and value in _STATUSES else None


def _pairs(headers: HeadersLike) -> tuple[tuple[str, str], ...]:
    """Flatten a mapping or pairs into lower-case names and texts, repeats kept."""
    try:
        pairs = [(name, value) for name, value in _items(headers)]
    except (TypeError, ValueError):
        what = f"of type {type(headers).__name__}"  # and no more: they may hold secrets
        raise PolicyError(f"headers takes a mapping or pairs of name and value; got one {what}") from None
    flat: list[tuple[str, str]] = []
    for name, value in pairs:
        values = cast("Iterable[object]", value) if isinstance(value, (list, tuple)) else (value,)
        flat.extend((_latin(name).lower(), _latin(one)) for one in values)
    return tuple(flat)


def _items(headers: Any) -> Any:
    pairs: Any = headers
    return pairs.items() if isinstance(headers, Mapping) else pairs


def _latin(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _seconds(value: float) -> float:
    """Keep what is an amount of time; anything else (-1.0, NaN, infinity) is an amount that nobody knows."""
    return value if 0.0 <= value < float("inf") else 0.0


def _unqualified(code: str) -> str:
    return code.partition(":")[0].rpartition("#")[2]


def _phase(value: str | None) -> str | None:
    if value is not None and value not in PHASES:
        raise ValueError(f"phase takes one of {', '.join(PHASES)}; got {shown(value)}")
    return value


@attrs.define(eq=False, repr=False)
class _Memo:
    """What an outcome works out once: the parsed body and the fault."""

    json: object = None
    parsed: bool = False
    fault: Fault | None = None


@attrs.frozen(eq=False, repr=False)
class Outcome:
    """
    What one attempt came to: a response, an exception, or a plain value.

    Args:
        status: HTTP status, 100 to 599; anything else counts as unknown, and an answer with it as a failure.
        headers: Mapping or pairs, repeats kept, names in any case, `str` or `bytes`.
        body: What the server sent, `bytes` or `str`; read as JSON up to 64 KiB. None: not read.
        error: The exception that the attempt raised.
        method: HTTP method; None when the attempt was no HTTP request, or nobody can tell.
        url: Where the request went.
        elapsed: Seconds that this attempt took.
        phase: Where it failed: "pool", "connect", "write", "read", "body" or "attempt". None: read off the error.
        replayable: Whether the request's body can be sent again.
        idempotency_key: Whether the request carries an `Idempotency-Key`.
        timed_out, unsent, network: Override what the error says about itself.
        code: The machine-readable code, where it stands elsewhere than in the body.
        value: What a plain function returned.
        exhausted: Whether another policy, inside this one, has already retried this and given up.

    Raises:
        ValueError: `phase` is none of those named.
    """

    status: int | None = attrs.field(default=None, converter=_status)
    headers: tuple[tuple[str, str], ...] = attrs.field(default=(), converter=_pairs)
    body: bytes | str | None = None
    error: BaseException | None = None
    method: str | None = "GET"
    url: str | None = None
    elapsed: float = attrs.field(default=0.0, kw_only=True, converter=_seconds)
    phase: str | None = attrs.field(default=None, kw_only=True, converter=_phase)
    replayable: bool = attrs.field(default=True, kw_only=True)
    idempotency_key: bool = attrs.field(default=False, kw_only=True)
    timed_out: bool | None = attrs.field(default=None, kw_only=True)
    unsent: bool | None = attrs.field(default=None, kw_only=True)
    network: bool | None = attrs.field(default=None, kw_only=True)
    code: str | None = attrs.field(default=None, kw_only=True)
    value: object = attrs.field(default=None, kw_only=True)
    exhausted: bool = attrs.field(default=False, kw_only=True)
    _memo: _Memo = attrs.field(factory=_Memo, init=False)

    @property
    def failed(self) -> bool:
        """
        Whether this is a failure on its face.

        An exception, a status of 400 and above, what was told of the transport, or an answer whose status nobody knows.
        """
        if self.error is not None or self.faulty:
            return True
        if self.status is None:
            return bool(self.headers) or self.body is not None
        return self.status >= _FIRST_ERROR

    @property
    def faulty(self) -> bool:
        """Whether anything is known of a failure of the transport."""
        return self.fault is not NO_FAULT and self.fault != NO_FAULT

    @property
    def fault(self) -> Fault:
        """What is known of the transport's failure: phase, timed_out, unsent, network."""
        if self._memo.fault is None:
            read = NO_FAULT if self.error is None else fault_of(self.error)
            told: dict[str, Any] = {
                name: value
                for name in ("phase", "timed_out", "unsent", "network")
                if (value := getattr(self, name)) is not None
            }
            if self.status == _MISDIRECTED:
                told.setdefault("unsent", True)
            self._memo.fault = attrs.evolve(read, **told) if told else read
        return self._memo.fault

    @property
    def idempotent(self) -> bool:
        """Whether doing it twice is doing it once: RFC 9110 methods, or an `Idempotency-Key`; no request at all."""
        return self.method is None or self.idempotency_key or self.method.upper() in IDEMPOTENT_METHODS

    @property
    def repeatable(self) -> bool:
        """Whether a repeat cannot do harm: idempotent, unsent, or declined unprocessed (408, 421, 425, 429)."""
        return self.idempotent or self.status in _DECLINED or self.fault.unsent

    @property
    def json(self) -> object:
        """The body read as JSON, or None when there is none, it is too large, or it is not JSON."""
        if not self._memo.parsed:
            self._memo.json = hints.parse_body(self.body)
            self._memo.parsed = True
        return self._memo.json

    def values(self, name: str) -> list[str]:
        """Return the values of a header, one for each field line, in order."""
        wanted = name.lower()
        return [value for key, value in self.headers if key == wanted]

    def at(self, place: str) -> object:
        """Return what stands at a dotted path of the body (`error.code`), or in a header (`header:x-error`)."""
        kind, _, name = place.partition(":")
        if kind == "header" and name:
            return next(iter(self.values(name)), None)
        found = hints.path(self.json, place)
        return None if found is hints.MISSING else found

    def read_code(self, place: str | None = None) -> str | None:
        """Return the machine-readable error code, from the place named or from where APIs usually put it."""
        if place is None and self.code is not None:
            return self.code
        for candidate in (place,) if place else _CODE_PLACES:
            found = self.at(candidate)
            if isinstance(found, int) and not isinstance(found, bool):
                found = str(found)
            if isinstance(found, str):
                return _unqualified(found) if candidate.lower() in _QUALIFIED_CODE_PLACES else found
        return None

    def read_message(self, place: str | None = None) -> str | None:
        """Return the text for people, from the place named, from where APIs put it, or from the exception."""
        for candidate in (place,) if place else _MESSAGE_PLACES:
            found = self.at(candidate)
            if isinstance(found, str):
                return found[:_LONGEST_MESSAGE]
        return None if self.error is None or self.body is not None else said_by(self.error)[:_LONGEST_MESSAGE]

    def hint(self, now: float | None) -> Hint | None:
        """Return the delay that the server asks for by any convention known, or None."""
        return hints.read(self.headers, self.json, now=now)

    def __repr__(self) -> str:
        """Say what happened, and nothing that may be secret: no headers, no body, no query string."""
        said = [f"status={self.status}"] if self.status is not None else []
        if self.error is not None:
            said.append(f"error={type(self.error).__name__}")
        if self.method is not None:
            said.append(f"method={self.method}")
        return f"Outcome({', '.join(said)})"


@attrs.frozen(eq=False, repr=False)
class LaterOutcome(Outcome):
    """
    What came of something that followed the caller's request: the GET that a redirect made of a POST, a hook.

    That this was never sent, or was declined, says nothing about the request before it, which was perhaps processed.
    """

    unsent: bool | None = attrs.field(default=False, kw_only=True)

    @property
    def repeatable(self) -> bool:
        """Whether a repeat cannot do harm: it is idempotent, and nothing else will do."""
        return self.idempotent
