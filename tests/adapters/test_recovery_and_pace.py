"""Recoveries and paces in every client: one refresh for many calls, new credentials, and never too many requests."""

import asyncio
import threading
from collections import deque

import aiohttp
import anyio
import httpx
import httpx2
import pytest
import requests
import trio

from bide import PolicyError, Recoveries, Routes, code, history, load, retry_on
from bide.adapters import aiohttp as for_aiohttp
from bide.adapters import httpx as for_httpx
from bide.adapters import httpx2 as for_httpx2
from bide.adapters import requests as for_requests
from bide.testing import FaultServer, VirtualClock, steps

MANY = 20
EXPIRED = retry_on(401 & code("token_expired")).calling("refresh").immediately()


class Way:
    """One client with a policy in it: `get` returns a status and a body, whichever client it is."""

    def __init__(self, policy, **options):
        self.policy, self.options = policy, options


class Httpx(Way):
    library, install = httpx, staticmethod(for_httpx.install)

    async def __aenter__(self):
        limits = self.library.Limits(max_connections=20)
        self.client = self.install(
            self.library.AsyncClient(limits=limits, trust_env=False), self.policy, **self.options
        )
        return self

    async def __aexit__(self, *exc):
        await self.client.aclose()

    async def get(self, url, method="GET", **headers):
        response = await self.client.request(method, url, headers=headers)
        return response.status_code, response.text, history(response)


class Httpx2(Httpx):
    library, install = httpx2, staticmethod(for_httpx2.install)


class Blocking(Way):
    """A client of threads."""

    async def __aexit__(self, *exc):
        self.client.close()

    async def get(self, url, method="GET", **headers):
        response = await anyio.to_thread.run_sync(lambda: self.client.request(method, url, headers=headers))
        return response.status_code, response.text, history(response)


class SyncHttpx(Blocking):
    async def __aenter__(self):
        self.client = for_httpx.install(httpx.Client(trust_env=False), self.policy, **self.options)
        return self


class Requests(Blocking):
    async def __aenter__(self):
        self.client = for_requests.install(requests.Session(), self.policy, **self.options)
        self.client.trust_env = False
        return self


class Aiohttp(Way):
    async def __aenter__(self):
        middleware = for_aiohttp.retry_middleware(self.policy, **self.options)
        self.client = await aiohttp.ClientSession(middlewares=(middleware,)).__aenter__()
        return self

    async def __aexit__(self, *exc):
        await self.client.__aexit__(*exc)

    async def get(self, url, method="GET", **headers):
        async with self.client.request(method, url, headers=headers) as response:
            return response.status, await response.text(), history(response)


WAYS = [Httpx, Httpx2, SyncHttpx, Requests, Aiohttp]
LOOPS = {"asyncio": asyncio.run, "trio": lambda main: trio.run(lambda: main)}
CASES = [
    pytest.param(way, run, id=f"{way.__name__.lower()}-{name}")
    for way in WAYS
    for name, run in LOOPS.items()
    if name == "asyncio" or way is not Aiohttp
]


@pytest.fixture
def server():
    with FaultServer() as server:
        yield server


class Tokens:
    """A server's idea of the token, and a client's: the action brings them together."""

    def __init__(self, *, broken=None, mends=True):
        self.valid, self.refreshes = "new", 0
        self.broken, self.mends = broken, mends

    def guard(self, seen):
        if seen.header("Authorization") == f"Bearer {self.valid}":
            return steps.respond(body="in")
        return steps.json(401, {"code": "token_expired"})

    def refresh(self):
        self.refreshes += 1
        if self.broken is not None:
            raise self.broken
        return {"Authorization": "Bearer new" if self.mends else "Bearer stale"}


# -- recoveries


@pytest.mark.parametrize(("way", "run"), CASES)
def test_the_repeated_request_carries_the_headers_that_the_action_returned(way, run, server):
    tokens = Tokens()
    server.on("/f", tokens.guard)

    async def main():
        async with way(EXPIRED, recover={"refresh": tokens.refresh}) as client:
            return await client.get(server.url + "/f", Authorization="Bearer old", Accept="text/plain")

    status, body, _ = run(main())
    assert (status, body) == (200, "in")
    assert [seen.header("Authorization") for seen in server.requests] == ["Bearer old", "Bearer new"]
    assert [seen.header("Accept") for seen in server.requests] == ["text/plain"] * 2


@pytest.mark.parametrize(
    "returned",
    [
        {"access_token": "s3cret", "token_type": "Bearer"},
        {"Authorization": "Bearer new", "expires_in": 3600},
        {"Authorization": "Bearer new\r\nX-Injected: yes"},
        {7: "Bearer new"},
        ["Authorization"],
        "Bearer new",
        None,
    ],
    ids=repr,
)
def test_what_cannot_be_headers_is_sent_nowhere(server, returned):
    server.on("/f", steps.json(401, {"code": "token_expired"}), steps.respond(body="in"))
    with for_requests.install(requests.Session(), EXPIRED, recover={"refresh": lambda: returned}) as session:
        session.get(server.url + "/f", headers={"Authorization": "Bearer old"})
    first, second = server.requests
    assert second.header("Authorization") == "Bearer old"
    assert {name.lower() for name, _ in second.headers} == {name.lower() for name, _ in first.headers}


