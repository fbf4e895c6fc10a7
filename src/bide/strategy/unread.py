"""The body of an error that `urllib` raised, read without taking it away from whoever reads it next."""

from __future__ import annotations

import io
from typing import Any, Final

_MOST: Final = 65_536


class _Ahead(io.RawIOBase):
    """What was read already, and then the rest."""

    def __init__(self, beginning: bytes, rest: Any) -> None:
        self._beginning = io.BytesIO(beginning)
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        part = self._beginning.read(len(buffer)) or self._rest.read(len(buffer)) or b""
        buffer[: len(part)] = part
        return len(part)

    def close(self) -> None:
        self._rest.close()
        super().close()


def read_ahead(error: BaseException) -> bytes | None:
    """
    Return the body that an `HTTPError` of urllib carries; None for any other exception, and when it cannot be read.

    Other clients keep a body that has been read on their response. This exception is its own response, and keeps
    nothing, so that its body is read here, up to 64 KiB, and put back.
    """
    named = ((cls.__module__, cls.__name__) for cls in type(error).__mro__)
    file: Any = getattr(error, "fp", None)
    if ("urllib.error", "HTTPError") not in named or file is None:
        return None
    try:
        beginning = bytes(file.read(_MOST))
    except Exception:  # a connection that broke: the status and the headers tell enough
        return None
    again = io.BufferedReader(_Ahead(beginning, file))
    held: Any = error
    held.fp = held.file = again
    for name in ("read", "readline", "readlines", "readinto", "close", "fileno"):
        vars(error).pop(name, None)  # it remembers methods of the file that it had
    return beginning
