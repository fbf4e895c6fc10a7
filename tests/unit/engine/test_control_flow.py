"""Cancellation, exits and signals pass untouched; D01 to D20 of the catalogue of adversarial inputs."""

import ast
import asyncio
import inspect
import signal
import threading
from pathlib import Path

import anyio
import pytest
import trio

import bide
from bide import AttemptTimeout, Outcome, give_up_on, history, retry_on, retrying, when
from bide.testing import Scripted, VirtualClock

any_error = retry_on(when(lambda outcome: outcome.error is not None)).immediately(max=5)

CONTROL_FLOW = [asyncio.CancelledError, KeyboardInterrupt, SystemExit, GeneratorExit]


def nobody_asks(outcome):
    raise AssertionError("a condition was asked about control flow")


async def blocks(runtime, fn):
    async for attempt in retrying(runtime):
        with attempt:
            return await fn()
    raise AssertionError("the loop ended without an end")


def drive(runtime, script, how):
    if how == "call":
        return runtime.call(script)
    if how == "decorated":
        return runtime(script.function())()
    if how == "block":
        for attempt in retrying(runtime):
            with attempt:
                return script()
    raise AssertionError(how)


@pytest.mark.parametrize("cls", CONTROL_FLOW)
@pytest.mark.parametrize("how", ["call", "decorated", "block"])
def test_D02_no_condition_ever_sees_control_flow(bound, cls, how):
    error = cls("mine")
    script = Scripted(error)
    with pytest.raises(cls) as caught:
        drive(bound(retry_on(when(nobody_asks))), script, how)
    assert caught.value is error
    assert script.count == 1
    assert not hasattr(error, "__notes__")


@pytest.mark.parametrize("cls", CONTROL_FLOW)
@pytest.mark.parametrize("start", ["adecorated", "acall"])
def test_D02_nor_in_coroutines(bound, cls, start):
    error = cls("mine")
    runtime = bound(retry_on(when(nobody_asks)))
    script = Scripted(error)
    coroutine = runtime(script.coroutine())() if start == "adecorated" else runtime.acall(script.coroutine())
    with pytest.raises(cls) as caught:
        coroutine.send(None)
    assert caught.value is error
    assert script.count == 1


