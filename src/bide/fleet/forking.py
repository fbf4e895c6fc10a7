"""Locks for what callers share, which a forked child does not inherit held."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import Final, Protocol
from weakref import WeakSet


class Inherited(Protocol):
    """What a forked child has a copy of, and nobody of those who were at work on it."""

    def after_fork(self) -> None:
        """Take locks of this process alone: what the old ones were held for will never end."""


_INHERITED: Final[WeakSet[Inherited]] = WeakSet()


def lock_across_forks() -> threading.Lock:
    """
    Return a lock that nobody holds in a forked child.

    A fork waits until it is free: for locks of modules, held for a few steps only. They are never let go of.
    """
    lock = threading.Lock()
    with suppress(AttributeError):  # not on Windows
        os.register_at_fork(before=lock.acquire, after_in_child=lock.release, after_in_parent=lock.release)
    return lock


def tell_of_forks(owner: Inherited) -> None:
    """
    Have an object told in each child that is forked while it lives; it is not kept alive.

    No fork waits: for locks of objects, and for those that are held while a file is read.
    """
    _INHERITED.add(owner)


def _tell() -> None:
    for owner in list(_INHERITED):
        owner.after_fork()


with suppress(AttributeError):
    os.register_at_fork(after_in_child=_tell)
