"""Hang what the user's own code raised (a condition, a delay, a listener) on the error that it must not hide."""

from __future__ import annotations

from collections.abc import Iterator

from bide.engine.history import note


def chain(error: BaseException, fault: Exception, what: str) -> None:
    """Hang a fault at the end of an error's context, and say so in a note; neither replaces the other."""
    if fault is error:  # raised again as it was
        return
    said = f"{what} raised {type(fault).__name__}{_place(fault)}"
    _detach(fault, error)
    end, seen = error, {id(error), id(fault)}
    while end.__context__ is not None and id(end.__context__) not in seen:
        end = end.__context__
        seen.add(id(end))
    if end.__context__ is None:
        end.__context__ = fault
    note(error, said)


def _place(fault: Exception) -> str:
    trace = fault.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f" ({trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno})"


def _detach(fault: BaseException, error: BaseException) -> None:
    """
    Cut a fault off the error that was being handled when it was raised, and off the frames that it went through.

    Those frames hold the outcome, which holds the error: kept, each would be a circle. Listeners have seen them by now.
    """
    for one in _chained(fault, error):
        one.__traceback__ = None
        if one.__context__ is error:
            one.__context__ = None
        if one.__cause__ is error:
            one.__cause__ = None


def _chained(fault: BaseException, error: BaseException) -> Iterator[BaseException]:
    """Yield a fault and all that it came from, up to the error."""
    waiting: list[BaseException | None] = [fault]
    seen = {id(error)}
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            waiting += [one.__cause__, one.__context__]
            yield one
