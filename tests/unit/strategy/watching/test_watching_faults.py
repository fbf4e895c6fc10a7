"""A watched file that is wrong, or cannot be read: nothing changes, and it is told once."""

import os

import attrs
import pytest
from acme_file import BAD, EVERY, NEW, NEW_TEXT, OLD, OLD_TEXT, put, saying

from bide import Strategy, StrategyError, forever, load, parse, retry_on
from bide.strategy.positions import Document


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


def test_what_is_read_while_somebody_writes_is_read_again_and_not_told(watched, path, look, told, during):
    put(path, NEW_TEXT[:-9])
    during(path, lambda: put(path, NEW_TEXT))
    assert look() == OLD
    assert told() == []
    assert look() == NEW
    assert [level for level, _ in told()] == ["INFO"]
