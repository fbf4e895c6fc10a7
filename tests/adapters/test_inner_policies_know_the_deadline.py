"""What stands beneath the policy of a client, and has policies of its own, knows how long the attempt may take."""

import asyncio
from contextlib import suppress

import aiohttp
import pytest
import requests

from bide import Reason, history, retry_on
from bide.adapters.aiohttp import retry_middleware
from bide.adapters.requests import RetryAdapter
from bide.testing import steps

RULE = retry_on(503).fixed(4)
BOUNDED = [(RULE | retry_on(429).fixed(1)).within(10), RULE.timeout(10)]
INNER = retry_on(ValueError).fixed(4).max(9)  # 36 seconds, unless something ends it before
OK = steps.respond(body="done")

bounded = pytest.mark.parametrize("policy", BOUNDED, ids=["deadline", "timeout"])


class Secrets:
    """A function with a policy of its own, which what is beneath the client calls: it fails from some attempt on."""

    def __init__(self, clock, fails_from=1):
        self.asked, self.fails_from = 0, fails_from
        inner = INNER.bind(clock=clock)
        self.obtain, self.aobtain = inner(self._obtain), inner(self._aobtain)

    def _obtain(self):
        if self.asked >= self.fails_from:
            raise ValueError("no secret")

    async def _aobtain(self):
        self._obtain()

    def ask(self):
        self.asked += 1
        self.obtain()

    async def aask(self):
        self.asked += 1
        await self.aobtain()


def asking(kit, secrets):
    """The library's own transport, which asks for a secret before it sends."""

    class Asking(kit.http_transport_class):
        def handle_request(self, request):
            secrets.ask()
            return super().handle_request(request)

        async def handle_async_request(self, request):
            await secrets.aask()
            return await super().handle_async_request(request)

    return Asking(verify=False)


def by_requests(url, policy, secrets, clock):
    class Asking(RetryAdapter):
        def send_once(self, *args):
            secrets.ask()
            return super().send_once(*args)

    with requests.Session() as session:
        session.trust_env = False
        session.mount("http://", Asking(policy, clock=clock))
        return session.get(url)


def by_aiohttp(url, policy, secrets, clock):
    async def ask(request, send):
        await secrets.aask()
        return await send(request)

    async def main():
        retry = retry_middleware(policy, clock=clock)
        async with aiohttp.ClientSession(middlewares=(retry, ask)) as session, session.get(url) as response:
            return response

    return asyncio.run(main())


def ended_in_time(clock):
    assert clock.sleeps[:2] == [4.0, 4.0]
    assert 8 < sum(clock.sleeps) <= 10


@pytest.mark.both_seams
@bounded
async def test_an_inner_transport_knows_how_long_it_may_take(kit, server, clock, policy):
    server.on("/f", OK)
    async with kit.client(policy, over=asking(kit, Secrets(clock)), clock=clock) as client:
        with pytest.raises(ValueError, match="no secret") as caught:
            await client.get(server.url + "/f")
    assert history(caught.value).reason is Reason.DEADLINE
    ended_in_time(clock)


@pytest.mark.both_seams
async def test_an_inner_transport_knows_what_earlier_attempts_have_left(kit, server, clock):
    server.on("/f", steps.respond(503), OK)
    async with kit.client(BOUNDED[0], over=asking(kit, Secrets(clock, 2)), clock=clock) as client:
        with pytest.raises(ValueError, match="no secret"):
            await client.get(server.url + "/f")
    ended_in_time(clock)


@pytest.mark.both_seams
@pytest.mark.parametrize("step", [OK, steps.drop()], ids=["a response", "an exception"])
async def test_a_deadline_binds_nobody_once_the_call_through_a_transport_is_over(kit, server, clock, step):
    server.on("/f", step)
    secrets = Secrets(clock, fails_from=2)
    async with kit.client(BOUNDED[0], over=asking(kit, secrets), clock=clock) as client:
        with suppress(kit.module.RemoteProtocolError):
            await client.get(server.url + "/f")
    with pytest.raises(ValueError, match="no secret"):
        await secrets.aask() if kit.is_async else secrets.ask()
    assert clock.sleeps == [4.0] * 9


@pytest.mark.parametrize("send", [by_requests, by_aiohttp])
@bounded
def test_an_inner_adapter_or_middleware_knows_how_long_it_may_take(send, server, clock, policy):
    server.on("/f", OK)
    with pytest.raises(ValueError, match="no secret") as caught:
        send(server.url + "/f", policy, Secrets(clock), clock)
    assert history(caught.value).reason is Reason.DEADLINE
    ended_in_time(clock)


@pytest.mark.parametrize("send", [by_requests, by_aiohttp])
def test_an_inner_adapter_or_middleware_knows_what_earlier_attempts_have_left(send, server, clock):
    server.on("/f", steps.respond(503), OK)
    with pytest.raises(ValueError, match="no secret"):
        send(server.url + "/f", BOUNDED[0], Secrets(clock, 2), clock)
    ended_in_time(clock)


@pytest.mark.parametrize("send", [by_requests, by_aiohttp])
def test_a_deadline_binds_nobody_once_the_call_is_over(send, server, clock):
    server.on("/f", OK)
    secrets = Secrets(clock, fails_from=2)
    send(server.url + "/f", BOUNDED[0], secrets, clock)
    with pytest.raises(ValueError, match="no secret"):
        secrets.ask()
    assert clock.sleeps == [4.0] * 9
