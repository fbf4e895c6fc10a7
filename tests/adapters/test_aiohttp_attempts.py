"""How many requests an aiohttp session makes, after which failures, and what comes out in the end."""

import logging
import socket

import aiohttp
import pytest
from aiohttp.client import IDEMPOTENT_METHODS
from aiohttp_sessions import Sessions

from bide import Routes, anything, code, give_up_on, history, network, retry_on, timeout, unsent
from bide.adapters import aiohttp as adapter
from bide.adapters.aiohttp import RetriesExhausted, retry_middleware
from bide.engine.clock import SYSTEM_CLOCK
from bide.policy.errors import PolicyError
from bide.testing import steps

POLICY = retry_on(408, 421, 425, 429, "5xx", network).fixed(2).max(1)
OK = steps.respond(body="done")
UNREADABLE = {"garbage": steps.garbage(), "bad chunk": steps.bad_chunk()}
LOST = {
    "drop": steps.drop(),
    "reset": steps.reset(),
    "half head": steps.half_head(),
    "truncated": steps.truncate(),
    "truncated chunks": steps.truncate(framing="chunked"),
    **UNREADABLE,
}
FAULTS = {"500": steps.respond(500), "503": steps.respond(503), **LOST}
WRITES = ["POST", "PATCH", "PURGE"]


@pytest.fixture
def kit(clock):
    return Sessions(clock, POLICY)


async def call(kit, server, step, method, policy=POLICY, **options):
    """Make one call against a fault and then a success; return what came out, response or exception."""
    server.on("/f", step, OK)
    async with kit.session(policy) as session:
        try:
            async with session.request(method, server.url + "/f", **options) as response:
                await response.read()
                return response
        except aiohttp.ClientError as error:
            return error


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("fault", FAULTS)
async def test_an_idempotent_request_is_repeated(kit, server, clock, fault, method):
    response = await call(kit, server, FAULTS[fault], method)
    assert await response.text() == "done"
    assert [seen.method for seen in server.requests] == [method, method]
    assert clock.sleeps == [2.0]


@pytest.mark.parametrize("method", WRITES)
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_write_is_not_repeated_when_it_may_have_been_processed(kit, server, clock, fault, method):
    came = await call(kit, server, FAULTS[fault], method, data=b"pay")
    assert [seen.body for seen in server.requests] == [b"pay"]
    assert clock.sleeps == []
    assert history(came).reason == "not_idempotent"
    assert isinstance(came, aiohttp.ClientResponse) == fault.isdigit()
    assert not isinstance(came, RetriesExhausted)


@pytest.mark.parametrize("status", [408, 421, 425, 429])
async def test_a_write_is_repeated_when_the_server_declined_it_unprocessed(kit, server, status):
    response = await call(kit, server, steps.respond(status), "POST", data=b"pay")
    assert response.status == 200
    assert [seen.body for seen in server.requests] == [b"pay", b"pay"]


@pytest.mark.parametrize("fault", FAULTS)
async def test_an_idempotency_key_makes_a_write_repeatable_and_stays_the_same(kit, server, fault):
    headers = {"Idempotency-Key": "k1"}
    response = await call(kit, server, FAULTS[fault], "POST", data=b"pay", headers=headers)
    assert response.status == 200
    assert [seen.header("Idempotency-Key") for seen in server.requests] == ["k1", "k1"]


async def test_a_rule_can_allow_any_method(kit, server):
    policy = retry_on(network).fixed(2).any_method()
    assert (await call(kit, server, steps.drop(), "POST", policy, data=b"pay")).status == 200


async def test_a_refused_connection_is_retried_for_every_method(kit, server, clock):
    for method in ("GET", "PUT", *WRITES):
        async with kit.session(retry_on(unsent).fixed(2)) as session:
            with pytest.raises(aiohttp.ClientConnectorError) as caught:
                await session.request(method, server.refused_url(), data=b"pay")
        assert history(caught.value).attempts == 4
        assert not isinstance(caught.value, RetriesExhausted)
    assert clock.sleeps == [2.0] * 3 * 5


async def test_a_certificate_that_does_not_verify_is_never_retried(kit, server, clock):
    def refusing(request, send):
        key = request.connection_key
        raise aiohttp.ClientConnectorCertificateError(key, Exception("self-signed"))

    async with kit.session(POLICY, inner=[refusing]) as session:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.get(server.url + "/f")
    assert clock.sleeps == []


