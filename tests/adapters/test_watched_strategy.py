"""A strategy's file changes while requests are made: those in flight go on as they began, the next one goes by the new."""

import asyncio
from pathlib import Path

import aiohttp
import httpx
import pytest
import requests

from bide import RetryScheduled, load
from bide.adapters import aiohttp as aiohttp_adapter
from bide.adapters import httpx as httpx_adapter
from bide.adapters import requests as requests_adapter
from bide.testing import steps

BUSY = steps.respond(503)
NO_WAITS_BETWEEN_LOOKS = 0


def saying(policy):
    return f"[api]\nname = 'acme'\ntitle = 'Acme'\ndocs = 'Errors'\n[policies]\ndefault = '{policy}'\n"


PATIENT, HASTY = saying("retry_on(503).fixed(1s, max=3)"), saying("retry_on(503).fixed(7s, max=1)")
BROKEN = PATIENT.replace("fixed", "fxied")


def over_httpx(policy, urls, options):
    with httpx_adapter.install(httpx.Client(trust_env=False), policy, **options) as client:
        return [client.get(url).status_code for url in urls]


def over_httpx_async(policy, urls, options):
    async def main():
        client = httpx_adapter.install(httpx.AsyncClient(trust_env=False), policy, **options)
        async with client:
            return [(await client.get(url)).status_code for url in urls]

    return asyncio.run(main())


def over_requests(policy, urls, options):
    with requests.Session() as session:
        session.trust_env = False
        requests_adapter.install(session, policy, **options)
        return [session.get(url).status_code for url in urls]


def over_aiohttp(policy, urls, options):
    async def main():
        retry = aiohttp_adapter.retry_middleware(policy, **options)
        async with aiohttp.ClientSession(middlewares=(retry,)) as session:
            statuses = []
            for url in urls:
                async with session.get(url) as response:
                    statuses.append(response.status)
            return statuses

    return asyncio.run(main())


@pytest.fixture(params=[over_httpx, over_httpx_async, over_requests, over_aiohttp])
def get(request):
    """Get some URLs, one after the other, and return the statuses."""
    return request.param


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "acme.toml"
    path.write_text(PATIENT, "utf-8")
    return path


@pytest.fixture
def watched(path, clock):
    return load(path).watch(every=NO_WAITS_BETWEEN_LOOKS, clock=clock)


def before_the_first_wait(action):
    """A listener that does something once, between two attempts."""
    actions = [action]

    def listen(event):
        if isinstance(event, RetryScheduled) and actions:
            actions.pop()()

    return listen


@pytest.mark.parametrize(
    ("change", "then"),
    [
        (lambda path: path.write_text(HASTY, "utf-8"), [7.0]),
        (lambda path: path.write_text(BROKEN, "utf-8"), [1.0] * 3),
        (Path.unlink, [1.0] * 3),
    ],
    ids=["another", "broken", "gone"],
)
def test_a_call_that_waits_keeps_its_policy_and_the_next_call_has_what_is_in_force(
    get, watched, path, server, clock, change, then
):
    server.on("/x", BUSY)
    edit = before_the_first_wait(lambda: change(path))
    url = server.url + "/x"
    assert get(watched, [url, url], {"clock": clock, "listeners": [edit]}) == [503, 503]
    assert clock.sleeps == [1.0] * 3 + then


def test_a_call_whose_attempt_is_under_way_keeps_its_policy(get, watched, path, server, clock):
    def busy(seen):
        path.write_text(HASTY, "utf-8")
        return BUSY

    server.on("/x", busy, BUSY)
    url = server.url + "/x"
    assert get(watched, [url, url], {"clock": clock}) == [503, 503]
    assert clock.sleeps == [1.0] * 3 + [7.0]


def test_the_file_is_looked_at_when_that_is_due_and_not_before(get, path, server, clock):
    server.on("/x", BUSY)
    url = server.url + "/x"
    watched = load(path).watch(every=4, clock=clock)
    edit = before_the_first_wait(lambda: path.write_text(HASTY, "utf-8"))
    assert get(watched, [url] * 3, {"clock": clock, "listeners": [edit]}) == [503] * 3
    assert clock.sleeps == [1.0] * 6 + [7.0]
