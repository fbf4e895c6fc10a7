"""One call's state, made at its first failure: it asks the policy what follows, and remembers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

import attrs

from bide.engine.chaining import chain, hang
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
from bide.engine.timed import Timed
from bide.engine.told import name_of, told_of_outcome
from bide.policy.decide import ROOM_SHARE, refitted, time_left
from bide.policy.decision import Accept, GiveUp, Reason, Retry, State
from bide.policy.delay import Span
from bide.policy.durations import digits
from bide.policy.outcome import Outcome

if TYPE_CHECKING:
    from bide.engine.plan import Row
    from bide.engine.settings import Settings

Entry = tuple[str, "int | None", "float | None", "Reason | None", "str | None"]
_NOTHING: Final = Outcome(method=None)


@attrs.frozen(eq=False)
class Pending:
    """A retry that waits for a recovery, the outcome that it is about, and the recovery (None: none is bound)."""

    retry: Retry
    outcome: Outcome
    name: str
    recovery: Recovery | None


class Call(Timed):
    """
    What one use of a policy remembers.

    The loops ask `failed(error)` and `returned(value)` whether another attempt follows, and wait `delay` before it. An
    exception is never kept: only what is told of it.
    """

    __slots__ = (
        "attempt", "begun", "delay", "entries", "last", "paid", "pending", "previous", "rejected", "renewed", "since", "used",
    )  # fmt: skip
    frames: ClassVar[int] = 1
    """How many loops or wrappers on the stack are this call's own."""

    def __init__(self, settings: Settings, fn: Callable[..., Any], started: float | None = None) -> None:
        super().__init__(settings, fn, started)
        self.attempt = 1
        self.delay: float | None = None
        self.previous = 0.0
        self.last = False
        self.used = [0] * settings.size
        self.entries: list[Entry] = []
        self.paid = 0.0
        """What the rules had paid when this attempt began."""
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
        rule = cast("int", self.entries[-1][1])
        # It pays for a slow listener too, and for a machine that was asleep.
        self.spent[rule] += max(0.0, self._took() - (sum(self.spent) - self.paid))
        self._begin()

    def _begin(self) -> None:
        if self.settings.recovers:
            self.begun = tick()
        if self.started is not None:
            self.began = self.settings.clock.monotonic()
            self.paid = sum(self.spent)

    def recovered(self, raw: object) -> bool:
        """Take the recovery that a retry waits for, if there is one, and tell whether the retry follows."""
        if self.pending is None:
            return True
        pending, recovery, left = self._needed(self.pending)
        taken = None if recovery is None else recovery.take(self.begun, self.settings.clock, left)
        return self._settled(pending, taken, raw)

    async def arecovered(self, raw: object) -> bool:
        """Take the recovery that a retry waits for, if there is one, and tell whether the retry follows."""
        if self.pending is None:
            return True
        pending, recovery, left = self._needed(self.pending)
        taken = None if recovery is None else await recovery.atake(self.begun, self.settings.clock, left)
        return self._settled(pending, taken, raw)

    def keep_pace(self) -> None:
        """Wait until an attempt may begin by the policy's pace."""
        if self.settings.pacer is not None:
            self._begin_paced(self.settings.pacer.keep(self.settings.clock, self))

    async def akeep_pace(self) -> None:
        """Wait until an attempt may begin by the policy's pace."""
        if self.settings.pacer is not None:
            self._begin_paced(await self.settings.pacer.akeep(self.settings.clock, self))

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

    # -- what follows

    def _goes_on(self, outcome: Outcome, raw: object) -> bool:
        try:
            if self.settings.pacer is not None:
                self.settings.pacer.observe(self.settings.clock, self, outcome)
            decision = self.settings.policy.decide(outcome, self._state(self.settings.random()))
        except Exception as fault:  # a condition or delay of the user's: the call's own outcome stands
            self._report(fault, raw)
            return False
        if isinstance(decision, Retry):
            if decision.recovery is None:
                self._schedule(decision, outcome, raw)
            else:
                recovery = self.settings.recoveries.find(decision.recovery)
                self.pending = Pending(decision, outcome, decision.recovery, recovery)
            return True
        if isinstance(decision, Accept):
            self._accept(decision, outcome, raw)
        else:
            self._give_up(decision, outcome, raw)
        return False

    def _state(self, draw: float) -> State:
        return State(
            attempt=self.attempt,
            elapsed=self._elapsed(),
            draw=draw,
            now=self.settings.clock.time(),
            used=tuple(self.used),
            spent=tuple(self.spent),
            previous=self.previous,
            last=self.last,
            left=self._left(),
        )

    def pause(self, least: float, most: float) -> float:
        """Return how long an attempt waits for its pace, if its deadline leaves that long; raises PaceTimeout if not."""
        name, left = self.settings.name_of(self.fn), self._left_for_pace()
        if least < left:
            most = min(most, least + (left - least) * (1 - ROOM_SHARE))
            seconds = Span(least, most).at(self._draw())
            self.settings.tell(Paced(name, self.attempt, "", seconds))
            return seconds
        error = PaceTimeout(
            f"the pace lets this attempt begin in {digits(least)} s, and the deadline leaves {digits(left)} s"
        )
        kept = History(self._records(self.attempt - 1), Reason.DEADLINE, self.attempt - 1)
        keep(error, kept, awaited=another_waits(self.frames))
        self.settings.tell(GaveUp(name, self.attempt, type(error).__name__, Reason.DEADLINE), error)
        raise error

    def _draw(self) -> float:
        """Return a draw for a wait that is there anyway: 0 where the source raises, since that is no reason to fail."""
        try:
            return self.settings.random()
        except Exception as fault:
            self.store_failed(fault)
            return 0.0

    def store_failed(self, fault: Exception) -> None:
        """Take in that a store, or a random source, raised; it changes nothing for this call."""
        self.settings.report(ConditionFailed(self.settings.name_of(self.fn), self.attempt, "", fault))

    def _polls(self) -> int | None:
        """Return the polling rule that asked for the attempt that begins now, or None when none did."""
        rule = self.entries[-1][1] if self.entries else None
        return rule if rule is not None and self.settings.policy.clauses[rule].polling else None

    def _left_for_pace(self) -> float:
        """Return the seconds that an attempt may wait for its pace: a poll's wait is its own rule's."""
        rule = self._polls()
        return self._time_left() if rule is None else self._left_by(rule, _NOTHING)

    def _left_by(self, rule: int, outcome: Outcome) -> float:
        """Return the seconds that every deadline leaves which binds a rule after an outcome."""
        policy = self.settings.policy
        left = time_left(policy.clauses, rule, policy.limits, outcome, self._state(0.0))
        return inf if left is None else left

    def _begin_paced(self, waited: float) -> None:
        """Begin an attempt that has waited for its pace; what a poll waited is part of the polling."""
        rule = self._polls()
        if rule is not None:
            self.spent[rule] += waited
        self._begin()

    def _needed(self, pending: Pending) -> tuple[Pending, Recovery | None, float]:
        """Return what is pending, and from now on nobody else's, the recovery, and the seconds that it may take."""
        self.pending = self.rejected = None
        return pending, pending.recovery, self._left_by(pending.retry.rule, pending.outcome)

    def _settled(self, pending: Pending, taken: Taken | None, raw: object) -> bool:
        """Schedule the retry that waited for a recovery, or give up where there was none, or it failed, or took too long."""
        rule, outcome = pending.retry.rule, pending.outcome
        if taken is None or taken.fault is not None:
            self._not_recovered(pending, taken, raw)
            return False
        self.spent[rule] += max(0.0, self._took() - outcome.elapsed)
        policy = self.settings.policy
        try:
            state = self._state(self.settings.random())
            decision = refitted(policy.clauses, policy.limits, pending.retry, outcome, state)
        except Exception as fault:  # as in `_goes_on`
            self._report(fault, raw)
            return False
        if isinstance(decision, GiveUp):
            self._give_up(decision, outcome, raw)
            return False
        self.renewed = taken.value
        who = self.settings.name_of(self.fn), self.attempt, told_of_outcome(outcome)
        self.settings.tell(Recovered(*who, rule, pending.name), raw)
        self._schedule(decision, outcome, raw)
        self.rejected = None if isinstance(raw, BaseException) else raw
        return True

    def _not_recovered(self, pending: Pending, taken: Taken | None, raw: object) -> None:
        """Give up, and tell why; `taken` is None when it did not end in time, or is not bound at all."""
        rule, name, outcome = pending.retry.rule, pending.name, pending.outcome
        fault = None if taken is None else taken.fault
        late = taken is None and pending.recovery is not None
        if not late:
            who = self.settings.name_of(self.fn), self.attempt, told_of_outcome(outcome)
            self.settings.tell(RecoveryFailed(*who, rule, name, fault), raw)
        self._give_up(GiveUp(Reason.DEADLINE if late else Reason.RECOVERY_FAILED, rule), outcome, raw)
        if not isinstance(raw, BaseException):
            return
        if taken is not None and fault is not None:
            hang(raw, fault, f"the recovery {name!r} raised {taken.told}")
        elif late:
            note(raw, f"the recovery {name!r} did not end before the deadline")
        else:
            note(raw, f"no action is bound to {name!r}: say policy.bind(recover={{{name!r}: ...}})")

    def _schedule(self, retry: Retry, outcome: Outcome, raw: object) -> None:
        told, rule, source = told_of_outcome(outcome), retry.rule, retry.span.source
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
        told = told_of_outcome(outcome)
        if self.entries and (accepted.rule is not None or outcome.status is not None):
            self._enter((told, accepted.rule, None, accepted.reason, None))
            keep(raw, History(self._records(self.attempt), accepted.reason, self.attempt))
        self._end_well(told)

    def _give_up(self, gave_up: GiveUp, outcome: Outcome, raw: object) -> None:
        if gave_up.rule is None and not self.entries:
            return  # no rule is about it, and there was no retry: it is handed back as it came
        told, reason = told_of_outcome(outcome), gave_up.reason
        self._enter((told, gave_up.rule, None, reason, None))
        inner = spend(raw) if reason is Reason.INNER_EXHAUSTED else None
        kept = History(self._records(self.attempt), reason, self.attempt, gave_up.retry_at, inner)
        keep(raw, kept, awaited=another_waits(self.frames))
        name = self.settings.name_of(self.fn)
        self.settings.tell(GaveUp(name, self.attempt, told, reason, gave_up.rule, gave_up.retry_at), raw)

    def _end_well(self, told: str = "value") -> None:
        if self.attempt > 1 and self.settings.listening():
            self.settings.tell(Succeeded(self.settings.name_of(self.fn), self.attempt, told))

    def _report(self, fault: Exception, raw: object) -> None:
        """Report a fault of the user's own code once, and chain it to the user's error; neither replaces the other."""
        name = self.settings.name_of(self.fn)
        self.settings.report(ConditionFailed(name, self.attempt, name_of(raw), fault), about=raw)
        if isinstance(raw, BaseException):
            chain(raw, fault, "a condition, delay or reader of the policy")

    def _enter(self, entry: Entry) -> None:
        if len(self.entries) == KEPT:
            del self.entries[0]
        self.entries.append(entry)

    def _records(self, attempts: int) -> tuple[Record, ...]:
        """Return what is kept of so many attempts."""
        first = attempts - len(self.entries) + 1
        return tuple(Record(first + index, *entry) for index, entry in enumerate(self.entries))


def _forget_older_attempts(error: Exception) -> None:
    """Cut from a traceback what earlier attempts left there: raising one instance again and again adds to it."""
    newest = entry = error.__traceback__
    while newest is not None and entry is not None and entry.tb_next is not None:
        if entry.tb_next.tb_frame is newest.tb_frame:
            entry.tb_next = None
        entry = entry.tb_next