@pytest.mark.parametrize("fault", UNREADABLE)
@pytest.mark.parametrize("condition", [400, "4xx"])
async def test_bytes_that_are_no_http_are_not_an_answer_of_400(kit, server, clock, fault, condition):
    """aiohttp raises a `ClientResponseError` with the status 400 that nobody has sent."""
    came = await call(kit, server, UNREADABLE[fault], "GET", retry_on(condition).fixed(2))
    assert isinstance(came, aiohttp.ClientError)
    assert history(came) is None
    assert len(server.requests) == 1


# As many requests as the policy says


def test_we_know_which_methods_aiohttp_repeats():
    assert adapter._REPEATED_METHODS == IDEMPOTENT_METHODS


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", *WRITES])
@pytest.mark.parametrize("fault", LOST)
@pytest.mark.parametrize("retries", [1, 3])
async def test_exactly_as_many_requests_as_the_policy_says(kit, server, method, fault, retries):
    server.on("/f", LOST[fault])
    policy = retry_on(network).fixed(2).max(retries).any_method()
    async with kit.session(policy) as session:
        with pytest.raises(aiohttp.ClientError) as caught:
            await session.request(method, server.url + "/f", data=b"body")
    assert len(server.requests) == retries + 1
    assert history(caught.value).attempts == retries + 1
    wrapped = fault in {"drop", "reset", "half head"} and method not in WRITES
    assert isinstance(caught.value, RetriesExhausted) == wrapped


@pytest.mark.parametrize(
    ("step", "cause"),
    [(steps.drop(), aiohttp.ServerDisconnectedError), (steps.reset(), aiohttp.ClientOSError)],
)
async def test_a_lost_connection_comes_out_wrapped_with_the_clients_own_as_its_cause(
    kit, server, step, cause
):
    server.on("/f", step)
    async with kit.session(POLICY) as session:
        with pytest.raises(RetriesExhausted) as caught:
            await session.get(server.url + "/f")
    assert type(caught.value.__cause__) is cause
    assert isinstance(caught.value, aiohttp.ClientConnectionError)
    assert str(caught.value) == str(caught.value.__cause__)
    assert history(caught.value).reason == "retries_exhausted"
    assert "gave up after 2 attempts" in caught.value.__cause__.__notes__[0]


async def test_a_connection_lost_while_sending_comes_out_as_it_is(kit, server, clock):
    async def losing(request, send):
        raise aiohttp.ClientConnectionResetError("Cannot write to closing transport")

    async with kit.session(POLICY, inner=[losing]) as session:
        with pytest.raises(aiohttp.ClientConnectionResetError) as caught:
            await session.get(server.url + "/f")
    assert history(caught.value).attempts == 2


async def test_where_no_rule_is_about_lost_connections_aiohttp_repeats_once_as_ever(kit, server, clock):
    server.on("/f", steps.drop())
    async with kit.session(retry_on(503).fixed(2)) as session:
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.get(server.url + "/f")
        assert len(server.requests) == 2
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.post(server.url + "/f")
        assert len(server.requests) == 3
    assert clock.sleeps == []


async def test_a_rule_that_was_tried_before_keeps_aiohttp_from_repeating_all_of_it(kit, server, clock):
    server.on("/f", steps.respond(503), steps.drop())
    async with kit.session(retry_on(503).fixed(2)) as session:
        with pytest.raises(RetriesExhausted):
            await session.get(server.url + "/f")
    assert len(server.requests) == 2


async def test_a_connection_that_the_server_closed_between_two_requests(kit, server):
    async with kit.session(POLICY) as session:
        server.on("/f", OK, steps.drop(), OK)
        for _ in range(2):
            async with session.get(server.url + "/f") as response:
                assert await response.text() == "done"
        server.on("/f", steps.drop(), OK)
        with pytest.raises(aiohttp.ServerDisconnectedError) as caught:
            await session.post(server.url + "/f")
    assert history(caught.value).reason == "not_idempotent"
    assert [seen.connection for seen in server.requests] == [1, 1, 2, 2]


# Time


