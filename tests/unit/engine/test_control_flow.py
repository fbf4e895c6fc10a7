"""Exits, groups and signals pass untouched; D02 and D07 to D20 of the catalogue of adversarial inputs."""

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
from bide import Outcome, give_up_on, retry_on, retrying, when
from bide.testing import Scripted, VirtualClock

ANY_ERROR = retry_on(when(lambda outcome: outcome.error is not None)).immediately(max=5)

CONTROL_FLOW = [asyncio.CancelledError, KeyboardInterrupt, SystemExit, GeneratorExit]


def nobody_asks(outcome):
    raise AssertionError("a condition was asked about control flow")


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
        bound(ANY_ERROR).call(script)
    assert script.count == 2


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
