"""The decision: a pure function of the rules, the limits, one outcome and what the call remembers."""

from __future__ import annotations

from collections.abc import Sequence

from bide.policy.clause import Clause
from bide.policy.decision import Accept, Decision, GiveUp, Reason, Retry, State
from bide.policy.delay import Ask, Span
from bide.policy.limits import Limits
from bide.policy.outcome import Outcome

_ROOM_SHARE = 0.1


def decide(rules: Sequence[Clause], limits: Limits, outcome: Outcome, state: State) -> Decision:
    """
    Return what follows an outcome. No clock, no randomness, no I/O: time and the draw are in the state.

    The first rule that matches decides. Safety comes before limits, limits before the delay, and a hint that cannot be
    obeyed ends the call: nothing is ever repeated earlier than the server asked.
    """
    rule = next((index for index, clause in enumerate(rules) if clause.matches(outcome)), None)
    if rule is None:
        return GiveUp(Reason.NO_RULE) if outcome.failed else Accept(Reason.SUCCEEDED)
    clause = rules[rule]
    if clause.verb == "accept_on":
        return Accept(Reason.ACCEPTED, rule)
    if clause.verb == "give_up_on":
        return GiveUp(Reason.RULE_GAVE_UP, rule)
    refused = _refusal(clause, rule, limits, outcome, state)
    if refused is not None:
        return GiveUp(refused, rule)
    ask = Ask(outcome, state.used_by(rule) + 1, state.previous, state.now)
    span = clause.span(ask)
    left = time_left(clause, rule, limits, outcome, state)
    return (
        _hinted(clause, rule, span, left, state)
        if span.source
        else _own(clause, rule, span, left, outcome, state)
    )


def time_left(clause: Clause, rule: int, limits: Limits, outcome: Outcome, state: State) -> float | None:
    """
    Return the seconds that the policy's deadline and the rule's own leave, or None when there is neither.

    A rule pays for the attempts it answered and the waits it asked for, so that waiting long for one thing takes
    nothing from another.
    """
    lefts: list[float] = []
    if limits.within is not None:
        lefts.append(limits.within - state.elapsed)
    if clause.within is not None:
        lefts.append(clause.within - state.spent_by(rule) - outcome.elapsed)
    return min(lefts) if lefts else None


def _refusal(clause: Clause, rule: int, limits: Limits, outcome: Outcome, state: State) -> Reason | None:
    """Return why this may not be repeated, whatever the delay would be."""
    if outcome.exhausted and not limits.over_inner:
        return Reason.INNER_EXHAUSTED
    if not outcome.repeatable and not clause.any_method:
        return Reason.NOT_IDEMPOTENT
    if not outcome.replayable:
        return Reason.BODY_NOT_REPLAYABLE
    if limits.attempts is not None and state.attempt >= limits.attempts:
        return Reason.ATTEMPTS_EXHAUSTED
    if state.used_by(rule) >= clause.allowed(limits.attempts):
        return Reason.RETRIES_EXHAUSTED
    return Reason.DEADLINE if state.last else None


def _hinted(clause: Clause, rule: int, span: Span, left: float | None, state: State) -> Decision:
    """Obey a hint in full, or not at all: its spread gives way to the deadline, the hint itself never."""
    retry_at = None if state.now is None else state.now + span.low
    if span.low > clause.longest_hint:
        return GiveUp(Reason.HINT_TOO_LONG, rule, retry_at)
    if left is not None and span.low >= left:
        return GiveUp(Reason.DEADLINE, rule, retry_at)
    if left is not None and span.high >= left:
        span = Span(span.low, span.low + (left - span.low) * (1 - _ROOM_SHARE), span.source)
    return Retry(span.at(state.draw), rule, span, clause.recovery)


def _own(
    clause: Clause, rule: int, span: Span, left: float | None, outcome: Outcome, state: State
) -> Decision:
    """Shorten a delay of our own so that one last attempt, as long as the one before, still fits; else stop."""
    delay = span.at(state.draw)
    if left is None or delay + outcome.elapsed < left:
        return Retry(delay, rule, span, clause.recovery)
    shortened = left - max(outcome.elapsed, left * _ROOM_SHARE)
    if shortened <= 0:
        return GiveUp(Reason.DEADLINE, rule)
    return Retry(shortened, rule, Span(shortened, shortened), clause.recovery, last=True)
