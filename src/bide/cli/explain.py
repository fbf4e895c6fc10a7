"""`bide explain`: which rule decides about an outcome and why, or the whole decision table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import click
from rich import box
from rich.table import Table
from rich.text import Text

from bide.cli import inputs
from bide.cli.ahead import Ahead, Left, ahead, left
from bide.cli.choice import Choice, Request, choose, strategy_option
from bide.cli.reasons import MEANINGS
from bide.cli.rules import policy_document, print_policy
from bide.cli.screen import count, err, out, print_json, seconds, span
from bide.engine.clock import SYSTEM_CLOCK
from bide.policy.explanation import Explanation, state_at
from bide.policy.outcome import Outcome
from bide.policy.policy import Policy

if TYPE_CHECKING:
    from rich.console import Console

_ACTIONS = {
    "retry": ("retry", "yellow"),
    "recover": ("recover, then retry", "yellow"),
    "give_up": ("give up", "red"),
    "accept": ("accept it", "green"),
    "return": ("hand it back as it came", "none"),
}


@click.command(short_help="Tell what a policy does.")
@click.argument("text", required=False)
@strategy_option
@click.option(
    "--route",
    type=inputs.route,
    metavar="'METHOD URL'",
    help="The request, which chooses the strategy's endpoint: 'POST /v1/jobs'.",
)
@click.option("--url", type=inputs.url, metavar="URL", help="The request's URL or path, without its method.")
@click.option("--status", type=inputs.status, metavar="STATUS", help="The response's HTTP status.")
@click.option(
    "--header",
    "headers",
    type=inputs.header,
    metavar="NAME=VALUE",
    multiple=True,
    help="A response header; may be repeated.",
)
@click.option("--body", help="The response's body, usually JSON.")
@click.option(
    "--exception",
    type=inputs.exception,
    metavar="DOTTED.NAME",
    help="What was raised, by dotted name; nothing is imported.",
)
@click.option(
    "--method", type=inputs.method, metavar="METHOD", help="The request's method (GET when not said)."
)
@click.option("--attempt", type=inputs.attempt, metavar="NUMBER", help="Which attempt came to it, from 1.")
@click.option(
    "--elapsed", type=inputs.duration, metavar="DURATION", help="How long the call has taken so far."
)
@click.option(
    "--now",
    type=inputs.epoch,
    metavar="EPOCH",
    help="Epoch seconds, for headers that are dates (now when not said).",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def explain(text: str | None, *, as_json: bool, **said: Any) -> None:
    """
    Tell what a policy does about an outcome, or about every outcome.

    TEXT is a policy, such as 'retry_on(429, 5xx).exponential(max=3)'.
    """
    request = Request.of(said["method"], said["url"], said["route"])
    choice = choose(text, said["strategy"], request)
    outcome = _outcome(choice, request, said)
    told = None if outcome is None else _Told.of(choice.policy, outcome, said)
    for name in () if told is None else choice.policy.limits.not_available:
        err().print(
            f"note: .{name}(...) is not available yet: whoever uses this policy is refused", style="yellow"
        )
    if as_json:
        document = policy_document(choice.policy) if told is None else told.document()
        print_json({"endpoint": choice.document()} | document)
        return
    console = out()
    choice.print(console)
    if told is None:
        print_policy(console, choice.policy)
    else:
        told.print(console)


def _outcome(choice: Choice, request: Request, said: dict[str, Any]) -> Outcome | None:
    if said["status"] is None and said["exception"] is None:
        lonely = [name for name in ("headers", "body", "attempt", "elapsed", "now") if said[name]]
        if lonely or (said["method"] and choice.strategy is None):
            raise click.UsageError("say what the attempt came to: --status, or --exception")
        return None
    outcome = Outcome(
        said["status"],
        said["headers"],
        said["body"],
        said["exception"],
        request.method or "GET",
        request.url,
    )
    if outcome.body and outcome.json is None:
        err().print("note: --body is not JSON, so that no rule can look into it", style="yellow")
    return outcome


@attrs.frozen
class _Told:
    """One explanation, with what lies ahead."""

    policy: Policy
    outcome: Outcome
    attempt: int
    elapsed: float
    now: float
    explanation: Explanation
    left: Left | None
    ahead: Ahead | None

    @classmethod
    def of(cls, policy: Policy, outcome: Outcome, said: dict[str, Any]) -> _Told:
        attempt, elapsed = said["attempt"] or 1, said["elapsed"] or 0.0
        now = SYSTEM_CLOCK.time() if said["now"] is None else said["now"]
        explanation = policy.explain(outcome, attempt=attempt, elapsed=elapsed, now=now)
        retries = explanation.delay is not None and explanation.rule is not None
        state = state_at(policy.clauses, outcome, attempt=attempt, elapsed=elapsed, now=now)
        return cls(
            policy,
            outcome,
            attempt,
            elapsed,
            now,
            explanation,
            left(policy, explanation.rule, outcome, state)
            if retries and explanation.rule is not None
            else None,
            ahead(policy, outcome, state) if retries else None,
        )

    def document(self) -> dict[str, Any]:
        outcome = self.outcome
        error = None if outcome.error is None else _dotted(type(outcome.error))
        return {
            "policy": str(self.policy),
            "outcome": {
                "status": outcome.status,
                "exception": error,
                "method": outcome.method,
                "attempt": self.attempt,
                "elapsed": self.elapsed,
            },
            "explanation": attrs.asdict(self.explanation),
            "left": None if self.left is None else attrs.asdict(self.left),
            "ahead": None if self.ahead is None else self.ahead.document(),
        }

    def print(self, console: Console) -> None:
        console.print(f"attempt {self.attempt}, {_told_of(self.outcome)}", soft_wrap=True)
        table = Table(box=box.SIMPLE, pad_edge=False, show_header=False)
        table.add_column(justify="right")
        table.add_column(overflow="fold")
        table.add_column(overflow="fold")
        for index, rule in enumerate(self.policy.rules):
            table.add_row(f"rule {index + 1}", str(rule), self._verdict(index))
        console.print(table)
        self._print_action(console)

    def _verdict(self, index: int) -> Text:
        decided = self.explanation.rule
        if index == decided:
            return Text("decides", "bold")
        if decided is not None and index > decided:
            return Text("not asked", "dim")
        return Text(f"no: {self.explanation.skipped[index]}")

    def _print_action(self, console: Console) -> None:
        told = self.explanation
        action, colour = _ACTIONS[told.action]
        line = Text.assemble((action, f"bold {colour}"))
        if told.recovery is not None:
            line.append(f" (recovery: {told.recovery})")
        if told.delay is not None:
            line.append(f" after {span(*told.delay)}" + (f", as {told.source} asks" if told.source else ""))
        if told.reason is not None:
            line.append(f": {told.reason} ({MEANINGS[told.reason]})")
        console.print(line, soft_wrap=True)
        if told.retry_at is not None:
            wait = seconds(max(0.0, told.retry_at - self.now))
            console.print(f"  a retry would be welcome in {wait}, at {told.retry_at:.0f} (epoch seconds)")
        if self.left is not None and self.ahead is not None:
            console.print(f"  left: {_left_text(self.left)}", soft_wrap=True)
            console.print(f"  if it stays so: {_ahead_text(self.ahead)}", soft_wrap=True)


def _told_of(outcome: Outcome) -> str:
    came = [] if outcome.status is None else [str(outcome.status)]
    if outcome.error is not None:
        came.append(_dotted(type(outcome.error)))
    return f"{outcome.method}: {', '.join(came)}"


def _dotted(cls: type) -> str:
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def _left_text(remaining: Left) -> str:
    said = [f"{count(remaining.retries, 'retry')} by this rule"]
    said.append(
        "any number of attempts" if remaining.attempts is None else count(remaining.attempts, "attempt")
    )
    said.append(
        "no deadline" if remaining.seconds is None else f"{seconds(remaining.seconds)} to the deadline"
    )
    return ", ".join(said)


def _ahead_text(coming: Ahead) -> str:
    ranges = [span(low, high) for low, high in coming.delays]
    end = (
        "and so on" if coming.reason is None else f"then give up: {coming.reason} ({MEANINGS[coming.reason]})"
    )
    return f"waits of {', '.join(ranges)}, {end}"
