"""`bide check`: whether policies and strategy files can be read, and do what their catalogues say."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import attrs
import click

from bide.cli.diagnostics import show_finding, show_syntax, syntax_document
from bide.cli.screen import count, err, out, print_json
from bide.engine.runtime import bind
from bide.language.diagnostics import PolicySyntaxError
from bide.language.parse import parse
from bide.policy.errors import PolicyError
from bide.strategy.findings import Finding, StrategyError
from bide.strategy.load import load

_FINE, _FOUND, _UNREADABLE = 0, 1, 2


@attrs.frozen
class Checked:
    """
    What a check of one target came to.

    `covered` says in numbers what was looked at. `error` is the syntax error of a policy, `findings` are those of a
    strategy; `code` is the exit status that follows.
    """

    target: str
    code: int
    findings: Sequence[Finding] = ()
    error: PolicySyntaxError | None = None
    covered: str = ""

    @property
    def errors(self) -> int:
        """How many things are wrong."""
        return len(self.findings) + (self.error is not None)


@click.command(short_help="Check strategy files and policy texts.")
@click.argument("targets", nargs=-1, required=True, metavar="FILE|NAME|TEXT...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def check(ctx: click.Context, /, targets: tuple[str, ...], *, as_json: bool) -> None:
    """
    Check strategy files, strategies by name, and policy texts.

    The exit status is 0 when nothing is wrong, 1 when something was found, 2 when a text or file cannot be read.
    """
    every = [_check(target) for target in targets]
    if as_json:
        print_json(_document(every))
    else:
        _print(every)
    ctx.exit(max(one.code for one in every))


def _check(target: str) -> Checked:
    if "(" in target and not os.path.exists(target):  # noqa: PTH110  # Path.exists raises where a name is too long
        return _check_text(target)
    try:
        strategy = load(target)
    except StrategyError as error:
        return Checked(target, _UNREADABLE, error.findings)
    found = strategy.check()
    return Checked(target, _FOUND if found else _FINE, found, covered=str(strategy.coverage()))


def _check_text(text: str) -> Checked:
    try:
        policy = parse(text)
    except PolicySyntaxError as error:
        return Checked(text, _UNREADABLE, error=error)
    try:
        bind(policy)
    except PolicyError as error:  # it can be read, and nobody can use it
        return Checked(text, _FOUND, [Finding("bad-policy", str(error), text)])
    return Checked(text, _FINE, covered=f"{count(len(policy.clauses), 'rule')}, {policy.worst_case()}")


def _print(every: Sequence[Checked]) -> None:
    """Print every complaint on stderr, and the verdict on stdout."""
    console = err()
    for one in every:
        if one.error is not None:
            show_syntax(console, one.error)
            console.print()
        for finding in one.findings:
            show_finding(console, finding)
            console.print()
    errors = sum(one.errors for one in every)
    if errors:
        out().print(f"Found {count(errors, 'error')}.")
        return
    for one in every:
        name = f"{one.target}: " if len(every) > 1 else ""
        out().print(f"{name}All good: {one.covered}.", soft_wrap=True)


def _document(every: Sequence[Checked]) -> dict[str, Any]:
    return {
        "errors": sum(one.errors for one in every),
        "checked": [
            {
                "target": one.target,
                "ok": one.code == _FINE,
                "findings": [attrs.asdict(finding) for finding in one.findings],
                "syntax": None if one.error is None else syntax_document(one.error),
                "covered": one.covered,
            }
            for one in every
        ],
    }