@pytest.mark.parametrize(("way", "run"), CASES)
def test_calls_that_are_refused_together_cause_one_refresh(way, run, server):
    tokens = Tokens()
    together = threading.Barrier(MANY)

    def guard(seen):
        if seen.header("Authorization") == "Bearer old":
            together.wait(10)  # nobody is refused before all have asked
        return tokens.guard(seen)

    server.on("/f", guard)

    async def main():
        came_to = []

        async def one(client):
            came_to.append(await client.get(server.url + "/f", Authorization="Bearer old"))

        async with (
            way(EXPIRED, recover={"refresh": tokens.refresh}) as client,
            anyio.create_task_group() as tasks,
        ):
            for _ in range(MANY):
                tasks.start_soon(one, client)
        return came_to

    came_to = run(main())
    assert [status for status, _, _ in came_to] == [200] * MANY
    assert tokens.refreshes == 1


@pytest.mark.parametrize(("way", "run"), CASES)
def test_a_permanent_401_refreshes_once(way, run, server):
    tokens = Tokens(mends=False)
    server.on("/f", tokens.guard)

    async def main():
        async with way(EXPIRED, recover={"refresh": tokens.refresh}) as client:
            return await client.get(server.url + "/f", Authorization="Bearer old")

    status, body, kept = run(main())
    assert (status, body) == (401, '{"code": "token_expired"}')
    assert tokens.refreshes == 1
    assert kept.reason == "retries_exhausted"


@pytest.mark.parametrize(("way", "run"), CASES)
def test_when_the_refresh_fails_the_response_comes_back_whole(way, run, server):
    tokens = Tokens(broken=ConnectionError("no route"))
    server.on("/f", tokens.guard)

    async def main():
        async with way(EXPIRED, recover={"refresh": tokens.refresh}) as client:
            return await client.get(server.url + "/f", Authorization="Bearer old")

    status, body, kept = run(main())
    assert (status, body) == (401, '{"code": "token_expired"}')
    assert kept.reason == "recovery_failed"
    assert len(server.requests) == 1


@pytest.mark.parametrize(("way", "run"), CASES)
def test_the_endpoints_of_one_source_share_a_refresh(way, run, server):
    tokens = Tokens()
    both = threading.Barrier(2)

    def guard(seen):
        if seen.header("Authorization") == "Bearer old":
            both.wait(10)
        return tokens.guard(seen)

    server.on("/a", guard).on("/b", guard)
    routes = Routes({"/a": EXPIRED, "/b": EXPIRED | retry_on(503), "*": retry_on(503)})

    async def main():
        async with (
            way(routes, recover={"refresh": tokens.refresh}) as client,
            anyio.create_task_group() as tasks,
        ):
            for path in ("/a", "/b"):
                tasks.start_soon(lambda path=path: client.get(server.url + path, Authorization="Bearer old"))

    run(main())
    assert tokens.refreshes == 1


def test_an_action_that_no_rule_calls_is_refused_before_anything_is_sent():
    with pytest.raises(PolicyError, match="no rule calls 'refesh'; they call 'refresh'"):
        for_requests.install(requests.Session(), EXPIRED, recover={"refesh": print})


@pytest.mark.parametrize(
    "source", [Routes({"/a": EXPIRED, "*": retry_on(503)}), load("site-vault")], ids=["routes", "strategy"]
)
def test_an_action_that_no_policy_of_a_source_calls_is_refused(source):
    with pytest.raises(PolicyError, match="recover: no rule calls 'refesh'; they call"):
        for_requests.install(requests.Session(), source, recover={"refesh": print})


def test_the_name_of_a_strategy_gets_advice():
    with pytest.raises(PolicyError, match=r'bide\.load\("openai"\) loads a strategy'):
        for_requests.install(requests.Session(), "openai")


def test_shared_recoveries_may_know_more_actions_than_one_adapter_needs(server):
    tokens = Tokens()
    server.on("/f", tokens.guard)
    shared = Recoveries({"refresh": tokens.refresh, "open_session": print})
    with for_requests.install(requests.Session(), EXPIRED, recover=shared) as session:
        assert session.get(server.url + "/f").status_code == 200


# -- paces


class Limited:
    """A server that allows so many requests in any span of virtual time, and counts those that were too many."""

    def __init__(self, clock, most, seconds):
        self.clock, self.most, self.seconds = clock, most, seconds
        self.turns = deque()
        self.refused = 0

    def answer(self, seen):
        now = self.clock.monotonic()
        while self.turns and self.turns[0] <= now - self.seconds:
            self.turns.popleft()
        if len(self.turns) >= self.most:
            self.refused += 1
            return steps.respond(429)
        self.turns.append(now)
        return steps.respond(body="done")


