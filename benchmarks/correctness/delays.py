"""Delays: schedules that overflow, lose their jitter, or are not the ones that were asked for."""

# ruff: noqa: PLW0108  # peers want a function that has a name

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from case import Register, Seen
from stage import Flaky, answering, raised, stage

from bide import Ask, Outcome, retry_on

here = Register("delays")
NOTHING = Outcome(error=ConnectionError())
FAR = 3000


def _distinct(draw: Callable[[], float]) -> Seen:
    kinds = len({round(draw(), 6) for _ in range(50)})
    return Seen(f"50 draws, {'1 value' if kinds == 1 else f'{kinds} values'}", kinds == 1)


def ours_at_the_cap() -> Seen:
    schedule = retry_on(ConnectionError).exponential().clause.schedule
    return _distinct(lambda: schedule.span(Ask(NOTHING, 20)).at(random.random()))


@here.case("tenacity", "wait_exponential_jitter(max=10), the delay after attempt 8", ours=ours_at_the_cap)
def tenacity_jitter() -> Seen:
    import tenacity

    def draw() -> float:
        state = tenacity.RetryCallState(tenacity.Retrying(), None, (), {})
        state.attempt_number = 8
        return tenacity.wait_exponential_jitter(max=10)(state)

    return _distinct(draw)


@here.case("stamina", "Default waits, the delay after attempt 8", ours=ours_at_the_cap)
def stamina_jitter() -> Seen:
    def draw() -> float:
        clock.sleeps.clear()
        raised(stamina.retry(on=ConnectionError, attempts=9, timeout=None)(Flaky()))
        return clock.sleeps[-1]

    clock = stage()
    import stamina

    return _distinct(draw)


@here.case(
    "urllib3", "Retry(backoff_jitter=1, backoff_max=5), the delay after attempt 8", ours=ours_at_the_cap
)
def urllib3_jitter() -> Seen:
    from urllib3.util.retry import RequestHistory, Retry

    history = (RequestHistory("GET", "/", None, 503, None),) * 8
    retry = Retry(backoff_factor=1, backoff_jitter=1, backoff_max=5, history=history)
    return _distinct(retry.get_backoff_time)


def _attempts(run: Callable[[Flaky], object], asked: int = FAR) -> Seen:
    stage()
    fn = Flaky(most=asked)
    error = raised(lambda: run(fn))
    if isinstance(error, OverflowError):
        return Seen(f"OverflowError after {fn.calls} attempts", wrong=True)
    return Seen(f"{min(fn.calls, asked)} attempts", fn.calls < asked)


def ours_many() -> Seen:
    return _attempts(lambda fn: retry_on(ConnectionError).exponential().attempts(FAR).call(fn))


MANY = f"{FAR} attempts with exponential delays and a cap"


@here.case("opnieuw", f"max_calls_total={FAR}", ours=ours_many)
def opnieuw_many() -> Seen:
    import opnieuw

    policy = opnieuw.retry(
        retry_on_exceptions=ConnectionError,
        max_calls_total=FAR,
        retry_window_after_first_call_in_seconds=10**9,
    )
    return _attempts(lambda fn: policy(lambda: fn())())


@here.case("pyresilience", MANY, ours=ours_many)
def pyresilience_many() -> Seen:
    import pyresilience

    config = pyresilience.RetryConfig(max_attempts=FAR, retry_on=(ConnectionError,))
    return _attempts(lambda fn: pyresilience.resilient(retry=config)(lambda: fn())())


@here.case("redress", MANY, ours=ours_many)
def redress_many() -> Seen:
    from redress import ErrorClass, RetryPolicy, equal_jitter

    policy = RetryPolicy(
        classifier=lambda _error: ErrorClass.TRANSIENT,
        strategy=equal_jitter(),
        max_attempts=FAR,
        deadline_s=1e9,
    )
    return _attempts(policy.call)


