"""A fault of the user's own code is told without the error that the call was about, whose text may hold secrets. I03."""

import io
import logging

import pytest

from bide import ConditionFailed, LogListener, accept_on, retry_on, retrying, when
from bide.testing import Scripted, VirtualClock

SECRET = "https://user:hunter2@host/?token=hunter2"


def plain(outcome):
    raise KeyError("mine")


def while_handling_its_own(outcome):
    try:
        raise KeyError("mine")
    except KeyError:
        raise LookupError("my lookup")  # noqa: B904  # its context is what is tested


def from_its_own(outcome):
    try:
        raise KeyError("mine")
    except KeyError as error:
        raise LookupError("my lookup") from error


def from_the_calls(outcome):
    raise KeyError("mine") from outcome.error


def from_the_calls_while_handling_its_own(outcome):
    try:
        raise ValueError("in between")
    except ValueError:
        raise KeyError("mine") from outcome.error


def from_what_was_never_raised(outcome):
    raise LookupError("my lookup") from KeyError("mine")


KEY, VALUE, LOOKUP = "KeyError: 'mine'", "ValueError: in between", "LookupError: my lookup"
BROKEN = {
    plain: [KEY],
    while_handling_its_own: [KEY, LOOKUP],
    from_its_own: [KEY, LOOKUP],
    from_the_calls: [KEY],
    from_the_calls_while_handling_its_own: [KEY],
    from_what_was_never_raised: [KEY, LOOKUP],
}


def block(runtime, script):
    for attempt in retrying(runtime):
        with attempt:
            script()


WAYS = {
    "called": lambda runtime, script: runtime.call(script),
    "decorated": lambda runtime, script: runtime(script.function())(),
    "in a block": block,
}


@pytest.fixture
def logged():
    """What the logger `bide` writes, tracebacks and all."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.getLogger("bide")
    logger.addHandler(handler)
    yield stream.getvalue
    logger.removeHandler(handler)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize(("broken", "texts"), BROKEN.items())
def test_what_a_condition_raises_is_logged_with_all_of_its_own_and_nothing_of_the_calls(
    way, broken, texts, logged
):
    error = ConnectionError(SECRET)
    with pytest.raises(ConnectionError) as caught:
        way(retry_on(when(broken)).bind(clock=VirtualClock()), Scripted(error))
    assert caught.value is error
    assert [text for text in (KEY, VALUE, LOOKUP) if text in logged()] == texts
    assert "hunter2" not in logged()


def test_what_a_listener_raises_is_told_alone_too(logged):
    def broken(event):
        raise KeyError("mine")

    runtime = retry_on(ConnectionError).fixed(1).max(1)
    runtime = runtime.bind(clock=VirtualClock(), listeners=[broken, LogListener()])
    with pytest.raises(ConnectionError):
        runtime.call(Scripted(ConnectionError(SECRET), repeat_last=True))
    assert "KeyError: 'mine'" in logged()
    assert "hunter2" not in logged()


def test_a_fallback_is_told_without_what_its_caller_was_handling(logged):
    runtime = (accept_on(when(plain)) | retry_on(ConnectionError)).bind(clock=VirtualClock())
    try:
        raise ConnectionError(SECRET)
    except ConnectionError:
        assert runtime.call(lambda: "fallback") == "fallback"
    assert "KeyError: 'mine'" in logged()
    assert "hunter2" not in logged()


def test_a_fault_that_came_from_itself_is_told_all_the_same():
    told = []

    def circular(outcome):
        try:
            raise KeyError("first")
        except KeyError as first:
            first.__context__ = KeyError("second")
            first.__context__.__context__ = first
            raise

    with pytest.raises(ConnectionError):
        retry_on(when(circular)).bind(listeners=[told.append]).call(Scripted(ConnectionError()))
    assert [repr(event.error) for event in told] == ["KeyError('first')"]


def test_the_calls_own_error_keeps_what_it_came_from():
    told = []

    def down():
        try:
            raise ValueError("first")
        except ValueError:
            raise ConnectionError("second")  # noqa: B904  # as above

    with pytest.raises(ConnectionError) as caught:
        retry_on(when(plain)).bind(clock=VirtualClock(), listeners=[told.append]).call(down)
    first = caught.value.__context__
    assert repr(first) == "ValueError('first')"
    assert [type(event) for event in told] == [ConditionFailed]
    assert first.__context__ is told[0].error


def test_an_error_that_a_condition_raises_again_keeps_what_its_caller_was_handling():
    def again(outcome):
        raise outcome.error

    told = []
    runtime = retry_on(when(again)).bind(clock=VirtualClock(), listeners=[told.append])
    with pytest.raises(ConnectionError) as caught:
        try:
            raise KeyError("the caller's")
        except KeyError:
            runtime.call(Scripted(ConnectionError()))
    assert repr(caught.value.__context__) == 'KeyError("the caller\'s")'
    assert [event.error for event in told] == [caught.value]
