"""A lock for what callers share, which a forked child does not inherit held."""

from __future__ import annotations

import os
import threading
from contextlib import suppress


def lock_across_forks() -> threading.Lock:
    """
    Return a lock that nobody holds in a forked child.

    A fork waits until it is free: for locks of modules, held for a few steps only. They are never let go of.
    """
    lock = threading.Lock()
    with suppress(AttributeError):  # not on Windows
        os.register_at_fork(before=lock.acquire, after_in_child=lock.release, after_in_parent=lock.release)
    return lock
