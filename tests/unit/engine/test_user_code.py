"""Conditions, delays, readers and listeners of the user's may raise: the call's own outcome stands. E01 to E16."""

import logging

import attrs
import httpx
import pytest

import bide
from bide import (
    Ask,
    ConditionFailed,
    Delay,
    GaveUp,
    LogListener,
    PolicyError,
    RetryScheduled,
    Span,
    give_up_on,
    history,
    retry_on,
    retrying,
    when,
)
from bide.engine import readers
from bide.testing import Scripted, VirtualClock


def broken(*_):
    raise ZeroDivisionError("a bug of mine")


class Broken(Delay):
    spelled = name = "broken"

    def span(self, ask):
        raise ZeroDivisionError("a bug of mine")


class Nonsense(Delay):
    spelled = name = "nonsense"

    def span(self, ask: Ask):
        return Span(None, None)


def raised(call, *args):
    with pytest.raises(Exception) as caught:
        call(*args)
    return caught.value


@pytest.mark.parametrize(
    "policy",
    [
        retry_on(when(broken)),
        retry_on(OSError).waits(Broken()),
        retry_on(OSError).waits(Nonsense()),
        give_up_on(when(broken)) | retry_on(OSError),
    ],
)
def test_E01_what_a_condition_or_delay_raises_is_chained_and_reported_once(bound, told, policy):
    error = OSError("the user's")
    script = Scripted(error)
    assert raised(bound(policy, name="n").call, script) is error
    assert script.count == 1
    (event,) = told
    assert event == ConditionFailed("n", 1, "OSError", event.error)
    assert error.__context__ is event.error
    (note,) = error.__notes__
    assert note.startswith(
        f"bide: a condition, delay or reader of the policy raised {type(event.error).__name__} ("
    )
    assert history(error) is None


def test_E01_the_faults_own_causes_stay_with_it(bound):
    def ask(outcome):
        try:
            broken()
        except ZeroDivisionError:
            raise LookupError("while asking") from outcome.error

    error = raised(bound(retry_on(when(ask))).call, Scripted(OSError()))
    assert repr(error.__context__) == "LookupError('while asking')"
    assert repr(error.__context__.__context__) == "ZeroDivisionError('a bug of mine')"
    assert error.__context__.__cause__ is None


def test_E01_a_fault_is_hung_behind_what_the_error_came_from(bound):
    def run():
        try:
            raise KeyError("first")
        except KeyError:
            raise OSError("second")  # noqa: B904

    error = raised(bound(retry_on(when(broken))).call, run)
    assert repr(error.__context__) == "KeyError('first')"
    assert repr(error.__context__.__context__) == "ZeroDivisionError('a bug of mine')"


def test_E01_a_chain_that_is_a_circle_already_is_left_as_it_is(bound):
    def run():
        error, other = OSError(), KeyError()
        error.__context__, other.__context__ = other, error
        raise error

    error = raised(bound(retry_on(when(broken))).call, run)
    assert error.__context__.__context__ is error
    assert len(error.__notes__) == 1


def test_E01_a_condition_that_raises_the_error_itself_changes_nothing(bound):
    def ask(outcome):
        raise outcome.error

    error = raised(bound(retry_on(when(ask))).call, Scripted(OSError("x")))
    assert (repr(error), error.__context__) == ("OSError('x')", None)


def test_E01_a_value_is_handed_back_when_the_condition_about_it_raises(bound, told):
    assert bound(retry_on(when(broken)), name="n").call(Scripted(7)) == 7
    assert [(event.outcome, type(event.error)) for event in told] == [("value", ZeroDivisionError)]


def test_E02_a_listener_that_raises_changes_nothing_and_is_reported_to_the_others(bound, told):
    runtime = bound(retry_on(OSError).immediately(max=1), name="n", listeners=[broken, told.append])
    assert runtime.call(Scripted(OSError(), "done")) == "done"
    kinds = [type(event).__name__ for event in told]
    assert kinds == [
        "ConditionFailed", "AttemptFailed", "ConditionFailed", "RetryScheduled", "ConditionFailed", "Succeeded",
    ]  # fmt: skip
    last = OSError("last")
    error = raised(runtime.call, Scripted(OSError(), last))
    assert error is last
    assert repr(error.__context__) == "ZeroDivisionError('a bug of mine')"
    assert error.__notes__[0].startswith("bide: gave up after 2 attempts")
    assert error.__notes__[1].startswith("bide: the listener broken raised ZeroDivisionError (")


def test_E02_two_broken_listeners_do_not_report_each_other_for_ever(bound):
    calls = []

    def another(event):
        calls.append(event)
        raise ValueError

    runtime = bound(retry_on(OSError).immediately(max=1), listeners=[broken, another])
    error = raised(runtime.call, Scripted(OSError(), OSError()))
    assert history(error).attempts == 2
    assert len(calls) == 2 * 3


def test_E02_wants_that_raise_are_taken_for_yes(bound, told):
    class Shy:
        def wants(self):
            raise ZeroDivisionError

        def __call__(self, event):
            told.append(event)

    @bound(retry_on(OSError).immediately(), listeners=[Shy()])
    def fn(script):
        return script()

    assert fn(Scripted(OSError(), "done")) == "done"
    assert len(told) == 3


def test_a_listener_that_wants_nothing_is_told_of_giving_up_only(bound, told):
    class Quiet(list):
        def wants(self):
            return False

        def __call__(self, event):
            told.append(event)

    for listeners in ([Quiet()], [Quiet(), Quiet()]):
        told.clear()
        runtime = bound(retry_on(OSError).immediately(max=1), listeners=listeners)
        raised(runtime.call, Scripted(OSError(), OSError()))
        assert [type(event) for event in told] == [GaveUp] * len(listeners)


