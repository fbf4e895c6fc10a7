"""Hints: what becomes of the delay that a server asks for."""

# ruff: noqa: N818  # Limited is what happened

from __future__ import annotations

import email.utils
import time
from collections.abc import Callable

from case import Register, Seen
from stage import Flaky, Stage, answering, name_of, raised, stage

from bide import History, history, retry_on

here = Register("hints")
MALFORMED = ("1.5", "120s", "soon", "-5", "nan")
ODD = ", ".join(MALFORMED)


def _each(values: tuple[str, ...], status: int, get: Callable[[str], object]) -> Seen:
    """Ask a server that answers with each value once, then with 200."""
    lost = []
    for value in values:
        with answering((status, {"Retry-After": value}), 200) as server:
            error = raised(lambda: get(server.url + "/"))
            if error is not None or len(server.requests) != 2:
                lost.append(name_of(error))
    if lost:
        return Seen(
            f"{len(lost)} of {len(values)} raise {', '.join(sorted(set(lost)))}: no retry, no response", True
        )
    return Seen(f"{len(values)} of {len(values)} are retried, and the caller gets 200", wrong=False)


def _ours_each(values: tuple[str, ...]) -> Seen:
    clock = stage()
    import requests

    from bide.adapters.requests import install

    with requests.Session() as session:
        install(session, retry_on(429, 503).after_header("Retry-After").exponential())
        seen = _each(values, 503, session.get)
    return Seen(seen.what, seen.wrong or min(clock.sleeps, default=0) <= 0)


def ours_malformed() -> Seen:
    return _ours_each(MALFORMED)


@here.case("urllib3", f"503 with Retry-After: {ODD} (one each)", ours=ours_malformed)
def urllib3_malformed() -> Seen:
    stage()
    import urllib3

    with urllib3.PoolManager(retries=urllib3.Retry(total=3, status_forcelist=[503])) as pool:
        return _each(MALFORMED, 503, lambda url: pool.request("GET", url))


@here.case("requests", f"503 with Retry-After: {ODD} (one each)", ours=ours_malformed, needs=("urllib3",))
def requests_malformed() -> Seen:
    stage()
    import requests
    import urllib3
    from requests.adapters import HTTPAdapter

    with requests.Session() as session:
        session.mount("http://", HTTPAdapter(max_retries=urllib3.Retry(total=3, status_forcelist=[503])))
        return _each(MALFORMED, 503, session.get)


def ours_words() -> Seen:
    return _ours_each(("soon", "inf"))


@here.case("azure-core", "503 with Retry-After: soon, inf (one each)", ours=ours_words, needs=("requests",))
def azure_malformed() -> Seen:
    stage()
    from azure.core import PipelineClient
    from azure.core.pipeline.policies import RetryPolicy
    from azure.core.rest import HttpRequest

    def get(url: str) -> object:
        with PipelineClient(url, policies=[RetryPolicy()]) as client:
            return client.send_request(HttpRequest("GET", url))

    return _each(("soon", "inf"), 503, get)


def _ours_waits(
    value: str | Callable[[], str], *, within: float | None = None, status: int = 429
) -> tuple[Stage, object]:
    clock = stage()
    import requests

    from bide.adapters.requests import install

    policy = retry_on(429, "5xx").after_header("Retry-After").exponential()
    header = value if isinstance(value, str) else value()
    with answering((status, {"Retry-After": header}), 200) as server, requests.Session() as session:
        install(session, policy if within is None else policy.within(within))
        return clock, session.get(server.url + "/")


def ours_fraction() -> Seen:
    clock, response = _ours_waits("1.5")
    return Seen(f"waits at least 1.5 s, then {response.status_code}", clock.sleeps[0] < 1.5)


@here.case("httpx-retries", "429 with Retry-After: 1.5, default options", ours=ours_fraction)
def httpx_retries_fraction() -> Seen:
    clock = stage()
    import httpx
    from httpx_retries import RetryTransport

    with (
        answering((429, {"Retry-After": "1.5"})) as server,
        httpx.Client(transport=RetryTransport()) as client,
    ):
        client.get(server.url + "/")
        waited = sum(clock.sleeps)
        return Seen(f"{len(clock.sleeps)} retries, {waited:g} s waited in all", waited < 1.5)


def _waited(clock: Stage, told: History | None) -> bool:
    """Tell whether it waited, or did not say when to return."""
    return bool(clock.sleeps) or told is None or told.retry_at is None


def ours_too_long() -> Seen:
    clock, response = _ours_waits("60", within=10)
    told = history(response)
    return Seen(
        f"gives up at once with {response.status_code} ({told.reason}), retry_at known", _waited(clock, told)
    )


@here.case("httpx-retries", "429 with Retry-After: 60, total_timeout=10", ours=ours_too_long)
def httpx_retries_too_long() -> Seen:
    clock = stage()
    import httpx
    from httpx_retries import Retry, RetryTransport

    transport = RetryTransport(retry=Retry(total=3, total_timeout=10))
    with answering((429, {"Retry-After": "60"})) as server, httpx.Client(transport=transport) as client:
        client.get(server.url + "/")
        count = len(server.requests)
    return Seen(f"waits {clock.told()}, then asks again 50 s too early ({count} requests)", count > 1)


def ours_tomorrow() -> Seen:
    clock, response = _ours_waits(_tomorrow)
    told = history(response)
    return Seen(f"gives up at once ({told.reason}), retry_at known", _waited(clock, told))


def _tomorrow() -> str:
    return email.utils.formatdate(time.time() + 86_400 + 6, usegmt=True)


