"""One fault, one name: what each client raises for it. The only place where a scenario meets a client's classes."""

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
_COLUMNS = {"httpx": 0, "httpx2": 0, "function": 0, "requests": 1, "aiohttp": 2}


def fault_class(family, variant_family):
    """The name of the class that a client raises for a fault."""
    return FAMILIES[family][_COLUMNS[variant_family]]


def own_error(error):
    """The client's own exception: aiohttp's is the cause of the one that keeps aiohttp from repeating the request."""
    return error.__cause__ if type(error).__name__ == "RetriesExhausted" else error
