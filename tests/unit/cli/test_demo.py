import pytest

import bide
from bide.strategy.load import load


def test_a_call_recovers_and_three_are_given_up_for_good_reasons(run, clock):
    done = run("demo", "--json")
    assert done.code == 0
    told = [(story["outcome"], story["reason"], len(story["attempts"])) for story in done.json["stories"]]
    assert told == [
        ("200", "succeeded", 4),
        ("401", "rule_gave_up", 1),
        ("404", "rule_gave_up", 1),
        ("500", "retries_exhausted", 4),
    ]
    recovered = done.json["stories"][0]["attempts"]
    assert [row["outcome"] for row in recovered] == ["429", "500", "ReadError", "200"]
    assert recovered[0]["source"] == "Retry-After"


def test_it_is_the_same_every_time(run, clock):
    assert run("demo", "--json").json == run("demo", "--json").json


def test_lines_tell_attempts_delays_reasons_and_what_to_do(run, clock):
    done = run("demo")
    errors = load("prompt-library").errors
    assert done.code == 0
    assert "retry in 1.2 s, as Retry-After asks (rule 1)" in done.out
    assert f"what to do: {errors['UNAUTHORIZED'].resolution}" in done.out
    assert "request id: req_51c0ffee" in done.out
    assert "bide explain --strategy prompt-library --status 503" in done.out
    assert "\x1b" not in done.out


def test_the_policy_s_delays_are_shown_and_the_waits_are_shorter(run, clock):
    story = run("demo", "--json", "--speed", "10").json["stories"][0]
    waits = clock.sleeps[:3]
    assert waits == pytest.approx([row["delay"] / 10 for row in story["attempts"][:3]])
    assert story["waited"] == pytest.approx(sum(waits) * 10)


def test_real_waits_are_the_policy_s_own(run, clock):
    real = run("demo", "--json", "--real").json["stories"]
    assert sum(clock.sleeps) == pytest.approx(sum(story["waited"] for story in real))
    assert sum(clock.sleeps) < 6  # a demo that bores shows nothing


def test_fast_is_as_fast_as_without_a_terminal(run, clock):
    run("demo")
    plain = list(clock.sleeps)
    run("demo", "--fast")
    assert clock.sleeps == plain * 2


def test_a_strategy_that_tells_other_stories_exits_with_1(run, clock, monkeypatch):
    import sys

    import attrs

    changed = attrs.evolve(
        load("prompt-library"), policies={"default": bide.parse("retry_on(401).fixed(1s)")}
    )
    monkeypatch.setattr(sys.modules["bide.cli.demo"], "load", lambda name: changed)
    done = run("demo", "--json")
    assert done.code == 1
    assert done.json["stories"][0]["reason"] == "no_rule"


@pytest.mark.parametrize(
    "options",
    [["--speed", "0"], ["--speed", "fast"], ["--speed", "2", "--real"], ["--nonsense"], ["prompt-library"]],
)
def test_bad_input_exits_with_2(run, options):
    done = run("demo", *options)
    assert (done.code, done.out) == (2, "")
    assert done.err
