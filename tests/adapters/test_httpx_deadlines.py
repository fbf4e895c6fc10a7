"""A policy's timeout and deadline shorten the client's own timeouts, attempt by attempt, and leave its request alone."""

import pytest

from bide import history, network, retry_on
from bide.testing import steps

KINDS = ("connect", "read", "write", "pool")
RULE = retry_on(503, network).fixed(4)
ONCE_BROKEN = (steps.respond(503), steps.respond())


def policy_within(seconds):
    return (RULE | retry_on(429).fixed(1)).within(seconds)


async def timeouts(kit, server, clock, policy, script=ONCE_BROKEN, **client_options):
    """Return the timeouts of each attempt as the inner transport saw them, and the response."""
    seen = []
    over = kit.spying(lambda request: seen.append(dict(request.extensions["timeout"])))
    server.on("/f", *script)
    async with kit.client(policy, over=over, clock=clock, **client_options) as client:
        response = await client.get(server.url + "/f")
    return seen, response


def all_kinds(seconds):
    return dict.fromkeys(KINDS, seconds)


async def test_no_timeouts_become_what_is_left_of_the_deadline(kit, server, clock):
    seen, response = await timeouts(kit, server, clock, policy_within(10), timeout=None)
    assert seen == [all_kinds(10.0), all_kinds(6.0)]
    assert response.status_code == 200


async def test_a_deadline_of_one_rule_alone_leaves_the_clients_timeouts(kit, server, clock):
    seen, _ = await timeouts(kit, server, clock, RULE.within(10), timeout=None)
    assert seen == [all_kinds(None)] * 2


async def test_smaller_timeouts_stay_and_larger_ones_shrink(kit, server, clock):
    own = kit.module.Timeout(connect=1, read=8, write=None, pool=60)
    seen, _ = await timeouts(kit, server, clock, policy_within(10), timeout=own)
    assert seen == [
        {"connect": 1, "read": 8, "write": 10.0, "pool": 10.0},
        {"connect": 1, "read": 6.0, "write": 6.0, "pool": 6.0},
    ]


async def test_a_timeout_bounds_every_attempt_alike(kit, server, clock):
    policy = (RULE | retry_on(429).fixed(1)).timeout(3)
    seen, _ = await timeouts(kit, server, clock, policy, timeout=None)
    assert seen == [all_kinds(3.0)] * 2


async def test_the_shorter_of_timeout_and_deadline_counts(kit, server, clock):
    seen, _ = await timeouts(kit, server, clock, policy_within(10).timeout(7), timeout=None)
    assert seen == [all_kinds(7.0), all_kinds(6.0)]


async def test_the_clients_request_keeps_its_own_timeouts(kit, server, clock):
    _, response = await timeouts(kit, server, clock, policy_within(10), timeout=None)
    assert response.request.extensions["timeout"] == all_kinds(None)


async def test_a_redirect_begins_with_the_clients_own_timeouts(kit, server, clock):
    server.on("/g", steps.respond(503), steps.respond())
    script = [steps.respond(503), steps.respond(302, {"Location": "/g"})]
    seen, _ = await timeouts(
        kit, server, clock, policy_within(10), script, timeout=None, follow_redirects=True
    )
    assert seen == [all_kinds(10.0), all_kinds(6.0)] * 2


async def test_without_any_timeouts_in_the_request_the_policys_still_count(kit, clock):
    inner = kit.scripted(503, 200)
    transport = kit.retry_class(policy_within(10), inner, clock=clock)
    request = kit.module.Request("GET", "http://example.test/")
    if kit.is_async:
        await transport.handle_async_request(request)
    else:
        transport.handle_request(request)
    assert len(inner.requests) == 2
    assert request.extensions == {}


async def test_an_attempt_that_takes_too_long_is_a_read_timeout(kit, server, clock):
    server.on("/f", steps.stall(), steps.respond(body="done"))
    async with kit.client(RULE.timeout(0.15), clock=clock, timeout=None) as client:
        response = await client.get(server.url + "/f")
    assert response.text == "done"
    assert clock.sleeps == [4.0]


async def test_gives_up_when_the_servers_delay_would_pass_the_deadline(kit, server, clock):
    server.on("/f", steps.respond(429, {"Retry-After": "30"}))
    policy = (retry_on(429).after_header("Retry-After") | RULE).within(10)
    async with kit.client(policy, clock=clock) as client:
        response = await client.get(server.url + "/f")
    assert response.status_code == 429
    assert history(response).reason == "deadline"
    assert history(response).retry_at == pytest.approx(clock.time() + 30)
    assert clock.sleeps == []


async def test_a_deadline_covers_attempts_and_waits(kit, clock):
    def slow(request):
        clock.sleep(3)
        return kit.module.Response(503)

    async with kit.client(policy_within(20), over=kit.scripted(slow), clock=clock) as client:
        response = await client.get("http://example.test/")
    assert history(response).reason in {"deadline", "retries_exhausted"}
    assert clock.monotonic() <= 20


async def test_a_header_that_counts_and_a_deadline_go_together(kit, server, clock):
    server.on("/f", steps.respond(503), steps.respond(503), steps.respond())
    async with kit.client(policy_within(30), clock=clock, count_header="X-Retry-Count") as client:
        response = await client.get(server.url + "/f")
    assert [seen.header("X-Retry-Count") for seen in server.requests] == [None, "1", "2"]
    assert "X-Retry-Count" not in response.request.headers
