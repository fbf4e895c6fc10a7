"""What one call went through, kept on its last exception or response, and told in that exception's notes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import attrs

from bide.policy.decision import EXHAUSTED, Reason

KEPT: Final = 100
_MARK: Final = "__bide__"
_NOTE: Final = "bide: "
_DEEPEST: Final = 8
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
    """The attempts of one call, oldest first; of a very long call the last hundred."""

    records: tuple[Record, ...]
    reason: Reason
    attempts: int
    retry_at: float | None = None

    def __getitem__(self, index: Any) -> Any:
        return self.records[index]

    def __len__(self) -> int:
        return len(self.records)

    def __str__(self) -> str:
        return "\n".join(_lines(self))


def history(of: object) -> History | None:
    """
    Return the attempts behind an exception or a response that came out of a policy, or None when there are none.

    A call that succeeds at once, or fails with what no rule is about, leaves no history.
    """
    return next((mark for one in _behind(of) if (mark := _mark_of(one)) is not None), None)


def exhausted(of: object) -> bool:
    """Tell whether a policy has already retried this, or what it was raised from, and given up."""
    found = history(of)
    return found is not None and found.reason in EXHAUSTED


def keep(of: object, kept: History) -> None:
    """Leave a history on an exception (with notes) or a response, where `history` finds it; some objects refuse."""
    try:
        object.__setattr__(of, _MARK, kept)
        if isinstance(of, BaseException):
            _note(of, kept)
    except (AttributeError, TypeError):
        return


def _note(error: BaseException, kept: History) -> None:
    notes = getattr(error, "__notes__", None)
    if isinstance(notes, list):  # the same instance may be raised by call after call
        notes[:] = [note for note in notes if not (isinstance(note, str) and note.startswith(_NOTE))]
    error.add_note(_NOTE + "\n".join(_lines(kept)))


def _lines(kept: History) -> Iterator[str]:
    attempts = "1 attempt" if kept.attempts == 1 else f"{kept.attempts} attempts"
    yield f"gave up after {attempts}: {kept.reason}"
    shown = kept.records[-_SHOWN:]
    if len(shown) < kept.attempts:
        yield f"  ({kept.attempts - len(shown)} earlier attempts not shown)"
    for record in shown:
        rule = "" if record.rule is None else f", rule {record.rule + 1}"
        source = f" ({record.source})" if record.source else ""
        waited = "" if record.delay is None else f", then waited {record.delay:.3g} s{source}"
        yield f"  attempt {record.attempt}: {record.outcome}{rule}{waited}"
    if kept.retry_at is not None:
        yield f"  a retry would be welcome at {kept.retry_at:.0f} (epoch seconds)"


def _mark_of(of: object) -> History | None:
    found = getattr(of, "__dict__", {}).get(_MARK)
    return found if isinstance(found, History) else None


def _behind(of: object) -> Iterator[object]:
    """Yield an object, its response if it is an exception with one, and what it was raised from."""
    current: object = of
    for _ in range(_DEEPEST):
        yield current
        if not isinstance(current, BaseException):
            return
        response = current.__dict__.get("response")
        if response is not None:
            yield response
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
        if current is None:
            return