def test_over_a_thousand_calls_at_sixty_a_minute_not_one_is_too_many(server):
    clock = VirtualClock()
    limited = Limited(clock, 60, 60)
    server.on("/f", limited.answer)
    policy = retry_on(429).fixed(1).pace("60/minute")
    with for_httpx.install(httpx.Client(trust_env=False), policy, clock=clock) as client:
        for _ in range(1000):
            client.get(server.url + "/f")
    assert limited.refused == 0
    assert len(server.requests) == 1000
    assert clock.monotonic() == 960


@pytest.mark.parametrize(("way", "run"), CASES)
def test_requests_wait_for_their_turn(way, run, server):
    clock = VirtualClock()
    limited = Limited(clock, 3, 60)
    server.on("/f", limited.answer)

    async def main():
        async with way(retry_on(503).pace("3/minute"), clock=clock) as client:
            for _ in range(7):
                await client.get(server.url + "/f")

    run(main())
    assert limited.refused == 0
    assert clock.monotonic() == 120


@pytest.mark.parametrize(("way", "run"), CASES)
def test_the_next_call_waits_for_the_reset_that_a_success_told(way, run, server):
    clock = VirtualClock()
    resets = int(clock.time()) + 20

    def answer(seen):
        if len(server.requests) > 1 and clock.time() < resets:
            return steps.respond(429)
        return steps.respond(200, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(resets)}, "done")

    server.on("/f", answer)

    async def main():
        async with way(retry_on(429).pace_by_headers(), clock=clock) as client:
            return [(await client.get(server.url + "/f"))[0] for _ in range(2)]

    assert run(main()) == [200, 200]
    assert clock.sleeps == [20]
    assert len(server.requests) == 2


@pytest.mark.parametrize(("way", "run"), CASES)
def test_a_part_of_the_path_is_a_key(way, run, server):
    clock = VirtualClock()
    noted = []

    def answer(seen):
        noted.append((seen.path, clock.monotonic()))
        return steps.respond(body="done")

    for path in ("/agents/1/query/", "/agents/2/query/", "/other"):
        server.on(path, answer)
    routes = Routes(
        {"POST /agents/{agent_id}/query/": retry_on(503).pace("1/minute", per="agent_id"), "*": retry_on(503)}
    )

    async def main():
        async with way(routes, clock=clock) as client:
            for path in ("/agents/1/query/", "/agents/2/query/", "/agents/1/query/", "/other"):
                await client.get(server.url + path, "GET" if path == "/other" else "POST")

    run(main())
    assert noted == [
        ("/agents/1/query/", 0),
        ("/agents/2/query/", 0),
        ("/agents/1/query/", 60),
        ("/other", 60),
    ]


@pytest.mark.parametrize(("way", "run"), CASES)
def test_hosts_and_endpoints_are_keys(way, run, server):
    clock = VirtualClock()
    for path in ("/a", "/b"):
        server.on(path, *[steps.respond(body="done")] * 9)
    per_endpoint = retry_on(503).pace("1/minute", per="endpoint")
    other_host = server.url.replace("127.0.0.1", "localhost")

    async def main():
        async with way(per_endpoint, clock=clock) as client:
            for path in ("/a", "/b"):
                await client.get(server.url + path)
            assert clock.monotonic() == 0
            await client.get(server.url + "/a?page=2")
            assert clock.monotonic() == 60
        async with way(retry_on(503).pace("1/minute"), clock=clock) as client:
            await client.get(server.url + "/a")
            await client.get(other_host + "/b")
            assert clock.monotonic() == 60
            await client.get(server.url + "/b")
            assert clock.monotonic() == 120

    run(main())


def test_all_prefixes_of_a_session_share_a_pace(server):
    clock = VirtualClock()
    server.on("/f", *[steps.respond()] * 4)
    session = requests.Session()
    session.mount(server.url + "/f", requests.adapters.HTTPAdapter())
    with for_requests.install(session, retry_on(503).pace("1/minute"), clock=clock):
        session.get(server.url + "/f")
        session.get(server.url + "/F", allow_redirects=False)
    assert clock.monotonic() == 60


def test_a_request_that_its_source_knows_no_pattern_of_goes_to_its_path(server):
    class Everything:
        def policy_for(self, method, url):
            return retry_on(503).pace("1/minute", per="endpoint")

        def match(self, method, url):
            return None

    clock = VirtualClock()
    server.on("/f", lambda seen: steps.respond(body="done"))
    server.on("/g", lambda seen: steps.respond(body="done"))
    with for_httpx.install(httpx.Client(trust_env=False), Everything(), clock=clock) as client:
        for path in ("/f", "/g", "/f"):
            client.get(server.url + path)
    assert clock.sleeps == [60]
