"""Which requests are repeated after which failures, and what is said when they are not."""

import socket

import pytest

from bide import history, network, retry_on
from bide.testing import steps

pytestmark = pytest.mark.both_seams

POLICY = retry_on(408, 421, 425, 429, "5xx", network).fixed(2).max(1)
WRITES = ("POST", "PATCH")
ALL = ("GET", "PUT", "DELETE", *WRITES)
FAULTS = {
    "500": steps.respond(500),
    "503": steps.respond(503),
    "drop": steps.drop(),
    "reset": steps.reset(),
    "garbage": steps.garbage(),
    "half_head": steps.half_head(),
}
DECLINED = (408, 421, 425, 429)


async def call(kit, server, clock, step, method, policy=POLICY, **options):
    """Make one call against a fault and then a success; return what came out, response or exception."""
    server.on("/f", step, steps.respond(200, body="done"))
    async with kit.client(policy, clock=clock) as client:
        try:
            return await client.request(method, server.url + "/f", **options)
        except kit.module.TransportError as error:
            return error


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("fault", FAULTS)
async def test_an_idempotent_request_is_repeated(kit, server, clock, fault, method):
    response = await call(kit, server, clock, FAULTS[fault], method)
    assert response.text == "done"
    assert [seen.method for seen in server.requests] == [method, method]
    assert clock.sleeps == [2.0]


@pytest.mark.parametrize("method", WRITES)
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_write_is_not_repeated_when_it_may_have_been_processed(kit, server, clock, fault, method):
    came = await call(kit, server, clock, FAULTS[fault], method, content=b"pay")
    assert [seen.body for seen in server.requests] == [b"pay"]
    assert clock.sleeps == []
    assert history(came).reason == "not_idempotent"
    assert history(came).attempts == 1
    assert isinstance(came, kit.module.Response) == fault.isdigit()


@pytest.mark.parametrize("method", WRITES)
@pytest.mark.parametrize("status", DECLINED)
async def test_a_write_is_repeated_when_the_server_declined_it_unprocessed(
    kit, server, clock, status, method
):
    response = await call(kit, server, clock, steps.respond(status), method, content=b"pay")
    assert response.text == "done"
    assert [seen.body for seen in server.requests] == [b"pay", b"pay"]


@pytest.mark.parametrize("fault", FAULTS)
async def test_an_idempotency_key_makes_a_write_repeatable_and_stays_the_same(kit, server, clock, fault):
    response = await call(
        kit, server, clock, FAULTS[fault], "POST", content=b"pay", headers={"Idempotency-Key": "k1"}
    )
    assert response.text == "done"
    assert [seen.header("Idempotency-Key") for seen in server.requests] == ["k1", "k1"]


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_rule_can_allow_any_method(kit, server, clock, fault):
    policy = retry_on("5xx", network).fixed(2).max(1).any_method()
    response = await call(kit, server, clock, FAULTS[fault], "POST", policy, content=b"pay")
    assert response.text == "done"
    assert len(server.requests) == 2


async def test_a_refused_connection_is_retried_for_every_method(kit, server, clock):
    async with kit.client(POLICY, clock=clock) as client:
        for method in ALL:
            with pytest.raises(kit.module.ConnectError) as caught:
                await client.request(method, server.refused_url(), content=b"pay")
            assert history(caught.value).reason == "retries_exhausted"
            assert history(caught.value).attempts == 2
    assert clock.sleeps == [2.0] * len(ALL)


def unsent_faults(module):
    dns = module.ConnectError("no such host")
    dns.__cause__ = socket.gaierror(-2, "Name or service not known")
    return {
        "dns": dns,
        "connect timeout": module.ConnectTimeout("slow"),
        "pool timeout": module.PoolTimeout("busy"),
        "proxy refused": module.ProxyError("refused"),
        "refused stream": module.RemoteProtocolError(
            "<StreamReset stream_id:1, error_code:7, remote_reset:True>"
        ),
    }


@pytest.mark.parametrize(
    "fault", ["dns", "connect timeout", "pool timeout", "proxy refused", "refused stream"]
)
async def test_a_write_that_was_never_sent_is_repeated(kit, clock, fault):
    inner = kit.scripted(unsent_faults(kit.module)[fault], 200)
    async with kit.client(retry_on(network).fixed(2), over=inner, clock=clock) as client:
        response = await client.post("http://example.test/", content=b"pay")
    assert response.status_code == 200
    assert len(inner.requests) == 2
    assert clock.sleeps == [2.0]


