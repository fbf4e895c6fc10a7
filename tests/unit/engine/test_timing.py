"""Deadlines, timeouts and clocks: C01 to C10, as far as the engine goes."""

import asyncio
import pickle
import sys
import time

import anyio
import pytest
import trio

import bide
from bide import AttemptTimeout, Reason, forever, history, retry_on, retrying
from bide.engine.clock import SYSTEM_CLOCK, on_asyncio
from bide.testing import Draws, Scripted, VirtualClock


class Slow:
    """An attempt that takes its time on a clock, and fails."""

    def __init__(self, clock, *seconds):
        self.clock = clock
        self.seconds = list(seconds)
        self.began = []

    def __call__(self):
        self.began.append(self.clock.monotonic())
        self.clock.advance(self.seconds.pop(0) if self.seconds else 0)
        raise OSError


def given_up(call, *args):
    with pytest.raises(Exception) as caught:
        call(*args)
    return history(caught.value)


def test_C01_a_deadline_that_the_first_attempt_passes_ends_the_call(bound, clock):
    attempt = Slow(clock, 30)
    kept = given_up(bound((retry_on(OSError).fixed(1) | retry_on(KeyError)).within(10)).call, attempt)
    assert (kept.reason, kept.attempts, clock.sleeps) == (Reason.DEADLINE, 1, [])


def test_C02_a_delay_is_shortened_so_that_one_last_attempt_fits_and_only_one(bound, clock):
    attempt = Slow(clock, 1, 1, 1, 1)
    kept = given_up(bound((retry_on(OSError).fixed(6) | retry_on(KeyError)).within(10)).call, attempt)
    assert attempt.began == [0, 7, 9]
    assert clock.sleeps == [6, 1]
    assert (kept.reason, kept.attempts) == (Reason.DEADLINE, 3)
    assert clock.monotonic() == 10


def test_C02_a_rule_with_a_deadline_of_its_own_pays_only_for_itself(bound, clock):
    policy = retry_on(OSError).fixed(4).within(10).max(99) | retry_on(KeyError).fixed(100)
    script = Scripted(OSError(), KeyError(), OSError(), OSError(), OSError())
    kept = given_up(bound(policy).call, script)
    assert kept.reason == Reason.DEADLINE
    assert clock.sleeps == [4, 100, 4, pytest.approx(1.8)]


def test_a_hint_longer_than_the_time_left_ends_the_call_with_when_to_come_back(bound, clock):
    error = OSError()
    error.retry_after = 60
    kept = given_up(
        bound((retry_on(OSError).after_attribute("retry_after") | retry_on(KeyError)).within(30)).call,
        Scripted(error),
    )
    assert (kept.reason, kept.retry_at, clock.sleeps) == (Reason.DEADLINE, clock.time() + 60, [])


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_C03_an_attempt_is_bounded_by_its_timeout_and_by_what_is_left(backend):
    clock = VirtualClock()
    began = []

    async def attempt():
        began.append(clock.monotonic())
        if len(began) == 1:
            raise KeyError
        await clock.asleep(100)

    policy = retry_on(bide.timeout("attempt")).fixed(1) | retry_on(KeyError).fixed(6)
    runtime = policy.within(8).timeout(5).bind(clock=clock)

    async def main():
        with pytest.raises(AttemptTimeout, match="within 2 s") as caught:
            await runtime.acall(attempt)
        return history(caught.value)

    kept = anyio.run(main, backend=backend)
    assert (began, clock.monotonic(), kept.reason) == ([0, 6], 8, Reason.DEADLINE)
    assert pickle.loads(pickle.dumps(AttemptTimeout("x"))).args == ("x",)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_C04_bytes_that_dribble_in_do_not_hold_the_timeout_up(backend):
    clock = VirtualClock()

    async def attempt():
        while True:
            await clock.asleep(0.2)

    async def main():
        with pytest.raises(AttemptTimeout):
            await retry_on(KeyError).timeout(1).bind(clock=clock).acall(attempt)

    anyio.run(main, backend=backend)
    assert clock.monotonic() == 1


@pytest.mark.parametrize("step", [-3600, 3600])
def test_C05_a_wall_clock_that_is_put_back_or_forward_changes_nothing(bound, clock, step):
    attempts = []

    def attempt():
        attempts.append(clock.monotonic())
        clock.step_wall(step)
        raise OSError

    given_up(bound((retry_on(OSError).fixed(4) | retry_on(KeyError)).within(10).attempts(3)).call, attempt)
    assert attempts == [0, 4, 8]


def test_C06_a_clock_that_stands_still_does_not_loop_for_ever():
    class Still(VirtualClock):
        def sleep(self, seconds):
            pass

    script = Scripted(OSError(), repeat_last=True)
    policy = (retry_on(OSError).fixed(1).max(forever) | retry_on(KeyError)).within(10).attempts(50)
    assert given_up(policy.bind(clock=Still()).call, script).reason == Reason.ATTEMPTS_EXHAUSTED
    assert script.count == 50


