"""What may be told of what an attempt came to: statuses and names, never texts, which may hold secrets."""

from __future__ import annotations

from bide.policy.outcome import Outcome


def told_of_outcome(outcome: Outcome) -> str:
    """Return a status, an exception's name, or "value"."""
    if outcome.error is not None:
        return name_of(outcome.error)
    return "value" if outcome.status is None else str(outcome.status)


def name_of(raw: object) -> str:
    """Return an exception's name, or "value" for whatever else an attempt came to."""
    return type(raw).__name__ if isinstance(raw, BaseException) else "value"


def told_of_fault(fault: Exception) -> str:
    """Return the name of what a user's own code raised, and where."""
    trace = fault.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = "" if trace is None else f" ({trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno})"
    return type(fault).__name__ + place
