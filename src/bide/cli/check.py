"""`bide check`: whether policies and strategy files say what they mean."""

import click


@click.command()
def check() -> None: ...