def test_D02_after_a_retry_it_passes_all_the_same(bound):
    script = Scripted(OSError(), KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        bound(any_error).call(script)
    assert script.count == 2


# -- every await point


class Points:
    """Checkpoints of one call, counted; at one of them the caller cancels."""

    def __init__(self, cancel_at, cancel):
        self.passed = 0
        self.cancel_at = cancel_at
        self.cancel = cancel
        self.attempts_at_cancel = None
        self.attempts = 0
        self.value = self.ended = None

    async def checkpoint(self):
        self.passed += 1
        if self.passed == self.cancel_at:
            self.attempts_at_cancel = self.attempts
            self.cancel()
        await anyio.lowlevel.checkpoint()

    async def attempt(self):
        self.attempts += 1
        await self.checkpoint()
        await self.checkpoint()
        if self.attempts < 3:
            raise OSError(self.attempts)
        return "done"


class PointedClock(VirtualClock):
    """Virtual time whose waits are two checkpoints more."""

    points = None

    async def asleep(self, seconds):
        await self.points.checkpoint()
        await super().asleep(seconds)
        await self.points.checkpoint()


WAYS = {
    "acall": lambda runtime, fn: runtime.acall(fn),
    "decorated": lambda runtime, fn: runtime(fn)(),
    "async for": blocks,
}
POLICIES = {
    "by type": retry_on(OSError).fixed(1),
    "in full": any_error,
    "bounded": retry_on(OSError, when(lambda outcome: outcome.error is not None)).fixed(1).within(60),
    "timeout": retry_on(Exception).fixed(1).timeout(30),
}


def on_asyncio(way, runtime, clock, n):
    async def main():
        task = asyncio.current_task()
        clock.points = points = Points(n, task.cancel)
        try:
            points.value = await way(runtime, points.attempt)
        except asyncio.CancelledError as error:
            points.ended = (task.cancelling(), error.args, hasattr(error, "__notes__"))
            task.uncancel()
        assert points.ended in (None, (1, (), False))
        return points

    return asyncio.run(main())


def on_trio(way, runtime, clock, n):
    async def main():
        with trio.CancelScope() as scope:
            clock.points = points = Points(n, scope.cancel)
            points.value = await way(runtime, points.attempt)
        assert scope.cancelled_caught == (points.value is None)
        return points

    return trio.run(main)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("run", [on_asyncio, on_trio])
def test_D01_cancelled_at_any_await_point_the_cancellation_leaves_and_no_attempt_follows(run, way, policy):
    for n in range(1, 100):
        clock = PointedClock()
        points = run(WAYS[way], POLICIES[policy].bind(clock=clock, listeners=[]), clock, n)
        if points.cancel_at > points.passed:
            break
        if points.value is None:
            assert points.attempts == points.attempts_at_cancel
        assert n <= 10
    assert (points.value, points.attempts, points.passed) == ("done", 3, 10)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_D01_cancelled_before_its_first_await_a_call_makes_no_second_attempt(backend):
    script = Scripted(OSError(), repeat_last=True)

    async def main():
        with anyio.CancelScope() as scope:
            scope.cancel()
            await any_error.bind(clock=VirtualClock()).acall(script.coroutine())

    anyio.run(main, backend=backend)
    assert script.count == 1


def test_D01_a_value_that_is_ready_is_not_lost_to_a_cancellation_that_came_too_late(bound):
    async def attempt():
        asyncio.current_task().cancel()
        return "ready"

    values = []

    async def main():
        values.append(await bound(retry_on(OSError)).acall(attempt))

    with pytest.raises(asyncio.CancelledError):  # at the task's own end
        asyncio.run(main())
    assert values == ["ready"]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("way", WAYS)
def test_D03_a_callers_timeout_fires_on_time_and_once(backend, way):
    clock = VirtualClock()
    script = Scripted(OSError(), repeat_last=True)

    async def main():
        with pytest.raises(TimeoutError) as caught:
            async with clock.fail_after(25):
                await WAYS[way](retry_on(OSError).fixed(10, max=9).bind(clock=clock), script.coroutine())
        assert not isinstance(caught.value, AttemptTimeout)

    anyio.run(main, backend=backend)
    assert (script.count, clock.monotonic()) == (3, 25)


async def too_long(clock):
    await clock.asleep(100)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_D04_our_timeout_an_attempts_own_and_the_callers_are_told_apart(backend):
    clock = VirtualClock()

    async def ours():
        await retry_on(KeyError).timeout(5).bind(clock=clock).acall(too_long, clock)

    async def own():
        await retry_on(KeyError).timeout(5).bind(clock=clock).acall(Scripted(TimeoutError("own")).coroutine())

    async def callers():
        async with clock.fail_after(2):
            await retry_on(bide.timeout).timeout(5).bind(clock=clock).acall(too_long, clock)

    for run, kind, message in [
        (ours, AttemptTimeout, "the attempt did not end within 5 s"),
        (own, TimeoutError, "own"),
        (callers, TimeoutError, "2 virtual seconds have passed"),
    ]:
        with pytest.raises(kind, match=message) as caught:
            anyio.run(run, backend=backend)
        assert type(caught.value) is kind


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_D04_only_our_timeout_is_a_timeout_of_the_attempt(backend):
    clock = VirtualClock()
    runtime = retry_on(bide.timeout("attempt")).immediately(max=2).timeout(5).bind(clock=clock)
    script = Scripted(TimeoutError("own"))

    async def main():
        with pytest.raises(TimeoutError, match="own"):
            await runtime.acall(script.coroutine())
        with pytest.raises(AttemptTimeout) as caught:
            await runtime.acall(too_long, clock)
        return caught.value

    assert history(anyio.run(main, backend=backend)).attempts == 3
    assert script.count == 1
    assert clock.monotonic() == 15


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_D05_cancelled_while_a_rejected_response_is_closed_it_leaves_at_once(backend):
    closing = []

    class Response:
        status_code, headers = 503, {}

        async def close(self):
            closing.append("begun")
            await anyio.sleep_forever()

    script = Scripted(Response(), repeat_last=True)

    async def main():
        with anyio.move_on_after(0.01) as scope:
            await retry_on(503).immediately().bind(clock=VirtualClock()).acall(script.coroutine())
        assert scope.cancelled_caught

    anyio.run(main, backend=backend)
    assert (script.count, closing) == (1, ["begun"])


def test_D05_cancelled_twice_it_leaves_once():
    script = Scripted(OSError(), repeat_last=True)
    runtime = retry_on(OSError).fixed(1).bind(clock=VirtualClock(auto=False))

    async def main():
        task = asyncio.create_task(runtime.acall(script.coroutine()))
        await asyncio.sleep(0)
        task.cancel()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return task.cancelling()

    assert asyncio.run(main()) == 2
    assert script.count == 1


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_D06_a_failing_sibling_ends_the_wait_at_once_and_is_the_only_error(backend):
    clock = VirtualClock(auto=False)
    runtime = retry_on(OSError).fixed(3600).bind(clock=clock, listeners=[])
    script = Scripted(OSError("flaky"))

    async def sibling():
        while not clock.sleeps:
            await anyio.lowlevel.checkpoint()
        raise LookupError("sibling")

    async def main():
        async with anyio.create_task_group() as group:
            group.start_soon(runtime.acall, script.coroutine())
            group.start_soon(sibling)

    with pytest.raises(ExceptionGroup) as caught:
        anyio.run(main, backend=backend)
    assert [repr(error) for error in caught.value.exceptions] == ["LookupError('sibling')"]
    assert clock.monotonic() == 0


def test_D07_a_group_is_retried_only_when_it_is_named(bound):
    groups = [
        ExceptionGroup("all", [OSError(), OSError()]),
        ExceptionGroup("mixed", [OSError(), ExceptionGroup("deep", [KeyError()])]),
    ]
    for group in groups:
        script = Scripted(group)
        with pytest.raises(ExceptionGroup) as caught:
            bound(retry_on(OSError)).call(script)
        assert (caught.value, script.count) == (group, 1)
        assert bound(retry_on(ExceptionGroup).immediately()).call(Scripted(group, 1)) == 1


def test_D07_a_group_with_control_flow_inside_is_control_flow(bound):
    deep = BaseExceptionGroup("deep", [OSError(), BaseExceptionGroup("er", [asyncio.CancelledError()])])
    script = Scripted(deep)
    with pytest.raises(BaseExceptionGroup) as caught:
        bound(retry_on(when(nobody_asks), ExceptionGroup)).call(script)
    assert (caught.value, script.count) == (deep, 1)


def test_D08_except_star_around_a_call_meets_the_leaves_themselves(bound):
    leaf = OSError("leaf")
    group = ExceptionGroup("whole", [leaf, KeyError()])
    met = []
    try:
        try:
            bound(retry_on(OSError)).call(Scripted(group))
        except* OSError as some:
            met.append(some.exceptions)
    except ExceptionGroup as rest:
        met.append([type(error) for error in rest.exceptions])
    assert met == [(leaf,), [KeyError]]
    frames = []
    trace = group.__traceback__
    while trace is not None:
        frames.append(trace.tb_frame.f_code.co_name)
        trace = trace.tb_next
    assert frames[-1] == "__call__"


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("clock", [bide.engine.clock.SYSTEM_CLOCK, VirtualClock()], ids=["system", "virtual"])
def test_D09_a_delay_of_zero_lets_others_run(backend, clock):
    turns = []

    async def attempt():
        turns.append("attempt")
        if turns.count("attempt") < 4:
            raise OSError

    async def other():
        while turns.count("attempt") < 4:
            turns.append("other")
            await anyio.lowlevel.checkpoint()

    async def main():
        async with anyio.create_task_group() as group:
            group.start_soon(other)
            await retry_on(OSError).immediately().bind(clock=clock).acall(attempt)

    anyio.run(main, backend=backend)
    last = len(turns) - 1 - turns[::-1].index("attempt")
    assert turns[:last].count("other") >= 2


def test_D10_nothing_of_asyncio_is_called_on_trio(monkeypatch):
    def refuse(*args):
        raise AssertionError("asyncio was called")

    monkeypatch.setattr(asyncio, "sleep", refuse)
    monkeypatch.setattr(asyncio, "timeout", refuse)
    policy = retry_on(OSError).immediately()
    for one in (policy, policy.timeout(9), policy.within(9)):
        script = Scripted(OSError(), "done")
        assert trio.run(one.acall, script.coroutine()) == "done"


def test_D11_closing_a_generator_that_holds_a_block_is_no_outcome(bound):
    asked = []

    def held():
        for attempt in retrying(bound(retry_on(when(asked.append)))):
            with attempt:
                yield attempt.number

    generator = held()
    assert next(generator) == 1
    generator.close()
    assert asked == []


@pytest.mark.parametrize("cls", [StopIteration, StopAsyncIteration])
@pytest.mark.parametrize("how", ["call", "decorated", "block"])
def test_D12_stop_iteration_is_a_failure_like_any_other(bound, cls, how):
    script = Scripted(cls("a"), "done")
    assert drive(bound(retry_on(cls).immediately()), script, how) == "done"
    last = cls("last")
    with pytest.raises(cls) as caught:
        drive(bound(retry_on(OSError)), Scripted(last), how)
    assert caught.value is last


class Interrupted(VirtualClock):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def sleep(self, seconds):
        raise self.error


@pytest.mark.parametrize("how", ["call", "decorated", "block"])
def test_D13_a_keyboard_interrupt_in_the_wait_leaves_and_the_response_was_let_go_before(how):
    closed = []
    error = KeyboardInterrupt()

    class Response:
        status_code, headers = 503, {}

        def close(self):
            closed.append(True)

    script = Scripted(Response())
    if how == "block":
        with pytest.raises(KeyboardInterrupt):
            for attempt in retrying(retry_on(503).bind(clock=Interrupted(error))):
                with attempt:
                    attempt.returned(script())
    else:
        with pytest.raises(KeyboardInterrupt) as caught:
            drive(retry_on(503).bind(clock=Interrupted(error)), script, how)
        assert caught.value is error
    assert (script.count, closed) == (1, [True])


def test_D14_a_signal_that_raises_in_the_wait_leaves_at_once():
    class Alarm(Exception):
        pass

    def ring(*_):
        raise Alarm

    script = Scripted(OSError(), repeat_last=True)
    before = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        with pytest.raises(Alarm):
            retry_on(Exception).fixed(600).call(script)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert script.count == 1


def test_D15_system_exit_in_a_listener_or_condition_leaves(bound):
    def leave(*_):
        raise SystemExit(3)

    for runtime in (
        bound(retry_on(OSError), listeners=[leave]),
        bound(give_up_on(OSError), listeners=[leave]),
        bound(retry_on(when(leave))),
    ):
        with pytest.raises(SystemExit, match="3"):
            runtime.call(Scripted(OSError()))


def test_D16_running_out_of_stack_or_memory_is_no_failure_of_the_network(bound):
    runtime = bound(retry_on(bide.network, bide.timeout, "5xx", OSError))
    calls = []

    @runtime
    def deeper(n):
        calls.append(n)
        return deeper(n + 1)

    with pytest.raises(RecursionError):
        deeper(0)
    assert calls == list(range(len(calls)))
    with pytest.raises(MemoryError):
        runtime.call(Scripted(MemoryError()))


def test_D17_a_clock_of_the_callers_own_may_end_the_wait():
    stop = threading.Event()

    class Stopped(Exception):
        pass

    class Stoppable(VirtualClock):
        def sleep(self, seconds):
            stop.set()
            if stop.wait(seconds):
                raise Stopped

    script = Scripted(OSError(), repeat_last=True)
    with pytest.raises(Stopped):
        retry_on(Exception).fixed(600).bind(clock=Stoppable()).call(script)
    assert script.count == 1


@pytest.mark.parametrize(
    "policy", [retry_on(OSError).immediately(), retry_on(OSError).immediately().timeout(9)]
)
def test_D18_D19_one_policy_serves_loops_in_two_threads_and_one_after_another(policy):
    async def main():
        return await policy.acall(Scripted(OSError(), OSError(), "done").coroutine())

    done = []
    threads = [threading.Thread(target=lambda: done.append(asyncio.run(main()))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done += [asyncio.run(main()), asyncio.run(main()), trio.run(main)]
    assert done == ["done"] * 5


def test_D20_the_engine_uses_neither_wait_for_nor_task_groups():
    folder = Path(inspect.getfile(bide.engine.clock)).parent
    names = {
        getattr(node, "attr", getattr(node, "id", None))
        for path in folder.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
    }
    assert "timeout" in names
    assert names.isdisjoint({"wait_for", "TaskGroup", "create_task_group", "gather", "shield"})


def test_an_outcome_may_hold_a_base_exception_for_those_who_ask_by_hand():
    assert retry_on(OSError).explain(Outcome(error=KeyboardInterrupt(), method=None)).action == "return"
