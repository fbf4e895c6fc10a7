"""Readers turn a client's own response or exception into an outcome, chosen by module name, importing no client."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import ceil
from typing import Any, Final, cast

import attrs

from bide.engine.history import attribute, exhausted
from bide.engine.timeouts import AttemptTimeout
from bide.policy import hints
from bide.policy.outcome import LaterOutcome, Outcome

Facts = dict[str, Any]


@attrs.frozen
class Reader:
    """
    How to read one client's responses.

    `facts(response)` returns arguments of `bide.Outcome` (status, headers, method, url, idempotency_key);
    `body(response)` the body if it is in memory already, never doing I/O; `release(response)` lets go of a rejected
    response before the wait, and may return an awaitable.
    """

    facts: Callable[[Any], Facts]
    body: Callable[[Any], bytes | str | None] = lambda _response: None
    release: Callable[[Any], Any] = lambda _response: None


_READERS: Final[dict[tuple[str, str], Reader]] = {}
_by_type: Final[dict[type, Reader | None]] = {}
_MOST_TYPES: Final = 1000


def register(module: str, class_name: str, reader: Reader) -> None:
    """Read responses of a class (`class_name` in `module` or one of its submodules) with a reader."""
    _READERS[module, class_name] = reader
    _by_type.clear()


def reader_for(value: object) -> Reader | None:
    """Return the reader of a response, or None when the value is no response that anybody knows."""
    cls = type(value)
    if cls not in _by_type:
        if len(_by_type) >= _MOST_TYPES:  # somebody makes classes as they go
            _by_type.clear()
        _by_type[cls] = _find(cls, value)
    return _by_type[cls]


def _find(cls: type, value: object) -> Reader | None:
    if isinstance(value, type):  # a class is not what it makes
        return None
    for base in cls.__mro__:
        parts = base.__module__.split(".")
        for size in range(len(parts), 0, -1):
            found = _READERS.get((".".join(parts[:size]), base.__name__))
            if found is not None:
                return found
    if type(attribute(value, "status_code")) is int and attribute(value, "headers") is not None:
        return _REQUESTS_LIKE
    return None


def outcome_of_value(
    value: object, *, elapsed: float = 0.0, body: bool = False, since: int | None = None
) -> Outcome:
    """Return the outcome of an attempt that returned: a response if somebody can read it, else a plain value."""
    reader = reader_for(value)
    if reader is None:
        return Outcome(value=value, method=None, elapsed=elapsed, exhausted=exhausted(value, since))
    facts = reader.facts(value)
    if body:
        facts["body"] = reader.body(value)
    kind = LaterOutcome if _followed(value) else Outcome
    return kind(value=value, elapsed=elapsed, exhausted=exhausted(value, since), **facts)


def outcome_of_error(
    error: BaseException, *, elapsed: float = 0.0, body: bool = False, since: int | None = None
) -> Outcome:
    """Return the outcome of an attempt that raised, with the response and request that the exception carries."""
    facts: Facts = {"method": None}
    facts |= _request_facts(attribute(error, "request"))
    facts |= _error_facts(error, body=body)
    response = attribute(error, "response")
    kind = LaterOutcome if _followed(error if response is None else response) else Outcome
    return kind(error=error, elapsed=elapsed, exhausted=exhausted(error, since), **facts)


def _error_facts(error: BaseException, *, body: bool) -> Facts:
    if isinstance(error, AttemptTimeout):
        return {"phase": "attempt"}
    response = attribute(error, "response")
    if isinstance(response, Mapping):
        return _aws_facts(cast("Mapping[str, Any]", response))
    reader = reader_for(response) if response is not None else None
    if reader is not None:
        facts = reader.facts(response)
        if body:
            facts["body"] = reader.body(response)
        return facts
    if _is_unreadable_answer(error):
        return {"network": True, "phase": "read"}
    if any(cls.__name__ == "RpcError" and cls.__module__.startswith("grpc") for cls in type(error).__mro__):
        return _grpc_facts(error)
    text = attribute(error, "http_body") if body else None  # Stripe's
    own = {"body": text} if isinstance(text, str) else {}
    return own | _own_facts(error) | _request_facts(_first_request(error))


def _own_facts(error: BaseException) -> Facts:
    """Read what an exception says of itself: status, headers, code, and the seconds after which to come back."""
    facts: Facts = {}
    for name in ("status_code", "status", "code", "http_status"):
        number = attribute(error, name)
        if isinstance(number, int) and not isinstance(number, bool):
            facts["status"] = int(number)  # it may be an HTTPStatus
            break
    headers = attribute(error, "headers")
    if headers is None:
        headers = attribute(attribute(error, "meta"), "headers")  # Elasticsearch's
    lines = [] if headers is None else _header_lines(headers)
    warns = type(error).__module__.startswith("aiohttp.")  # of `code`, its old name for the status
    code = None if warns else attribute(error, "code")
    if isinstance(code, str):
        facts["code"] = code
    asked = attribute(error, "retry_after")
    seconds = None if asked is None else hints.value(asked)
    if seconds is not None and not any(_is_retry_after(name) for name, _ in lines):
        lines.append(("retry-after", str(ceil(seconds))))
    if lines:
        facts["headers"] = lines
    return facts


def _header_lines(headers: object) -> list[tuple[Any, Any]]:
    """Return the lines of what may be headers; an exception's attribute of that name may be anything."""
    return _pairs(_told(headers, "items"))


def _pairs(said: Any) -> list[tuple[Any, Any]]:
    try:
        return [(name, value) for name, value in said]
    except Exception:
        return []


def _told(teller: object, method: str) -> Any:
    """Return what a method without arguments tells; None where there is no such method, or it raises."""
    try:
        return getattr(teller, method)()
    except Exception:
        return None


