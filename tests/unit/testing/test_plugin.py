"""The pytest plugin: fixtures for those who ask."""

import subprocess
import sys

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


def loaded_by(statement):
    code = f"{statement}; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_its_fixtures_work(tmp_path):
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    code = "import pytest; raise SystemExit(pytest.main(['-q', '-p', 'bide.testing.plugin']))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "3 passed" in done.stdout, done.stdout + done.stderr


def test_it_loads_nothing_that_might_be_missing():
    optional = {"freezegun", "trio", "h11", "httpx", "httpx2", "requests", "aiohttp", "hypothesis"}
    assert loaded_by("import bide.testing.plugin") & optional == set()
