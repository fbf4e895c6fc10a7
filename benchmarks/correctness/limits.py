"""Limits: attempts, deadlines and lists that say one thing and do another."""

# ruff: noqa: ARG003, ASYNC110, DTZ001, PLW0108  # stands for datetime.now(), which peers call without a zone; peers want functions with names

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from case import Register, Seen
from stage import Enough, Flaky, Stage, answering, name_of, raised, stage

from bide import retry_on

here = Register("limits")
OVER = 0.01
"""Seconds that the machine may add to a time on the stage."""


def ours_no_attempts() -> Seen:
    error = raised(lambda: retry_on(ConnectionError).attempts(0))
    return Seen(f"refuses: {error}", error is None)


@here.case("backoff", "max_tries=0", ours=ours_no_attempts)
def backoff_max_tries_0() -> Seen:
    stage()
    import backoff

    fn = Flaky()
    error = raised(backoff.on_exception(backoff.constant, ConnectionError, max_tries=0, interval=0)(fn))
    return Seen(f"no limit: stopped by us after {fn.calls - 1} attempts", isinstance(error, Enough))


@here.case("aiohttp-retry", "attempts=0", ours=ours_no_attempts)
def aiohttp_retry_attempts_0() -> Seen:
    stage(clocks=False)
    from aiohttp_retry import ExponentialRetry, RetryClient

    async def get() -> Seen:
        with answering(503) as server:
            async with RetryClient(retry_options=ExponentialRetry(attempts=0)) as client:
                task = asyncio.ensure_future(client.get(server.url + "/").__aenter__())
                while not task.done() and len(server.requests) < 50:
                    await asyncio.sleep(0)
                endless = not task.done()
                task.cancel()
            return Seen("no limit: stopped by us after 50 requests" if endless else "ends", endless)

    return asyncio.run(get())


@here.case("retry", "tries=0", ours=ours_no_attempts)
def retry_tries_0() -> Seen:
    stage()
    from retry.api import retry_call

    fn = Flaky()
    came = retry_call(fn, tries=0)
    return Seen(f"returns {came} after {fn.calls} calls", came is None and fn.calls == 0)


def _late(clock: Stage, fn: Flaky, limit: float) -> Seen:
    attempts = "1 attempt" if fn.calls == 1 else f"{fn.calls} attempts"
    return Seen(f"ends after {round(clock.passed, 1):g} s, {attempts}", clock.passed > limit)


def ours_last_wait() -> Seen:
    clock, fn = stage(), Flaky()
    raised(lambda: retry_on(ConnectionError).fixed(30).within(10).call(fn))
    return _late(clock, fn, 10)


@here.case(
    "tenacity", "stop_after_delay(10), wait_fixed(30) (stop_before_delay looks ahead)", ours=ours_last_wait
)
def tenacity_last_wait() -> Seen:
    clock, fn = stage(), Flaky()
    import tenacity

    raised(tenacity.retry(stop=tenacity.stop_after_delay(10), wait=tenacity.wait_fixed(30))(fn))
    return _late(clock, fn, 10)


def _slow(clock: Stage, fn: Flaky, seconds: float):
    def slow() -> str:
        clock.spend(seconds)
        return fn()

    return slow


def ours_slow_attempts() -> Seen:
    clock, fn = stage(), Flaky()
    raised(lambda: retry_on(ConnectionError).fixed(1).within(10).call(_slow(clock, fn, 60)))
    return _late(clock, fn, 60 + OVER)


