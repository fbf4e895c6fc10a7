"""Hypothesis draws the same examples on every machine, and the collector looks at what a test left, not at the tests."""

import gc
import os
import signal

import pytest
from hypothesis import settings

settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("explore", max_examples=2000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_configure():
    """Hear Ctrl-C, and let child processes hear it, where the shell that began us has it ignored (in the background)."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="module")
def only_what_a_test_leaves_is_looked_at():
    """Have the collector look once at what there is, all tests among it, and not each time a test asks it to look."""
    gc.collect()
    gc.freeze()
