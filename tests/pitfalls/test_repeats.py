"""What may have happened already is not done again, and layers do not multiply."""

import asyncio

import aiohttp
import httpx
import pytest

from bide import PolicyError, Reason, code, give_up_on, history, retry_on
from bide.testing import Scripted, steps

BUSY = retry_on("5xx").after_header("Retry-After").exponential()


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_post_is_not_repeated_when_it_may_have_been_processed(server, with_requests, status):
    server.on("/", steps.respond(status))
    response = with_requests(BUSY).post(server.url + "/", data=b"charge-card")
    assert len(server.requests) == 1
    assert history(response).reason is Reason.NOT_IDEMPOTENT


async def test_a_post_is_not_repeated_by_aiohttp_either(server, with_aiohttp):
    server.on("/", steps.respond(503))
    async with with_aiohttp(BUSY) as session, session.post(server.url + "/", data=b"charge-card") as response:
        assert response.status == 503
    assert len(server.requests) == 1


def test_an_idempotency_key_is_sent_with_every_attempt_and_stays_the_same(server, with_httpx):
    server.on("/", steps.respond(503))
    with_httpx(BUSY).post(server.url + "/", content=b"charge-card", headers={"Idempotency-Key": "k-1"})
    assert [seen.header("Idempotency-Key") for seen in server.requests] == ["k-1"] * 4


def test_a_retry_after_alone_makes_no_error_worth_repeating(server, with_requests):
    server.on("/", steps.respond(400, {"Retry-After": "1"}))
    with_requests(BUSY).get(server.url + "/")
    assert len(server.requests) == 1


def test_a_permanent_404_is_asked_for_once(server, with_httpx):
    server.on("/", steps.respond(404))
    with_httpx(BUSY).get(server.url + "/")
    assert len(server.requests) == 1


async def test_a_permanent_404_is_asked_for_once_when_statuses_are_raised(server, with_aiohttp):
    server.on("/", steps.respond(404))
    policy = retry_on(aiohttp.ClientError, "5xx")
    async with with_aiohttp(policy, raise_for_status=True) as session:
        with pytest.raises(aiohttp.ClientResponseError):
            await session.get(server.url + "/")
    assert len(server.requests) == 1


def test_a_429_that_no_retry_cures_is_told_from_one_that_passes(server, with_httpx, clock):
    def limited(name):
        return steps.json(429, {"error": {"code": name}})

    server.on("/empty", limited("insufficient_quota"))
    server.on("/busy", limited("rate_limit_exceeded"), steps.respond(200))
    policy = give_up_on(code("insufficient_quota", at="error.code")) | retry_on(429).fixed(1)
    client = with_httpx(policy)
    assert client.get(server.url + "/empty").status_code == 429
    assert clock.sleeps == []
    assert client.get(server.url + "/busy").status_code == 200


def test_nested_policies_do_not_multiply(server, with_httpx, clock):
    server.on("/", steps.respond(503))
    client = with_httpx(retry_on(503).fixed(1).max(3))
    layer = retry_on(httpx.HTTPStatusError).fixed(1).attempts(4).bind(clock=clock)

    @layer
    @layer
    def page():
        client.get(server.url + "/").raise_for_status()

    with pytest.raises(httpx.HTTPStatusError) as caught:
        page()
    assert len(server.requests) == 4
    assert history(caught.value).reason is Reason.INNER_EXHAUSTED


def test_nested_policies_multiply_when_they_are_told_to(clock):
    fails = Scripted(ConnectionError, repeat_last=True)
    inner = retry_on(ConnectionError).fixed(1).attempts(3).bind(clock=clock)
    outer = (retry_on(ConnectionError).fixed(1).max(1)).over_inner().bind(clock=clock)
    with pytest.raises(ConnectionError):
        outer.call(inner(fails.function()))
    assert fails.count == 6


def test_a_plain_function_is_never_abandoned_in_a_thread():
    fails = Scripted(ConnectionError, repeat_last=True)
    policy = retry_on(TimeoutError).timeout("50ms")
    with pytest.raises(PolicyError, match="cannot interrupt"):
        policy.call(fails)
    with pytest.raises(PolicyError, match="cannot interrupt"):
        policy(fails.function())
    assert fails.count == 0


async def test_an_attempt_that_times_out_has_stopped_before_the_next_begins(clock):
    running, most = 0, 0

    async def slow():
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            await clock.asleep(60)
        finally:
            running -= 1

    with pytest.raises(TimeoutError):
        await retry_on(TimeoutError).fixed(1).max(2).timeout(5).bind(clock=clock).acall(slow)
    assert (running, most) == (0, 1)
    assert asyncio.all_tasks() == {asyncio.current_task()}