@pytest.mark.parametrize(
    "name", ["ReadTimeout", "WriteTimeout", "WriteError", "ReadError", "RemoteProtocolError"]
)
async def test_a_write_that_may_have_been_sent_is_not_repeated(kit, clock, name):
    inner = kit.scripted(getattr(kit.module, name)("lost"), 200)
    async with kit.client(retry_on(network).fixed(2), over=inner, clock=clock) as client:
        with pytest.raises(getattr(kit.module, name)) as caught:
            await client.post("http://example.test/", content=b"pay")
    assert history(caught.value).reason == "not_idempotent"
    assert clock.sleeps == []


async def test_what_no_rule_is_about_comes_out_as_it_came(kit, server, clock):
    async with kit.client(POLICY, clock=clock) as client:
        server.on("/f", steps.respond(404, body="nothing here"))
        response = await client.get(server.url + "/f")
        with pytest.raises(kit.module.UnsupportedProtocol) as caught:
            await client.get("gopher://example.test/")
    assert (response.status_code, response.text) == (404, "nothing here")
    assert history(response) is None
    assert history(caught.value) is None
    assert not hasattr(caught.value, "__notes__")
    assert len(server.requests) == 1


async def test_an_unknown_method_counts_as_a_write(kit, server, clock):
    came = await call(kit, server, clock, steps.respond(503), "PURGE")
    assert history(came).reason == "not_idempotent"
    assert len(server.requests) == 1


async def test_the_last_response_is_the_clients_own_open_and_readable(kit, server, clock):
    server.on("/f", steps.json(503, {"error": "later"}))
    policy = retry_on(503).delays(1, 5).max(2).named("search")
    async with kit.client(policy, clock=clock) as client:
        response = await client.get(server.url + "/f?q=1")
    assert type(response) is kit.module.Response
    assert response.json() == {"error": "later"}
    assert response.request.url == server.url + "/f?q=1"
    assert response.elapsed.total_seconds() >= 0
    kept = history(response)
    assert [(one.attempt, one.outcome, one.rule, one.delay) for one in kept] == [
        (1, "503", 0, 1.0), (2, "503", 0, 5.0), (3, "503", 0, None),
    ]  # fmt: skip
    assert kept.reason == "retries_exhausted"
    assert clock.sleeps == [1.0, 5.0]


async def test_the_last_exception_is_the_clients_own_with_notes(kit, server, clock):
    server.on("/f", steps.respond(503), steps.drop())
    async with kit.client(retry_on("5xx", network).fixed(2).max(2), clock=clock) as client:
        with pytest.raises(kit.module.RemoteProtocolError) as caught:
            await client.get(server.url + "/f")
    assert type(caught.value) is kit.module.RemoteProtocolError
    assert caught.value.request.url == server.url + "/f"
    assert [one.outcome for one in history(caught.value)] == [
        "503",
        "RemoteProtocolError",
        "RemoteProtocolError",
    ]
    (note,) = caught.value.__notes__
    assert "gave up after 3 attempts: retries_exhausted" in note
    assert "then waited 2 s" in note


async def test_attempts_do_not_chain_into_one_another(kit, server, clock):
    server.on("/f", steps.drop())
    async with kit.client(retry_on(network).fixed(2), clock=clock) as client:
        with pytest.raises(kit.module.RemoteProtocolError) as caught:
            await client.get(server.url + "/f")
    chain, error = [], caught.value
    while error is not None:
        chain.append(type(error))
        error = error.__cause__ or error.__context__
    assert len(server.requests) == 4
    assert chain.count(kit.module.RemoteProtocolError) == 1


async def test_the_delay_that_the_server_asks_for_is_kept(kit, server, clock):
    date = "Thu, 01 Jan 2026 00:01:30 GMT"  # the virtual clock starts at midnight
    server.on(
        "/f",
        steps.respond(429, {"Retry-After": "3600"}),
        steps.respond(503, {"Retry-After": date}),
        steps.respond(),
    )
    policy = retry_on(429, 503).after_header("Retry-After").at_most(7200)
    async with kit.client(policy, clock=clock) as client:
        response = await client.get(server.url + "/f")
    assert response.status_code == 200
    assert clock.sleeps[0] >= 3600
    assert len(server.requests) == 3
