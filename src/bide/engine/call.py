"""One call's state, made at its first failure: it asks the policy what follows, and remembers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar

from bide.engine.chaining import chain
from bide.engine.deadline import Deadline, enclosing
from bide.engine.events import (
    AttemptFailed,
    ConditionFailed,
    GaveUp,
    Paced,
    Recovered,
    RecoveryFailed,
    RetryScheduled,
    Succeeded,
)
from bide.engine.history import KEPT, History, Record, keep, note, spend
from bide.engine.nesting import another_waits, tick
from bide.engine.pacing import PaceTimeout, Place
from bide.engine.readers import outcome_of_error, outcome_of_value, reader_for
from bide.engine.recovery import Recovery, Taken
from bide.engine.timeouts import bounded
from bide.policy.decide import polled
from bide.policy.decision import Accept, GiveUp, Reason, Retry, State
from bide.policy.outcome import Outcome

if TYPE_CHECKING:
    from bide.engine.plan import Row
    from bide.engine.settings import Settings

Pending = tuple[Retry, str, Outcome]
"""A retry, the name of the recovery that it waits for, and what it is about."""
Entry = tuple[str, "int | None", "float | None", "Reason | None", "str | None"]


class Call:
    """
    What one use of a policy remembers.

    The loops ask `failed(error)` and `returned(value)` whether another attempt follows, and wait `delay` before it. An
    exception is never kept: only what is told of it.
    """

    __slots__ = (
        "attempt", "began", "begun", "delay", "ends", "entries", "fn", "last", "pending", "previous", "rejected",
        "renewed", "settings", "since", "spent", "started", "used",
    )  # fmt: skip
    frames: ClassVar[int] = 1
    """How many loops or wrappers on the stack are this call's own."""

    def __init__(self, settings: Settings, fn: Callable[..., Any], started: float | None = None) -> None:
        self.settings = settings
        self.fn = fn
        self.started = self.began = started
        self.ends = enclosing(settings.clock)
        self.attempt = 1
        self.delay: float | None = None
        self.previous = 0.0
        self.last = False
        self.used = [0] * settings.size
        self.spent = [0.0] * settings.size
        self.entries: list[Entry] = []
        self.rejected: object = None
        self.pending: Pending | None = None
        """The retry that waits for a recovery."""
        self.begun = tick() if settings.recovers else 0
        self.renewed: object = None
        """What the last recovery returned."""
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
        self._begin()

    def _begin(self) -> None:
        if self.settings.recovers:
            self.begun = tick()
        if self.started is not None:
            self.began = self.settings.clock.monotonic()

    def recovered(self, raw: object) -> bool:
        """Take the recovery that a retry waits for, if there is one, and tell whether the retry follows."""
        if self.pending is None:
            return True
        pending, recovery = self._needed(self.pending)
        return self._settled(pending, None if recovery is None else recovery.take(self.begun), raw)

    async def arecovered(self, raw: object) -> bool:
        """Take the recovery that a retry waits for, if there is one, and tell whether the retry follows."""
        if self.pending is None:
            return True
        pending, recovery = self._needed(self.pending)
        return self._settled(pending, None if recovery is None else await recovery.atake(self.begun), raw)

    def keep_pace(self) -> None:
        """Wait until an attempt may begin by the policy's pace."""
        if self.settings.pacer is not None:
            self.settings.pacer.keep(self.settings.clock, self.place(), self._paused)
            self._begin()

    async def akeep_pace(self) -> None:
        """Wait until an attempt may begin by the policy's pace."""
        if self.settings.pacer is not None:
            await self.settings.pacer.akeep(self.settings.clock, self.place(), self._paused)
            self._begin()

    def place(self) -> Place:
        """Return where this call goes, by which its pace is kept."""
        name = self.settings.name_of(self.fn)
        return Place(name, name)

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
        allowed, deadline = self.time_allowed(), self.enter()
        try:
            return await bounded(self.settings.clock, allowed, self.fn, *args, **kwargs)
        finally:
            deadline.leave()

    def dated(self, /, *args: Any, **kwargs: Any) -> Any:
        """Run one attempt of the function, which nothing can interrupt, but what it calls may know its deadline."""
        deadline = self.enter()
        try:
            return self.fn(*args, **kwargs)
        finally:
            deadline.leave()

    def enter(self) -> Deadline:
        """Let what an attempt that begins now calls know how long it may take, until it is left."""
        clock = self.settings.clock
        return Deadline(clock, clock.monotonic() + self.time_allowed())

    def time_allowed(self) -> float:
        """Return the seconds that an attempt beginning now may take; infinity when nothing bounds it."""
        timeout = self.settings.policy.limits.timeout
        return self._time_left() if timeout is None else min(timeout, self._time_left())

    def _time_left(self) -> float:
        """Return the seconds until the policy's deadline, or the one around it; infinity when there is none."""
        policy = self.settings.policy
        around, within = self._left(), policy.limits.within
        left = inf if around is None else around
        if within is not None:
            left = min(left, within - self._elapsed() + polled(policy.clauses, self.spent))
        return max(0.0, left)

    def _left(self) -> float | None:
        """Return the seconds that a deadline around leaves, or None when there is none."""
        return None if self.ends == inf else self.ends - self.settings.clock.monotonic()

    # -- what follows

    def _goes_on(self, outcome: Outcome, raw: object) -> bool:
        try:
            if self.settings.pacer is not None:
                self.settings.pacer.observe(self.settings.clock, self.place(), outcome)
            decision = self.settings.policy.decide(outcome, self._state())
        except Exception as fault:  # a condition or delay of the user's: the call's own outcome stands
            self._report(fault, raw)
            return False
        if isinstance(decision, Retry):
            if decision.recovery is None:
                self._schedule(decision, outcome, raw)
            else:
                self.pending = (decision, decision.recovery, outcome)
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
            left=self._left(),
        )

    def _paused(self, seconds: float) -> float:
        """Return how long an attempt waits for its pace, if its deadline leaves that long; raises PaceTimeout if not."""
        name, left = self.settings.name_of(self.fn), self._time_left()
        if seconds < left:
            self.settings.tell(Paced(name, self.attempt, "", seconds))
            return seconds
        error = PaceTimeout(
            f"the pace lets this attempt begin in {seconds:.3g} s, and the deadline leaves {left:.3g} s"
        )
        keep(error, History(self._records(), Reason.DEADLINE, self.attempt - 1))
        raise error

    def _needed(self, pending: Pending) -> tuple[Pending, Recovery | None]:
        """Return what is pending, which from now on is nobody else's, and the action that it needs, if that is bound."""
        self.pending = self.rejected = None
        return pending, self.settings.recoveries.find(pending[1])

    def _settled(self, pending: Pending, taken: Taken | None, raw: object) -> bool:
        """Schedule the retry that waited for a recovery, or give up where there was none, or it failed, or took too long."""
        retry, recovery, outcome = pending
        who = self.settings.name_of(self.fn), self.attempt, _told(outcome)
        if taken is None or taken.fault is not None:
            fault = None if taken is None else taken.fault
            self.settings.tell(RecoveryFailed(*who, retry.rule, recovery, fault), raw)
            self._give_up(GiveUp(Reason.RECOVERY_FAILED, retry.rule), outcome, raw)
            self._tell_why(raw, recovery, fault)
            return False
        if self._time_left() == 0:
            self._give_up(GiveUp(Reason.DEADLINE, retry.rule), outcome, raw)
            return False
        self.renewed = taken.value
        self.settings.tell(Recovered(*who, retry.rule, recovery), raw)
        self._schedule(retry, outcome, raw)
        self.rejected = None if isinstance(raw, BaseException) else raw
        return True

    def _tell_why(self, raw: object, recovery: str, fault: Exception | None) -> None:
        if not isinstance(raw, BaseException):
            return
        if fault is None:
            note(raw, f"no action is bound to {recovery!r}: say policy.bind(recover={{{recovery!r}: ...}})")
        else:
            chain(raw, fault, f"the recovery {recovery!r}")

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
