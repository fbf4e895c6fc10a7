"""A strategy that follows its file: what is good is in force, what is not changes nothing and is told once."""

import copy
import gc
import logging
import os
import pickle
import signal
import threading
import weakref
from datetime import timedelta

import attrs
import pytest

from bide import APIError, Outcome, PolicyError, Strategy, StrategyError, forever, load, parse, retry_on
from bide.strategy.positions import Document
from bide.strategy.watching import COARSEST, Watch
from bide.testing import VirtualClock

HEAD = "[api]\nname = 'acme'\ntitle = 'Acme'\ndocs = 'Errors'\n"
BAD = HEAD + "[policies]\ndefault = 'retry_on(503).exponental()'\n"
EVERY = 5.0


def saying(policy):
    return f"{HEAD}[policies]\ndefault = '{policy}'\n"


OLD, NEW = parse("retry_on(503).fixed(1s)"), parse("retry_on(503).fixed(2s)")
OLD_TEXT, NEW_TEXT = saying(OLD), saying(NEW)


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


def put(path, text):
    """Put a file in the place of another, as deploying tools do."""
    fresh = path.with_name("fresh")
    fresh.write_text(text, "utf-8")
    fresh.replace(path)


# What is good


@pytest.mark.parametrize("write", [lambda path, text: path.write_text(text, "utf-8"), put])
def test_a_change_is_in_force_at_the_next_look(watched, path, look, told, write):
    write(path, NEW_TEXT)
    assert look() == NEW
    assert told() == [("INFO", f"strategy acme: {path} was read again, and is in force")]
    assert look() == NEW
    assert told() == []


def test_the_next_look_is_due_after_the_time_that_was_said(watched, path, clock):
    put(path, NEW_TEXT)
    clock.advance(EVERY - 0.001)
    assert watched.policy == OLD
    clock.advance(0.001)
    assert watched.policy == NEW


def test_what_changed_between_loading_and_watching_is_seen_by_the_first_question(path, clock):
    made = load(path).watch(clock=clock)
    put(path, NEW_TEXT)
    assert made.policy_for("GET", "/") == NEW


@pytest.mark.parametrize("every", [0, "0s", timedelta(0)])
def test_with_no_time_between_every_question_is_a_look(path, clock, every):
    made = load(path).watch(every=every, clock=clock)
    for text, policy in [(NEW_TEXT, NEW), (OLD_TEXT, OLD)] * 3:
        path.write_text(text, "utf-8")
        assert made.policy == policy


def test_same_size_and_same_mtime_are_no_disguise(watched, path, look):
    look(), look()
    before = path.stat()
    path.write_text(NEW_TEXT, "utf-8")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert look() == NEW


def test_a_swap_of_symbolic_links_is_seen(tmp_path, clock):
    """As Kubernetes does it: acme.toml -> ..data/acme.toml, and ..data -> a folder that is replaced as a whole."""
    for folder, text in (("first", OLD_TEXT), ("second", NEW_TEXT)):
        tmp_path.joinpath(folder).mkdir()
        tmp_path.joinpath(folder, "acme.toml").write_text(text, "utf-8")
    data, path = tmp_path / "..data", tmp_path / "acme.toml"
    data.symlink_to("first")
    path.symlink_to("..data/acme.toml")
    made = load(path).watch(every=EVERY, clock=clock)
    assert made.policy == OLD
    tmp_path.joinpath("..fresh").symlink_to("second")
    tmp_path.joinpath("..fresh").replace(data)
    clock.advance(EVERY)
    assert made.policy == NEW