@here.case("retryhttp", "503 with a Retry-After date one day and 6 s ahead", ours=ours_tomorrow)
def retryhttp_days() -> Seen:
    clock = stage()
    import httpx
    import retryhttp

    with answering((503, {"Retry-After": _tomorrow()}), 200) as server:

        @retryhttp.retry(wait_server_errors=retryhttp.wait_retry_after())
        def get() -> None:
            httpx.get(server.url + "/").raise_for_status()

        raised(get)
    dropped = bool(clock.sleeps) and clock.sleeps[0] < 10
    return Seen("waits less than 10 s: the day is dropped" if dropped else f"waits {clock.told()}", dropped)


class Limited(Exception):
    """An error that says when to come back, as SDKs have it."""

    def __init__(self, retry_after: float = 3600.0) -> None:
        super().__init__("429")
        self.retry_after = retry_after


def ours_hour() -> Seen:
    clock = stage()
    error = raised(
        lambda: retry_on(Limited).after_attribute("retry_after").within(45).call(Flaky(1, Limited))
    )
    noted = any("would be welcome at" in note for note in getattr(error, "__notes__", ()))
    wrong = _waited(clock, history(error)) or not noted
    return Seen(f"gives up at once: {name_of(error)}, with the time to return in its note", wrong)


@here.case("stamina", "The hook returns the hour that the server asks for; timeout=45", ours=ours_hour)
def stamina_hour() -> Seen:
    clock = stage()
    import stamina

    came = stamina.retry(on=lambda error: error.retry_after, timeout=45)(Flaky(1, Limited))()
    return Seen(f"waits {clock.told()}, then returns {came!r}", clock.sleeps == [3600.0])


def _redress(seconds: float, deadline: float):
    from redress import Classification, ErrorClass, RetryPolicy, decorrelated_jitter, retry_after_or

    return RetryPolicy(
        classifier=lambda _error: Classification(ErrorClass.RATE_LIMIT, retry_after_s=seconds),
        strategy=retry_after_or(decorrelated_jitter()),
        deadline_s=deadline,
    )


def ours_ten_minutes() -> Seen:
    clock, fn = stage(), Flaky(error=lambda: Limited(600.0))  # type: ignore[arg-type]
    raised(lambda: retry_on(Limited).after_attribute("retry_after").at_most(3600).within(60).call(fn))
    return Seen(f"gives up at once, {fn.calls} call", bool(clock.sleeps))


@here.case("redress", "The server asks for 600 s, deadline_s=60", ours=ours_ten_minutes)
def redress_truncates() -> Seen:
    clock, fn = stage(), Flaky()
    policy = _redress(600.0, 60.0)
    raised(lambda: policy.call(fn))
    waited = round(sum(clock.sleeps))
    then = "asks again 540 s too early" if fn.calls > 1 else "gives up"
    return Seen(f"waits {waited} s for nothing, then {then}", waited >= 59)


def ours_infinite() -> Seen:
    clock = stage()
    from bide.testing import Draws

    class Odd(ConnectionError):
        retry_after = float("inf")

    fn = Flaky(3, Odd)
    policy = retry_on(ConnectionError).after_attribute("retry_after").exponential().max(3)
    policy.bind(rng=Draws(0.5)).call(fn)
    return Seen(f"no hint, so its own: waits {clock.told()}", 0.0 in clock.sleeps)


@here.case("redress", "A strategy (ours: a hint) that yields infinity, three times", ours=ours_infinite)
def redress_infinite() -> Seen:
    clock, fn = stage(), Flaky(3)
    from redress import ErrorClass, RetryPolicy

    policy = RetryPolicy(
        classifier=lambda _error: ErrorClass.TRANSIENT,
        strategy=lambda _attempt, _class, _before: float("inf"),
        deadline_s=1e9,
    )
    policy.call(fn)
    return Seen(f"waits {clock.told()}", clock.sleeps == [0.0, 0.0, 0.0])


def ours_503() -> Seen:
    clock, response = _ours_waits("30", status=503)
    return Seen(f"waits at least 30 s, then {response.status_code}", clock.sleeps[0] < 30)


@here.case("botocore", "503 with Retry-After: 30, standard mode", ours=ours_503)
def botocore_ignores() -> Seen:
    clock = stage()
    import botocore.config
    import botocore.session

    session = botocore.session.Session()
    session.set_credentials("none", "none")
    config = botocore.config.Config(retries={"mode": "standard"}, s3={"addressing_style": "path"})
    with answering((503, {"Retry-After": "30"}), 200, path="/bucket") as server:
        client = session.create_client("s3", "us-east-1", endpoint_url=server.url, config=config)
        client.head_bucket(Bucket="bucket")
        asked = len(server.requests)
    early = asked == 2 and max(clock.sleeps) <= 1
    return Seen("asks again within 1 s" if early else f"waits {clock.told()}", early)


@here.case("redress", "503 with Retry-After: 30, its httpx client", ours=ours_503, needs=("httpx",))
def redress_503() -> Seen:
    clock = stage()
    import httpx
    from redress import RetryPolicy, decorrelated_jitter, http_retry_after_classifier, retry_after_or
    from redress.contrib import httpx as contrib

    policy = RetryPolicy(
        classifier=http_retry_after_classifier,
        result_classifier=contrib.default_result_classifier,
        strategy=retry_after_or(decorrelated_jitter(max_s=1)),
    )
    with answering((503, {"Retry-After": "30"}), 200) as server, httpx.Client() as client:
        policy.call(lambda: client.get(server.url + "/"))
    early = bool(clock.sleeps) and max(clock.sleeps) <= 1
    return Seen("asks again within 1 s" if early else f"waits {clock.told()}", early)
