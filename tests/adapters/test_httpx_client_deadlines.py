"""At the client's seam a deadline shortens the timeouts of all that an attempt does, and of nothing after it."""

from contextlib import suppress

import anyio
import attrs
import pytest

from bide import Reason, history, network, retry_on
from bide.testing import VirtualClock, steps

RULE = retry_on(503, network).fixed(4)
POLICY = (RULE | retry_on(429).fixed(1)).within(10)
OK = steps.respond(body="done")
BUSY = retry_on(ValueError).fixed(4).max(9)  # 36 seconds, unless something ends it before
KINDS = ("connect", "read", "write", "pool")


@pytest.fixture
def kit(kit):
    return attrs.evolve(kit, seam="client")


@pytest.fixture
def async_kit(async_kit):
    return attrs.evolve(async_kit, seam="client")


def all_kinds(seconds):
    return dict.fromkeys(KINDS, seconds)


def noting(kit, seen):
    return kit.spying(lambda request: seen.append(dict(request.extensions["timeout"])))


async def test_all_hops_of_an_attempt_have_what_was_left_when_it_began(kit, server, clock):
    seen = []
    server.on("/f", steps.respond(302, {"Location": "/g"})).on("/g", steps.respond(503), OK)
    async with kit.client(
        POLICY, over=noting(kit, seen), clock=clock, timeout=None, follow_redirects=True
    ) as client:
        response = await client.get(server.url + "/f")
    assert seen == [all_kinds(10.0)] * 2 + [all_kinds(6.0)] * 2
    assert response.request.extensions["timeout"] == all_kinds(None)


async def test_a_request_without_timeouts_gets_the_clients_bounded(kit, server, clock):
    seen = []
    server.on("/f", steps.respond(503), OK)
    own = kit.module.Timeout(connect=1, read=8, write=None, pool=60)
    async with kit.client(POLICY, over=noting(kit, seen), clock=clock, timeout=own) as client:
        request = kit.module.Request("GET", server.url + "/f")
        await client.send(request)
    assert seen == [
        {"connect": 1, "read": 8, "write": 10.0, "pool": 10.0},
        {"connect": 1, "read": 6.0, "write": 6.0, "pool": 6.0},
    ]
    assert request.extensions == {}


async def test_a_body_is_read_under_what_is_left_of_the_deadline(kit, server, clock):
    server.on("/f", steps.trickle(b"ab", pause=0.3), OK)
    async with kit.client(RULE.timeout(0.1), clock=clock, timeout=None) as client:
        response = await client.get(server.url + "/f")
    assert response.text == "done"
    assert len(server.requests) == 1 + len(clock.sleeps)


@pytest.mark.parametrize("auth", [None, ("user", "secret")], ids=["no auth", "auth"])
async def test_a_stream_is_read_under_the_clients_own_timeouts(kit, server, clock, auth):
    seen = []
    server.on("/f", steps.respond(503), steps.trickle(b"ab", pause=0.15))
    policy = (retry_on(503).fixed(59.5) | retry_on(429).fixed(1)).within(59.6)
    retrying = kit.client(policy, over=noting(kit, seen), clock=clock, auth=auth)
    async with retrying as client, client.stream("GET", server.url + "/f") as response:
        assert await client.read(response) == b"ab"
    assert [timeouts["read"] for timeouts in seen] == [5, pytest.approx(0.1)]


def failing(kit, clock):
    """A function with a policy of its own that never succeeds, of the kind that hooks and auth flows can call."""

    def fail(*seen):
        raise ValueError("no token")

    async def fail_awaited(*seen):
        fail()

    return BUSY.bind(clock=clock)(fail_awaited if kit.is_async else fail)


def credentials(kit, obtain):
    """An auth flow that first calls a function."""

    class Obtained(kit.module.Auth):
        def sync_auth_flow(self, request):
            obtain()
            yield request

        async def async_auth_flow(self, request):
            await obtain()
            yield request

    return Obtained()


@pytest.mark.parametrize("inside", ["request", "response", "auth"])
@pytest.mark.parametrize("policy", [POLICY, RULE.timeout(10)], ids=["deadline", "timeout"])
async def test_a_policy_in_a_hook_or_an_auth_flow_knows_the_deadline_around(
    kit, server, clock, policy, inside
):
    server.on("/f", OK)
    fail = failing(kit, clock)
    options = {"auth": credentials(kit, fail)} if inside == "auth" else {"event_hooks": {inside: [fail]}}
    async with kit.client(policy, clock=clock, **options) as client:
        with pytest.raises(ValueError, match="no token") as caught:
            await client.get(server.url + "/f")
    assert history(caught.value).reason is Reason.DEADLINE
    assert clock.sleeps[0] == 4.0
    assert 8 < sum(clock.sleeps) <= 10


async def test_a_client_that_an_auth_flow_uses_has_what_was_left_when_the_attempt_began(kit, server, clock):
    seen = []
    server.on("/token", OK).on("/f", steps.respond(503), OK)
    tokens = attrs.evolve(kit, seam="transport").client(
        RULE, over=noting(kit, seen), clock=clock, timeout=None
    )
    auth = credentials(kit, lambda: tokens.own.get(server.url + "/token"))
    async with tokens, kit.client(POLICY, clock=clock, auth=auth) as client:
        assert (await client.get(server.url + "/f")).text == "done"
    assert seen == [all_kinds(10.0), all_kinds(6.0)]


