"""Follow a file: hold what it says, look at it again when asked, and never let go of what is good for what is not."""

from __future__ import annotations

import errno
import logging
import os
import stat
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, Generic, TypeVar

from bide.engine.clock import Clock
from bide.fleet.forking import tell_of_forks
from bide.strategy.findings import Finding, StrategyError
from bide.strategy.text import text_of

T = TypeVar("T")
Signature = tuple[int, ...]

COARSEST: Final = 2.0
"""Seconds that the clock of a file system may stand still: two writes within them may look the same from outside."""
_PATIENCE: Final = 5
"""How often `reload` reads a file that changes while it is read."""
_BEING_WRITTEN: Final = "the file changes while it is read"
_logger: Final = logging.getLogger("bide")


class Watch(Generic[T]):
    """
    What a file says, as far as it was good; shared freely by threads and tasks.

    Nothing runs in the background: whoever asks looks, if a look is due, and all others go on with what is in force.
    A look that finds nothing new costs one `stat`.

    Attributes:
        path: The file.
        error: What is wrong with the file as it is, or None when what it says is in force.
    """

    __slots__ = (
        "__weakref__", "_clock", "_due", "_every", "_held", "_lock", "_name", "_read", "_seen", "_signature", "_since",
        "_text", "_trusted", "error", "path",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        path: str,
        text: str,
        held: T,
        read: Callable[[str], tuple[T | None, Sequence[Finding]]],
        every: float,
        clock: Clock,
    ) -> None:
        self.path = path
        self.error: StrategyError | None = None
        self._name = name
        self._held: T = held
        self._text = text
        self._read = read
        self._every = every
        self._clock = clock
        self._due = clock.monotonic()
        self._lock = threading.RLock()  # a signal may arrive in the middle of a look, and ask for another
        self._seen: str | None = text  # what the last look read, good or bad
        self._signature: Signature | None = None
        self._since = self._due  # when that signature was first seen
        self._trusted = False
        tell_of_forks(self)

    def current(self) -> T:
        """Return what is in force, after a look at the file if one is due; never raises, and waits for nobody."""
        now = self._clock.monotonic()
        lock = self._lock  # the same to the end, also in a child that is forked meanwhile
        if now >= self._due and lock.acquire(blocking=False):
            try:
                self._look(now)
            finally:
                lock.release()
        return self._held

    def reload(self) -> bool:
        """
        Look at the file now, and return whether something else is in force since.

        Raises:
            StrategyError: it is bad, or cannot be read; what is in force stays.
        """
        with self._lock:
            before = self._held
            self._trusted = False
            if not any(self._look(self._clock.monotonic()) for _ in range(_PATIENCE)):
                raise StrategyError([Finding("unreadable-file", _BEING_WRITTEN, self.path)])
            if self.error is not None:
                raise StrategyError(self.error.findings)
            return self._held is not before

    def after_fork(self) -> None:
        """Begin anew in a forked child, where whoever was in the middle of a look will not end it."""
        self._lock = threading.RLock()
        self._due = self._clock.monotonic()
        self._trusted = False

    def _look(self, now: float) -> bool:
        """Look at the file, and return whether it stood still."""
        self._due = now + self._every
        signature = signature_of(self.path)
        known = signature == self._signature
        if known and self._trusted:
            return True
        text = text_of(self.path) if _is_file(signature) else _no_file(signature, self.path)
        if signature_of(self.path) != signature:
            return False
        if not known:
            self._signature, self._since = signature, now
        if isinstance(text, Finding):  # never trusted: who may read a file is told elsewhere too
            self._seen = None
            self._refuse([text])
            return True
        if text != self._seen:
            self._judge(text)
            self._seen = text
        self._trusted = known and now - self._since >= COARSEST
        return True

    def _judge(self, text: str) -> None:
        """Take what a text says, or say why it is not taken."""
        if text == self._text:
            self._accept("says again what is in force")
            return
        found, findings = self._read(text)
        if found is None:
            self._refuse(findings)
        else:
            self._held, self._text = found, text
            self._accept("was read again, and is in force")

    def _accept(self, what: str) -> None:
        self.error = None
        _log(logging.INFO, "strategy %s: %s %s", self._name, self.path, what)

    def _refuse(self, findings: Sequence[Finding]) -> None:
        """Keep what is in force, and tell why, unless that was told already."""
        if self.error is None or self.error.findings != tuple(findings):
            self.error = StrategyError(findings)
            _log(logging.ERROR, "strategy %s: what was in force stays; %s", self._name, _line(self.error))


def signature_of(path: str) -> Signature:
    """Return what changes when a file does, links followed; of a file that is not there, the number of the error."""
    try:
        seen = os.stat(path)  # noqa: PTH116  # pathlib costs more to import than it gives here
    except OSError as error:
        return (error.errno or errno.EIO,)
    return seen.st_mode, seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns


def _is_file(signature: Signature) -> bool:
    return len(signature) > 1 and stat.S_ISREG(signature[0])


def _no_file(signature: Signature, path: str) -> Finding:
    """Return why there is nothing to read. A pipe or a device is never opened: it might never answer, or never end."""
    why = os.strerror(signature[0]) if len(signature) == 1 else "it is no regular file"
    return Finding("unreadable-file", f"the file cannot be read: {why}", path)


def _line(error: StrategyError) -> str:
    """Return an error as one line of a log."""
    place = error.file if error.line is None else f"{error.file}:{error.line}:{error.column}"
    key = "" if error.key is None else f"{error.key}: "
    advice = "" if error.advice is None else f"; advice: {error.advice}"
    more = len(error.findings) - 1
    rest = f" ({more} more: `bide check` shows them all)" if more else ""
    return f"{place}: {error.findings[0].code}: {key}{error.message}{advice}{rest}"


def _log(level: int, text: str, *args: object) -> None:
    with suppress(Exception):  # a call that looked is not to fail by what a handler of logs does
        _logger.log(level, text, *args)
