"""One call's state, made at its first failure: it asks the policy what follows, and remembers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from bide.engine.chaining import chain
from bide.engine.events import AttemptFailed, ConditionFailed, GaveUp, RetryScheduled, Succeeded
from bide.engine.history import KEPT, History, Record, keep, spend
from bide.engine.nesting import another_waits, tick
from bide.engine.readers import outcome_of_error, outcome_of_value, reader_for
from bide.engine.timeouts import bounded
from bide.policy.decision import Accept, GiveUp, Reason, Retry, State
from bide.policy.outcome import Outcome

if TYPE_CHECKING:
    from bide.engine.plan import Row
    from bide.engine.settings import Settings

Entry = tuple[str, "int | None", "float | None", "Reason | None", "str | None"]


class Call:
    """
    What one use of a policy remembers.

    The loops ask `failed(error)` and `returned(value)` whether another attempt follows, and wait `delay` before it. An
    exception is never kept: only what is told of it.
    """

    __slots__ = (
        "attempt", "began", "delay", "entries", "fn", "last", "previous", "rejected", "settings", "since", "spent",
        "started", "used",
    )  # fmt: skip
    frames: ClassVar[int] = 1
    """How many loops or wrappers on the stack are this call's own."""

    def __init__(self, settings: Settings, fn: Callable[..., Any], started: float | None = None) -> None:
        self.settings = settings
        self.fn = fn
        self.started = self.began = started
        self.attempt = 1
        self.delay: float | None = None
        self.previous = 0.0
        self.last = False
        self.used = [0] * settings.size
        self.spent = [0.0] * settings.size
        self.entries: list[Entry] = []
        self.rejected: object = None
        self.since: int | None = (
            None  # the tick after which a history is news; None: nobody looked at the time
        )

    @classmethod
    def taken_over(
        cls, settings: Settings, fn: Callable[..., Any], row: Row, delays: Sequence[float]
    ) -> Call:
        """Return a call that has failed as one row of the plan foresaw, once before each of these delays."""
        call = cls(settings, fn)
        call.attempt += len(delays)
        call.used[row.rule] = len(delays)
        call.previous = delays[-1]
        call.entries.extend((row.cls.__name__, row.rule, delay, None, None) for delay in delays)
        return call

    # -- what the loops ask

    def failed(self, error: Exception) -> bool:
        """Take in what an attempt raised, and tell whether another follows after `delay` seconds."""
        _forget_older_attempts(error)
        try:
            outcome = outcome_of_error(
                error, elapsed=self._took(), body=self.settings.reads_error_bodies, since=self.since
            )
        except Exception as fault:  # a reader's, or a clock's
            self._report(fault, error)
            return False
        return self._goes_on(outcome, error)

    def returned(self, value: object) -> bool:
        """Take in what an attempt returned, and tell whether another follows after `delay` seconds."""
        settings = self.settings
        try:
            if not settings.judges_values or (reader_for(value) is None and not settings.sees_values):
                self._end_well()
                return False
            outcome = outcome_of_value(value, elapsed=self._took(), since=self.since)
            if outcome.status in settings.body_statuses:
                outcome = outcome_of_value(value, elapsed=outcome.elapsed, body=True, since=self.since)
        except Exception as fault:
            self._report(fault, value)
            return False
        return self.judged(outcome, value)

    def judged(self, outcome: Outcome, value: object) -> bool:
        """Take in an outcome that was read already, of an attempt that returned; the same answer as `returned`."""
        if not self._goes_on(outcome, value):
            return False
        self.rejected = value
        return True

    def next_attempt(self) -> None:
        """Begin another attempt: nothing of the one before is kept."""
        self.rejected = None
        if self.started is not None:
            self.began = self.settings.clock.monotonic()

    def release(self) -> None:
        """Let go of a rejected response before the wait, so that its connection can serve the next attempt."""
        rejected, self.rejected = self.rejected, None
        try:
            reader = reader_for(rejected)
            if reader is not None:
                reader.release(rejected)
        except Exception as fault:  # a connection that cannot be given back is lost; the call is not
            self._report(fault, rejected)

    async def arelease(self) -> None:
        """Let go of a rejected response, awaiting its client where that is how it is done."""
        rejected, self.rejected = self.rejected, None
        try:
            reader = reader_for(rejected)
            released = None if reader is None else reader.release(rejected)
            if isinstance(released, Awaitable):
                await released
        except Exception as fault:  # as above
            self._report(fault, rejected)

    async def bounded(self, /, *args: Any, **kwargs: Any) -> Any:
        """Run one attempt of the coroutine function, bounded by the timeout and by what is left of the deadline."""
        return await bounded(self.settings.clock, self.time_allowed(), self.fn, *args, **kwargs)

    def time_allowed(self) -> float:
        """Return the seconds that an attempt beginning now may take; infinity when nothing bounds it."""
        limits = self.settings.policy.limits
        bounds = [] if limits.timeout is None else [limits.timeout]
        if limits.within is not None:
            bounds.append(max(0.0, limits.within - self._elapsed()))
        return min(bounds, default=float("inf"))

    # -- what follows

    def _goes_on(self, outcome: Outcome, raw: object) -> bool:
        try:
            decision = self.settings.policy.decide(outcome, self._state())
        except Exception as fault:  # a condition or delay of the user's: the call's own outcome stands
            self._report(fault, raw)
            return False
        if isinstance(decision, Retry):
            self._schedule(decision, outcome, raw)
            return True
        if isinstance(decision, Accept):
            self._accept(decision, outcome, raw)
        else:
            self._give_up(decision, outcome, raw)
        return False

    def _state(self) -> State:
        settings = self.settings
        return State(
            attempt=self.attempt,
            elapsed=self._elapsed(),
            draw=settings.random(),
            now=settings.clock.time(),
            used=tuple(self.used),
            spent=tuple(self.spent),
            previous=self.previous,
            last=self.last,
        )

    def _schedule(self, retry: Retry, outcome: Outcome, raw: object) -> None:
        told, rule, source = _told(outcome), retry.rule, retry.span.source
        self._enter((told, rule, retry.delay, None, source))
        if self.settings.listening():
            name = self.settings.name_of(self.fn)
            self.settings.tell(AttemptFailed(name, self.attempt, told, rule), raw)
            self.settings.tell(RetryScheduled(name, self.attempt, told, rule, retry.delay, source), raw)
        self.used[rule] += 1
        self.spent[rule] += outcome.elapsed + retry.delay
        self.attempt += 1
        self.delay = retry.delay
        self.last = retry.last
        self.since = tick()
        if source is None:
            self.previous = retry.delay

    def _accept(self, accepted: Accept, outcome: Outcome, raw: object) -> None:
        told = _told(outcome)
        if self.entries and (accepted.rule is not None or outcome.status is not None):
            self._enter((told, accepted.rule, None, accepted.reason, None))
            keep(raw, History(self._records(), accepted.reason, self.attempt))
        self._end_well(told)

    def _give_up(self, gave_up: GiveUp, outcome: Outcome, raw: object) -> None:
        if gave_up.rule is None and not self.entries:
            return  # no rule is about it, and there was no retry: it is handed back as it came
        told, reason = _told(outcome), gave_up.reason
        self._enter((told, gave_up.rule, None, reason, None))
        inner = spend(raw) if reason is Reason.INNER_EXHAUSTED else None
        kept = History(self._records(), reason, self.attempt, gave_up.retry_at, inner)
        keep(raw, kept, awaited=another_waits(self.frames))
        name = self.settings.name_of(self.fn)
        self.settings.tell(GaveUp(name, self.attempt, told, reason, gave_up.rule, gave_up.retry_at), raw)

    def _end_well(self, told: str = "value") -> None:
        if self.attempt > 1 and self.settings.listening():
            self.settings.tell(Succeeded(self.settings.name_of(self.fn), self.attempt, told))

    def _report(self, fault: Exception, raw: object) -> None:
        """Report a fault of the user's own code once, and chain it to the user's error; neither replaces the other."""
        name = self.settings.name_of(self.fn)
        self.settings.report(ConditionFailed(name, self.attempt, _name_of(raw), fault))
        if isinstance(raw, BaseException):
            chain(raw, fault, "a condition, delay or reader of the policy")

    def _enter(self, entry: Entry) -> None:
        if len(self.entries) == KEPT:
            del self.entries[0]
        self.entries.append(entry)

    def _records(self) -> tuple[Record, ...]:
        first = self.attempt - len(self.entries) + 1
        return tuple(Record(first + index, *entry) for index, entry in enumerate(self.entries))

    def _elapsed(self) -> float:
        return 0.0 if self.started is None else self.settings.clock.monotonic() - self.started

    def _took(self) -> float:
        return 0.0 if self.began is None else max(0.0, self.settings.clock.monotonic() - self.began)


def _forget_older_attempts(error: Exception) -> None:
    """Cut from a traceback what earlier attempts left there: raising one instance again and again adds to it."""
    newest = entry = error.__traceback__
    while newest is not None and entry is not None and entry.tb_next is not None:
        if entry.tb_next.tb_frame is newest.tb_frame:
            entry.tb_next = None
        entry = entry.tb_next


def _told(outcome: Outcome) -> str:
    """Return what may be told of an outcome: a status or an exception's name, never its text."""
    if outcome.error is not None:
        return type(outcome.error).__name__
    return "value" if outcome.status is None else str(outcome.status)


def _name_of(raw: object) -> str:
    return type(raw).__name__ if isinstance(raw, BaseException) else "value"