@here.case(
    "backoff", "max_time=10, each attempt takes 60 s (nothing can stop the first)", ours=ours_slow_attempts
)
def backoff_slow_attempts() -> Seen:
    clock, fn = stage(), Flaky()
    import backoff
    from backoff import _sync

    class Now(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime(2026, 1, 1) + timedelta(seconds=clock.passed)

    _sync.datetime.datetime = Now  # type: ignore[misc]
    policy = backoff.on_exception(backoff.constant, ConnectionError, max_time=10, interval=1, jitter=None)
    raised(policy(_slow(clock, fn, 60)))
    return _late(clock, fn, 60 + OVER)


@here.case(
    "httpx-retries",
    "total_timeout=10 (it counts sleeps only, as documented), each attempt takes 30 s",
    ours=ours_slow_attempts,
)
def httpx_retries_slow_attempts() -> Seen:
    clock, fn = stage(), Flaky(0)
    import httpx
    from httpx_retries import Retry, RetryTransport

    def answer(_request):
        clock.spend(30)
        fn()
        return httpx.Response(503)

    transport = RetryTransport(httpx.MockTransport(answer), Retry(total=5, total_timeout=10))
    httpx.Client(transport=transport).get("http://host/")
    return _late(clock, fn, 30 + OVER)


def ours_clock_set_back() -> Seen:
    clock, fn = stage(), Flaky()
    raised(lambda: retry_on(ConnectionError).fixed(1).max(1000).within(10).call(fn))
    return Seen(
        f"{fn.calls} attempts in {round(clock.passed, 1):g} s (it does not read that clock)", fn.calls > 20
    )


@here.case(
    "backoff",
    "max_time=10, 1 s between attempts, the wall clock set back 5 minutes",
    ours=ours_clock_set_back,
)
def backoff_clock_set_back() -> Seen:
    clock, fn = stage(), Flaky()
    import backoff
    from backoff import _sync

    class Now(datetime):
        @classmethod
        def now(cls, tz=None):
            back = 300 if fn.calls > 1 else 0
            return datetime(2026, 1, 1) + timedelta(seconds=clock.passed - back)

    _sync.datetime.datetime = Now  # type: ignore[misc]
    raised(backoff.on_exception(backoff.constant, ConnectionError, max_time=10, interval=1, jitter=None)(fn))
    return Seen(f"{fn.calls} attempts in {round(clock.passed, 1):g} s", fn.calls > 20)


def ours_empty_list() -> Seen:
    error = raised(lambda: retry_on())
    return Seen(f"refuses: {error}", error is None)


@here.case("httpx-retries", "status_forcelist=[], which reads as: no status", ours=ours_empty_list)
def httpx_retries_empty_list() -> Seen:
    from httpx_retries import Retry

    kept = sorted(Retry(status_forcelist=[]).status_forcelist)
    return Seen(f"the defaults: {', '.join(map(str, map(int, kept)))}", bool(kept))


def ours_unknown_argument() -> Seen:
    error = raised(lambda: retry_on(ConnectionError).exponential(bogus=1))  # type: ignore[call-arg]
    return Seen(f"refuses: {error}", error is None)


@here.case("google-api-core", "Retry(max_attempts=3, bogus=1)", ours=ours_unknown_argument)
def google_unknown_argument() -> Seen:
    clock, fn = stage(), Flaky(most=50)
    from google.api_core.retry import Retry

    error = raised(
        lambda: Retry(lambda _error: True, max_attempts=3, bogus=1, timeout=None, initial=0.1, maximum=0.1)(
            fn
        )()
    )
    silent = isinstance(error, Enough) and bool(clock.sleeps)
    return Seen(f"both are ignored: stopped by us after {fn.calls - 1} attempts", silent)


def ours_auth() -> Seen:
    stage()
    fn = Flaky(1, PermissionError)
    came = retry_on(PermissionError).fixed(1).max(1).call(fn)
    return Seen(f"{fn.calls} attempts, {came}", fn.calls < 2)


@here.case(
    "redress", "A strategy written for ErrorClass.AUTH: once more, after a token refresh", ours=ours_auth
)
def redress_auth() -> Seen:
    stage()
    from redress import ErrorClass, RetryPolicy

    fn = Flaky(1, PermissionError)
    policy = RetryPolicy(
        classifier=lambda _error: ErrorClass.AUTH,
        strategies={ErrorClass.AUTH: lambda _attempt, _class, _before: 1.0},
        per_class_max_attempts={ErrorClass.AUTH: 2},
    )
    error = raised(lambda: policy.call(fn))
    return Seen(f"{fn.calls} attempt, {name_of(error)}: the strategy is never asked", fn.calls == 1)


def ours_httpx_error() -> Seen:
    return _httpx_error(lambda call: retry_on("5xx").max(5).call(call), 6)


def _httpx_error(run, meant: int) -> Seen:
    stage()
    import httpx

    calls = []

    def call() -> None:
        calls.append(1)
        response = httpx.Response(503, request=httpx.Request("GET", "http://host/"))
        response.raise_for_status()

    raised(lambda: run(call))
    return Seen(f"{len(calls)} of {meant} attempts", len(calls) < meant)


@here.case(
    "redress",
    "httpx.HTTPStatusError 503, default classifier, max_attempts=6",
    ours=ours_httpx_error,
    needs=("httpx",),
)
def redress_httpx_error() -> Seen:
    from redress import RetryPolicy, decorrelated_jitter, default_classifier

    policy = RetryPolicy(classifier=default_classifier, strategy=decorrelated_jitter(), max_attempts=6)
    told = _httpx_error(policy.call, 6)
    return Seen(f"{told.what}: the status is not found, its class is UNKNOWN", told.wrong)
