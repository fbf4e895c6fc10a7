"""Hang what the user's own code raised (a condition, a delay, a listener) on the error that it must not hide."""

from __future__ import annotations

from collections.abc import Iterator

from bide.engine.history import note
from bide.engine.told import told_of_fault


def chain(error: BaseException, fault: Exception, what: str) -> None:
    """Hang a fault at the end of an error's context, and say so in a note; neither replaces the other."""
    told = told_of_fault(fault)
    detach(fault, error)
    hang(error, fault, f"{what} raised {told}")


def hang(error: BaseException, fault: Exception, said: str) -> None:
    """Do as `chain` does with a fault that is detached already, and may hang on other calls' errors too."""
    if fault is error:  # raised again as it was
        return
    end, seen = error, {id(error), id(fault)}
    while end.__context__ is not None and id(end.__context__) not in seen:
        end = end.__context__
        seen.add(id(end))
    if end.__context__ is None:
        _set(end, "__context__", fault)
    note(error, said)


def detach(fault: BaseException, error: BaseException | None) -> None:
    """
    Cut a fault off the error that was being handled when it was raised, and off the frames that it went through.

    Those frames hold the outcome, which holds the error: kept, each would be a circle. Listeners have seen them by now.
    """
    for one in _chained(fault, error):
        _set(one, "__traceback__", None)
        _cut(one, error)


def isolate(fault: BaseException) -> None:
    """
    Cut a fault off what was being handled around the code that raised it: the call's own error, or its caller's.

    Logs show all that a fault came from, and the text of a client's error may hold addresses and credentials. What that
    code itself handled on the way stays.
    """
    foreign = next((one.__context__ for one in _chained(fault, None) if not _handled_its_context(one)), None)
    if foreign is not None:
        for one in _chained(fault, foreign):
            _cut(one, foreign)


def _handled_its_context(error: BaseException) -> bool:
    """Tell whether what an error was raised in the handling of, if anything, was handled on that error's own way up."""
    context, trace = error.__context__, error.__traceback__
    if context is None or context.__traceback__ is None:
        return True
    while trace is not None and trace.tb_frame is not context.__traceback__.tb_frame:
        trace = trace.tb_next
    return trace is not None


def _cut(one: BaseException, error: BaseException | None) -> None:
    if one.__context__ is error:
        _set(one, "__context__", None)
    if one.__cause__ is error:
        _set(one, "__cause__", None)


def _set(error: BaseException, name: str, value: object) -> None:
    object.__setattr__(error, name, value)  # a frozen exception has no way to refuse this


def _chained(fault: BaseException, error: BaseException | None) -> Iterator[BaseException]:
    """Yield a fault and all that it came from, up to the error."""
    waiting: list[BaseException | None] = [fault]
    seen = {id(error)}
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            waiting += [one.__cause__, one.__context__]
            yield one