def test_C08_a_thousand_retries_take_no_time(bound, clock):
    script = Scripted(OSError(), repeat_last=True)
    begun = time.perf_counter()
    given_up(bound(retry_on(OSError).exponential(max=1000)).call, script)
    assert script.count == 1001
    assert clock.monotonic() > 10_000
    assert time.perf_counter() - begun < 5


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize(("outer", "inner", "said"), [(1, 5, "1 s"), (5, 1, "1 s")])
def test_C09_of_nested_deadlines_the_smaller_rules(backend, outer, inner, said):
    clock = VirtualClock()
    policies = [retry_on(KeyError).timeout(seconds).bind(clock=clock) for seconds in (outer, inner)]

    async def main():
        with pytest.raises(AttemptTimeout, match=said):
            await policies[0].acall(policies[1].acall, clock.asleep, 60)

    anyio.run(main, backend=backend)
    assert clock.monotonic() == 1


def test_B06_B11_draws_come_from_the_source_that_was_given(clock):
    draws = Draws(0.0, 0.5, 0.999)
    policy = retry_on(OSError).fixed(8, jitter=True)
    given_up(policy.bind(clock=clock, rng=draws, listeners=[]).call, Scripted(*[OSError()] * 4))
    assert clock.sleeps == [0, 4, pytest.approx(7.992)]


# -- the machine's own time


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("limit", [lambda policy: policy.timeout(0.01), lambda policy: policy.within(0.01)])
def test_an_attempt_is_bounded_by_the_machines_time_too(backend, limit):
    async def main():
        with pytest.raises(AttemptTimeout):
            await limit(retry_on(KeyError) | retry_on(ValueError)).acall(anyio.sleep_forever)
        own = TimeoutError("own")
        with pytest.raises(TimeoutError) as caught:
            await limit(retry_on(KeyError) | retry_on(ValueError)).acall(Scripted(own).coroutine())
        assert caught.value is own
        assert await limit(retry_on(KeyError) | retry_on(ValueError)).acall(Scripted(5).coroutine()) == 5

    anyio.run(main, backend=backend)


class FourMethods:
    """A clock with nothing but what a clock must have."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now

    def time(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds

    async def asleep(self, seconds):
        self.now += seconds


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_clock_of_four_methods_is_enough(backend):
    policy = (retry_on(OSError).fixed(4).max(9) | retry_on(KeyError)).within(10)
    for use in (policy, policy.timeout(3)):
        script = Scripted(OSError(), repeat_last=True)
        clock = FourMethods()

        async def main(use=use, clock=clock, script=script):
            with pytest.raises(OSError):
                await use.bind(clock=clock).acall(script.coroutine())

        anyio.run(main, backend=backend)
        assert (script.count, clock.now) == (4, pytest.approx(9.8))
    clock = FourMethods()
    given_up(policy.bind(clock=clock).call, Scripted(OSError(), repeat_last=True))
    assert clock.now == pytest.approx(9.8)


def test_a_clock_is_asked_to_sleep_by_its_own_method_whatever_else_it_has():
    class Sleeping(type(SYSTEM_CLOCK)):
        slept = ()

        def sleep(self, seconds):
            self.slept = (*self.slept, seconds)

    clock = Sleeping()
    runtime = retry_on(OSError).fixed(600, max=1).bind(clock=clock, listeners=[])
    given_up(runtime(Scripted(OSError(), OSError()).function()))
    given_up(runtime.call, Scripted(OSError(), OSError()))
    assert clock.slept == (600, 600)


def test_the_machines_clock_sleeps_and_tells_the_time(monkeypatch):
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    SYSTEM_CLOCK.sleep(3)
    retry_on(OSError).fixed(2)(Scripted(OSError(), None).function())()
    retry_on(OSError).fixed(1).call(Scripted(OSError(), None))
    assert slept == [3, 2, 1]
    monkeypatch.setattr(time, "time", lambda: 7.0)
    monkeypatch.setattr(time, "monotonic", lambda: 8.0)
    assert (SYSTEM_CLOCK.time(), SYSTEM_CLOCK.monotonic()) == (7, 8)


def test_the_machines_clock_is_one(monkeypatch):
    assert pickle.loads(pickle.dumps(SYSTEM_CLOCK)) is SYSTEM_CLOCK


@pytest.mark.parametrize("run", [asyncio.run, trio.run])
def test_the_machines_clock_waits_in_any_event_loop(run):
    async def main():
        await SYSTEM_CLOCK.asleep(0)
        return on_asyncio()

    assert run(main) is False if run is trio.run else run(main()) is True


def test_on_asyncio_is_false_where_nothing_runs_and_where_asyncio_was_never_loaded(monkeypatch):
    assert on_asyncio() is False
    monkeypatch.delitem(sys.modules, "asyncio")
    assert on_asyncio() is False


def test_a_block_has_deadlines_too(bound, clock):
    numbers = []
    with pytest.raises(OSError):
        for attempt in retrying(bound((retry_on(OSError).fixed(6) | retry_on(KeyError)).within(10))):
            with attempt:
                numbers.append(attempt.number)
                raise OSError
    assert (numbers, clock.sleeps) == ([1, 2, 3], [6, pytest.approx(3.6)])
