"""A random source of the caller's own may raise or draw nonsense: the error that comes out is the call's own. B06, E01."""

import math
import random

import pytest

from bide import ConditionFailed, retry_on, retrying
from bide.testing import Draws, Scripted, VirtualClock

POLICY = retry_on(ConnectionError).exponential(base=1, cap=4, max=2)


def block(runtime, script):
    for attempt in retrying(runtime):
        with attempt:
            return script()
    raise AssertionError("unreachable")


WAYS = {
    "called": lambda runtime: runtime.call,
    "decorated": lambda runtime: lambda script: runtime(script.function())(),
    "in a block": lambda runtime: lambda script: block(runtime, script),
}


@pytest.fixture(params=WAYS.values(), ids=WAYS)
def way(request):
    return request.param


class Own:
    """A source that nobody knows."""

    def __init__(self, draw):
        self._draw = draw

    def random(self):
        return self._draw()


def fails():
    return Scripted(*[ConnectionError] * 3)


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize(
    "draw", [lambda: 1 / 0, lambda: None, lambda: "0.5"], ids=["raises", "None", "a text"]
)
def test_a_source_that_raises_or_draws_no_number_hides_no_error(way, draw, times):
    told = []
    runtime = POLICY.bind(clock=VirtualClock(), rng=Own(draw), listeners=[told.append])
    call = way(runtime)
    for _ in range(times):
        with pytest.raises(ConnectionError):
            call(fails())
    assert [type(event) for event in told] == [ConditionFailed] * times


def test_a_decorated_function_that_has_failed_before_hides_no_error_either():
    script = Scripted(ConnectionError, repeat_last=True)
    function = POLICY.bind(clock=VirtualClock(), rng=Own(lambda: 1 / 0), listeners=[])(script.function())
    for _ in range(3):
        with pytest.raises(ConnectionError) as caught:
            function()
        assert isinstance(caught.value.__context__, ZeroDivisionError)
    assert script.count == 3


@pytest.mark.parametrize("draw", [-0.5, 1.0, 2.0, 1e308, math.nan, math.inf, -math.inf])
def test_a_draw_that_is_out_of_range_is_a_fault_and_no_wait(way, draw):
    clock, told = VirtualClock(), []
    call = way(POLICY.bind(clock=clock, rng=Own(lambda: draw), listeners=[told.append]))
    with pytest.raises(ConnectionError):
        call(fails())
    assert clock.sleeps == []
    assert [str(event.error) for event in told] == [f"a random source draws from [0, 1); Own drew {draw!r}"]


@pytest.mark.parametrize(
    "source", [random, random.Random(1), random.SystemRandom(), Draws(0.5), Own(lambda: 0.5)]
)
def test_every_sound_source_is_drawn_from(way, source):
    clock = VirtualClock()
    with pytest.raises(ConnectionError):
        way(POLICY.bind(clock=clock, rng=source))(fails())
    assert all(0 <= slept <= most for slept, most in zip(clock.sleeps, [1, 2], strict=True))


def fails_after(*draws):
    """A source that draws these, and raises then."""
    left = list(draws)
    return Own(lambda: left.pop(0) if left else 1 / 0)


def test_a_source_that_raises_after_a_recovery_hides_no_error(way):
    told = []
    policy = retry_on(ConnectionError).calling("mend").exponential(base=1, max=2)
    runtime = policy.bind(
        clock=VirtualClock(), rng=fails_after(0.5), recover={"mend": lambda: None}, listeners=[told.append]
    )
    with pytest.raises(ConnectionError):
        way(runtime)(fails())
    assert [type(event.error) for event in told] == [ZeroDivisionError]


def test_a_source_that_raises_while_a_pace_is_kept_shortens_the_wait_and_is_told():
    told, clock = [], VirtualClock()
    runtime = (
        retry_on(ConnectionError).pace("1/10s").bind(clock=clock, rng=fails_after(), listeners=[told.append])
    )
    assert [runtime.call(lambda: "done"), runtime.call(lambda: "done")] == ["done"] * 2
    assert clock.sleeps == [10.0]
    assert ConditionFailed in map(type, told)
