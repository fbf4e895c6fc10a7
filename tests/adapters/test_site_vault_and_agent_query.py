"""What two strategies are for: a hundred calls refresh a token once, and a thousand queries are never too many."""

import asyncio
import threading
from collections import deque

import anyio
import httpx
import pytest
import trio

from bide import Recoveries, history, load
from bide.adapters.httpx import install
from bide.testing import FaultServer, VirtualClock, steps

MANY = 100
# None idle: a pool of httpx compares each idle connection with all others, at each request.
LIMITS = httpx.Limits(max_connections=MANY, max_keepalive_connections=0)
EXPIRED = steps.json(401, {"error": "The JWT has expired", "code": "TOKEN_EXPIRED", "statusCode": 401})


@pytest.fixture
def server():
    with FaultServer() as server:
        yield server


class Vault:
    """A vault that lets nobody in but with the new token, and refuses nobody before all have asked."""

    def __init__(self, server, *, mends=True, broken=None):
        self.refreshes, self.mends, self.broken = 0, mends, broken
        self.together = threading.Barrier(MANY)
        server.on("/vault", self.guard)

    def guard(self, seen):
        if seen.header("Authorization") == "Bearer new":
            return steps.respond(body="in")
        if seen.header("X-Repeated") is None:
            self.together.wait(30)
        return EXPIRED

    def refresh(self):
        self.refreshes += 1
        if self.broken is not None:
            raise self.broken
        return {"Authorization": f"Bearer {'new' if self.mends else 'stale'}", "X-Repeated": "yes"}

    @property
    def recoveries(self):
        return Recoveries({"refresh_token": self.refresh, "create_session": dict})


def in_threads(server, vault):
    responses = []
    with install(
        httpx.Client(limits=LIMITS, trust_env=False), load("site-vault"), recover=vault.recoveries
    ) as client:

        def one():
            responses.append(client.get(server.url + "/vault", headers={"Authorization": "Bearer old"}))

        threads = [threading.Thread(target=one) for _ in range(MANY)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    return responses


async def in_tasks(server, vault):
    responses = []
    own = httpx.AsyncClient(limits=LIMITS, trust_env=False)
    async with install(own, load("site-vault"), recover=vault.recoveries) as client:

        async def one():
            responses.append(await client.get(server.url + "/vault", headers={"Authorization": "Bearer old"}))

        async with anyio.create_task_group() as tasks:
            for _ in range(MANY):
                tasks.start_soon(one)
    return responses


WAYS = pytest.mark.parametrize(
    "many",
    [in_threads, lambda *args: asyncio.run(in_tasks(*args)), lambda *args: trio.run(in_tasks, *args)],
    ids=["threads", "asyncio", "trio"],
)


@WAYS
def test_a_hundred_expired_tokens_are_one_refresh(server, many):
    vault = Vault(server)
    assert [response.text for response in many(server, vault)] == ["in"] * MANY
    assert vault.refreshes == 1


@WAYS
def test_when_the_refresh_fails_a_hundred_calls_get_their_own_response_and_its_reason(server, many):
    vault = Vault(server, broken=ConnectionError("no route"))
    responses = many(server, vault)
    assert [response.json()["code"] for response in responses] == ["TOKEN_EXPIRED"] * MANY
    assert {history(response).reason for response in responses} == {"recovery_failed"}
    assert vault.refreshes == 1


@WAYS
def test_a_token_that_stays_refused_is_refreshed_once(server, many):
    vault = Vault(server, mends=False)
    assert [response.status_code for response in many(server, vault)] == [401] * MANY
    assert vault.refreshes == 1


class Agents:
    """A server that allows each agent so many queries in a minute of virtual time, and counts what was too much."""

    def __init__(self, clock, most):
        self.clock, self.most, self.refused = clock, most, 0
        self.turns = {}

    def answer(self, seen):
        turns, now = self.turns.setdefault(seen.path, deque()), self.clock.monotonic()
        while turns and turns[0] <= now - 60:
            turns.popleft()
        if len(turns) == self.most:
            self.refused += 1
            return steps.json(429, {"error": "rate_limit_exceeded", "message": "Wait.", "details": {}})
        turns.append(now)
        return steps.json(200, {"answer": "42"})


def test_over_a_thousand_queries_of_two_agents_not_one_is_too_many(server):
    clock = VirtualClock()
    agents = Agents(clock, 60)
    paths = [f"/api/agents/{agent}/query/" for agent in ("7", "8")]
    for path in paths:
        server.on(path, agents.answer, method="POST")
    with install(httpx.Client(trust_env=False), load("agent-query"), clock=clock) as client:
        for index in range(1000):
            client.post(server.url + paths[index % 2], json={"message": "?"})
    assert agents.refused == 0
    assert len(server.requests) == 1000
    assert clock.monotonic() == 480  # 500 queries of each agent, 60 a minute