def _is_retry_after(name: Any) -> bool:
    return str(name).lower() == "retry-after"


def _is_unreadable_answer(error: BaseException) -> bool:
    """Tell aiohttp's "status 400" for bytes that were no HTTP from an answer of 400."""
    named = type(error).__name__ == "ClientPayloadError"  # a body that broke off, and says so
    return type(error.__cause__).__module__ == "aiohttp.http_exceptions" and not named


def _request_facts(request: Any) -> Facts:
    method = attribute(request, "method")
    if not isinstance(method, str):
        return {}
    url = attribute(request, "url")
    headers = attribute(request, "headers")
    return {"method": method, "url": None if url is None else str(url), "idempotency_key": has_key(headers)}


def has_key(headers: Any, own: str | None = None) -> bool:
    """Tell whether a request's headers, a mapping or pairs, carry an idempotency key: under a usual name, or one's own."""
    names = _KEY_NAMES if own is None else {*_KEY_NAMES, own.lower()}
    lines = _header_lines(headers) if hasattr(headers, "items") else _pairs(headers)
    return any(_text(name).lower() in names and _text(value).strip() != "" for name, value in lines)


def _text(said: object) -> str:
    return said.decode("latin-1") if isinstance(said, bytes) else "" if said is None else str(said)


REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
"""Statuses that clients follow to where a header says."""
_KEY_NAMES: Final = frozenset({"idempotency-key", "x-idempotency-key"})


def _mapping(found: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", found) if isinstance(found, Mapping) else {}


def _aws_facts(response: Mapping[str, Any]) -> Facts:
    """Read what botocore's ClientError keeps: a parsed response."""
    error, metadata = _mapping(response.get("Error")), _mapping(response.get("ResponseMetadata"))
    facts: Facts = {}
    if isinstance(error.get("Code"), str):
        facts["code"] = error["Code"]
    if metadata:
        facts["status"] = metadata.get("HTTPStatusCode")
        facts["headers"] = metadata.get("HTTPHeaders") or {}
    return facts


def _grpc_facts(error: BaseException) -> Facts:
    """Read what grpc tells by methods: the name of the code, and the trailers, which are headers that come last."""
    facts: Facts = {}
    name = attribute(_told(error, "code"), "name")
    if isinstance(name, str):
        facts["code"] = name
    trailers = _pairs(_told(error, "trailing_metadata"))
    facts["headers"] = [line for line in trailers if isinstance(line[1], str)]  # the others are binary
    return facts


def _first_request(answer: Any) -> Any:
    """Return the request that a chain of redirects began with: it is what another attempt would send again."""
    return _asked(_first_of(answer))


def _followed(answer: Any) -> bool:
    """Tell whether an answer is to a request of another method, which followed the first when that was processed."""
    first = _first_of(answer)
    return first is not answer and attribute(_asked(first), "method") != attribute(_asked(answer), "method")


def _first_of(answer: Any) -> Any:
    """Return the answer that a chain of redirects began with; what comes before one that is none is an auth flow's."""
    first, hops = answer, attribute(answer, "history")
    for hop in reversed(hops) if type(hops) in (list, tuple) else ():
        if not _redirects(hop):
            break
        first = hop
    return first


def _redirects(hop: Any) -> bool:
    statuses = attribute(hop, "status_code"), attribute(hop, "status")
    return any(isinstance(status, int) and status in REDIRECTS for status in statuses)


def _asked(answer: Any) -> Any:
    return attribute(answer, "request") or attribute(answer, "request_info")


def _requests_facts(response: Any) -> Facts:
    raw = attribute(attribute(response, "raw"), "headers")
    lines = _header_lines(raw if hasattr(raw, "getlist") else response.headers)
    return {"status": response.status_code, "headers": lines, "method": None} | _request_facts(
        _first_request(response)
    )


def _requests_body(response: Any) -> bytes | None:
    content = getattr(response, "_content", None)  # False until read; touching .content would read the stream
    return content if isinstance(content, bytes) else None


def _httpx_facts(response: Any) -> Facts:
    facts = {"status": response.status_code, "headers": response.headers.multi_items(), "method": None}
    return facts | _request_facts(_first_request(response))


def _httpx_release(response: Any) -> Any:
    if response.is_closed:
        return None
    return response.aclose() if hasattr(response.stream, "__aiter__") else response.close()


def _aiohttp_facts(response: Any) -> Facts:
    facts = {"status": response.status, "headers": list(response.headers.items()), "method": None}
    return facts | _request_facts(_first_request(response))


def _aiohttp_body(response: Any) -> bytes | None:
    content = getattr(response, "_body", None)  # None until read
    return content if isinstance(content, bytes) else None


def _urllib3_facts(response: Any) -> Facts:
    return {"status": response.status, "headers": list(response.headers.items()), "method": None}


_REQUESTS_LIKE: Final = Reader(_requests_facts, _requests_body, lambda response: response.close())
_HTTPX: Final = Reader(_httpx_facts, _requests_body, _httpx_release)

register("requests", "Response", _REQUESTS_LIKE)
register("httpx", "Response", _HTTPX)
register("httpx2", "Response", _HTTPX)
register(
    "aiohttp", "ClientResponse", Reader(_aiohttp_facts, _aiohttp_body, lambda response: response.release())
)
_URLLIB3: Final = Reader(_urllib3_facts, _aiohttp_body, lambda response: response.release_conn())
for _module, _class in (
    ("urllib3", "BaseHTTPResponse"),
    ("urllib3", "HTTPResponse"),  # before 2.0, and of urllib3-future, which also goes by the name of urllib3
    ("urllib3_future", "HTTPResponse"),
):
    register(_module, _class, _URLLIB3)
