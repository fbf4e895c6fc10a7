"""A call as it happens: a line an attempt, a bar that counts down while it waits, and a row of each for the summary."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import attrs
from rich import box
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bide.cli.pace import Draw
from bide.cli.reasons import MEANINGS
from bide.cli.screen import can_animate, seconds
from bide.engine import events
from bide.policy.decision import Reason

if TYPE_CHECKING:
    from rich.console import Console

_BAR: Final = 24


@attrs.frozen
class Row:
    """One attempt: what it came to, the rule that decided (from 0), and the delay or the reason that followed."""

    attempt: int
    outcome: str
    rule: int | None = None
    delay: float | None = None
    source: str | None = None
    reason: Reason | None = None


class Timeline:
    """A listener that draws one call; `rows` are its attempts. Without a console it only remembers them."""

    def __init__(self, console: Console | None = None) -> None:
        self.rows: list[Row] = []
        self.retry_at: float | None = None
        self._console = console

    @property
    def animated(self) -> bool:
        """Whether a wait can be shown while it lasts."""
        return self._console is not None and can_animate(self._console)

    @property
    def waited(self) -> float:
        """The seconds waited between attempts, as the policy chose them."""
        return sum(row.delay or 0.0 for row in self.rows)

    def __call__(self, event: events.Event) -> None:
        """Take in what happened."""
        match event:
            case events.RetryScheduled():
                self._add(Row(event.attempt, event.outcome, event.rule, event.delay, event.source))
            case events.GaveUp():
                self.retry_at = event.retry_at
                self._add(Row(event.attempt, event.outcome, event.rule, reason=event.reason))
            case events.Paced():
                self._say(
                    Text(f"  its pace lets attempt {event.attempt} begin in {seconds(event.delay)}", "dim")
                )
            case events.RecoveryFailed():
                self._say(Text(f"  {_unrecovered(event)}", "red"))
            case events.ConditionFailed():
                self._say(Text(f"  a condition or delay raised {type(event.error).__name__}", "red"))
            case _:
                pass  # an attempt that failed is told with what follows it, one that succeeded by `ended`

    def ended(self, outcome: str, reason: Reason | None) -> None:
        """Take in what the call came to, unless an event has told it already."""
        if not self.rows or self.rows[-1].delay is not None:
            self._add(Row(len(self.rows) + 1, outcome, reason=reason))

    @contextmanager
    def countdown(self) -> Generator[Draw]:
        """Return what draws a wait on one line, which disappears after it."""
        with Live(console=self._console, transient=True, auto_refresh=False) as live:

            def draw(left: float, total: float) -> None:
                line = Table.grid(padding=(0, 1))
                bar = ProgressBar(total=total, completed=max(0.0, total - left), width=_BAR)
                line.add_row("    ", bar, f"{seconds(left)} left")
                live.update(line, refresh=True)

            yield draw

    def _add(self, row: Row) -> None:
        self.rows.append(row)
        line = Text.assemble(("  attempt ", "dim"), f"{row.attempt}  ")
        line.append(f"{told(row.outcome):<26}", colour_of(row.outcome))
        line.append(f"  {followed(row)}")
        self._say(line)

    def _say(self, line: Text) -> None:
        if self._console is not None:
            self._console.print(line, soft_wrap=True)


def told(outcome: str) -> str:
    """Return an outcome for people: a status with its phrase, or the name of what was raised."""
    if not outcome.isdecimal():
        return outcome
    try:
        return f"{outcome} {HTTPStatus(int(outcome)).phrase}"
    except ValueError:
        return outcome


def colour_of(outcome: str) -> str:
    """Return the colour of an outcome: green below 400."""
    return "green" if outcome.isdecimal() and int(outcome) < 400 else "red"


def followed(row: Row) -> str:
    """Return what followed an attempt, and why."""
    rule = "" if row.rule is None else f" (rule {row.rule + 1})"
    if row.delay is not None:
        source = f", as {row.source} asks" if row.source else ""
        return f"retry in {seconds(row.delay)}{source}{rule}"
    if row.reason is None:
        return "broke off in the body, which is not repeated"
    if row.reason in (Reason.SUCCEEDED, Reason.ACCEPTED):
        return f"done: {row.reason}"
    return f"gave up: {row.reason}, {MEANINGS[row.reason]}{rule}"


def _unrecovered(event: events.RecoveryFailed) -> str:
    if event.error is None:
        return f"nothing is bound to {event.recovery}: a program does that, with recover={{...}}"
    return f"the recovery {event.recovery} raised {type(event.error).__name__}"


def row_document(row: Row) -> dict[str, Any]:
    """Return an attempt for machines."""
    return attrs.asdict(row)


def summary(lines: list[tuple[str, Timeline]]) -> Table:
    """Return a table with a row a call: attempts, waits, and what it came to."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("call", "attempts", "waited", "outcome", "because"):
        table.add_column(name, justify="right" if name in ("attempts", "waited") else "left", overflow="fold")
    for name, timeline in lines:
        last = timeline.rows[-1]
        table.add_row(
            name,
            str(len(timeline.rows)),
            seconds(timeline.waited),
            Text(told(last.outcome), colour_of(last.outcome)),
            str(last.reason or ""),
        )
    return table
