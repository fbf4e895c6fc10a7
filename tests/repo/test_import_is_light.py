"""`import bide` costs what its own code costs: what a program may never need is loaded when it is needed."""

import subprocess
import sys

HEAVY = {
    "aiohttp", "anyio", "asyncio", "click", "email", "http", "httpx", "httpx2", "opentelemetry", "redis",
    "requests", "rich", "ssl", "trio", "urllib3",
}  # fmt: skip


def loaded_by(statement):
    """The top-level modules that a statement loads into a fresh interpreter, which loads some by itself."""
    code = f"import sys; before = set(sys.modules); {statement}; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in done.stdout.split()}


def test_importing_bide_loads_nothing_heavy():
    loaded = loaded_by("import bide")
    assert "bide" in loaded
    assert loaded & HEAVY == set()


def test_a_heavy_import_would_be_noticed():
    assert loaded_by("import importlib.metadata") & HEAVY == {"email"}
