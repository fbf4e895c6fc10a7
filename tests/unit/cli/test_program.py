"""The program itself: real processes, exit statuses, terminals, and what is missing."""

import json
import os
import pty
import signal
import subprocess
import sys

import httpx
import pytest
from packaging.version import Version

from bide.testing import steps

BIDE = [sys.executable, "-m", "bide.cli"]


def bide(*args, env=None, **options):
    env = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")} | (
        env or {}
    )
    return subprocess.run(
        [*BIDE, *args], capture_output=True, text=True, check=False, env=env, timeout=60, **options
    )


def without(*modules):
    """The program where some packages are not installed."""
    hide = f"import sys; sys.modules.update(dict.fromkeys({modules!r}))"
    return [sys.executable, "-c", f"{hide}; from bide.cli import main; main()"]


def on_a_terminal(*args, env=None):
    """What the program writes on a terminal, stdout and stderr together."""
    ours, theirs = pty.openpty()
    env = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")} | (
        env or {}
    )
    env |= {"TERM": "xterm-256color", "COLUMNS": "100"}
    with subprocess.Popen([*BIDE, *args], stdin=theirs, stdout=theirs, stderr=theirs, env=env) as process:
        os.close(theirs)
        written = bytearray()
        while chunk := read(ours):
            written += chunk
        os.close(ours)
    return process.returncode, written.decode()


def read(descriptor):
    try:
        return os.read(descriptor, 65_536)
    except OSError:  # how Linux says that the other side has gone
        return b""


def test_it_has_a_version():
    done = bide("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("bide, version ")


def test_help_names_every_command():
    done = bide("--help")
    assert done.returncode == 0
    assert all(
        f"  {command} " in done.stdout for command in ("explain", "check", "new", "schema", "get", "demo")
    )


def test_explain_runs_as_a_program():
    done = bide("explain", "retry_on(503).fixed(2s)", "--status", "503", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["explanation"]["delay"] == [2, 2]


def test_a_syntax_error_leaves_no_traceback():
    done = bide("explain", "retry_on(503")
    assert done.returncode == 2
    assert "policy:1:" in done.stderr
    assert "Traceback" not in done.stderr


def test_get_runs_as_a_program(server):
    server.on("/", steps.respond(503), steps.respond(200, body="hello"))
    done = bide("get", server.url + "/", "--policy", "retry_on(503).immediately()", env={"NO_PROXY": "*"})
    assert (done.returncode, done.stdout) == (0, "hello")
    assert "attempt 2  200 OK" in done.stderr


def test_the_demo_runs_as_a_program_without_a_terminal():
    done = bide("demo")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert "left" not in done.stdout


def test_the_demo_is_drawn_on_a_terminal():
    code, written = on_a_terminal("demo", "--speed", "10")
    assert code == 0
    assert " left" in written
    assert "\x1b[31m" in written
    assert written.count("\x1b[?25h") == written.count("\x1b[?25l")  # the cursor is back


def test_a_body_without_a_line_end_gets_one_on_a_terminal(server):
    server.on("/", steps.respond(200, body="hello"))
    _, written = on_a_terminal("get", server.url + "/", "--policy", "retry_on(503)")
    assert "hello\r\n" in written


def test_no_color_means_none():
    _, written = on_a_terminal("demo", "--fast", env={"NO_COLOR": "1"})
    assert "attempt 1" in written.replace("\x1b[2m", "").replace("\x1b[0m", "")
    assert not any(f"\x1b[{colour}m" in written for colour in (*range(30, 38), *range(90, 98)))


def test_ctrl_c_ends_a_wait_at_once(server):
    server.on("/", steps.respond(503))
    command = [*BIDE, "get", server.url + "/", "--policy", "retry_on(503).fixed(10m)"]
    env = os.environ | {"NO_PROXY": "*"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=env) as process:
        assert "retry in 10 m" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait(30) == 130
    assert "Traceback" not in rest


@pytest.mark.parametrize("module", ["click", "rich"])
def test_a_missing_extra_is_told_in_one_line(module):
    done = subprocess.run(without(module), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == 'bide: the command line needs click and rich: pip install "bide[cli]"\n'


@pytest.mark.parametrize("command", ["get", "demo"])
def test_without_httpx_its_commands_say_so_and_the_others_work(command):
    program = without("httpx")
    done = subprocess.run(
        [*program, command, "http://x", "--policy"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert 'pip install "bide[cli,httpx]"' in done.stderr
    explained = subprocess.run(
        [*program, "explain", "retry_on(503)"], capture_output=True, text=True, check=False
    )
    assert explained.returncode == 0


def test_another_missing_module_is_not_blamed_on_an_extra():
    for hidden in ("bide.policy.params", "bide.adapters.httpx"):
        done = subprocess.run(without(hidden), capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "ModuleNotFoundError" in done.stderr


def test_a_reader_that_goes_away_is_no_crash():
    with subprocess.Popen(
        [*BIDE, "explain", "retry_on(503)"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        process.stdout.close()
        assert "Traceback" not in process.stderr.read()


def test_the_demo_needs_the_two_extras_alone():
    code = (
        "import sys, bide.cli; "
        "print(*{'pytest', 'freezegun', 'trio', 'requests', 'aiohttp', 'httpx2'} & {m.partition('.')[0] for m in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before_0_28 = Version(httpx.__version__) < Version("0.28")  # which loads trio, if there is one
    assert done.stdout.strip() == ("trio" if before_0_28 else "")
