"""Threads that share a watched strategy, and what a look costs."""

import logging
import os
import threading

import pytest
from acme_file import BAD, EVERY, NEW, NEW_TEXT, OLD, OLD_TEXT, put

from bide import load
from bide.strategy.watching import COARSEST, Watch


class Gate:
    """Reads a file's text, which takes until it is told to end."""

    def __init__(self):
        self.begun, self.end, self.texts = threading.Event(), threading.Event(), []

    def __call__(self, text):
        self.texts.append(text)
        self.begun.set()
        assert self.end.wait(5)
        return text, []


def test_nobody_waits_for_a_look_of_another_thread_and_nobody_repeats_it(path, clock):
    gate = Gate()
    watch = Watch("acme", str(path), "", "", gate, EVERY, clock)
    first = threading.Thread(target=watch.current)
    first.start()
    try:
        assert gate.begun.wait(5)
        clock.advance(EVERY)
        assert [watch.current() for _ in range(3)] == [""] * 3
    finally:
        gate.end.set()
        first.join()
    assert watch.current() == OLD_TEXT
    assert gate.texts == [OLD_TEXT]


def test_many_threads_that_look_at_once_read_a_change_once(path, clock):
    texts = []
    watch = Watch("acme", str(path), "", "", lambda text: (texts.append(text) or text, []), 0, clock)
    barrier = threading.Barrier(8)

    def ask():
        barrier.wait(5)
        for _ in range(50):
            watch.current()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts == [OLD_TEXT]


@pytest.fixture
def coarse(monkeypatch):
    """Make a file system whose clock stands still: a rewrite of the same size looks the same from outside."""

    def still(path):
        real, shown = os.stat, path.stat()
        monkeypatch.setattr(
            os, "stat", lambda at, **options: shown if str(at) == str(path) else real(at, **options)
        )

    return still


def test_two_writes_that_look_the_same_from_outside_are_told_apart(path, clock, coarse):
    coarse(path)
    watched = load(path).watch(every=0, clock=clock)
    assert watched.policy == OLD
    path.write_text(NEW_TEXT, "utf-8")
    assert watched.policy == NEW
    clock.advance(COARSEST)  # the first look after it reads once more, however long ago that was
    path.write_text(OLD_TEXT, "utf-8")
    assert watched.policy == OLD


def test_a_file_that_stood_still_is_looked_at_and_not_read(path, clock, monkeypatch):
    watched = load(path).watch(every=EVERY, clock=clock)
    opened, real = [], open
    monkeypatch.setattr("builtins.open", lambda *args, **kw: opened.append(args[0]) or real(*args, **kw))
    for _ in range(5):
        assert watched.policy == OLD
        clock.advance(EVERY)
    assert opened == [str(path)] * 2


def test_a_log_that_fails_fails_no_call(watched, path, look, caplog):
    class Failing(logging.Handler):
        def emit(self, record):
            raise OSError("the disk is full")

    handler = Failing()
    logging.getLogger("bide").addHandler(handler)
    try:
        put(path, BAD)
        assert look() == OLD
    finally:
        logging.getLogger("bide").removeHandler(handler)
    assert watched.error.line == 6
