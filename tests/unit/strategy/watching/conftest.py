"""A strategy that watches a file in a folder of its own, on virtual time; makes the module beside this one importable."""

import logging
import os
import sys
from pathlib import Path

import pytest

from bide import load
from bide.testing import VirtualClock

sys.path.append(str(Path(__file__).parent))  # test folders are no packages

from acme_file import EVERY, OLD, OLD_TEXT


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "acme.toml"
    path.write_text(OLD_TEXT, "utf-8")
    return path


@pytest.fixture
def watched(path, clock):
    """The strategy of the file, looked at once: it is as it was loaded."""
    made = load(path).watch(every=EVERY, clock=clock)
    assert made.policy == OLD
    return made


@pytest.fixture
def told(caplog):
    """Return the records of the log since the last time, as (level, text)."""
    caplog.set_level(logging.INFO, "bide")

    def since():
        records = [(one.levelname, one.getMessage()) for one in caplog.records if one.name == "bide"]
        caplog.clear()
        return records

    return since


@pytest.fixture
def look(watched, clock):
    """Return the default policy at the next look."""

    def at_the_next():
        clock.advance(EVERY)
        return watched.policy

    return at_the_next


@pytest.fixture
def during(monkeypatch):
    """Do something to the file in each look, one thing after the other, when it was opened and read."""

    def looks(path, *things):
        real, before, left = os.stat, [], list(things)

        def stat(at, *args, **kwargs):
            if str(at) == str(path):
                before.append(at)
                if len(before) % 2 == 0 and left:  # asked for the second time in a look
                    left.pop(0)()
            return real(at, *args, **kwargs)

        monkeypatch.setattr(os, "stat", stat)

    return looks
