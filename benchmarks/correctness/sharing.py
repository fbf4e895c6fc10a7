"""Sharing: one policy used by many threads, tasks and calls at once."""

# ruff: noqa: SIM105  # what is passed over is the point

from __future__ import annotations

import asyncio
import sys
import threading

from case import Register, Seen
from stage import Flaky, name_of, raised, stage

from bide import RetryScheduled, retry_on, retrying

here = Register("sharing")
TASKS, THREADS = 6, 8


class Fails:
    """A coroutine function that fails twice for each task, then returns."""

    def __init__(self) -> None:
        self.calls: dict[object, int] = {}

    async def __call__(self) -> str:
        me = asyncio.current_task()
        self.calls[me] = self.calls.get(me, 0) + 1
        await asyncio.sleep(0)
        if self.calls[me] <= 2:
            raise ConnectionError
        return "done"


def _tasks(loop_of) -> Seen:
    """Run one block in several tasks; each is to end with a value or an error."""

    async def main() -> Seen:
        fails = Fails()

        async def work() -> str:
            async for attempt in loop_of():
                with attempt:
                    return await fails()
            return "neither"

        ended = await asyncio.gather(*(work() for _ in range(TASKS)), return_exceptions=True)
        lost = TASKS - ended.count("done")
        return Seen(f"{lost} of {TASKS} tasks end without their value", lost > 0)

    return asyncio.run(main())


def ours_tasks() -> Seen:
    stage(clocks=False)
    policy = retrying(retry_on(ConnectionError).fixed(0.01).attempts(3))
    return _tasks(lambda: policy)


@here.case("tenacity", f"One AsyncRetrying, 3 attempts, {TASKS} tasks, each fails twice", ours=ours_tasks)
def tenacity_tasks() -> Seen:
    stage(clocks=False)
    import tenacity

    policy = tenacity.AsyncRetrying(
        stop=tenacity.stop_after_attempt(3), wait=tenacity.wait_fixed(0.01), reraise=True
    )
    return _tasks(lambda: policy)


def _threads(decorated, calls: int = 10_000) -> Seen:
    errors: list[str] = []
    sys.setswitchinterval(1e-6)

    def work() -> None:
        for _ in range(calls):
            if errors:
                return
            try:
                decorated()
            except ConnectionError:
                pass
            except Exception as error:
                errors.append(f"{name_of(error)}({error})")
                return

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kinds = ", ".join(sorted(set(errors)))
    return Seen(f"{kinds} out of the library" if errors else "no error of the library's own", bool(errors))


def _down() -> None:
    raise ConnectionError


def ours_threads() -> Seen:
    stage()
    return _threads(retry_on(ConnectionError).fixed(0).attempts(3)(_down))


@here.case(
    "tenacity",
    f"One decorated function called by {THREADS} threads that switch often, a few thousand times",
    ours=ours_threads,
)
def tenacity_threads() -> Seen:
    stage()
    import tenacity

    return _threads(tenacity.retry(stop=tenacity.stop_after_attempt(3), reraise=True)(_down))


def _delays_of_two(start) -> Seen:
    """Run two calls at once and write down each one's delays."""

    async def main() -> Seen:
        first, second = await asyncio.gather(start("a"), start("b"))
        same = first == second
        told = " and ".join(", ".join(f"{delay:g}" for delay in delays) for delays in (first, second))
        return Seen(f"{told} s", not same)

    return asyncio.run(main())


def ours_two_calls() -> Seen:
    stage(clocks=False)
    policy = retry_on(ConnectionError).exponential(base=1, jitter=False)

    async def start(_name: str) -> list[float]:
        delays: list[float] = []

        def listen(event: object) -> None:
            if isinstance(event, RetryScheduled):
                delays.append(event.delay)

        async def down() -> None:
            await asyncio.sleep(0)
            raise ConnectionError

        try:
            await policy.bind(listeners=[listen]).acall(down)
        except ConnectionError:
            pass
        return delays

    return _delays_of_two(start)


@here.case("hyx", "Two calls at once under one exponential schedule; the delays of each", ours=ours_two_calls)
def hyx_two_calls() -> Seen:
    clock = stage(clocks=False)
    import hyx.retry
    from hyx.retry import backoffs

    current: dict[object, list[float]] = {}
    asleep = clock.asleep

    async def written(seconds: float, result: object = None) -> object:
        if seconds:
            current.setdefault(asyncio.current_task(), []).append(seconds)
        return await asleep(0, result)

    asyncio.sleep = written

    @hyx.retry.retry(
        on=ConnectionError, attempts=3, backoff=backoffs.expo(min_delay_secs=1, base=2, max_delay_secs=60)
    )
    async def down() -> None:
        await asyncio.sleep(0)
        raise ConnectionError

    async def start(_name: str) -> list[float]:
        try:
            await down()
        except Exception:
            pass
        return current.get(asyncio.current_task(), [])

    return _delays_of_two(start)


