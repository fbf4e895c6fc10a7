import io

import pytest
from rich.console import Console

from bide import ConditionFailed, GaveUp, Paced, Reason, RecoveryFailed, RetryScheduled
from bide.cli.pace import PacedClock
from bide.cli.screen import bounded, can_animate, count, seconds, span
from bide.cli.timeline import Row, Timeline, followed, told
from bide.testing import VirtualClock


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def console(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return Console(file=Terminal(), width=80, force_terminal=True, color_system="standard")


def test_a_wait_counts_down_on_a_terminal_and_leaves_no_line(console):
    clock = VirtualClock()
    timeline = Timeline(console)
    assert timeline.animated
    paced = PacedClock(clock, 2.0, timeline.countdown)
    paced.sleep(1.0)
    drawn = console.file.getvalue()
    assert clock.monotonic() == pytest.approx(0.5)
    assert paced.monotonic() == pytest.approx(1.0)
    assert "1 s left" in drawn
    assert "500 ms left" in drawn
    assert drawn.endswith("\x1b[2K")  # the line is wiped


def test_no_wait_draws_nothing(console):
    PacedClock(VirtualClock(), 1.0, Timeline(console).countdown).sleep(0.0)
    assert "left" not in console.file.getvalue()


def test_a_dumb_terminal_and_a_file_are_not_animated(monkeypatch, console):
    assert not Timeline(Console(file=io.StringIO())).animated
    assert not Timeline().animated
    monkeypatch.setenv("TERM", "dumb")
    assert not can_animate(console)


def test_skipped_seconds_pass_for_the_policy():
    clock = VirtualClock(wall=1000.0)
    paced = PacedClock(clock, 10.0)
    paced.sleep(5.0)
    assert clock.sleeps == [0.5]
    assert (paced.monotonic(), paced.time()) == (5.0, 1005.0)


@pytest.mark.anyio
async def test_coroutines_wait_faster_too():
    clock = VirtualClock()
    paced = PacedClock(clock, 4.0)
    await paced.asleep(2.0)
    assert clock.sleeps == [0.5]
    assert paced.monotonic() == 2.0


def test_rows_are_what_events_told():
    timeline = Timeline()
    timeline(RetryScheduled("call", 1, "503", 0, 2.0))
    timeline(RetryScheduled("call", 2, "429", 1, 7.5, "Retry-After"))
    timeline(GaveUp("call", 3, "503", Reason.RETRIES_EXHAUSTED, 0, 12.0))
    timeline.ended("503", Reason.NO_RULE)
    assert timeline.rows == [
        Row(1, "503", 0, 2.0),
        Row(2, "429", 1, 7.5, "Retry-After"),
        Row(3, "503", 0, reason=Reason.RETRIES_EXHAUSTED),
    ]
    assert (timeline.waited, timeline.retry_at) == (9.5, 12.0)


def test_a_condition_that_raised_is_told_by_its_kind_alone(console):
    Timeline(console)(ConditionFailed("call", 1, "503", ValueError("s3cret")))
    assert "a condition or delay raised ValueError" in console.file.getvalue()
    assert "s3cret" not in console.file.getvalue()


def test_a_recovery_that_failed_is_told_by_its_kind_alone(console):
    Timeline(console)(RecoveryFailed("call", 1, "401", 0, "refresh_token", ValueError("s3cret")))
    Timeline(console)(RecoveryFailed("call", 1, "401", 0, "open_session"))
    assert "the recovery refresh_token raised ValueError" in console.file.getvalue()
    assert "nothing is bound to open_session" in console.file.getvalue()
    assert "s3cret" not in console.file.getvalue()


def test_a_wait_for_the_pace_is_told(console):
    Timeline(console)(Paced("call", 2, "", 7.5))
    assert "its pace lets attempt 2 begin in 7.5 s" in console.file.getvalue()


def test_outcomes_have_phrases_where_there_are_any():
    assert [told(one) for one in ("404", "599", "ReadError")] == ["404 Not Found", "599", "ReadError"]


def test_what_followed_is_said():
    assert followed(Row(1, "503", 0, 0.25)) == "retry in 250 ms (rule 1)"
    assert followed(Row(1, "ReadError")) == "broke off in the body, which is not repeated"
    assert followed(Row(1, "409", reason=Reason.ACCEPTED)) == "done: accepted"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 s"), (0.0004, "0.4 ms"), (0.31, "310 ms"), (0.9999, "1 s"), (1.35, "1.35 s"), (59.5, "59.5 s"),
        (59.99, "60 s"), (60, "1 m"), (125, "2 m 5 s"), (3600, "1 h"), (3661, "1 h 1 m 1 s"),
        (float("inf"), "for ever"),
    ],
)  # fmt: skip
def test_seconds_are_short(value, text):
    assert seconds(value) == text


def test_ranges_and_counts_read_as_words():
    assert span(1, 1) == "1 s"
    assert span(7, 8) == "7 to 8 s"
    assert span(0.5, 1.5) == "500 ms to 1.5 s"
    assert span(60, 125) == "1 m to 2 m 5 s"
    assert span(0, 0.5) == "0 to 500 ms"
    assert [count(n, "retry") for n in (0, 1, 2)] == ["0 retries", "1 retry", "2 retries"]
    assert count(float("inf"), "attempt") == "attempts without bound"


def test_json_knows_no_infinity():
    assert bounded({"a": [float("inf"), (1, 2.0)]}) == {"a": [None, [1, 2.0]]}
