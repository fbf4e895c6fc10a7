"""Lets freezegun show everybody the time of a virtual clock, without stopping the event loops."""

from __future__ import annotations

import datetime as dt
import importlib
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

_EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001  # freezegun counts in naive UTC


@contextmanager
def frozen(
    read: Callable[[], float],
    listening: Callable[[Callable[[], None]], AbstractContextManager[None]],
    options: dict[str, Any],
) -> Generator[Any]:
    """
    Freeze time at `read()` for the block, and move it whenever the clock moves.

    Args:
        read: Wall time, in seconds since 1970.
        listening: Makes the context in which a function is called after each move of the clock.
        options: Keyword arguments of `freezegun.freeze_time`.

    Raises:
        ImportError: freezegun is not installed.
    """
    import freezegun  # here only: nobody else needs it, and it costs time to load

    with suppress(ImportError):  # a trio first imported while time is frozen would keep the frozen counter
        importlib.import_module("trio")
    options.setdefault("real_asyncio", True)
    with freezegun.freeze_time(_datetime(read()), **options) as factory:

        def follow() -> None:
            factory.move_to(_datetime(read()))

        with _trio_running(freezegun.api.real_perf_counter), listening(follow):
            yield factory


def _datetime(epoch: float) -> dt.datetime:
    return _EPOCH + dt.timedelta(seconds=epoch)


@contextmanager
def _trio_running(real_counter: Callable[[], float]) -> Generator[None]:
    """Give trio's loop, which reads a counter of its own module, the real one back."""
    try:
        from trio._core import _run
    except ImportError:
        yield
        return
    name = "perf_counter"
    inherited = getattr(_run, name)
    setattr(_run, name, real_counter)
    try:
        yield
    finally:
        setattr(_run, name, inherited)