@here.case("httpx-retries", MANY, ours=ours_many)
def httpx_retries_many() -> Seen:
    stage()
    import httpx
    from httpx_retries import Retry, RetryTransport

    fn = Flaky(0, most=FAR)

    def answer(_request):
        fn()
        return httpx.Response(503)

    transport = RetryTransport(httpx.MockTransport(answer), Retry(total=FAR - 1, backoff_factor=0.5))
    error = raised(lambda: httpx.Client(transport=transport).get("http://host/"))
    overflow = isinstance(error, OverflowError)
    return Seen(f"{'OverflowError after ' if overflow else ''}{fn.calls} attempts", overflow)


@here.case("urllib3", MANY, ours=ours_many)
def urllib3_many() -> Seen:
    from urllib3.util.retry import RequestHistory, Retry

    history = (RequestHistory("GET", "/", None, 503, None),) * FAR
    error = raised(Retry(total=None, backoff_factor=0.5, history=history).get_backoff_time)
    overflow = isinstance(error, OverflowError)
    return Seen("OverflowError" if overflow else "a delay", overflow)


async def _fetched(options, times: int) -> None:
    from aiohttp_retry import RetryClient

    with answering(503) as server:
        async with RetryClient(retry_options=options) as client:
            for _ in range(times):
                await client.get(server.url + "/")


def ours_each_request(method: str = "fibonacci") -> Seen:
    clock = stage(clocks=False)
    import aiohttp

    from bide.adapters.aiohttp import retry_middleware

    rule = retry_on(503)
    policy = rule.fibonacci(jitter=False) if method == "fibonacci" else rule.delays(1, 2, 3)

    async def get() -> None:
        with answering(503) as server:
            async with aiohttp.ClientSession(middlewares=(retry_middleware(policy.attempts(3)),)) as session:
                for _ in range(2):
                    await session.get(server.url + "/")

    asyncio.run(get())
    return _by_two(clock)


def ours_list() -> Seen:
    seen = ours_each_request("delays")
    return Seen(seen.what, seen.what != "[1, 2] s, then [1, 2] s")


def _by_two(clock) -> Seen:
    sleeps = [f"{seconds:g}" for seconds in clock.sleeps if seconds > 0]
    first, second = (", ".join(part) for part in (sleeps[:2], sleeps[2:4]))
    return Seen(f"[{first}] s, then [{second}] s", first != second)


@here.case("aiohttp-retry", "FibonacciRetry(attempts=3), the delays of two requests", ours=ours_each_request)
def aiohttp_retry_fibonacci() -> Seen:
    clock = stage(clocks=False)
    from aiohttp_retry import FibonacciRetry

    asyncio.run(_fetched(FibonacciRetry(attempts=3, max_timeout=60), 2))
    return _by_two(clock)


@here.case("aiohttp-retry", "ListRetry([1, 2, 3]), the delays of two requests", ours=ours_list)
def aiohttp_retry_list() -> Seen:
    clock = stage(clocks=False)
    from aiohttp_retry import ListRetry

    asyncio.run(_fetched(ListRetry([1, 2, 3]), 2))
    seen = _by_two(clock)
    return Seen(f"{seen.what}: the first is never used", seen.what.startswith("[2, 3]"))


def ours_cap() -> Seen:
    schedule = retry_on(503).exponential(base=1, cap=1).clause.schedule
    return _cap(lambda retry: schedule.span(Ask(NOTHING, retry)).at(random.random()))


def _cap(delay: Callable[[int], float]) -> Seen:
    longest = max(delay(retry) for retry in range(1, 501))
    return Seen(
        "up to 1 s" if longest <= 1 else "more than 4 s" if longest > 4 else f"{longest:g} s", longest > 1
    )


@here.case("aiohttp-retry", "JitterRetry(max_timeout=1), the longest of 500 delays", ours=ours_cap)
def aiohttp_retry_cap() -> Seen:
    from aiohttp_retry import JitterRetry

    return _cap(JitterRetry(max_timeout=1).get_timeout)