def logging_in(kit, login, closed):
    """An auth flow that first sends a request of its own, and notes when it is closed."""

    class LoggingIn(kit.module.Auth):
        requires_response_body = True

        def auth_flow(self, request):
            try:
                response = yield login
                request.headers["Authorization"] = response.text
                yield request
            finally:
                closed.append(True)

    return LoggingIn()


async def test_a_request_that_an_auth_flow_makes_has_what_was_left_when_the_attempt_began(kit, server, clock):
    seen, asked_for = [], {"connect": 1, "read": 8}
    server.on("/token", steps.respond(body="t1"), steps.respond(body="t2")).on("/f", steps.respond(503), OK)
    login = kit.module.Request("GET", server.url + "/token", extensions={"timeout": asked_for})
    auth = logging_in(kit, login, [])
    async with kit.client(POLICY, over=noting(kit, seen), clock=clock, timeout=None, auth=auth) as client:
        assert (await client.get(server.url + "/f")).text == "done"
    assert seen == [
        {"connect": 1, "read": 8, "write": 10.0, "pool": 10.0},
        all_kinds(10.0),
        {"connect": 1, "read": 6.0, "write": 6.0, "pool": 6.0},
        all_kinds(6.0),
    ]
    assert [one.header("Authorization") for one in server.requests] == [None, "t1", None, "t2"]
    assert login.extensions == {"timeout": asked_for}


async def test_a_request_that_an_auth_flow_makes_without_timeouts_is_bounded_too(kit, clock):
    seen, closed = [], []

    def refuse(request):
        seen.append(request.extensions["timeout"])
        raise kit.module.ConnectError("refused", request=request)

    login = kit.module.Request("GET", "http://example.test/token")
    auth = logging_in(kit, login, closed)
    async with kit.client(RULE.max(1).timeout(10), over=kit.scripted(refuse), clock=clock) as client:
        with pytest.raises(kit.module.ConnectError):
            await client.get("http://example.test/", auth=auth)
    assert seen == [all_kinds(10)] * 2
    assert closed == [True] * 2
    assert login.extensions == {}


async def test_a_policy_that_bounds_nothing_leaves_an_auth_flow_alone(kit, server, clock):
    seen = []
    server.on("/token", OK).on("/f", OK)
    over = kit.spying(lambda request: seen.append(request.extensions.get("timeout")))
    auth = logging_in(kit, kit.module.Request("GET", server.url + "/token"), [])
    async with kit.client(RULE, over=over, clock=clock, timeout=None) as client:
        await client.get(server.url + "/f", auth=auth)
    assert seen == [None, all_kinds(None)]


@pytest.mark.parametrize("step", [OK, steps.drop()], ids=["a response", "an exception"])
async def test_once_a_call_is_over_its_deadline_binds_nobody(kit, server, clock, step):
    server.on("/f", step)
    fail = failing(kit, clock)
    policy = retry_on(503).fixed(4).max(1) | retry_on(429).fixed(1)
    async with kit.client(policy.within(10), clock=clock) as client:
        with suppress(kit.module.RemoteProtocolError):
            await client.get(server.url + "/f")
        with pytest.raises(ValueError, match="no token"):
            await fail() if kit.is_async else fail()
    assert clock.sleeps == [4.0] * 9


async def test_gives_up_before_the_deadline_is_passed(kit, clock):
    def slow(request):
        clock.sleep(3)
        return kit.module.Response(503)

    async with kit.client(POLICY.within(20), over=kit.scripted(slow), clock=clock) as client:
        response = await client.get("http://example.test/")
    assert response.status_code == 503
    assert clock.monotonic() <= 20


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_cancelled_while_the_body_of_a_success_is_read(async_kit, server, clock, framing):
    server.on("/f", steps.trickle(b"a" * 1000, pause=0.01, framing=framing), OK)
    head_is_there = anyio.Event()
    limits = async_kit.module.Limits(max_connections=1)
    over = async_kit.spying(then=lambda response: head_is_there.set(), limits=limits)
    async with async_kit.client(RULE, over=over, clock=clock) as client:
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(client.get, server.url + "/f")
                await head_is_there.wait()
                scope.cancel()
        assert scope.cancelled_caught
        await anyio.to_thread.run_sync(server.wait_until_idle)
        assert (await client.get(server.url + "/f")).text == "done"
    assert clock.sleeps == []


async def test_cancelled_while_waiting_leaves_no_connection_in_use(async_kit, server):
    clock = VirtualClock(auto=False)
    server.on("/f", steps.endless(status=503), OK)
    async with async_kit.client(RULE, clock=clock) as client:
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(client.get, server.url + "/f")
                await anyio.to_thread.run_sync(clock.wait_for_sleepers)
                await anyio.to_thread.run_sync(server.wait_until_idle)
                scope.cancel()
        assert scope.cancelled_caught
        assert server.open_connections == 0
