"""One fault, one name: what each client's exception says about where and how an attempt failed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, cast

import attrs

PHASES: Final = ("pool", "connect", "write", "read", "body", "attempt")
_DEEPEST_CAUSE: Final = 8


@attrs.frozen
class Fault:
    """
    Where an attempt failed (one of `PHASES`, or None when nobody can tell), and what is certain about it.

    `unsent`: the server cannot have processed the request. `network`: a transport failure that may pass by itself;
    a certificate that does not verify is none.
    """

    phase: str | None = None
    timed_out: bool = False
    unsent: bool = False
    network: bool = False


NO_FAULT: Final = Fault()
_CONNECT: Final = Fault("connect", unsent=True, network=True)
_CONNECT_TIMEOUT: Final = Fault("connect", timed_out=True, unsent=True, network=True)
_CERTIFICATE: Final = Fault("connect", unsent=True)
_POOL: Final = Fault("pool", timed_out=True, unsent=True, network=True)
_WRITE: Final = Fault("write", network=True)
_WRITE_TIMEOUT: Final = Fault("write", timed_out=True, network=True)
_READ: Final = Fault("read", network=True)
_READ_TIMEOUT: Final = Fault("read", timed_out=True, network=True)
_BODY: Final = Fault("body", network=True)
_TIMEOUT: Final = Fault(timed_out=True, network=True)
_UNKNOWN: Final = Fault(network=True)
_REFUSED_STREAM: Final = Fault("write", unsent=True, network=True)

_HTTPX: Final = {
    "ConnectTimeout": _CONNECT_TIMEOUT, "ReadTimeout": _READ_TIMEOUT, "WriteTimeout": _WRITE_TIMEOUT,
    "PoolTimeout": _POOL, "TimeoutException": _TIMEOUT, "ConnectError": _CONNECT, "ProxyError": _CONNECT,
    "ReadError": _READ, "WriteError": _WRITE, "CloseError": _READ, "RemoteProtocolError": _READ,
    "NetworkError": _UNKNOWN, "LocalProtocolError": NO_FAULT, "UnsupportedProtocol": NO_FAULT,
    "TransportError": _UNKNOWN,
}  # fmt: skip
_URLLIB3: Final = {
    "NewConnectionError": _CONNECT, "NameResolutionError": _CONNECT, "ConnectTimeoutError": _CONNECT_TIMEOUT,
    "ReadTimeoutError": _READ_TIMEOUT, "IncompleteRead": _BODY, "InvalidChunkLength": _BODY, "ProtocolError": _READ,
    "SSLError": _CERTIFICATE, "ProxyError": _READ, "EmptyPoolError": _POOL, "TimeoutError": _TIMEOUT,
    "InvalidHeader": _READ,  # of a response; one that cannot be sent is the error of requests itself
}  # fmt: skip
_TABLE: Final[dict[str, dict[str, Fault]]] = {
    "httpx": _HTTPX,
    "httpx2": _HTTPX,
    "httpcore": _HTTPX,
    "httpcore2": _HTTPX,
    "urllib3": _URLLIB3,
    "requests": {
        "ConnectTimeout": _CONNECT_TIMEOUT, "ReadTimeout": _READ_TIMEOUT, "Timeout": _TIMEOUT,
        "SSLError": _CERTIFICATE, "ProxyError": _READ, "ChunkedEncodingError": _BODY, "ConnectionError": _READ,
    },
    "aiohttp": {
        "ClientConnectorCertificateError": _CERTIFICATE, "ClientConnectorSSLError": _CONNECT,
        "ClientConnectorError": _CONNECT, "ConnectionTimeoutError": _CONNECT_TIMEOUT,
        "ClientHttpProxyError": _CONNECT,
        "SocketTimeoutError": _READ_TIMEOUT, "ServerTimeoutError": _TIMEOUT, "ServerDisconnectedError": _READ,
        "ClientConnectionResetError": _WRITE, "ClientOSError": _READ, "ClientPayloadError": _BODY,
        "ClientConnectionError": _UNKNOWN,
    },
    "botocore": {
        "ConnectTimeoutError": _CONNECT_TIMEOUT, "ReadTimeoutError": _READ_TIMEOUT,
        "EndpointConnectionError": _CONNECT, "SSLError": _CERTIFICATE, "ProxyConnectionError": _READ,
        "ConnectionClosedError": _READ, "ResponseStreamingError": _BODY, "HTTPClientError": _UNKNOWN,
    },
    "azure": {
        "ServiceRequestTimeoutError": _CONNECT_TIMEOUT, "ServiceRequestError": _UNKNOWN,
        "ServiceResponseTimeoutError": _READ_TIMEOUT, "ServiceResponseError": _READ, "IncompleteReadError": _BODY,
    },
    "bide": {"AttemptTimeout": Fault("attempt", timed_out=True, network=True)},
    "h2": {"ProtocolError": NO_FAULT},
    "http": {"IncompleteRead": _BODY, "BadStatusLine": _READ},
    "socket": {"gaierror": _CONNECT},
    "ssl": {"SSLCertVerificationError": _CERTIFICATE, "SSLError": _UNKNOWN},
    "builtins": {
        "ConnectionRefusedError": _CONNECT, "BrokenPipeError": _WRITE, "ConnectionError": _READ,
        "TimeoutError": _TIMEOUT,
    },
}  # fmt: skip
_WRAPPERS: Final = {_CONNECT, _READ, _UNKNOWN, _CERTIFICATE}  # said of many things: the cause may know better
# What h2 says of a stream, or of a whole connection, on which the server did nothing; it stands nowhere but in the text.
_NOTHING_DONE: Final = re.compile(
    r"<StreamReset stream_id:\d+, error_code:(7|ErrorCodes\.REFUSED_STREAM)\b"
    r"|<ConnectionTerminated error_code:[\w.]+, last_stream_id:0\b"
)
_NO_TUNNEL: Final = "Tunnel connection failed"  # http.client, of a proxy that says no to CONNECT


def fault_of(error: BaseException) -> Fault:
    """
    Return what an exception says about the transport, `NO_FAULT` when it is none of the transport's.

    Read from the names in the exception's MRO, so that no client is imported, and from its causes: clients wrap.
    """
    fault = _named(error)
    if fault is None:
        known = (cause for cause in _causes(error, explicit=True) if _named(cause) is not None)
        return next(map(fault_of, known), NO_FAULT)
    if fault in _WRAPPERS:
        for cause in _causes(error, explicit=False):
            deeper = _named(cause)
            if deeper is _CERTIFICATE and _is_certificate(cause):
                return _CERTIFICATE
            if deeper is not None and (
                (deeper.unsent and not fault.unsent) or (deeper.timed_out and not fault.timed_out)
            ):
                fault = deeper
    if fault is _CERTIFICATE and not _is_certificate(error):
        fault = _READ
    if fault is _READ and _came_through(error, "do_handshake"):
        return _CONNECT
    if fault is _READ and _came_through(error, "_receive_response_body"):
        return _BODY  # httpcore has one exception for a head and for a body that broke off
    if fault is _TIMEOUT and any(
        type(cause).__name__ == "ProtocolError" for cause in _causes(error, explicit=False)
    ):
        return _WRITE_TIMEOUT  # urllib3 has a name of its own for every other timeout
    if fault is NO_FAULT and _came_through(error, "receive_data"):
        return _READ  # h2 found fault with what the server sent, and httpcore calls it a local error
    return fault


def _named(error: BaseException) -> Fault | None:
    for cls in type(error).__mro__:
        fault = _TABLE.get(str(cls.__module__).partition(".")[0], {}).get(cls.__name__)
        if fault is not None:
            if cls.__name__ == "RemoteProtocolError" and _NOTHING_DONE.match(said_by(error)):
                return _REFUSED_STREAM
            return fault
    return _CONNECT if isinstance(error, OSError) and said_by(error).startswith(_NO_TUNNEL) else None


def _is_certificate(error: BaseException) -> bool:
    """Tell a certificate that does not verify from a TLS handshake that merely broke: only the first is lasting."""
    if any(
        cls.__name__.endswith(("CertVerificationError", "CertificateError")) for cls in type(error).__mro__
    ):
        return True
    return any(_is_certificate(cause) for cause in _causes(error, explicit=False))


def _came_through(error: BaseException, function: str) -> bool:
    """
    Tell whether an error, or what it was raised from, arose in a function of this name, at any depth.

    A TLS handshake that broke differs so from TLS that broke later, when the request had been sent.
    """
    for one in (error, *_causes(error, explicit=False)):
        trace = one.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_name == function:
                return True
            trace = trace.tb_next
    return False


def said_by(error: BaseException) -> str:
    """Return an exception's text; "" where its class cannot tell it."""
    try:
        return str(error)
    except Exception:
        return ""


def _attribute(error: BaseException, name: str) -> object:
    try:
        return getattr(error, name, None)
    except Exception:  # a property of somebody's exception
        return None


def _causes(error: BaseException, *, explicit: bool) -> Iterator[BaseException]:
    """Yield what an exception was raised from, nearest first; some clients keep it in an attribute, or in `args`."""
    seen = {id(error)}
    current: BaseException | None = error
    for _ in range(_DEEPEST_CAUSE):
        if current is None:
            return
        kept = (_attribute(current, "reason"), _attribute(current, "inner_exception"))  # urllib3's, azure's
        args = _attribute(current, "args")
        first = cast("tuple[object, ...]", args)[0] if isinstance(args, tuple) and args else None
        hidden = current.__suppress_context__ or explicit
        candidates = (current.__cause__, *kept, first, None if hidden else current.__context__)
        current = next((c for c in candidates if isinstance(c, BaseException) and id(c) not in seen), None)
        if current is not None:
            seen.add(id(current))
            yield current
