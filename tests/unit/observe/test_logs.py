"""What the logger `bide` is told: names, numbers and reasons, never arguments, bodies, addresses or credentials."""

import logging
from contextlib import suppress

import pytest

from bide import AttemptFailed, GaveUp, LogListener, RetryScheduled, retry_on
from bide.engine import events
from bide.testing import Draws, Scripted, VirtualClock


class Busy(OSError):
    retry_after = 2


def run(policy, *outcomes):
    """One call with the listeners that everybody has."""
    runtime = policy.bind(clock=VirtualClock(), rng=Draws(0.5), name="search")
    try:
        runtime.call(Scripted(*outcomes), "secret-argument", password="secret-password")
    except Exception as error:
        return error


def test_retries_are_logged_at_info_and_giving_up_at_warning(caplog):
    with caplog.at_level(logging.DEBUG, "bide"):
        run(retry_on(OSError).fixed(2, max=1), OSError("secret-text"), OSError())
    assert [(record.name, record.levelname, record.getMessage()) for record in caplog.records] == [
        ("bide", "INFO", "search: attempt 1 came to OSError; next in 2 s"),
        ("bide", "WARNING", "search: gave up after attempt 2, which came to OSError: retries_exhausted"),
    ]


def test_a_recovery_and_the_source_of_a_hint_are_logged(caplog):
    with caplog.at_level(logging.INFO, "bide"):
        run(retry_on(OSError).after_attribute("retry_after"), Busy(), "secret-value")
    assert [record.getMessage() for record in caplog.records] == [
        "search: attempt 1 came to Busy; next in 2.5 s (attribute retry_after)",
        "search: attempt 2 came to value; done",
    ]


def test_recoveries_and_paces_are_logged_and_what_a_recovery_raised_only_by_its_type(caplog):
    policy = retry_on(OSError).calling("refresh").immediately()

    def broken():
        raise RuntimeError("secret-text")

    for recover in ({"refresh": dict}, {"refresh": broken}, {}):
        with caplog.at_level(logging.INFO, "bide"):
            runtime = policy.bind(clock=VirtualClock(), name="search", recover=recover)
            with suppress(OSError):
                runtime.call(Scripted(OSError(), "value"))
    with caplog.at_level(logging.INFO, "bide"):
        paced = retry_on(OSError).pace("1/5s").bind(clock=VirtualClock(), name="paced")
        paced.call(print)
        paced.call(print)
    assert [record.getMessage() for record in caplog.records] == [
        "search: attempt 1 came to OSError; refresh is done",
        "search: attempt 1 came to OSError; next in 0 s",
        "search: attempt 2 came to value; done",
        "search: attempt 1 came to OSError; refresh raised RuntimeError",
        "search: gave up after attempt 1, which came to OSError: recovery_failed",
        "search: attempt 1 came to OSError; refresh is not bound",
        "search: gave up after attempt 1, which came to OSError: recovery_failed",
        "paced: attempt 1 waits 5 s for its pace",
    ]


def test_nothing_secret_is_logged(caplog):
    import httpx

    request = httpx.Request(
        "GET", "https://user:secret@example.com/?token=secret", headers={"Authorization": "secret"}
    )
    response = httpx.Response(503, request=request, content=b"secret", headers={"Set-Cookie": "secret"})
    with caplog.at_level(logging.DEBUG, "bide"):
        run(
            retry_on(503, OSError).fixed(1, max=2),
            response,
            httpx.ReadError("secret", request=request),
            response,
        )
        run(retry_on(httpx.ReadError).fixed(1, max=1), *[httpx.ReadError("secret", request=request)] * 2)
    assert len(caplog.records) >= 3
    assert "secret" not in caplog.text


@pytest.mark.parametrize(("level", "wanted"), [(logging.INFO, True), (logging.WARNING, False)])
def test_retries_are_told_only_when_somebody_would_see_them(caplog, level, wanted):
    with caplog.at_level(level, "bide"):
        assert LogListener().wants() is wanted
        run(retry_on(OSError).fixed(2, max=1), OSError(), OSError())
    assert len(caplog.records) == 1 + wanted


def test_an_event_that_says_nothing_new_is_not_logged(caplog):
    with caplog.at_level(logging.DEBUG, "bide"):
        LogListener()(AttemptFailed("search", 1, "503", 0))
    assert caplog.records == []


def test_the_log_listener_is_there_from_the_start_and_a_library_stays_silent():
    assert [type(listener) for listener in events.default_listeners] == [LogListener]
    assert [type(handler) for handler in logging.getLogger("bide").handlers] == [logging.NullHandler]


def test_events_are_values():
    assert RetryScheduled("n", 1, "503", 0, 2.0) == RetryScheduled("n", 1, "503", 0, 2.0)
    assert GaveUp("n", 1, "503", "deadline") != GaveUp("n", 2, "503", "deadline")