async def test_the_sessions_total_timeout_covers_all_attempts_and_waits(kit, server):
    server.on("/f", steps.respond(503))
    began = SYSTEM_CLOCK.monotonic()
    limited = {"timeout": aiohttp.ClientTimeout(total=0.2)}
    async with kit.session(retry_on(503).fixed(60), clock=SYSTEM_CLOCK, session=limited) as session:
        with pytest.raises(TimeoutError):
            await session.get(server.url + "/f")
    assert SYSTEM_CLOCK.monotonic() - began < 5
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "late",
    [
        steps.stall(),
        steps.trickle(b"abc", pause=0.4),
        steps.trickle(b"abc", pause=0.4, status=503),
        steps.trickle(b"abc", pause=0.4, status=400),
    ],
)
@pytest.mark.parametrize("before", [[], [steps.respond(503)]])
@pytest.mark.parametrize("looks", [True, False])
async def test_nothing_follows_once_the_total_timeout_is_over(kit, server, clock, late, before, looks):
    server.on("/f", *before, late, OK)
    limited = {"timeout": aiohttp.ClientTimeout(total=0.25)}
    policy = retry_on(timeout, network, 503, 400).fixed(2)
    if looks:
        policy |= retry_on(code("later")).fixed(3)
    async with kit.session(policy, session=limited) as session:
        with pytest.raises(TimeoutError) as caught:
            await session.get(server.url + "/f")
    assert len(server.requests) == len(before) + 1
    if before and late.pause == 0:
        assert history(caught.value).reason == "deadline"
    assert clock.sleeps == [2.0] * len(before)


async def test_a_silent_socket_is_a_read_timeout_of_one_attempt(kit, server, clock):
    server.on("/f", steps.stall(), steps.trickle(b"ab", pause=0.5), OK)
    limited = {"timeout": aiohttp.ClientTimeout(sock_read=0.1)}
    policy = retry_on(timeout("read")).fixed(2).max(99)
    async with kit.session(policy, session=limited) as session, session.get(server.url + "/f") as response:
        assert await response.text() == "done"
    assert len(clock.sleeps) >= 2  # or more, where even the answer is too slow
    assert len(server.requests) == 1 + len(clock.sleeps)


@pytest.mark.parametrize("late", [steps.stall(), steps.trickle(b"ab", pause=0.5)])
async def test_a_policys_timeout_bounds_the_head_and_the_body(kit, server, late):
    server.on("/f", late, OK)
    policy = retry_on(timeout("attempt")).immediately(max=99).timeout(0.2)
    own = {"clock": SYSTEM_CLOCK}
    async with kit.session(policy, **own) as session, session.get(server.url + "/f") as response:
        assert await response.text() == "done"
    assert len(server.requests) >= 2  # or more, where even the answer is too slow


async def test_a_deadline_in_policy_time_ends_the_call(kit, server, clock):
    server.on("/f", steps.respond(503))
    policy = (retry_on(503).fixed(4) | retry_on(429).fixed(1)).within(10)
    async with kit.session(policy) as session, session.get(server.url + "/f") as response:
        assert history(response).reason in {"deadline", "retries_exhausted"}
    assert sum(clock.sleeps) <= 10


# What the policy is, and what is told of it


@pytest.mark.parametrize("wrong", ["retry_on(503)", None, 503, retry_on(503).max(float("inf"))])
def test_what_is_no_bounded_policy_is_refused(wrong):
    with pytest.raises(PolicyError):
        retry_middleware(wrong)


@pytest.mark.parametrize("name", ["", "X Retry", "X-Retry\r\nHost", "é"])
def test_the_counting_header_has_the_name_of_a_header(name):
    with pytest.raises(PolicyError, match="is no header name"):
        retry_middleware(POLICY, count_header=name)


async def test_each_endpoint_has_its_own_policy(kit, server, clock):
    server.on("/search", steps.respond(503), OK).on("/f", steps.respond(503))
    routes = Routes({"GET /search": retry_on(503).fixed(7), "*": give_up_on(anything)})
    async with kit.session(routes) as session:
        async with session.get(server.url + "/search?q=1") as response:
            assert response.status == 200
        async with session.get(server.url + "/f") as response:
            assert history(response).reason == "rule_gave_up"
    assert clock.sleeps == [7.0]


