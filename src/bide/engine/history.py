"""What one call went through, kept on its last exception or response, and told in that exception's notes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Final, cast, overload

import attrs

from bide.engine.nesting import tick
from bide.policy.decision import EXHAUSTED, Reason
from bide.policy.durations import digits

KEPT: Final = 100
_MARK: Final = "__bide__"
_NOTE: Final = "bide: "
_DEEPEST: Final = 8
_CARRIED: Final = ("response", "request_info")
_SHOWN: Final = 10


@attrs.frozen
class Record:
    """
    One attempt: what it came to, the rule that decided, and what followed.

    `outcome` is a status or an exception's name; `rule` an index from 0, None when none matched; `delay` the seconds
    waited after it, None after the last; `reason` why there was no retry, None when there was one; `source` the hint.
    """

    attempt: int
    outcome: str
    rule: int | None
    delay: float | None
    reason: Reason | None
    source: str | None = None


@attrs.frozen
class History(Sequence[Record]):
    """
    The attempts of one call, oldest first; of a very long call the last hundred.

    `reason` says why there were no more, `attempts` how many there were, `retry_at` (epoch seconds) when one would be
    welcome. `inner` is the history of a policy inside this one, when that had exhausted its attempts already.
    """

    records: tuple[Record, ...]
    reason: Reason
    attempts: int
    retry_at: float | None = None
    inner: History | None = None

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Record, ...]: ...
    def __getitem__(self, index: int | slice) -> Record | tuple[Record, ...]:
        return self.records[index]

    def __len__(self) -> int:
        return len(self.records)

    def __str__(self) -> str:
        return "\n".join(_lines(self))


class Mark:
    """
    A history where it is kept, and whether it is news to somebody.

    `awaited`: another call of ours waited for the one that left it. `serial`: when it was left. Exceptions and
    responses may be raised and returned again by later calls, to which an old mark says nothing.
    """

    __slots__ = ("awaited", "history", "serial")

    def __init__(self, history: History, *, awaited: bool = False) -> None:
        self.history = history
        self.awaited = awaited
        self.serial = tick()

    def news(self, since: int | None) -> bool:
        """Tell whether this was left while the attempt that now came to it was running, as far as can be told."""
        return self.awaited or (since is not None and self.serial > since)

    def __reduce__(self) -> tuple[Any, ...]:
        return Mark, (self.history,)  # from another process: left just now, as far as this one can tell


def history(of: object) -> History | None:
    """
    Return the attempts behind an exception or a response that came out of a policy, or None when there are none.

    A call that succeeds, or fails at once with what no rule is about, leaves no history.
    """
    return next((mark.history for mark in _marks(of)), None)


def exhausted(of: object, since: int | None = None) -> bool:
    """Tell whether a policy inside this attempt has already retried what it came to, and given up."""
    return any(mark.history.reason in EXHAUSTED and mark.news(since) for mark in _marks(of))


def spend(of: object) -> History | None:
    """Return the history that a policy inside left, and let nobody else be told of it: it is news but once."""
    marks = list(_marks(of))
    for mark in marks:
        mark.awaited, mark.serial = False, 0
    return marks[0].history if marks else None


def keep(of: object, kept: History, *, awaited: bool = False) -> None:
    """Leave a history on an exception (with notes) or a response, where `history` finds it; some objects refuse."""
    mark = Mark(kept, awaited=awaited)
    carried = attribute(
        of, "request_info"
    )  # what an aiohttp response hands to the error that it is raised as
    for one in (of,) if carried is None else (of, carried):
        with suppress(AttributeError, TypeError):
            object.__setattr__(one, _MARK, mark)
    if isinstance(of, BaseException) and kept.reason is not Reason.ACCEPTED:
        note(of, "\n".join(_lines(kept)), beside=kept.inner is not None)


def note(error: BaseException, text: str, *, beside: bool = True) -> None:
    """Add a note to an exception, beside those that we left on it or in their place; some exceptions refuse."""
    notes = error.__dict__.get("__notes__")
    if notes is None:
        notes = error.__dict__["__notes__"] = []  # a frozen exception has no way to refuse this
    if not isinstance(notes, list):
        return
    said = cast("list[object]", notes)
    if not beside:  # the same instance may be raised by call after call
        said[:] = [old for old in said if not (isinstance(old, str) and old.startswith(_NOTE))]
    said.append(_NOTE + text)


def attribute(of: object, name: str) -> Any:
    """Return an attribute of somebody's object, or None: properties may raise, as httpx's of what was never set."""
    try:
        return getattr(of, name, None)
    except Exception:
        return None


def _lines(kept: History) -> Iterator[str]:
    attempts = "1 attempt" if kept.attempts == 1 else f"{kept.attempts} attempts"
    ended = "ended" if kept.reason in (Reason.SUCCEEDED, Reason.ACCEPTED) else "gave up"
    yield f"{ended} after {attempts}: {kept.reason}"
    shown = kept.records[-_SHOWN:]
    if len(shown) < kept.attempts:
        yield f"  ({kept.attempts - len(shown)} earlier attempts not shown)"
    for record in shown:
        rule = "" if record.rule is None else f", rule {record.rule + 1}"
        source = f" ({record.source})" if record.source else ""
        waited = "" if record.delay is None else f", then waited {digits(record.delay)} s{source}"
        yield f"  attempt {record.attempt}: {record.outcome}{rule}{waited}"
    if kept.retry_at is not None:
        yield f"  a retry would be welcome at {kept.retry_at:.0f} (epoch seconds)"


def _marks(of: object) -> Iterator[Mark]:
    for one in _behind(of):
        found = getattr(one, "__dict__", {}).get(_MARK)
        if isinstance(found, Mark):
            yield found


def _behind(of: object) -> Iterator[object]:
    """Yield an object, its response if it is an exception with one, and what it was raised from."""
    current: object = of
    for _ in range(_DEEPEST):
        yield current
        if not isinstance(current, BaseException):
            return
        yield from (found for name in _CARRIED if (found := attribute(current, name)) is not None)
        current = current.__cause__ or _caught_on_the_way(current)
        if current is None:
            return


def _caught_on_the_way(error: BaseException) -> BaseException | None:
    """
    Return the exception in whose handling this one was raised, if that was handled on this one's own way up.

    What the caller was handling when it called (a fallback, in `except`) is in the context too, and is none of it.
    """
    context = error.__context__
    if context is None or error.__suppress_context__ or context.__traceback__ is None:
        return None
    caught_in = context.__traceback__.tb_frame
    trace = error.__traceback__
    while trace is not None and trace.tb_frame is not caught_in:
        trace = trace.tb_next
    return None if trace is None else context
