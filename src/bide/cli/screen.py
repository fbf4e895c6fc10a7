"""Where commands write: lines for people on a console, one JSON document on stdout, colour only on a terminal."""

from __future__ import annotations

import io
import json
import math
import os
import sys
from typing import Any, Final, cast

import click
from rich.console import Console

_PLAIN_WIDTH: Final = 120
_NARROWEST: Final = 40
_DURATION_UNITS: Final = ((3600.0, "h"), (60.0, "m"))


def out() -> Console:
    """Return the console for what was asked for."""
    return _console(stderr=False)


def err() -> Console:
    """Return the console for everything that is said beside it."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    lost = io.StringIO() if stream is None else None  # it was closed before we began
    wide = None if (stream and stream.isatty()) or "COLUMNS" in os.environ else _PLAIN_WIDTH
    console = Console(file=lost, stderr=stderr, width=wide, markup=False, highlight=False, emoji=False)
    console.width = max(
        console.width, _NARROWEST
    )  # below that a terminal breaks lines better than a table does
    return console


def can_animate(console: Console) -> bool:
    """Tell whether a line can be drawn over and over: on a real terminal that is not a dumb one."""
    return console.file.isatty() and not console.is_dumb_terminal


def print_json(document: Any) -> None:
    """Write one JSON document on stdout; what has no bound is null, since JSON knows no infinity."""
    click.echo(json.dumps(bounded(document), indent=2, allow_nan=False))


def bounded(value: Any) -> Any:
    """Return the same data with null for infinity, and lists for tuples."""
    if isinstance(value, float) and math.isinf(value):
        return None
    if isinstance(value, dict):
        pairs = cast("dict[str, Any]", value)
        return {key: bounded(one) for key, one in pairs.items()}
    if isinstance(value, (list, tuple)):
        return [bounded(one) for one in cast("list[Any]", value)]
    return value


def seconds(value: float) -> str:
    """Return seconds for people, at most three digits: 310 ms, 1.35 s, 2 m 5 s."""
    if math.isinf(value):
        return "for ever"
    if 0 < value < 1:
        return f"{value * 1000:.3g} ms" if value < 0.9995 else "1 s"
    if value < 60:
        return f"{value:.3g} s"
    parts: list[str] = []
    left = round(value)
    for size, unit in _DURATION_UNITS:
        whole, left = divmod(left, int(size))
        parts += [f"{whole} {unit}"] if whole else []
    return " ".join(parts + ([f"{left} s"] if left else []))


def span(low: float, high: float) -> str:
    """Return a range of seconds for people: 0 to 500 ms, 7 to 8 s, 500 ms to 1.5 s."""
    if low == high:
        return seconds(low)
    first, last = seconds(low).split(), seconds(high).split()
    same = low == 0 or (len(first) == len(last) == 2 and first[1] == last[1])
    return f"{first[0] if same else seconds(low)} to {seconds(high)}"


def count(number: float, noun: str) -> str:
    """Return a number with its noun: 1 retry, 2 retries, retries without bound."""
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    if math.isinf(number):
        return f"{plural} without bound"
    return f"{number:.0f} {noun if number == 1 else plural}"
