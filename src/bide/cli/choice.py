"""Which policy a command is about: a text, or the one that a strategy has for a request."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, Any, Final

import attrs
import click
from rich.text import Text

from bide.language.diagnostics import PolicySyntaxError
from bide.language.parse import parse
from bide.policy.policy import Policy
from bide.strategy.endpoints import Match
from bide.strategy.load import attempt_to_load, load
from bide.strategy.strategy import Strategy

if TYPE_CHECKING:
    from rich.console import Console

strategy_option: Final = click.option("--strategy", help="A strategy by name or file, instead of a policy.")


@attrs.frozen
class Request:
    """What is asked of a server: the method, and the URL or path; None where nobody said."""

    method: str | None = None
    url: str | None = None

    @classmethod
    def of(cls, method: str | None, url: str | None, route: tuple[str, str] | None) -> Request:
        """
        Return the request that options say: a method and a URL, or both in one.

        Raises:
            UsageError: the route was said, and one of its halves again.
        """
        if route is None:
            return cls(method, url)
        if method is not None or url is not None:
            raise click.UsageError("--route says the method and the URL: leave out --method and --url")
        return cls(*route)


@attrs.frozen
class Choice:
    """A policy, the strategy that it came from, and why it is that one; `match` is None when no URL was said."""

    policy: Policy
    strategy: Strategy | None = None
    match: Match | None = None

    def document(self) -> dict[str, Any] | None:
        """Return the endpoint for machines."""
        if self.match is None:
            return None
        return {"pattern": self.match.pattern, "params": self.match.params, "also": self.match.also}

    def print(self, console: Console) -> None:
        """Print the endpoint and those that give way to it, if there is a strategy and a request was said."""
        if self.match is None or self.strategy is None:
            return
        line = Text.assemble("endpoint ", (self.match.pattern, "bold"))
        params = [f"{{{name}}} is {part!r}" for name, part in self.match.params.items()]
        if params:
            line.append(f", where {' and '.join(params)}")
        if self.match.pattern not in self.strategy.endpoints:
            line.append(", the default policy's")
        console.print(line, soft_wrap=True)
        for pattern, why in self.match.also.items():
            console.print(f"  rather than {pattern}: {why}", soft_wrap=True)


def choose(text: str | None, strategy: str | None, request: Request, *, what: str = "TEXT") -> Choice:
    """
    Return the policy that was asked for; a text is for every request.

    Raises:
        UsageError: both a text and a strategy, or neither.
        PolicySyntaxError: the text is no policy.
        StrategyError: the strategy cannot be read, or there is none of that name.
    """
    if text is not None and strategy is None:
        return Choice(_parsed(text))
    if text is not None:
        raise click.UsageError(f"say either {what} or --strategy: both name a policy")
    if strategy is None:
        raise click.UsageError(f"say either {what}, such as 'retry_on(503)', or --strategy and its name")
    loaded = load(strategy)
    if request.url is None:
        return Choice(loaded.policy, loaded)
    match = loaded.match(request.method or "GET", request.url)
    return Choice(match.policy, loaded, match)


def _parsed(text: str) -> Policy:
    """
    Return the policy of a text.

    Raises:
        UsageError: it is the name of a strategy, or of a file, and belongs elsewhere.
        PolicySyntaxError: it is no policy.
    """
    try:
        return parse(text)
    except PolicySyntaxError:
        if "(" in text:
            raise
        if text.endswith(".toml") or attempt_to_load(text)[0] is not None:
            raise click.UsageError(f"{text!r} is a strategy; write --strategy {shlex.quote(text)}") from None
        if os.path.isfile(text):  # noqa: PTH113  # Path.is_file raises where a name is too long
            advice = f'write its text, "$(cat {shlex.quote(text)})" for instance'
            raise click.UsageError(f"{text!r} is a file; {advice}") from None
        raise
