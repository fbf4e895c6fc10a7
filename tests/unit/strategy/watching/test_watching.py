"""A strategy that follows its file: what is good is in force, what is not changes nothing and is told once."""

import copy
import os
import pickle
from datetime import timedelta

import pytest
from acme_file import EVERY, NEW, NEW_TEXT, OLD, OLD_TEXT, put

from bide import APIError, Outcome, PolicyError, Strategy, load


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
