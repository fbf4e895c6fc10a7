"""One fault, one name: what each client raises for it. The only place where a scenario meets a client's classes."""

import aiohttp
import httpx
import httpx2
import requests

from bide.adapters.aiohttp import RetriesExhausted

FAMILIES = {
    # httpx, httpx2 and the decorated function; requests; aiohttp
    "closed before the answer": ("RemoteProtocolError", "ConnectionError", "ServerDisconnectedError"),
    "reset": ("ReadError", "ConnectionError", "ClientOSError"),
    "no HTTP": ("RemoteProtocolError", "ConnectionError", "ClientResponseError"),
    "head cut off": ("RemoteProtocolError", None, "ServerDisconnectedError"),
    "body cut off": ("RemoteProtocolError", "ChunkedEncodingError", "ClientPayloadError"),
    "body reset": ("ReadError", "ConnectionError", "ClientPayloadError"),
    "bad chunk": ("RemoteProtocolError", "ChunkedEncodingError", "ClientResponseError"),
    "refused": ("ConnectError", "ConnectionError", "ClientConnectorError"),
    "no gzip": ("DecodingError", "ContentDecodingError", "ClientPayloadError"),
    "read timeout": ("ReadTimeout", "ReadTimeout", "SocketTimeoutError"),
}
_COLUMNS = {"requests": 1, "aiohttp": 2}
_MODULES = {
    "httpx": httpx,
    "httpx-client": httpx,
    "httpx2": httpx2,
    "httpx2-client": httpx2,
    "function": httpx,
    "requests": requests,
    "aiohttp": aiohttp,
}


def fault_class(family, variant_family):
    """The class of exception that a client raises for a fault."""
    module = _MODULES[variant_family]
    name = FAMILIES[family][_COLUMNS.get(variant_family, 0)]
    return getattr(module, name, None) or getattr(module.exceptions, name)


def response_class(variant_family):
    """The class of a client's responses."""
    module = _MODULES[variant_family]
    return module.ClientResponse if module is aiohttp else module.Response


def own_error(error):
    """The client's own exception: aiohttp's is the cause of the one that keeps aiohttp from repeating the request."""
    return error.__cause__ if isinstance(error, RetriesExhausted) else error
