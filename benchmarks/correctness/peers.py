"""The peers and where they live: a virtual environment beside this file, made when it is first needed."""

from __future__ import annotations

import subprocess
import sys
import venv
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
HOME = HERE / ".venv"
PYTHON = HOME / ("Scripts" if sys.platform == "win32" else "bin") / "python"
CLIENTS = ("aiohttp", "h11", "httpx", "requests", "urllib3")
PEERS = (
    "aiohttp-retry", "azure-core", "backoff", "backon", "botocore", "google-api-core", "httpx-retries", "hyx", "openai",
    "opnieuw", "pyresilience", "redress", "retry", "retryhttp", "retrying", "stamina", "tenacity",
)  # fmt: skip
_MARK = HOME / "installed"


def environment(*, fresh: bool = False) -> Path:
    """
    Return a Python that has bide, from this source tree, and every peer that installs here, in its newest version.

    What does not install is named on stderr; its cases are then told as not run.
    """
    wanted = "\n".join((*CLIENTS, *PEERS))
    if fresh or not _MARK.exists() or _MARK.read_text("utf-8") != wanted:
        print("making the environment ...", file=sys.stderr)
        venv.create(HOME, with_pip=True, clear=fresh)
        if not _pip("-e", str(ROOT), *CLIENTS):
            raise SystemExit("bide and the HTTP clients do not install here")
        if not _pip(*PEERS):
            for peer in PEERS:
                if not _pip(peer):
                    print(f"does not install here: {peer}", file=sys.stderr)
        _MARK.write_text(wanted, "utf-8")
    return PYTHON


def _pip(*what: str) -> bool:
    command = [PYTHON, "-m", "pip", "install", "--quiet", "--upgrade", "--disable-pip-version-check", *what]
    return subprocess.run(command, check=False).returncode == 0


def installed(name: str) -> str | None:
    """Return a distribution's version in the environment that runs this, or None."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None
