"""Repeats: requests and calls that run more often than anybody asked for."""

# ruff: noqa: PLW0108  # peers want a function that has a name

from __future__ import annotations

import asyncio

from case import Register, Seen
from stage import POST_SECRET, Flaky, answering, raised, stage

from bide import PolicyError, code, give_up_on, retry_on
from bide.testing import steps

here = Register("repeats")


def sent(server, most: int, what: str = "") -> Seen:
    count = len(server.requests)
    return Seen(f"sent {_times(count)}{what}", count > most)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def ours_post() -> Seen:
    stage(clocks=False)
    import aiohttp

    from bide.adapters.aiohttp import retry_middleware

    async def post() -> Seen:
        with answering(503) as server:
            async with aiohttp.ClientSession(middlewares=(retry_middleware(retry_on("5xx")),)) as session:
                await session.post(server.url + "/", data=POST_SECRET)
            return sent(server, 1)

    return asyncio.run(post())


@here.case("aiohttp-retry", "POST with default options, answered 503", ours=ours_post)
def aiohttp_retry_post() -> Seen:
    stage(clocks=False)
    from aiohttp_retry import RetryClient

    async def post() -> Seen:
        with answering(503) as server:
            async with RetryClient() as client:
                await client.post(server.url + "/", data=POST_SECRET)
            return sent(server, 1)

    return asyncio.run(post())


def ours_post_in_requests(status: int = 500, headers=()) -> Seen:
    stage()
    import requests

    from bide.adapters.requests import install

    with answering((status, headers)) as server, requests.Session() as session:
        install(session, retry_on("5xx").after_header("Retry-After"))
        session.post(server.url + "/", data=POST_SECRET)
        return sent(server, 1)


def ours_refused_post() -> Seen:
    return ours_post_in_requests(400, {"Retry-After": "1"})


def _azure_post(*answer) -> Seen:
    stage()
    from azure.core import PipelineClient
    from azure.core.pipeline.policies import RetryPolicy
    from azure.core.rest import HttpRequest

    with answering(answer) as server, PipelineClient(server.url, policies=[RetryPolicy()]) as client:
        client.send_request(HttpRequest("POST", server.url + "/", content=POST_SECRET))
        return sent(server, 1)


@here.case("azure-core", "POST answered 500", ours=ours_post_in_requests, needs=("requests",))
def azure_post_500() -> Seen:
    return _azure_post(500)


@here.case("azure-core", "POST answered 400, Retry-After: 1", ours=ours_refused_post, needs=("requests",))
def azure_post_400() -> Seen:
    return _azure_post(400, {"Retry-After": "1"})


QUOTA = steps.json(
    429, {"error": {"code": "insufficient_quota", "type": "insufficient_quota", "message": "Pay."}}
)


def ours_quota() -> Seen:
    stage()
    import httpx

    from bide.adapters.httpx import RetryTransport

    policy = give_up_on(code("insufficient_quota", at="error.code")) | retry_on(429)
    with answering(QUOTA) as server, httpx.Client(transport=RetryTransport(policy)) as client:
        client.get(server.url + "/")
        return sent(server, 1)


@here.case(
    "openai",
    "429 insufficient_quota: no retry fills the account (ours: a rule about that code)",
    ours=ours_quota,
)
def openai_quota() -> Seen:
    stage()
    import openai

    with answering(QUOTA, path="/models") as server:
        raised(lambda: openai.OpenAI(api_key="none", base_url=server.url).models.list())
        return sent(server, 1)


def ours_headers() -> Seen:
    stage(clocks=False)
    import aiohttp

    from bide.adapters.aiohttp import retry_middleware

    async def get() -> Seen:
        with answering(503) as server:
            async with aiohttp.ClientSession(
                middlewares=(retry_middleware(retry_on(503).attempts(3)),)
            ) as session:
                await session.get(server.url + "/", headers={"X-Auth": "s"})
            return _with_header(server, "; no list of URLs, one URL 3 times")

    return asyncio.run(get())


def _with_header(server, beside: str = "") -> Seen:
    having = sum(seen.header("X-Auth") is not None for seen in server.requests)
    return Seen(f"{having} of {len(server.requests)} requests have it{beside}", having < len(server.requests))


@here.case("aiohttp-retry", "A list of 3 URLs to try in turn, and a header X-Auth", ours=ours_headers)
def aiohttp_retry_headers() -> Seen:
    stage(clocks=False)
    from aiohttp_retry import ExponentialRetry, RetryClient

    async def get() -> Seen:
        with answering(503) as server:
            async with RetryClient(retry_options=ExponentialRetry(attempts=3)) as client:
                await client.get([server.url + "/"] * 3, headers={"X-Auth": "s"})
            return _with_header(server)

    return asyncio.run(get())


def ours_nested() -> Seen:
    stage()
    import httpx

    from bide.adapters.httpx import RetryTransport

    patient = retry_on(httpx.HTTPStatusError).attempts(4)
    with answering(503) as server, httpx.Client(transport=RetryTransport(retry_on(503).max(3))) as client:

        @patient
        def page() -> None:
            client.get(server.url + "/").raise_for_status()

        raised(lambda: patient.call(page))
        return sent(server, 4)


@here.case(
    "tenacity",
    "4 attempts around 4 attempts around a client that retries 3 times (httpx-retries; ours), all 503",
    ours=ours_nested,
    needs=("httpx-retries",),
)
def three_layers() -> Seen:
    stage()
    import httpx
    import tenacity
    from httpx_retries import Retry, RetryTransport

    with answering(503) as server, httpx.Client(transport=RetryTransport(retry=Retry(total=3))) as client:
        layer = tenacity.retry(stop=tenacity.stop_after_attempt(4), reraise=True)
        raised(layer(layer(lambda: client.get(server.url + "/").raise_for_status())))
        return sent(server, 16)


def ours_abandoned() -> Seen:
    stage()
    fn = Flaky()
    refused = isinstance(raised(lambda: retry_on(TimeoutError).timeout(0.05).call(fn)), PolicyError)
    told = "refuses before the first attempt: nothing can interrupt a plain function"
    return Seen(told if refused and not fn.calls else "runs it", not refused or fn.calls > 0)


@here.case(
    "redress", "A plain function that takes longer than its attempt timeout, 3 attempts", ours=ours_abandoned
)
def redress_abandoned_threads() -> Seen:
    stage(clocks=False)
    import threading

    from redress import ErrorClass, RetryPolicy

    done: list[int] = []
    held = threading.Event()
    workers: list[threading.Thread] = []

    def charge() -> None:
        workers.append(threading.current_thread())
        held.wait(1)
        done.append(1)

    policy = RetryPolicy(
        classifier=lambda _error: ErrorClass.TRANSIENT,
        strategy=lambda _attempt, _class, _before: 0.0,
        max_attempts=3,
        attempt_timeout_s=0.05,
    )
    error = raised(lambda: policy.call(charge))
    before = len(done)
    held.set()
    for worker in workers:
        worker.join(2)
    gave_up = "the caller gets " + type(error).__name__
    return Seen(
        f"{gave_up}; threads left behind then do it {len(done) - before} times", len(done) - before > 1
    )
