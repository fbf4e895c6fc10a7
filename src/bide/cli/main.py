"""The entry point: it runs the commands, or tells in one line what to install."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

_EXTRAS: Final = {
    "click": 'the command line needs click and rich: pip install "bide[cli]"',
    "rich": 'the command line needs click and rich: pip install "bide[cli]"',
}

commands: Callable[..., Any] | None = None
missing = ""
try:
    from bide.cli.commands import commands
except ModuleNotFoundError as error:
    library = (error.name or "").partition(".")[0]
    if library not in _EXTRAS:
        raise
    missing = _EXTRAS[library]


def main(args: Sequence[str] | None = None) -> None:
    """Run a command line and exit: 0 all is well, 1 something was found or failed, 2 it could not be understood."""
    if commands is None:
        print(f"bide: {missing}", file=sys.stderr)
        raise SystemExit(2)
    reconfigure: Callable[..., object] | None = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")  # as stderr: better an escape than no answer
    commands(args, prog_name="bide")
