"""All that is wrong with a strategy: its file, and what the file says."""

from __future__ import annotations

import os

from bide.strategy.findings import Finding
from bide.strategy.load import attempt_to_load
from bide.strategy.prove import Coverage
from bide.strategy.strategy import Strategy


def check(strategy: Strategy | str | os.PathLike[str]) -> list[Finding]:
    """
    Return everything wrong with a strategy, a name or a file; an empty list when nothing is.

    A file that does not load has the findings of its text. One that does is held to its catalogue: every code gets
    the decision documented, every rule is used and can be reached, every policy is bounded.
    """
    return strategy.check() if isinstance(strategy, Strategy) else check_file(strategy)[0]


def check_file(name_or_path: str | os.PathLike[str]) -> tuple[list[Finding], Coverage | None]:
    """Return what is wrong with a name or a file, and how much of it is proved (None when it does not load)."""
    found, findings = attempt_to_load(name_or_path)
    return (findings, None) if found is None else (found.check(), found.coverage())
