"""The decision: a pure function of the rules, the limits, one outcome and what the call remembers."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from bide.policy.clause import Clause
from bide.policy.decision import Accept, Decision, GiveUp, Reason, Retry, State
from bide.policy.delay import Ask, Span
from bide.policy.limits import Limits
from bide.policy.outcome import Outcome

DEFAULT_ATTEMPTS = 100
"""What bounds a call whose policy counts no attempts, however many rules it has."""
ROOM_SHARE = 0.1
"""Of the time that is left, what a wait that could take all of it leaves to the attempt after it."""
_KEY_REFUSED = 422


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
    refused = _refusal(rules, rule, limits, outcome, state)
    if refused is not None:
        return GiveUp(refused, rule)
    span = clause.span(Ask(outcome, state.used_by(rule) + 1, state.previous, state.now))
    left = time_left(rules, rule, limits, outcome, state)
    if span.source:
        return _hinted(clause, rule, span, left, state)
    return _own(clause, rule, span, left, outcome, state)


def refitted(
    rules: Sequence[Clause], limits: Limits, retry: Retry, outcome: Outcome, state: State
) -> Retry | GiveUp:
    """Return what becomes of a retry when what had to come first, a recovery, has taken time of its deadlines."""
    left = time_left(rules, retry.rule, limits, outcome, state)
    takes = 0.0 if retry.span.source else outcome.elapsed
    if left is None or retry.delay + takes < left:
        return retry
    clause = rules[retry.rule]
    if retry.span.source:
        return _hinted(clause, retry.rule, retry.span, left, state)
    decision = _own(clause, retry.rule, Span(retry.delay, retry.delay), left, outcome, state)
    return (
        decision if isinstance(decision, GiveUp) else attrs.evolve(decision, last=decision.last or retry.last)
    )


def time_left(
    rules: Sequence[Clause], rule: int, limits: Limits, outcome: Outcome, state: State
) -> float | None:
    """
    Return the seconds that the policy's deadline, the rule's own and an enclosing one leave; None when there is none.

    A rule pays for the attempts it answered and the waits it asked for, so that waiting long for one thing takes
    nothing from another. A polling rule has its own deadline only; an enclosing deadline binds every rule.
    """
    clause = rules[rule]
    of_policy = None if clause.polling else _of_policy(rules, limits, state)
    lefts = (of_policy, _of_rule(clause, rule, outcome, state), state.left)
    return min((left for left in lefts if left is not None), default=None)


def _of_policy(rules: Sequence[Clause], limits: Limits, state: State) -> float | None:
    return None if limits.within is None else limits.within - state.elapsed + polled(rules, state.spent)


def polled(rules: Sequence[Clause], taken: Sequence[float]) -> float:
    """Return how much of what the rules have taken, retries or seconds, went into polling."""
    return sum(taken[rule] for rule, clause in enumerate(rules) if clause.polling and rule < len(taken))


def _of_rule(clause: Clause, rule: int, outcome: Outcome, state: State) -> float | None:
    return None if clause.within is None else clause.within - state.spent_by(rule) - outcome.elapsed


def most_attempts(rules: Sequence[Clause], limits: Limits) -> float:
    """Return how many attempts a call may make, polls apart: as many as said, else 100, or what a patient rule needs."""
    if limits.attempts is not None:
        return limits.attempts
    said = (1 + clause.retries for clause in rules if clause.retries is not None and not clause.polling)
    return min(limits.ceiling, max(DEFAULT_ATTEMPTS, max(said, default=0)))


def _refusal(
    rules: Sequence[Clause], rule: int, limits: Limits, outcome: Outcome, state: State
) -> Reason | None:
    """Return why this may not be repeated, whatever the delay would be."""
    clause = rules[rule]
    if outcome.exhausted and not limits.over_inner:
        return Reason.INNER_EXHAUSTED
    if not _safe(outcome) and not clause.any_method:
        return Reason.NOT_IDEMPOTENT
    if not outcome.replayable:
        return Reason.BODY_NOT_REPLAYABLE
    if _attempts_are_over(rules, rule, limits, state):
        return Reason.ATTEMPTS_EXHAUSTED
    if state.used_by(rule) >= clause.allowed(limits.attempts):
        return Reason.RETRIES_EXHAUSTED
    return Reason.DEADLINE if state.last and not clause.polling else None


def _safe(outcome: Outcome) -> bool:
    """Tell whether a repeat can do no harm; 422 says that the server knows an idempotency key from something else."""
    if outcome.status == _KEY_REFUSED:
        outcome = attrs.evolve(outcome, idempotency_key=False)
    return outcome.repeatable


def _attempts_are_over(rules: Sequence[Clause], rule: int, limits: Limits, state: State) -> bool:
    """Tell whether no attempt is left; polls count against nothing but the ceiling."""
    if rules[rule].polling or state.attempt >= limits.ceiling:
        return state.attempt >= limits.ceiling
    attempt = state.attempt - polled(rules, state.used)
    usual = DEFAULT_ATTEMPTS if limits.attempts is None else limits.attempts
    return attempt >= usual and attempt >= most_attempts(rules, limits)


def _hinted(clause: Clause, rule: int, span: Span, left: float | None, state: State) -> Retry | GiveUp:
    """Obey a hint in full, or not at all: its spread gives way to the deadline, the hint itself never."""
    retry_at = None if state.now is None else state.now + span.low
    if span.low > clause.longest_hint:
        return GiveUp(Reason.HINT_TOO_LONG, rule, retry_at)
    if left is not None and not span.low < left:
        return GiveUp(Reason.DEADLINE, rule, retry_at)
    if left is not None and span.high >= left:
        span = Span(span.low, span.low + (left - span.low) * (1 - ROOM_SHARE), span.source)
    return Retry(span.at(state.draw), rule, span, clause.recovery)


def _own(
    clause: Clause, rule: int, span: Span, left: float | None, outcome: Outcome, state: State
) -> Retry | GiveUp:
    """Shorten a delay of our own so that one last attempt, as long as the one before, still fits; else stop."""
    delay = span.at(state.draw)
    if left is None or delay + outcome.elapsed < left:
        return Retry(delay, rule, span, clause.recovery)
    shortened = left - max(outcome.elapsed, left * ROOM_SHARE)
    if not shortened > 0:
        return GiveUp(Reason.DEADLINE, rule)
    by_rule = _of_rule(clause, rule, outcome, state)
    if left == by_rule and left < ROOM_SHARE * (clause.within or 0.0):
        return GiveUp(Reason.DEADLINE, rule)  # else ever shorter delays would fit ever more attempts in
    return Retry(shortened, rule, Span(shortened, shortened), clause.recovery, last=left != by_rule)
