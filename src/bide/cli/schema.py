"""`bide schema`: the JSON Schema of a strategy file."""

from __future__ import annotations

import click

from bide.cli.screen import print_json
from bide.strategy import schema as strategy_file


@click.command(short_help="Print the JSON Schema of a strategy file.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, as without it.")
def schema(*, as_json: bool) -> None:  # noqa: ARG001  # every command takes --json
    """
    Print the JSON Schema of a strategy file, for editors and other tools.

    An editor finds it by the file's first line: write `bide schema > strategy.schema.json` once, and begin the file with
    `#:schema ./strategy.schema.json`.
    """
    print_json(strategy_file.schema())
