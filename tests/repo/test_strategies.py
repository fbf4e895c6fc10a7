"""Every strategy that we ship loads, and decides each documented error as its catalogue says."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import bide
from bide.cli.commands import commands

FOLDER = Path(__file__).resolve().parents[2] / "strategies"
FILES = sorted(FOLDER.glob("*.toml"))

# A catalogue that its own rules contradict: 503 is retried, and the catalogue says give up.
WRONG = """
[api]
name = "wrong"
title = "A catalogue that lies"
docs = "https://example.com/errors"

[read]
code = "error.code"

[rules]
server_errors = 'retry_on(5xx)'

[policies]
default = 'server_errors'

[errors.down]
status = 503
decision = "give_up"
meaning = "The service is down."
resolution = "Come back later."
"""


def test_the_folder_holds_strategies_and_their_schema_and_nothing_else():
    assert FILES
    assert [path.name for path in FOLDER.iterdir() if path not in FILES] == ["schema.json"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_loads_under_its_own_name(path):
    assert bide.load(path.stem).name == bide.load(path).name == path.stem


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_its_catalogue_is_true(path):
    done = CliRunner().invoke(commands, ["check", str(path)], prog_name="bide", catch_exceptions=False)
    assert done.exit_code == 0, done.output


def test_a_catalogue_that_lies_is_caught_by_the_program(tmp_path):
    path = tmp_path / "wrong.toml"
    path.write_text(WRONG, "utf-8")
    program = Path(sys.executable).with_name("bide")
    done = subprocess.run([program, "check", path], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "down" in done.stdout + done.stderr