async def test_a_request_without_a_policy_is_sent_once(kit, server, clock):
    class Nothing:
        def policy_for(self, method, url):
            assert (method, url) == ("GET", server.url + "/f")

    server.on("/f", steps.respond(503))
    async with kit.session(Nothing()) as session, session.get(server.url + "/f") as response:
        assert (response.status, history(response)) == (503, None)


async def test_a_runtime_is_taken_as_it_is(kit, server, clock):
    events = []
    runtime = POLICY.bind(clock=clock, listeners=[events.append], name="search")
    server.on("/f", steps.respond(503), OK)
    retry = retry_middleware(runtime)
    async with (
        aiohttp.ClientSession(middlewares=(retry,)) as session,
        session.get(server.url + "/f") as answer,
    ):
        assert answer.status == 200
    assert {event.name for event in events} == {"search"}


@pytest.mark.parametrize("step", [steps.drop(), steps.respond(503)])
async def test_a_decorated_function_around_a_session_is_not_multiplied(kit, server, clock, step):
    server.on("/f", step)
    async with kit.session(POLICY.max(2)) as session:

        async def fetch():
            async with session.get(server.url + "/f") as response:
                return response

        try:
            came = await POLICY.max(2).bind(clock=clock).acall(fetch)
        except RetriesExhausted as error:
            came = error
    assert history(came).reason == "inner_exhausted"
    assert len(server.requests) == 3


async def test_the_last_response_is_the_clients_own_open_and_readable(kit, server, clock):
    server.on("/f", steps.json(503, {"error": "later"}))
    policy = retry_on(503).delays(1, 5).max(2)
    async with kit.session(policy) as session, session.get(server.url + "/f") as response:
        assert type(response) is aiohttp.ClientResponse
        assert await response.json() == {"error": "later"}
    assert [(one.attempt, one.outcome, one.delay) for one in history(response)] == [
        (1, "503", 1.0), (2, "503", 5.0), (3, "503", None),
    ]  # fmt: skip


@pytest.mark.parametrize("value", ["5", "5.0"])
async def test_the_longest_of_several_hints_counts(kit, server, clock, value):
    server.on("/f", steps.respond(503, [("Retry-After", value), ("Retry-After", "30")]), OK)
    async with kit.session(retry_on(503).after_header("Retry-After")) as session:
        await session.get(server.url + "/f")
    assert 30 <= clock.sleeps[0] < 60


SECRETS = ("s3cret", "t0ken", "passw0rd", "c00kie", "b0dy")


async def test_no_secret_is_in_a_log_record_a_note_or_a_history(kit, server, caplog):
    caplog.set_level(logging.DEBUG, logger="bide")
    server.on("/f", steps.respond(503, {"Set-Cookie": "s=c00kie"}, "b0dy"), steps.drop())
    host = server.url.removeprefix("http://")
    headers = {"X-Api-Key": "t0ken", "Idempotency-Key": "s3cret", "Cookie": "s=c00kie"}
    async with kit.session(POLICY.max(3)) as session:
        with pytest.raises(aiohttp.ServerDisconnectedError) as caught:
            url = f"http://user:passw0rd@{host}/f?key=s3cret"
            await session.post(url, headers=headers, data=b"b0dy")
    records = [record for record in caplog.records if record.name == "bide"]
    assert len(records) == 4
    told = [record.getMessage() + repr(record.args) for record in records]
    told += [*caught.value.__notes__, repr(history(caught.value))]
    assert [secret for secret in SECRETS for text in told if secret in text] == []
    assert records[0].getMessage().startswith("POST request: ")


async def test_a_name_that_does_not_resolve_was_never_sent(kit, clock):
    class Nowhere(aiohttp.abc.AbstractResolver):
        async def resolve(self, host, port=0, family=socket.AF_INET):
            raise OSError("no such host")

        async def close(self):
            pass

    connector = {"connector": aiohttp.TCPConnector(resolver=Nowhere())}
    retry = retry_middleware(retry_on(unsent).fixed(2), clock=clock)
    async with aiohttp.ClientSession(middlewares=(retry,), **connector) as session:
        with pytest.raises(aiohttp.ClientConnectorDNSError) as caught:
            await session.post("http://nowhere.test/", data=b"pay")
    assert history(caught.value).attempts == 4
