"""A policy as a table: for each rule when it decides, what it does, the delay of each retry, and its own limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs
from rich import box
from rich.table import Table
from rich.text import Text

from bide.cli.screen import count, seconds, span
from bide.policy.clause import Clause
from bide.policy.delay import Ask
from bide.policy.limits import Limits
from bide.policy.outcome import Outcome
from bide.policy.params import FOREVER
from bide.policy.policy import Policy

if TYPE_CHECKING:
    from rich.console import Console

_SHOWN: Final = 10
VERBS: Final = {"retry_on": "retry", "give_up_on": "give up", "accept_on": "accept"}
COLOURS: Final = {"retry": "yellow", "recover": "yellow", "give up": "red", "accept": "green"}


def when(clause: Clause) -> str:
    """Return a rule's conditions, as text writes them."""
    return str(Policy.of((Clause(clause.verb, clause.conditions),)))[len(clause.verb) + 1 : -1]


def what(clause: Clause) -> str:
    """Return what a rule does: retry, give up, accept, or recover and retry."""
    return VERBS[clause.verb] if clause.recovery is None else f"{clause.recovery}, then retry"


def chain(clause: Clause) -> list[str]:
    """Return a rule's delays, each as text writes it."""
    head = Clause(clause.verb, clause.conditions)
    return [
        str(Policy.of((Clause(clause.verb, clause.conditions, (delay,)),)))[len(_text(head)) + 1 :]
        for delay in clause.delays
    ]


def _text(clause: Clause) -> str:
    return str(Policy.of((clause,)))


def delays(clause: Clause, limits: Limits) -> list[tuple[float, float]]:
    """Return the (low, high) seconds of our own delay before each retry of a rule, the first ten."""
    if clause.verb != "retry_on":
        return []
    schedule = clause.schedule
    ranges: list[tuple[float, float]] = []
    for retry in range(1, int(min(clause.allowed(limits.attempts), _SHOWN)) + 1):
        found = schedule.span(Ask(Outcome(method=None), retry))
        low, high = (0.0, 0.0) if found is None else (found.low, found.high)
        ranges.append((low, max(high, schedule.longest(retry))))
    return ranges


def rule_document(index: int, clause: Clause, limits: Limits) -> dict[str, Any]:
    """Return one row for machines."""
    retries = clause.verb == "retry_on"
    return {
        "rule": index,
        "text": _text(clause),
        "when": when(clause),
        "verb": clause.verb,
        "retries": clause.allowed(limits.attempts) if retries else 0,
        "hints": [
            text for text, delay in zip(chain(clause), clause.delays, strict=True) if not delay.schedule
        ],
        "longest_hint": clause.longest_hint if clause.asks_the_server else None,
        "delays": delays(clause, limits),
        "within": clause.within,
        "recovery": clause.recovery,
        "any_method": clause.any_method,
        "polling": clause.polling,
    }


def policy_document(policy: Policy) -> dict[str, Any]:
    """Return the whole decision table for machines."""
    worst, limits = policy.worst_case(), policy.limits
    return {
        "policy": str(policy),
        "name": policy.name,
        "rules": [rule_document(index, clause, limits) for index, clause in enumerate(policy.clauses)],
        "limits": {
            "attempts": limits.attempts,
            "within": limits.within,
            "timeout": limits.timeout,
            "pace": None if limits.pace is None else attrs.asdict(limits.pace),
            "pace_by_headers": None
            if limits.pace_by_headers is None
            else attrs.asdict(limits.pace_by_headers),
        },
        "worst_case": {"attempts": worst.attempts, "seconds": worst.seconds},
    }


def print_policy(console: Console, policy: Policy) -> None:
    """Print the whole decision table, and the worst case."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("rule", justify="right")
    for name in ("when", "what", "delays", "limits"):
        table.add_column(name, overflow="fold")
    for index, clause in enumerate(policy.clauses):
        said = what(clause)
        table.add_row(
            str(index + 1),
            when(clause),
            Text(said, COLOURS.get(said, "yellow")),
            _delays_text(clause, policy.limits),
            _limits_text(clause, policy.limits),
        )
    table.add_row("", "nothing of these", Text("as it came", "dim"), "", "")
    console.print(table)
    said = _whole_text(policy.limits)
    if said:
        console.print(f"the whole call: {said}")
    console.print(f"worst case: {policy.worst_case()}")


def _delays_text(clause: Clause, limits: Limits) -> str:
    if clause.verb != "retry_on":
        return ""
    hints = [text for text, delay in zip(chain(clause), clause.delays, strict=True) if not delay.schedule]
    asked = [f"{text}, up to {seconds(clause.longest_hint)}" for text in hints]
    ranges = [span(low, high) for low, high in delays(clause, limits)]
    more = ", ..." if clause.allowed(limits.attempts) > len(ranges) else ""
    own = ", ".join(ranges[:1] if len(set(ranges)) == 1 else ranges) + more
    return " else ".join([*asked, own or "none"])


def _limits_text(clause: Clause, limits: Limits) -> str:
    if clause.verb != "retry_on":
        return ""
    most = clause.allowed(limits.attempts)
    said = ["polls"] if clause.polling else []
    if not (clause.polling and most == FOREVER):
        said.append(count(most, "retry"))
    if clause.within is not None:
        said.append(f"within {seconds(clause.within)}")
    if clause.any_method:
        said.append("any method")
    return ", ".join(said)


def _whole_text(limits: Limits) -> str:
    said = [] if limits.attempts is None else [count(limits.attempts, "attempt")]
    if limits.within is not None:
        said.append(f"within {seconds(limits.within)}")
    if limits.timeout is not None:
        said.append(f"{seconds(limits.timeout)} for each attempt")
    if limits.pace is not None:
        said.append(f"at most {limits.pace.rate} per {limits.pace.per}")
    if limits.pace_by_headers is not None:
        by = limits.pace_by_headers
        said.append(f"paced by {by.remaining} per {by.per}")
    said += [f"{name} (not available yet)" for name in limits.not_available]
    if limits.over_inner:
        said.append("repeats what an inner policy gave up on")
    return ", ".join(said)
