"""Nothing of a failed attempt is kept: not in the wait, not in the next attempt's context, not in a circle."""

import gc
import weakref
from contextlib import suppress

import anyio
import pytest

from bide import history, retry_on, retrying, when
from bide.testing import Draws, Scripted, VirtualClock

POLICIES = {
    "by type": retry_on(OSError).fixed(1, max=2),
    "in full": retry_on(OSError).after_attribute("nothing").fixed(1, max=2),
    "timed": retry_on(OSError).fixed(1, max=2).within(60) | retry_on(KeyError),
    "judged": retry_on(OSError, 503).fixed(1, max=2),
}
BOUNDED = {"deadline": (retry_on(OSError).fixed(1, max=2) | retry_on(KeyError)).within(60)}


class Failure(OSError):
    pass


class Big:
    pass


class Watching(VirtualClock):
    """A clock that looks, while it waits, whether the failures so far are still alive."""

    def __init__(self):
        super().__init__()
        self.failures = []
        self.locals = []

    def look(self):
        assert [failure() for failure in self.failures] == [None] * len(self.failures)
        assert [one() for one in self.locals] == [None] * len(self.locals)
        assert self.failures

    def sleep(self, seconds):
        self.look()
        super().sleep(seconds)

    async def asleep(self, seconds):
        self.look()
        await super().asleep(seconds)

    def failing(self):
        def attempt(argument, *, key="k"):
            big = Big()
            self.locals.append(weakref.ref(big))
            raise watched(Failure(), self.failures)

        return attempt

    def afailing(self):
        failing = self.failing()

        async def attempt(argument, *, key="k"):
            failing(argument, key=key)

        return attempt


def watched(error, watch):
    assert error.__context__ is None
    watch.append(weakref.ref(error))
    return error


def block(runtime, fn):
    for attempt in retrying(runtime):
        with attempt:
            return fn(1)
    raise AssertionError("the loop ended without an end")


async def ablock(runtime, fn):
    async for attempt in retrying(runtime):
        with attempt:
            return await fn(1)
    raise AssertionError("the loop ended without an end")


SYNC = {
    "call": lambda runtime, fn: runtime.call(fn, 1),
    "decorated": lambda runtime, fn: runtime(fn)(1, key=2),
    "block": block,
}
ASYNC = {
    "acall": lambda runtime, fn: runtime.acall(fn, 1),
    "adecorated": lambda runtime, fn: runtime(fn)(1, key=2),
    "ablock": ablock,
}


def raised(run, *args):
    """What comes out, without a frame of pytest's in between that would keep it."""
    try:
        run(*args)
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("way", SYNC)
def test_a_failure_is_let_go_before_the_wait_and_attempts_do_not_chain(way, policy):
    clock = Watching()
    error = raised(SYNC[way], POLICIES[policy].bind(clock=clock, listeners=[]), clock.failing())
    assert (error.__context__, len(clock.failures), clock.sleeps) == (None, 3, [1, 1])


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("policy", POLICIES | BOUNDED)
@pytest.mark.parametrize("way", ASYNC)
def test_a_failure_of_a_coroutine_is_let_go_before_the_wait(way, policy, backend):
    clock = Watching()
    runtime = (POLICIES | BOUNDED)[policy].bind(clock=clock, listeners=[])

    async def main():
        try:
            await ASYNC[way](runtime, clock.afailing())
        except Failure as error:
            return error.__context__, history(error).attempts

    assert anyio.run(main, backend=backend) == (None, 3)
    assert len(clock.failures) == 3


@pytest.fixture
def garbage():
    """Count what only the collector can free."""
    gc.collect()
    gc.disable()
    gc.freeze()  # only what is made from here on is looked at
    try:
        yield gc.collect
    finally:
        gc.enable()


ENDS = {
    "success": ["done"],
    "recovered": [OSError, OSError, "done"],
    "given up": [OSError, ConnectionError, OSError],
    "no rule": [LookupError],
    "no rule after a retry": [OSError, LookupError],
}


def playing(outcomes):
    """A function that plays outcomes, raising a new exception each time; a fake that keeps them would make circles."""
    left = list(outcomes)

    def fn(argument, *, key=None):
        outcome = left.pop(0)
        if outcome != "done":
            raise outcome(argument)
        return outcome

    return fn


def aplaying(outcomes):
    plain = playing(outcomes)

    async def fn(argument, *, key=None):
        return plain(argument)

    return fn


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("way", SYNC)
def test_no_end_of_a_call_leaves_a_reference_cycle(garbage, way, policy, end):
    runtime = POLICIES[policy].bind(clock=VirtualClock(), rng=Draws(), listeners=[])
    for _ in range(3):
        quietly(SYNC[way], runtime, playing(ENDS[end]))
        assert garbage() == 0


def quietly(run, *args):
    with suppress(Exception):
        run(*args)


@pytest.mark.parametrize("way", ASYNC)
@pytest.mark.parametrize("policy", POLICIES | BOUNDED)
@pytest.mark.parametrize("end", ENDS)
def test_no_end_of_a_coroutine_leaves_a_reference_cycle(garbage, way, policy, end):
    counts = []
    runtime = (POLICIES | BOUNDED)[policy].bind(clock=Instant(), rng=Draws(), listeners=[])

    async def main():
        for _ in range(3):
            garbage()
            with suppress(Exception):
                await ASYNC[way](runtime, aplaying(ENDS[end]))
            counts.append(garbage())

    anyio.run(main)
    assert counts == [0, 0, 0]


class Instant(VirtualClock):
    fail_after = None  # bounded by the machine's time: virtual timeouts have circles of their own

    async def asleep(self, seconds):
        await anyio.lowlevel.checkpoint()


def faulty(outcome):
    detail = {"outcome": outcome}
    try:
        helper(detail)
    except KeyError as error:
        raise ZeroDivisionError from error


def helper(detail):
    raise KeyError(len(detail))


@pytest.mark.parametrize("listeners", [[], [faulty]])
def test_no_fault_of_the_users_own_code_leaves_a_reference_cycle(garbage, listeners):
    policies = [retry_on(when(faulty)), retry_on(OSError).immediately(max=1)]
    runtimes = [policy.bind(clock=VirtualClock(), listeners=listeners) for policy in policies]
    for _ in range(2):
        garbage()
        for runtime in runtimes:
            quietly(runtime.call, playing([OSError, OSError]), 1)
        assert garbage() == 0


def test_E12_one_instance_raised_two_thousand_times_has_a_short_traceback():
    error = OSError("again")
    runtime = retry_on(OSError).immediately().attempts(2000).bind(clock=VirtualClock(), listeners=[])
    script = Scripted(error, repeat_last=True)
    assert raised(runtime.call, script) is error
    assert script.count == 2000
    assert depth(error) < 20
    decorated = runtime(Scripted(error, repeat_last=True).function())
    assert raised(decorated) is error
    assert depth(error) < 300


def depth(error):
    trace, count = error.__traceback__, 0
    while trace is not None:
        trace, count = trace.tb_next, count + 1
    return count


def test_E13_thousands_of_attempts_keep_a_hundred_short_records():
    class Heavy(OSError):
        pass

    alive = []

    def attempt():
        raise watched(Heavy("x" * 10_000), alive)

    runtime = retry_on(OSError).immediately(max=3999).bind(clock=VirtualClock(), listeners=[])
    error = raised(runtime.call, attempt)
    assert (len(alive), sum(one() is not None for one in alive)) == (4000, 1)
    assert len(history(error)) == 100
    assert len(str(history(error))) < 1000
