"""A look that is asked for, from a signal too, and what becomes of a watched strategy in a forked child."""

import gc
import os
import signal
import threading
import weakref

import pytest
from acme_file import BAD, EVERY, NEW, NEW_TEXT, OLD, put

from bide import StrategyError, load

# reload


def test_reload_looks_at_once_and_says_whether_something_else_is_in_force(watched, path, told):
    assert watched.reload() is False
    put(path, NEW_TEXT)
    assert watched.reload() is True
    assert watched.policy == NEW
    assert watched.reload() is False
    assert [level for level, _ in told()] == ["INFO"]


def test_reload_raises_what_is_wrong_each_time(watched, path):
    put(path, BAD)
    for _ in range(2):
        with pytest.raises(StrategyError, match="did you mean 'exponential'") as caught:
            watched.reload()
        assert (caught.value.file, caught.value.line, caught.value.column) == (str(path), 6, 26)
        assert watched.policy == OLD


def test_reload_reads_again_what_was_just_being_written(watched, path, during):
    put(path, BAD)
    during(path, lambda: put(path, NEW_TEXT))
    assert watched.reload() is True
    assert watched.policy == NEW


def test_reload_gives_up_on_a_file_that_never_stands_still(watched, path, during):
    during(path, *[lambda: put(path, NEW_TEXT)] * 100)
    with pytest.raises(StrategyError, match="the file changes while it is read"):
        watched.reload()
    assert watched.policy == OLD


def test_a_signal_may_ask_for_a_reload_in_the_middle_of_a_look(watched, path, look, during):
    outcomes = []
    before = signal.signal(signal.SIGUSR1, lambda *_: outcomes.append(watched.reload()))
    try:
        put(path, NEW_TEXT)
        during(path, lambda: os.kill(os.getpid(), signal.SIGUSR1))
        assert look() == NEW
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert outcomes == [True]


# forks


@pytest.fixture
def amid_a_look(path, during):
    """Hold a thread in the middle of the look that it is given, until the end of the test."""
    begun, goes_on, threads = threading.Event(), threading.Event(), []

    def held(look):
        here = threading.Thread(target=look)
        during(path, lambda: (begun.set(), goes_on.wait(30)))
        here.start()
        threads.append(here)
        assert begun.wait(30)

    yield held
    goes_on.set()
    for thread in threads:
        thread.join(30)


def in_a_child(claim):
    """Fork, and tell whether what is claimed is so in the child, which dies if it does not answer."""
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        answer(claim)
    return succeeded(child)


def answer(claim):
    """End this process, well if what is claimed is so."""
    code = 1
    try:
        code = 0 if claim() else 1
    finally:
        os._exit(code)


def succeeded(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def forking(test):
    """Mark a test that forks."""
    test = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")(test)
    return pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")(test)


@forking
def test_a_forked_child_looks_although_its_parent_was_looking(watched, path, clock, amid_a_look):
    put(path, NEW_TEXT)
    clock.advance(EVERY)
    amid_a_look(lambda: watched.policy)
    assert in_a_child(lambda: watched.policy == NEW)


@forking
def test_a_forked_child_reloads_although_its_parent_was_looking(watched, path, clock, amid_a_look):
    put(path, NEW_TEXT)
    clock.advance(EVERY)
    amid_a_look(lambda: watched.policy)
    assert in_a_child(lambda: watched.reload() and watched.policy == NEW)


def test_after_a_fork_a_look_waits_for_nobody_and_is_due(watched, path, clock, amid_a_look):
    put(path, NEW_TEXT)
    clock.advance(EVERY)
    amid_a_look(lambda: watched.policy)
    assert watched.policy == OLD
    watched._watch.after_fork()
    assert watched.policy == NEW


@forking
def test_who_forks_in_the_middle_of_a_look_goes_on_in_both_processes(watched, path, look, during):
    forked = []
    put(path, NEW_TEXT)
    during(path, lambda: forked.append(os.fork()))
    try:
        in_force = look()
    finally:
        if forked == [0]:
            answer(lambda: in_force == NEW and watched.reload() is False)
    assert in_force == NEW
    assert succeeded(forked[0])


def test_a_watch_that_nobody_holds_is_not_kept(path):
    made = weakref.ref(load(path).watch(every=EVERY)._watch)
    gc.collect()
    assert made() is None
