"""Scripted functions and chosen draws."""

import inspect
from concurrent.futures import ThreadPoolExecutor

import pytest

from bide.testing import Call, Draws, Scripted


def test_outcomes_are_played_in_order():
    error = TimeoutError("slow")
    script = Scripted(ConnectionError, error, "done")
    with pytest.raises(ConnectionError):
        script()
    with pytest.raises(TimeoutError) as caught:
        script()
    assert caught.value is error
    assert script() == "done"


def test_other_classes_and_none_are_values():
    script = Scripted(int, None)
    assert (script(), script()) == (int, None)


def test_a_call_too_many_is_an_error():
    script = Scripted("only")
    script()
    with pytest.raises(AssertionError, match="has 1 outcomes, and this is call 2"):
        script()


def test_the_last_outcome_may_repeat():
    script = Scripted(1, 2, repeat_last=True)
    assert [script() for _ in range(4)] == [1, 2, 2, 2]


def test_a_script_needs_an_outcome():
    with pytest.raises(ValueError, match="at least one"):
        Scripted()


def test_calls_are_written_down():
    script = Scripted("x", "y")
    script(1, key="a")
    script()
    assert script.calls == [Call((1,), {"key": "a"}), Call((), {})]
    assert script.count == 2


def test_its_function_is_a_plain_one():
    script = Scripted("x", "y")
    function = script.function()
    assert inspect.isfunction(function)
    assert not inspect.iscoroutinefunction(function)
    assert (function(1), script.calls) == ("x", [Call((1,), {})])


@pytest.mark.anyio
async def test_its_coroutine_function_shares_the_script():
    script = Scripted("x", LookupError, repeat_last=True)
    function = script.coroutine()
    assert inspect.iscoroutinefunction(function)
    assert script.function()() == "x"
    with pytest.raises(LookupError):
        await function(key=1)
    assert script.calls[1] == Call((), {"key": 1})


def test_threads_share_a_script():
    script = Scripted(*range(200))
    with ThreadPoolExecutor(8) as pool:
        played = list(pool.map(lambda _: script(), range(200)))
    assert sorted(played) == list(range(200))


def test_draws_come_as_chosen_and_the_last_one_repeats():
    draws = Draws(0.0, 0.25)
    assert [draws.random() for _ in range(4)] == [0.0, 0.25, 0.25, 0.25]
    assert draws.drawn == 4


def test_the_draw_is_one_half_when_none_is_chosen():
    draws = Draws()
    assert (draws.random(), draws.random()) == (0.5, 0.5)


@pytest.mark.parametrize("number", [-0.1, 1, 1.5])
def test_a_draw_is_at_least_0_and_below_1(number):
    with pytest.raises(ValueError, match=r"\[0, 1\)"):
        Draws(0.5, number)
