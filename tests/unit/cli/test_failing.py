"""What commands do when they are interrupted, or the program is not whole."""

import sys

import click
import pytest

from bide.cli import commands as program
from bide.cli import main
from bide.cli.diagnostics import split


def test_an_interrupt_exits_with_130(run, monkeypatch):
    def interrupted(*_args, **_said):
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["bide.cli.demo"], "load", interrupted)
    done = run("demo")
    assert (done.code, done.out, done.err) == (130, "", "")


def test_main_exits_with_the_status_of_the_command(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["check", "retry_on(503)"])
    assert exit_.value.code == 0
    assert "All good" in capsys.readouterr().out


def test_advice_is_told_apart_from_what_is_wrong():
    assert split("x is wrong: did you mean y?") == ("x is wrong", "did you mean y?")
    assert split("x is wrong; write y") == ("x is wrong", "write y")
    assert split("x is wrong") == ("x is wrong", None)


def test_usage_errors_are_click_s_own_unless_json_is_asked_for(run):
    done = run("explain")
    assert done.err.startswith("Usage: bide explain")
    assert isinstance(program.commands, click.Group)


def test_json_before_the_command_is_told_where_it_stands(run):
    done = run("--json", "check", "retry_on(503)")
    assert done.code == 2
    assert "--json stands after the command" in done.json["error"]


@pytest.mark.parametrize(
    "args",
    [["--nope", "check", "--json"], ["nope", "--json"], ["check", "--json"], ["get", "--json", "--nope"]],
)
def test_every_usage_error_is_json_where_that_is_asked_for(run, args):
    done = run(*args)
    assert (done.code, done.err) == (2, "")
    assert done.json["error"]


def test_what_stands_after_two_dashes_is_no_option(run):
    done = run("check", "--", "--json")
    assert done.code == 2
    assert "there is no strategy '--json'" in done.err


def test_h_is_help(run):
    assert run("-h").out == run("--help").out
    assert run("check", "-h").out.startswith("Usage: bide check")


def test_help_says_of_every_command_what_it_does_in_one_whole_sentence(run):
    listed = run("--help").out.partition("Commands:\n")[2].splitlines()
    assert len(listed) == 6
    assert [line for line in listed if not line.endswith(".") or line.endswith("..")] == []
