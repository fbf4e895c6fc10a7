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
