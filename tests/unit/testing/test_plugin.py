"""The pytest plugin: fixtures for those who ask."""

import os
import subprocess
import sys
from pathlib import Path

import bide.testing

# Where the package is, wherever the tests were started; and no plugins but ours, named on the command line.
ENVIRONMENT = os.environ | {
    "PYTHONPATH": str(Path(bide.testing.__file__).parents[2]),
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
}

TESTS = """
import urllib.request

def test_time_is_virtual(virtual_clock):
    virtual_clock.sleep(3600)
    assert virtual_clock.monotonic() == 3600.0

def test_each_test_has_its_own_clock(virtual_clock):
    assert virtual_clock.monotonic() == 0.0

def test_the_server_runs(fault_server):
    from bide.testing import steps
    fault_server.on("/", steps.respond(200, body=b"hello"))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(fault_server.url + "/") as response:
        assert response.read() == b"hello"
"""


def run(code, cwd):
    return subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )


def test_the_fixtures_are_a_clock_and_a_server(virtual_clock, fault_server):
    virtual_clock.sleep(60)
    assert virtual_clock.monotonic() == 60.0
    assert fault_server.url.startswith("http://127.0.0.1:")


def test_its_fixtures_work(tmp_path):
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    done = run("import pytest; raise SystemExit(pytest.main(['-q', '-p', 'bide.testing.plugin']))", tmp_path)
    assert "3 passed" in done.stdout, done.stdout + done.stderr


def test_it_loads_nothing_that_might_be_missing(tmp_path):
    loaded = set(run("import bide.testing.plugin, sys; print(*sys.modules)", tmp_path).stdout.split())
    assert "bide.testing.server" in loaded
    assert (
        loaded & {"freezegun", "trio", "h11", "httpx", "httpx2", "requests", "aiohttp", "hypothesis"} == set()
    )