def test_the_file_is_found_again_from_another_folder(path, tmp_path, monkeypatch, clock):
    monkeypatch.chdir(tmp_path)
    made = load("acme.toml").watch(every=EVERY, clock=clock)
    tmp_path.joinpath("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    put(path, NEW_TEXT)
    assert made.policy == NEW


def test_a_strategy_by_name_has_a_file_too(clock, told):
    made = load("prompt-library").watch(clock=clock)
    assert made.strategy is made.strategy
    assert made.reload() is False
    assert told() == []


def test_line_ends_and_byte_order_mark_are_no_change(path, clock, told):
    path.write_bytes(b"\xef\xbb\xbf" + OLD_TEXT.replace("\n", "\r\n").encode())
    loaded = load(path)
    assert loaded.watch(clock=clock).strategy is loaded
    assert told() == []


# What is not


def unlink(path):
    path.unlink()


def folder(path):
    path.unlink()
    path.mkdir()


def fifo(path):
    path.unlink()
    os.mkfifo(path)


def device(path):
    path.unlink()
    path.symlink_to("/dev/zero")


def dangling(path):
    path.unlink()
    path.symlink_to("nowhere")


def loop(path):
    path.unlink()
    path.symlink_to(path.name)


UNREADABLE = {
    unlink: "No such file or directory",
    folder: "it is no regular file",
    fifo: "it is no regular file",
    device: "it is no regular file",
    dangling: "No such file or directory",
    loop: "Too many levels of symbolic links",
}
WRONG = {
    "bad": (BAD.encode(), 6, 26, "bad-policy: policies.default: unknown method 'exponental'"),
    "empty": (b"", 1, 1, "missing-section: api: is missing"),
    "cut short": (NEW_TEXT[:-9].encode(), 6, 28, "bad-toml: this is no TOML: "),
    "no UTF-8": (NEW_TEXT.encode() + b"# \xff", 7, 3, "unreadable-file: byte 0xff is no UTF-8"),
    "NULs": (bytes(len(NEW_TEXT)), 1, 1, "bad-toml: this is no TOML: "),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_file_that_is_wrong_changes_nothing_and_is_told_once_with_its_place(
    watched, path, look, told, case
):
    data, line, column, what = WRONG[case]
    path.write_bytes(data)
    assert [look(), look(), look()] == [OLD] * 3
    [(level, text)] = told()
    assert level == "ERROR"
    assert text.startswith(f"strategy acme: what was in force stays; {path}:{line}:{column}: {what}")
    assert "\n" not in text
    assert (watched.error.file, watched.error.line, watched.error.column) == (str(path), line, column)


@pytest.mark.parametrize("spoil", UNREADABLE, ids=lambda spoil: spoil.__name__)
def test_a_file_that_cannot_be_read_changes_nothing_and_is_told_once(watched, path, look, told, spoil):
    spoil(path)
    assert [look(), look(), look()] == [OLD] * 3
    why = f"{path}: unreadable-file: the file cannot be read: {UNREADABLE[spoil]}"
    assert told() == [("ERROR", f"strategy acme: what was in force stays; {why}")]
    with pytest.raises(StrategyError, match=UNREADABLE[spoil]):
        watched.reload()
    assert told() == []


def test_a_file_that_is_too_large_changes_nothing(watched, path, look, told):
    path.write_bytes(NEW_TEXT.encode() + b"#" * 2**20)
    os.truncate(path, 10 * 2**30)  # a hole: it takes no room
    assert look() == OLD
    assert [level for level, _ in told()] == ["ERROR"]
    assert "larger than 1048576 bytes" in str(watched.error)


@pytest.mark.parametrize("spoil", [lambda path: put(path, BAD), unlink])
def test_once_the_file_is_good_again_it_is_in_force_and_that_is_told_once(watched, path, look, told, spoil):
    spoil(path)
    look()
    told()
    path.write_text(NEW_TEXT, "utf-8")
    assert [look(), look()] == [NEW, NEW]
    assert watched.error is None
    assert told() == [("INFO", f"strategy acme: {path} was read again, and is in force")]


@pytest.mark.parametrize("spoil", [lambda path: put(path, BAD), unlink])
def test_a_file_that_is_put_back_as_it_was_is_told_once_too(watched, path, look, told, spoil):
    before = watched.strategy
    spoil(path)
    look()
    told()
    path.write_text(OLD_TEXT, "utf-8")
    assert [look(), look()] == [OLD, OLD]
    assert watched.strategy is before
    assert watched.error is None
    assert told() == [("INFO", f"strategy acme: {path} says again what is in force")]


def test_what_is_wrong_in_the_same_way_once_more_is_told_again_after_it_was_good(watched, path, look, told):
    for text in (BAD, OLD_TEXT, BAD):
        put(path, text)
        look()
    assert [level for level, _ in told()] == ["ERROR", "INFO", "ERROR"]


def test_writing_the_same_fault_again_tells_nothing_and_another_fault_is_told(watched, path, look, told):
    for text in (BAD, BAD, BAD.replace("503", "504")):
        put(path, text)
        look()
    assert [level for level, _ in told()] == ["ERROR", "ERROR"]


def test_one_line_says_how_much_more_is_wrong_and_what_to_write(watched, path, look, told):
    put(path, BAD.replace("title", "titel"))
    look()
    [(_, text)] = told()
    assert f"{path}:1:2: missing-key: api.title: is missing; advice: title = " in text
    assert text.endswith(" (2 more: `bide check` shows them all)")


def test_a_policy_that_nobody_can_run_is_refused_before_a_call_meets_it(path, clock, told):
    """As text may say it: a feature of a newer release, or of an extension that is not there."""

    def newer(text, file):
        policies = {"default": retry_on(503).max(forever)}  # unbounded: binding refuses it
        return Strategy(name="acme", policies=policies, document=Document(file, text)), []

    made = attrs.evolve(load(path), reread=newer).watch(every=EVERY, clock=clock)
    put(path, NEW_TEXT)
    assert made.policy == OLD
    assert [level for level, _ in told()] == ["ERROR"]
    assert (made.error.key, made.error.line) == ("policies.default", 6)


PACED = 'Policy(retry_on(503)).pace("60/minute", per="agent")'


def test_a_pace_that_an_endpoint_cannot_keep_is_refused_before_a_call_meets_it(watched, path, look, told):
    put(path, OLD_TEXT + f"[endpoints]\n'GET /a/{{id}}' = '{PACED}'\n")
    assert look() == OLD
    assert [level for level, _ in told()] == ["ERROR"]
    assert (watched.error.key, watched.error.line) == ('endpoints."GET /a/{id}"', 8)
    assert "this endpoint's pattern has no part 'agent'" in watched.error.message
    put(path, saying(PACED))
    assert look() == OLD
    assert watched.error.key == "policies.default"


def test_a_pace_that_each_endpoint_can_keep_is_taken(watched, path, look, told):
    endpoints = "[endpoints]\n'GET /a/{agent}' = 'default'\n'*' = 'plain'\n"
    put(path, saying(PACED) + f"plain = '{NEW}'\n" + endpoints)
    assert look() == parse(PACED)
    assert [level for level, _ in told()] == ["INFO"]


def test_a_writer_that_takes_its_time_ends_in_what_it_wrote(watched, path, look, told):
    with path.open("w", encoding="utf-8") as file:
        assert look() == OLD  # empty by now
        for part in (NEW_TEXT[:20], NEW_TEXT[20:-4], NEW_TEXT[-4:]):
            assert look() == OLD
            file.write(part)
            file.flush()
    assert look() == NEW
    assert [level for level, _ in told()] == ["ERROR", "ERROR", "ERROR", "INFO"]


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


def test_what_is_read_while_somebody_writes_is_read_again_and_not_told(watched, path, look, told, during):
    put(path, NEW_TEXT[:-9])
    during(path, lambda: put(path, NEW_TEXT))
    assert look() == OLD
    assert told() == []
    assert look() == NEW
    assert [level for level, _ in told()] == ["INFO"]


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


# What it is


def test_it_answers_as_the_strategy_in_force_does(watched, path, look):
    put(path, NEW_TEXT + "[endpoints]\n'GET /x' = 'default.attempts(2)'\n")
    look()
    loaded = load(path)
    busy = Outcome(503, url="/x")
    assert watched.strategy == loaded
    assert (watched.name, watched.policy) == (loaded.name, loaded.policy)
    assert (watched.policies, watched.endpoints) == (loaded.policies, loaded.endpoints)
    assert watched.errors == loaded.errors
    assert watched.policy_for("GET", "/x") == loaded.policy_for("GET", "/x") != loaded.policy
    assert watched.match("GET", "/x") == loaded.match("GET", "/x")
    assert watched.explain(busy, attempt=2) == loaded.explain(busy, attempt=2)
    assert str(watched.error_of(busy)) == str(loaded.error_of(busy))
    with pytest.raises(APIError, match="503"):
        watched.raise_for(busy)
    assert repr(watched) == f"<Watched {path}>"


def test_a_strategy_that_was_taken_stays_as_it_is(watched, path, look):
    taken = watched.strategy
    put(path, NEW_TEXT)
    assert look() == NEW
    assert taken.policy == OLD


class Busy(APIError):
    pass


def test_exceptions_of_your_own_stay(path, clock):
    made = load(path).with_errors({503: Busy}).watch(every=EVERY, clock=clock)
    put(path, NEW_TEXT)
    assert made.policy == NEW
    with pytest.raises(Busy):
        made.raise_for(Outcome(503))


def test_what_came_from_no_file_has_nothing_to_watch():
    with pytest.raises(PolicyError, match="the strategy 'own' was not read from a file"):
        Strategy(name="own", policies={"default": OLD}).watch()


@pytest.mark.parametrize("every", [-1, "5 seconds", None, float("nan")])
def test_a_time_between_looks_is_a_duration(path, every):
    with pytest.raises(PolicyError, match="every"):
        load(path).watch(every=every)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda made: pickle.loads(pickle.dumps(made))])
def test_a_copy_follows_the_file_too(path, copied):
    made = copied(load(path).watch(every=0))
    put(path, NEW_TEXT)
    assert made.policy == NEW


def test_a_loaded_strategy_pickles_and_can_be_watched_then(path):
    made = pickle.loads(pickle.dumps(load(path)))
    assert made == load(path)
    put(path, NEW_TEXT)
    assert made.watch().policy == NEW


# Threads, and what a look costs


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
