"""`bide new`: a strategy file to fill in."""

from __future__ import annotations

import shlex

import click

from bide.cli.screen import out, print_json
from bide.strategy.reading import read
from bide.strategy.skeleton import skeleton

_SUFFIX = ".toml"


@click.command(short_help="Write a strategy file to fill in.")
@click.argument("name")
@click.option(
    "--out",
    "path",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Where: a .toml file (NAME.toml when not said).",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def new(name: str, *, path: str | None, as_json: bool) -> None:
    """
    Write a strategy file to fill in, with an example in every section.

    NAME is what the strategy is called. A file that is there already is left alone, and the exit status is 2.
    """
    if not name:
        raise click.UsageError("NAME is empty: write what the strategy is called, such as 'notes'")
    if name.endswith(_SUFFIX):
        raise click.UsageError(f"NAME is no file: write {name.removesuffix(_SUFFIX)!r}")
    path = f"{name}{_SUFFIX}" if path is None else path
    if not path.endswith(_SUFFIX):
        raise click.UsageError(f"FILE ends in {_SUFFIX}: write {path + _SUFFIX!r}")
    text = skeleton(name)
    _, findings = read(text, path)
    if findings:
        raise click.UsageError(f"NAME {findings[0].message}; got {name!r:.60}")
    _write(path, text)
    if as_json:
        print_json({"name": name, "path": path})
    else:
        out().print(
            f"{path} is written. Fill it in from the API's page about errors, and prove it:", soft_wrap=True
        )
        out().print(f"  bide check {shlex.quote(path)}", soft_wrap=True)


def _write(path: str, text: str) -> None:
    try:
        with open(path, "x", encoding="utf-8", newline="\n") as file:  # noqa: PTH123  # as the user wrote it
            file.write(text)
    except FileExistsError:
        raise click.UsageError(
            f"{path} is there already, and is left as it is; choose another --out"
        ) from None
    except OSError as error:
        raise click.UsageError(f"cannot write {path}: {error.strerror}") from None
