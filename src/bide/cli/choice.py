"""Which policy a command is about: a text, or the one that a strategy has for a request."""

from __future__ import annotations

import attrs
import click

from bide.language.parse import parse
from bide.policy.policy import Policy
from bide.strategy.load import load
from bide.strategy.strategy import Strategy


@attrs.frozen
class Choice:
    """A policy, and the strategy that it came from."""

    policy: Policy
    strategy: Strategy | None = None


def choose(
    text: str | None,
    strategy: str | None,
    *,
    method: str | None = None,
    url: str | None = None,
    what: str = "TEXT",
) -> Choice:
    """
    Return the policy that was asked for.

    Raises:
        UsageError: both a text and a strategy, or neither.
        PolicySyntaxError: the text is no policy.
        StrategyError: the strategy cannot be read, or there is none of that name.
    """
    if (text is None) == (strategy is None):
        raise click.UsageError(f"say either {what} or --strategy")
    if text is not None:
        return Choice(parse(text))
    assert strategy is not None  # one of the two is said
    loaded = load(strategy)
    return Choice(loaded.policy if url is None else loaded.policy_for(method or "GET", url), loaded)