def test_E04_events_and_outcomes_are_frozen(bound, told):
    def meddle(outcome):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            outcome.status = 200
        return True

    raised(bound(retry_on(when(meddle)).immediately(max=1)).call, Scripted(OSError(), OSError()))
    assert len(told) == 3
    for event in told:
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            event.attempt = 9


async def alistener(event):
    pass


class AsyncListener:
    async def __call__(self, event):
        pass


@pytest.mark.parametrize("listener", [alistener, AsyncListener(), "no callable"])
def test_E05_a_listener_that_nobody_could_call_or_await_is_refused_when_it_is_bound(listener):
    with pytest.raises(PolicyError, match="listener"):
        retry_on(OSError).bind(listeners=[listener])


def test_E06_what_a_listener_returns_is_nobodys_business(bound):
    entered = []

    class Manager:
        def __enter__(self):
            entered.append(self)

        def __exit__(self, *_):
            entered.append(self)

    runtime = bound(retry_on(OSError).immediately(), listeners=[lambda event: Manager()])
    assert runtime.call(Scripted(OSError(), "done")) == "done"
    assert entered == []


def test_E07_a_listener_may_call_the_same_function_again(bound):
    runtimes = []
    depth = []

    def again(event):
        if isinstance(event, RetryScheduled) and len(depth) < 3:
            depth.append(event.attempt)
            assert runtimes[0].call(Scripted(OSError(), OSError(), "inner")) == "inner"

    runtimes.append(bound(retry_on(OSError).immediately(), listeners=[again]))
    assert runtimes[0].call(Scripted(OSError(), OSError(), "outer")) == "outer"
    assert depth == [1, 1, 1]


@pytest.mark.parametrize("answer", [None, 1, "yes", [True]])
def test_E11_an_answer_that_is_no_bool_is_a_fault_that_names_the_condition(bound, told, answer):
    def is_flaky(outcome):
        return answer

    raised(bound(retry_on(when(is_flaky))).call, Scripted(OSError()))
    assert "is_flaky" in str(told[0].error)
    assert type(told[0].error) is TypeError


def test_E16_a_value_that_was_still_refused_at_the_end_says_so(bound, told):
    unfit = when(lambda outcome: outcome.value == "unfit")
    assert bound(retry_on(unfit).immediately(max=2), name="n").call(Scripted(*["unfit"] * 3)) == "unfit"
    assert told[-1] == GaveUp("n", 3, "value", bide.Reason.RETRIES_EXHAUSTED, 0)


def closing(status, fault):
    class Stream(httpx.SyncByteStream):
        def __iter__(self):
            yield b""

        def close(self):
            raise fault

    return httpx.Response(status, stream=Stream())


def test_a_rejected_response_that_cannot_be_closed_is_reported_and_the_call_goes_on(bound, told):
    runtime = bound(retry_on(503).immediately())
    assert runtime.call(Scripted(closing(503, OSError("gone")), "done")) == "done"
    assert [repr(event.error) for event in told if isinstance(event, ConditionFailed)] == ["OSError('gone')"]
    with pytest.raises(KeyboardInterrupt):
        runtime.call(Scripted(closing(503, KeyboardInterrupt()), "done"))


@pytest.mark.anyio
async def test_and_so_in_coroutines(bound, told):
    class Stream(httpx.AsyncByteStream):
        async def __aiter__(self):
            yield b""

        async def aclose(self):
            raise OSError("gone")

    script = Scripted(httpx.Response(503, stream=Stream()), "done")
    assert await bound(retry_on(503).immediately()).acall(script.coroutine()) == "done"
    assert [repr(event.error) for event in told if isinstance(event, ConditionFailed)] == ["OSError('gone')"]


@pytest.fixture
def broken_reader():
    class Odd:
        """A response whose reader raises."""

    Odd.__module__ = "odd.client"
    readers.register("odd", "Odd", readers.Reader(broken))
    yield Odd
    readers._READERS.pop(("odd", "Odd"))
    readers._by_type.clear()


def test_a_reader_that_raises_leaves_the_value_and_the_error_alone(bound, told, broken_reader):
    value = broken_reader()
    assert bound(retry_on(503)).call(Scripted(value)) is value
    error = OSError()
    error.response = broken_reader()
    assert raised(bound(retry_on(OSError)).call, Scripted(error)) is error
    assert [type(event) for event in told] == [ConditionFailed] * 2
    assert repr(error.__context__) == "ZeroDivisionError('a bug of mine')"


def test_a_clock_or_random_source_that_raises_does_not_hide_the_error(clock):
    class Stuck(VirtualClock):
        def time(self):
            raise ZeroDivisionError

    class Empty:
        random = staticmethod(broken)

    for options in ({"clock": Stuck()}, {"rng": Empty()}):
        runtime = retry_on(OSError).bind(listeners=[], **options)
        assert isinstance(raised(runtime.call, Scripted(OSError())), OSError)


def test_faults_of_the_users_own_code_are_logged_as_errors_with_their_traceback(bound, caplog):
    with caplog.at_level(logging.ERROR, "bide"):
        raised(bound(retry_on(when(broken)), listeners=[LogListener()]).call, Scripted(OSError()))
    assert "a bug of mine" in caplog.text
    assert "in broken" in caplog.text


def test_a_block_keeps_the_users_error_too(bound, told):
    error = OSError()
    with pytest.raises(OSError) as caught:
        for attempt in retrying(bound(retry_on(when(broken)))):
            with attempt:
                raise error
    assert caught.value is error
    assert len(told) == 1
