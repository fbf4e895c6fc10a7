"""Commands run in this process, on a clock whose seconds pass at once."""

import json
import sys
from importlib.metadata import version

import attrs
import pytest
from click.testing import CliRunner
from packaging.version import Version

from bide.cli.commands import commands
from bide.testing import FaultServer, VirtualClock

# Before 8.2, a runner writes stderr to stdout unless it is told otherwise.
RUNNER = CliRunner(**({"mix_stderr": False} if Version(version("click")) < Version("8.2") else {}))


@attrs.frozen
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def run(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)  # a test runner's own width is none of the command's

    def run(*args):
        done = RUNNER.invoke(commands, [str(arg) for arg in args], prog_name="bide")
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return Done(done.exit_code, done.stdout, done.stderr)

    return run


@pytest.fixture
def clock(monkeypatch):
    """The clock of every command: its waits take no time."""
    clock = VirtualClock(wall=1_700_000_000.0)
    for module in ("get", "demo", "explain"):
        monkeypatch.setattr(sys.modules[f"bide.cli.{module}"], "SYSTEM_CLOCK", clock)
    return clock


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    with FaultServer() as server:
        yield server
