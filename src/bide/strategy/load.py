"""Find a strategy's file by name or path, and load it."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any, Final

from bide.language.diagnostics import did_you_mean
from bide.strategy.findings import Finding, StrategyError
from bide.strategy.reading import read
from bide.strategy.strategy import Strategy
from bide.strategy.text import text_of

if TYPE_CHECKING:
    from pathlib import Path

GROUP: Final = "bide.strategies"


def load(name_or_path: str | os.PathLike[str]) -> Strategy:
    """
    Return the strategy of that name, or of the file at that path.

    Args:
        name_or_path: "prompt-library": one that comes with bide or with an installed package. "./mine.toml": a path
            is what has a separator, ends in `.toml`, or is a `Path`.

    Raises:
        StrategyError: there is none, or its file is wrong. `findings` has all that is wrong.
    """
    strategy, findings = attempt_to_load(name_or_path)
    if strategy is None:
        raise StrategyError(findings)
    return strategy


def attempt_to_load(name_or_path: str | os.PathLike[str]) -> tuple[Strategy | None, list[Finding]]:
    """Return a strategy, or None and all that is wrong."""
    said: object = name_or_path
    if isinstance(name_or_path, os.PathLike):
        said = name_or_path.__fspath__()
    if not isinstance(said, str):
        what = "a strategy is loaded by its name, or by its path as a text or a Path"
        raise TypeError(f"{what}; got {name_or_path!r:.60}")
    if not isinstance(name_or_path, str) or _is_path(said):
        return _read_file(said)
    shipped = _shipped()
    if said in shipped:
        return _read_file(str(shipped[said]))
    return _installed(said, sorted(shipped))


def _is_path(said: str) -> bool:
    return said.endswith(".toml") or any(sep in said for sep in ("/", os.sep))


def _shipped() -> dict[str, Path]:
    """Return the files that come with bide, by name: in its package, or beside `src` in a source checkout."""
    from pathlib import Path  # a tenth of what `import bide` costs, and only needed here

    here = Path(__file__).resolve()
    places = (here.parents[1] / "strategies", here.parents[3] / "strategies")
    return {path.stem: path for place in places for path in place.glob("*.toml")}


def _installed(name: str, shipped: list[str]) -> tuple[Strategy | None, list[Finding]]:
    """Return what an installed package offers by this name through the entry-point group `bide.strategies`."""
    metadata: Any = importlib.import_module("importlib.metadata")  # slow to import, and rarely needed
    entries = {entry.name: entry for entry in metadata.entry_points(group=GROUP)}
    if name not in entries:
        known = sorted({*shipped, *entries})
        advice = _path_advice(name)
        message = f"there is no strategy {name[:60]!r}{did_you_mean(name, known)}"
        return None, [Finding("unknown-strategy", message, name[:60], advice=advice)]
    found = entries[name].load()
    if isinstance(found, Strategy):
        return found, []
    if isinstance(found, (str, os.PathLike)):
        return _read_file(os.fspath(found))
    what = f"the entry point {entries[name].value!r} is neither a Strategy nor the path of a file"
    return None, [Finding("unknown-strategy", what, name)]


def _path_advice(name: str) -> str:
    """Return how to write a path: that of a file which was perhaps meant, if it is there."""
    if os.path.isfile(f"{name}.toml"):  # noqa: PTH113  # pathlib is slow to import
        return f"there is a file of that name: write ./{name}.toml"
    return "a path has a separator or ends in .toml, such as ./mine.toml"


def _read_file(path: str) -> tuple[Strategy | None, list[Finding]]:
    text = text_of(path)
    return (None, [text]) if isinstance(text, Finding) else read(text, path)
