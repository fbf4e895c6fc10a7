"""Processes that fork, end, are put to sleep or are patched: retries go on, wait as said, and stay silent. B12, C07, E08, F10 to F13."""

import json
import os
import subprocess
import sys
import threading
import time

import pytest

from bide import Reason, RetryScheduled, history, retry_on, retrying
from bide.testing import Scripted, VirtualClock

DOWN = retry_on(ConnectionError)
DEADLINES = {
    "of the rule": lambda rule, seconds: rule.within(seconds),
    "of the whole call": lambda rule, seconds: (rule | retry_on(503)).within(seconds),
}


def where_there_is_fork(test):
    quiet = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")(test)
    return pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")(quiet)


def in_a_child(work):
    """Return what a function returns in a forked child, as JSON says it."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, json.dumps(work()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    return json.loads(said)


def delays_of_a_call():
    clock = VirtualClock()
    with pytest.raises(ConnectionError):
        DOWN.exponential(max=5).bind(clock=clock).call(Scripted(ConnectionError, repeat_last=True))
    return clock.sleeps


@where_there_is_fork
def test_B12_forked_children_do_not_share_their_jitter():
    first, second, own = in_a_child(delays_of_a_call), in_a_child(delays_of_a_call), delays_of_a_call()
    assert len(first) == len(second) == len(own) == 5
    assert first != second
    assert own not in (first, second)


@where_there_is_fork
def test_F10_a_child_that_is_forked_while_a_thread_waits_retries_on_its_own():
    clock = VirtualClock(auto=False)
    script = Scripted(ConnectionError, "done")
    shared = DOWN.fixed(10).bind(clock=clock)(script.function())
    thread = threading.Thread(target=shared)
    thread.start()
    clock.wait_for_sleepers()

    def in_the_child():
        fails = Scripted(ConnectionError, ConnectionError, "from the child")
        return DOWN.fixed(1).bind(clock=VirtualClock()).call(fails), script.count

    assert in_a_child(in_the_child) == ["from the child", 1]
    clock.advance(10)
    thread.join()
    assert script.count == 2


def run(code):
    """Return how a Python of its own ended, what it said and what it complained of; nobody measures it, which shows."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    command = [sys.executable, "-W", "error", "-c", code]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=kept)
    return ended.returncode, ended.stdout, ended.stderr


AT_THE_END = """
import atexit, asyncio, threading, time
from bide import retry_on

failed = []

@retry_on(ConnectionError).fixed("1ms").max(2)
def flaky():
    failed.append(1)
    if len(failed) % 3:
        raise ConnectionError
    return "retried at exit"

@retry_on(ConnectionError).fixed(60).within(600)
def down():
    failing.set()
    raise ConnectionError

def forbidden():
    raise PermissionError

async def aforbidden():
    if not tokens:
        raise PermissionError
    return "recovered at exit"

def refresh():
    tokens.append(1)

def stuck():
    refreshing.set()
    time.sleep(60)

tokens, failing, refreshing = [], threading.Event(), threading.Event()
login = retry_on(PermissionError).immediately().calling("refresh").within(600)
atexit.register(lambda: print(flaky(), flush=True))
atexit.register(lambda: print(asyncio.run(login.bind(recover={"refresh": refresh}).acall(aforbidden)), flush=True))
for work in (down, lambda: login.bind(recover={"refresh": stuck}).call(forbidden)):
    threading.Thread(target=work, daemon=True).start()
failing.wait()
refreshing.wait()
"""


def test_F11_a_program_ends_at_once_and_quietly_while_calls_wait_and_may_retry_at_its_exit():
    assert run(AT_THE_END) == (0, "recovered at exit\nretried at exit\n", "")


def test_F13_a_patched_sleep_is_the_one_that_is_used_in_every_way_in(monkeypatch):
    """As gevent patches it: after a policy was bound, or before."""
    waits = []
    down = Scripted(ConnectionError, repeat_last=True)
    policy = DOWN.fixed(1).max(1)
    decorated, dated = policy(down.function()), policy.within(60)(down.function())
    monkeypatch.setattr(time, "sleep", waits.append)

    def block():
        for attempt in retrying(policy):
            with attempt:
                down()

    for way in (decorated, dated, lambda: policy.call(down), block):
        with pytest.raises(ConnectionError):
            way()
    assert waits == [1.0] * 4


IN_AN_INTERPRETER_OF_ITS_OWN = """
import sys
sys.path[:] = {path!r}
from bide import parse, retry_on

failed = []

@retry_on(ConnectionError).immediately()
def flaky():
    failed.append(1)
    if len(failed) < 3:
        raise ConnectionError
    return str(parse("retry_on(429).exponential()"))

assert flaky() == "retry_on(429).exponential()"
print("retried", flush=True)
"""
INTERPRETERS = """
try:
    import _xxsubinterpreters as interpreters
except ImportError:
    import _interpreters as interpreters
failed = interpreters.run_string(interpreters.create(), {code!r})
assert failed is None, failed
"""


def test_F13_a_subinterpreter_may_have_bide_of_its_own():
    code = INTERPRETERS.format(code=IN_AN_INTERPRETER_OF_ITS_OWN.format(path=sys.path))
    assert run(code) == (0, "retried\n", "")


class Suspended(VirtualClock):
    """A machine that is put to sleep for an hour in each wait; whether that counts depends on the system."""

    def __init__(self, *, counts):
        super().__init__()
        self._counts = counts

    def sleep(self, seconds):
        super().sleep(seconds)
        if self._counts:
            self.advance(3600)
        else:
            self.step_wall(3600)


def begun_until_it_gives_up(policy, clock, **options):
    begun = []

    def down():
        begun.append(clock.monotonic())
        raise ConnectionError

    with pytest.raises(ConnectionError) as caught:
        policy.bind(clock=clock, **options).call(down)
    return begun, history(caught.value).reason


@pytest.mark.parametrize("within", DEADLINES.values(), ids=DEADLINES)
def test_C07_after_a_machine_slept_past_the_deadline_one_attempt_follows_and_no_more(within):
    policy = within(DOWN.fixed(10).max(5), 60)
    begun, reason = begun_until_it_gives_up(policy, Suspended(counts=True))
    assert (begun, reason) == ([0.0, 3610.0], Reason.DEADLINE)


@pytest.mark.parametrize("within", DEADLINES.values(), ids=DEADLINES)
def test_C07_where_a_machines_sleep_does_not_count_the_call_goes_on_as_if_there_had_been_none(within):
    policy = within(DOWN.fixed(10).max(3), 60)
    begun, reason = begun_until_it_gives_up(policy, Suspended(counts=False))
    assert (begun, reason) == ([0.0, 10.0, 20.0, 30.0], Reason.RETRIES_EXHAUSTED)


@pytest.mark.parametrize("within", DEADLINES.values(), ids=DEADLINES)
def test_E08_the_time_that_a_listener_takes_counts_for_the_deadline(within):
    clock = VirtualClock()

    def slow(event):
        if isinstance(event, RetryScheduled):
            clock.advance(100)

    policy = within(DOWN.fixed(10).max(5), 60)
    begun, reason = begun_until_it_gives_up(policy, clock, listeners=[slow])
    assert (begun, reason) == ([0.0, 110.0], Reason.DEADLINE)
