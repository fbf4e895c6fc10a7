"""Where the output cannot go: full disks, streams that were closed, encodings that lack a character, narrow terminals."""

import os
import shlex
import subprocess
import sys

import pytest

from bide.testing import steps

BIDE = f"{shlex.quote(sys.executable)} -m bide.cli"


def shell(command, **env):
    """What a shell makes of a command, whose streams may be anything."""
    # Coverage of a program whose files take no more would have a complaint of its own.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    ours = {name: value for name, value in kept.items() if name != "COLUMNS"}
    ours.pop("PYTHONUNBUFFERED", None)  # what is left in a buffer is tried once more at the end
    env = ours | {"NO_PROXY": "*", "PYTHONDONTWRITEBYTECODE": "1"} | env
    return subprocess.run(
        ["/bin/sh", "-c", command], capture_output=True, text=True, check=False, env=env, timeout=60
    )


COMMANDS = [
    "explain 'retry_on(503)'",
    "explain 'retry_on(503)' --json",
    "check 'retry_on(503)'",
    "schema",
    "demo --json",
]


@pytest.fixture
def full(tmp_path, monkeypatch):
    """A file that takes nothing, as on a full disk."""
    monkeypatch.chdir(tmp_path)
    return lambda command, stream="1": shell(f"ulimit -f 0; {BIDE} {command} {stream}> full")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_that_takes_no_more_is_told_in_one_line(full, command):
    done = full(command)
    assert (done.returncode, done.stderr) == (2, "error: the system says: File too large\n")


def test_a_file_that_takes_no_complaint_is_no_crash(full):
    done = full("check nope.toml", "2")
    assert (done.returncode, done.stderr) == (2, "")


def test_a_body_that_a_file_does_not_take_is_told(server, full):
    server.on("/", steps.respond(200, body="hello"))
    done = full(f"get {server.url}/ --policy 'retry_on(503)'")
    assert done.returncode == 2
    assert done.stderr.endswith("error: the system says: File too large\n")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_a_stdout_that_was_closed_loses_the_output_and_nothing_else(command):
    done = shell(f"{BIDE} {command} >&-")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_stderr_that_was_closed_loses_the_complaint_and_not_the_status():
    assert shell(f"{BIDE} explain 'retry_on(503' 2>&-").returncode == 2
    assert shell(f"{BIDE} check 'retry_on(503' >&- 2>&-").returncode == 2


def test_a_body_for_a_stdout_that_was_closed_is_dropped(server):
    server.on("/", steps.respond(200, body="hello"))
    done = shell(f"{BIDE} get {server.url}/ --policy 'retry_on(503)' >&-")
    assert done.returncode == 0
    assert "attempt 1  200 OK" in done.stderr


def test_characters_that_the_encoding_lacks_are_escaped():
    done = shell(
        f"{BIDE} explain 'retry_on(code(\"\N{CJK UNIFIED IDEOGRAPH-65E5}\"))'", PYTHONIOENCODING="ascii"
    )
    assert done.returncode == 0
    assert 'code("\\u65e5")' in done.stdout


@pytest.mark.parametrize("columns", ["0", "1", "39"])
def test_no_terminal_is_too_narrow_for_words(columns):
    done = shell(f"{BIDE} explain 'retry_on(503)'", COLUMNS=columns)
    assert done.returncode == 0
    assert "worst case: at most 4 attempts, at most" in done.stdout
