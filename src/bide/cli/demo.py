"""`bide demo`: a real client, a real server that fails, and the strategy between them, in a few seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs
import click
import httpx
from rich.text import Text

from bide.adapters.httpx import install
from bide.cli import inputs
from bide.cli.pace import PacedClock
from bide.cli.screen import can_animate, out, print_json
from bide.cli.stories import STORIES, Story, play
from bide.cli.timeline import Timeline, row_document, summary
from bide.engine.clock import SYSTEM_CLOCK
from bide.engine.readers import outcome_of_value
from bide.strategy.errors import APIError
from bide.strategy.load import load
from bide.strategy.strategy import Strategy
from bide.testing import Draws, FaultServer

if TYPE_CHECKING:
    from rich.console import Console

NAME: Final = "prompt-library"
_ON_TERMINAL: Final = 1.5
_ELSEWHERE: Final = 50.0
_DRAWS: Final = (0.2, 0.62, 0.7, 0.55, 0.5, 0.5, 0.62, 0.45, 0.38)


@click.command(short_help="Watch retries against a server that fails.")
@click.option("--fast", "pace", flag_value="fast", help="Shorten the waits as much as without a terminal.")
@click.option("--real", "pace", flag_value="real", help="Wait as long as the policy says.")
@click.option("--speed", type=inputs.speed, metavar="NUMBER", help="Divide the waits by this.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def demo(ctx: click.Context, /, *, pace: str | None, speed: float | None, as_json: bool) -> None:
    """
    Watch the strategy `prompt-library` against a server that fails in documented ways.

    The server listens on this machine only. The delays shown are the policy's own; the waits are shortened.
    """
    if pace is not None and speed is not None:
        raise click.UsageError("say --speed, or one of --fast and --real")
    console = out()
    paces = {"fast": _ELSEWHERE, "real": 1.0, None: _ON_TERMINAL if can_animate(console) else _ELSEWHERE}
    stage = Stage(load(NAME), None if as_json else console, paces[pace] if speed is None else speed)
    told = stage.play()
    if as_json:
        print_json({"strategy": NAME, "stories": [one.document() for one in told]})
    else:
        console.print(summary([(one.story.name, one.timeline) for one in told]))
        console.print(
            f"What a policy would do about something else: bide explain --strategy {NAME} --status 503"
        )
    ctx.exit(0 if all(one.true for one in told) else 1)


@attrs.frozen
class Told:
    """A story that has been played."""

    story: Story
    timeline: Timeline
    error: APIError | None

    @property
    def true(self) -> bool:
        """Whether it ended as it must."""
        last = self.timeline.rows[-1]
        came = (last.outcome, last.reason, len(self.timeline.rows))
        return came == (str(self.story.status), self.story.reason, self.story.attempts)

    def document(self) -> dict[str, Any]:
        """Return it for machines."""
        last = self.timeline.rows[-1]
        return {
            "title": self.story.title,
            "request": self.story.request,
            "attempts": [row_document(row) for row in self.timeline.rows],
            "waited": self.timeline.waited,
            "outcome": last.outcome,
            "reason": last.reason,
            "request_id": None if self.error is None else self.error.request_id,
        }


class Stage:
    """The server, the client and the strategy, for all stories."""

    def __init__(self, strategy: Strategy, console: Console | None, speed: float) -> None:
        self._strategy = strategy
        self._console = console
        self._speed = speed
        self._rng = Draws(*_DRAWS)

    def play(self) -> list[Told]:
        """Play every story, in order."""
        if self._console is not None:
            self._console.print(Text(self._strategy.title, "bold"))
            self._console.print(f"  {self._strategy.policy}", soft_wrap=True)
        with FaultServer() as server:
            play(server)
            return [self._one(story, server.url) for story in STORIES]

    def _one(self, story: Story, base: str) -> Told:
        timeline = Timeline(self._console)
        if self._console is not None:
            self._console.print()
            self._console.print(Text.assemble((story.title, "bold"), (f"\n  {story.request}", "dim")))
        clock = PacedClock(SYSTEM_CLOCK, self._speed, timeline.countdown if timeline.animated else None)
        with httpx.Client(base_url=base, trust_env=False) as client:
            install(client, self._strategy, clock=clock, rng=self._rng, listeners=[timeline])
            response = client.get(story.path)
        outcome = outcome_of_value(response, body=True)
        timeline.ended(str(response.status_code), self._strategy.explain(outcome).reason)
        told = Told(story, timeline, self._strategy.error_of(outcome))
        if self._console is not None and told.error is not None:
            _print_advice(self._console, told.error)
        return told


def _print_advice(console: Console, error: APIError) -> None:
    console.print(Text.assemble((f"  {error.code}", "bold"), f": {error.meaning}"), soft_wrap=True)
    if error.resolution:
        console.print(f"  what to do: {error.resolution}", soft_wrap=True)
    if error.request_id:
        console.print(f"  request id: {error.request_id}")
