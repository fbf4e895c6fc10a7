"""A policy is shared freely: what a call remembers is the call's, and what a test changes is the test's."""

import asyncio
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar

import pytest

from bide import Reason, RetryScheduled, history, retry_on, retrying
from bide.testing import Scripted, VirtualClock

POLICY = retry_on(ConnectionError).exponential(base=1, jitter=False, max=3)
THREADS, TASKS = 8, 100


@pytest.fixture
def frequent_switches():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("frequent_switches")
def test_a_policy_shared_by_threads_keeps_no_state_of_any_call(clock):
    start = threading.Barrier(THREADS)
    local = threading.local()

    def flaky():
        local.calls += 1
        if local.calls % 4:
            raise ConnectionError
        return local.calls

    shared = POLICY.bind(clock=clock)(flaky)

    def work(_):
        local.calls = 0
        start.wait(5)
        return [shared() for _ in range(50)]

    with ThreadPoolExecutor(THREADS) as pool:
        ended = list(pool.map(work, range(THREADS)))
    assert ended == [[4 * (call + 1) for call in range(50)]] * THREADS
    assert sorted(clock.sleeps) == sorted([1.0, 2.0, 4.0] * 50 * THREADS)


@pytest.mark.usefixtures("frequent_switches")
def test_threads_that_fail_get_their_own_error_with_its_own_history(clock):
    start = threading.Barrier(THREADS)
    shared = POLICY.bind(clock=clock)

    def work(number):
        def fails():
            raise ConnectionError(number)

        start.wait(5)
        with pytest.raises(ConnectionError) as caught:
            shared.call(fails)
        told = history(caught.value)
        return caught.value.args, told.reason, told.attempts, len(told)

    with ThreadPoolExecutor(THREADS) as pool:
        ended = list(pool.map(work, range(THREADS)))
    assert ended == [((number,), Reason.RETRIES_EXHAUSTED, 4, 4) for number in range(THREADS)]


async def test_every_task_ends_with_its_own_value_or_error(clock):
    shared = retrying(POLICY, clock=clock)

    async def work(number):
        calls = 0
        async for attempt in shared:
            with attempt:
                calls += 1
                await asyncio.sleep(0)
                if number % 2 or calls < 4:
                    raise ConnectionError(number)
                return number
        raise AssertionError("neither a value nor an error")

    ended = await asyncio.gather(*(work(number) for number in range(TASKS)), return_exceptions=True)
    for number, came in enumerate(ended):
        if number % 2:
            assert (type(came), came.args) == (ConnectionError, (number,))
        else:
            assert came == number


async def test_two_calls_at_once_have_the_same_delays():
    async def work():
        delays = []

        def listen(event):
            if isinstance(event, RetryScheduled):
                delays.append(event.delay)

        async def down():
            await asyncio.sleep(0)
            raise ConnectionError

        with pytest.raises(ConnectionError):
            await POLICY.bind(clock=clock, listeners=[listen]).acall(down)
        return delays

    clock = VirtualClock()
    assert await asyncio.gather(work(), work()) == [[1.0, 2.0, 4.0]] * 2


def test_a_test_in_another_thread_switches_nothing_off_here(clock):
    entered, done = threading.Event(), threading.Event()

    def test_elsewhere():
        with pytest.raises(ConnectionError):
            POLICY.attempts(1).bind(clock=VirtualClock()).call(Scripted(ConnectionError))
        entered.set()
        done.wait(5)

    other = threading.Thread(target=test_elsewhere)
    other.start()
    entered.wait(5)
    fails = Scripted(ConnectionError, repeat_last=True)
    with pytest.raises(ConnectionError):
        POLICY.bind(clock=clock).call(fails)
    done.set()
    other.join()
    assert fails.count == 4


def test_a_listener_is_told_of_each_retry_once_in_call_after_call(clock):
    events = []
    runtime = POLICY.bind(clock=clock, listeners=[events.append])
    for _ in range(5):
        runtime.call(Scripted(ConnectionError, ConnectionError, "done"))
    assert sum(isinstance(event, RetryScheduled) for event in events) == 10


def test_what_a_listener_returns_is_never_entered_so_that_no_call_can_leave_it_open(clock):
    entered = []

    class Span:
        def __enter__(self):
            entered.append("enter")

        def __exit__(self, *_):
            entered.append("exit")

    runtime = POLICY.bind(clock=clock, listeners=[lambda event: Span()])
    for _ in range(3):
        assert runtime.call(Scripted(ConnectionError, ConnectionError, "done")) == "done"
    assert entered == []


def test_an_attempt_runs_in_the_callers_own_thread_and_context(clock):
    request_id = ContextVar("request_id", default="lost")
    request_id.set("abc")
    seen = []

    def work():
        seen.append((request_id.get(), threading.current_thread()))
        raise ConnectionError

    with pytest.raises(ConnectionError):
        POLICY.bind(clock=clock).call(work)
    assert seen == [("abc", threading.current_thread())] * 4
