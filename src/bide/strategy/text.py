"""The text of a strategy's file, or why it cannot be read."""

from __future__ import annotations

from codecs import BOM_UTF8
from typing import Final

from bide.strategy.findings import Finding

LARGEST_FILE: Final = 1_048_576
"""Bytes of the largest file that is read."""


def text_of(path: str) -> str | Finding:
    """Return what a file says, its lines ending as on Unix; or the finding that it is missing, too large or no UTF-8."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123  # pathlib costs more to import than it gives here
            data = file.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        return Finding("unreadable-file", f"the file cannot be read: {why}", path)
    if len(data) > LARGEST_FILE:
        return Finding("unreadable-file", f"the file is larger than {LARGEST_FILE} bytes", path)
    data = data.removeprefix(BOM_UTF8)
    try:
        return data.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        return _not_utf8(path, data, error.start)


def _not_utf8(path: str, data: bytes, at: int) -> Finding:
    start = data.rfind(b"\n", 0, at) + 1
    before = data[start:at].decode("utf-8", "replace")
    line = data[start:].partition(b"\n")[0].decode("utf-8", "replace")
    return Finding(
        "unreadable-file", f"byte 0x{data[at]:02x} is no UTF-8", path, advice="save the file as UTF-8",
        line=data.count(b"\n", 0, at) + 1, column=len(before) + 1, excerpt=line,
    )  # fmt: skip