def _elsewhere(call, off, on) -> Seen:
    """Switch retries off for a test in one thread, and call in another."""
    entered, done = threading.Event(), threading.Event()

    def test() -> None:
        off()
        entered.set()
        done.wait(5)
        on()

    other = threading.Thread(target=test)
    other.start()
    entered.wait(5)
    attempts = call()
    done.set()
    other.join()
    return Seen(f"{attempts} of 3 attempts", attempts < 3)


def ours_test_elsewhere() -> Seen:
    stage()
    from bide.testing import VirtualClock

    policy = retry_on(ConnectionError).fixed(1).attempts(3)

    def call() -> int:
        fn = Flaky()
        raised(lambda: policy.call(fn))
        return fn.calls

    def test() -> None:
        raised(lambda: policy.attempts(1).bind(clock=VirtualClock()).call(Flaky()))

    return _elsewhere(call, test, lambda: None)


ELSEWHERE = "A test in another thread switches retries off; a call here"


@here.case("stamina", ELSEWHERE, ours=ours_test_elsewhere)
def stamina_test_elsewhere() -> Seen:
    stage()
    import stamina

    def call() -> int:
        fn = Flaky()
        raised(stamina.retry(on=ConnectionError, attempts=3)(fn))
        return fn.calls

    return _elsewhere(call, lambda: stamina.set_active(False), lambda: stamina.set_active(True))


@here.case("backon", ELSEWHERE, ours=ours_test_elsewhere)
def backon_test_elsewhere() -> Seen:
    stage()
    import backon

    def call() -> int:
        fn = Flaky()
        raised(
            lambda: backon.retry(fn, backon.constant, exception=ConnectionError, max_tries=3, interval=0.01)
        )
        return fn.calls

    return _elsewhere(call, backon.disable, backon.enable)


def _managers(make) -> Seen:
    """Count how often each context manager that a hook returned is left."""
    left: list[int] = []
    entered: list[int] = []

    class Span:
        def __init__(self) -> None:
            entered.append(1)
            self.number = len(entered)

        def __enter__(self):
            return self

        def __exit__(self, *_error) -> None:
            left.append(self.number)

    make(Span)
    return Seen(f"{len(entered)} entered, left {len(left)} times", len(left) > len(entered))


def ours_listeners() -> Seen:
    stage()
    fails = Flaky(0)
    told: list[str] = []
    policy = retry_on(ConnectionError).fixed(1).bind(listeners=[lambda event: told.append(name_of(event))])

    @policy
    def work() -> None:
        fails.calls += 1
        if fails.calls % 3:
            raise ConnectionError

    for _ in range(3):
        work()
    count = told.count("RetryScheduled")
    return Seen(f"6 retries, {count} events RetryScheduled", count != 6)


@here.case("stamina", "A hook returns a context manager; 3 calls of 2 retries each", ours=ours_listeners)
def stamina_managers() -> Seen:
    stage()
    import stamina
    import stamina.instrumentation

    fails = Flaky(0)

    def run(span) -> None:
        stamina.instrumentation.set_on_retry_hooks([lambda _details: span()])

        @stamina.retry(on=ConnectionError)
        def work() -> None:
            fails.calls += 1
            if fails.calls % 3:
                raise ConnectionError

        for _ in range(3):
            work()

    return _managers(run)


def ours_context() -> Seen:
    return _context(retry_on(ConnectionError).fixed(0))


def _context(decorate) -> Seen:
    from contextvars import ContextVar

    request_id: ContextVar[str] = ContextVar("request_id", default="lost")
    request_id.set("abc")
    got = decorate(lambda: request_id.get())()  # noqa: PLW0108  # built-in methods have no __name__ that they need
    return Seen(f"reads {got!r}", got != "abc")


@here.case(
    "pyresilience",
    "A context variable read inside the attempt, under a timeout (ours: without one)",
    ours=ours_context,
)
def pyresilience_context() -> Seen:
    import pyresilience

    policy = pyresilience.resilient(
        retry=pyresilience.RetryConfig(), timeout=pyresilience.TimeoutConfig(seconds=1)
    )
    return _context(policy)
