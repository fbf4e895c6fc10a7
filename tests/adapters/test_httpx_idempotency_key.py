"""With `idempotency_key=`, a POST carries one key for the whole of its call, and so may be repeated; the next has another."""

import gc
from uuid import UUID

import pytest

from bide import PolicyError, code, history, network, retry_on
from bide.testing import steps

pytestmark = pytest.mark.both_seams

POLICY = retry_on(503, 409, network).fixed(2)
OK = steps.respond(body="done")
BUSY = steps.respond(503)
CHALLENGE = {"WWW-Authenticate": 'Digest realm="r", qop="auth", nonce="n", algorithm=MD5'}


def keyed(kit, clock, policy=POLICY, key=True, **options):
    return kit.client(policy, clock=clock, idempotency_key=key, **options)


def keys(server, name="Idempotency-Key"):
    return [seen.header(name) for seen in server.requests]


async def test_a_post_is_repeated_with_the_same_key(kit, server, clock):
    server.on("/f", BUSY, steps.drop(), OK)
    async with keyed(kit, clock) as client:
        assert (await client.post(server.url + "/f", content=b"abc")).text == "done"
    (key,) = set(keys(server))
    assert str(UUID(key)) == key
    assert [seen.body for seen in server.requests] == [b"abc"] * 3
    assert clock.sleeps == [2.0, 2.0]


async def test_a_post_is_not_repeated_without_the_option(kit, server, clock):
    server.on("/f", BUSY, OK)
    async with keyed(kit, clock, key=False) as client:
        response = await client.post(server.url + "/f")
    assert history(response).reason == "not_idempotent"
    assert keys(server) == [None]


async def test_the_next_call_has_a_new_key_though_it_sends_the_same_request(kit, server, clock):
    server.on("/f", BUSY, OK, BUSY, OK)
    async with keyed(kit, clock) as client:
        request = client.own.build_request("POST", server.url + "/f", content=b"abc", headers={"X-Mine": "1"})
        headers = list(request.headers.raw)
        await client.send(request)
        assert request.headers.raw == headers
        await client.send(request)
    first, again, second, once_more = keys(server)
    assert first == again
    assert second == once_more
    assert first != second


@pytest.mark.parametrize("method", ["POST", "PATCH", "post", "SUBSCRIBE"])
async def test_methods_that_are_not_idempotent_get_a_key(kit, server, clock, method):
    server.on("/f", OK)
    async with keyed(kit, clock) as client:
        await client.request(method, server.url + "/f")
    assert None not in keys(server)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "delete"])
async def test_methods_that_are_idempotent_get_none(kit, server, clock, method):
    server.on("/f", BUSY, OK)
    async with keyed(kit, clock) as client:
        await client.request(method, server.url + "/f")
    assert keys(server) == [None, None]


@pytest.mark.parametrize("name", ["Idempotency-Key", "idempotency-key", "X-Idempotency-Key"])
async def test_the_callers_own_key_is_kept(kit, server, clock, name):
    server.on("/f", BUSY, OK)
    async with keyed(kit, clock) as client:
        await client.post(server.url + "/f", headers={name: "mine"})
    assert keys(server, name) == ["mine", "mine"]
    assert all(str(seen.headers).lower().count("idempotency-key") == 1 for seen in server.requests)


async def test_a_key_may_go_by_another_name(kit, server, clock):
    server.on("/f", BUSY, OK)
    async with keyed(kit, clock, key="X-Request-Token") as client:
        await client.post(server.url + "/f")
        await client.post(server.url + "/f", headers={"x-request-token": "7"})
    first, again, own = keys(server, "X-Request-Token")
    assert first == again
    assert own == "7"
    assert keys(server) == [None] * 3


async def test_the_callers_own_key_by_another_name_lets_a_write_be_repeated(kit, server, clock):
    server.on("/f", BUSY, OK)
    async with keyed(kit, clock, key="X-Request-Token") as client:
        await client.post(server.url + "/f", headers={"x-request-token": "7"})
    assert keys(server, "X-Request-Token") == ["7", "7"]


async def test_a_key_a_count_and_a_deadline_go_together(kit, server, clock):
    server.on("/f", BUSY, OK)
    policy = (POLICY | retry_on(429).fixed(1)).within(60)
    async with keyed(kit, clock, policy, count_header="X-Retry-Count") as client:
        await client.post(server.url + "/f")
    assert keys(server, "X-Retry-Count") == [None, "1"]
    assert len(set(keys(server))) == 1


@pytest.mark.parametrize("wrong", ["", "X Key", "X-Key\r\nHost", "é"])
def test_a_key_goes_into_a_header(kit, clock, wrong):
    with pytest.raises(PolicyError, match="is no header name"):
        keyed(kit, clock, key=wrong, over=kit.scripted(200))


@pytest.mark.parametrize("wrong", [None, 1, b"Idempotency-Key"])
def test_what_is_no_choice_of_a_header_is_refused(kit, clock, wrong):
    with pytest.raises(PolicyError, match="idempotency_key takes True, False or the name of a header"):
        keyed(kit, clock, key=wrong, over=kit.scripted(200))


# What the client sends again by itself


@pytest.mark.parametrize("status", [307, 308])
async def test_a_redirect_goes_on_with_the_same_key(kit, server, clock, status):
    server.on("/f", BUSY, steps.respond(status, {"Location": "/g"}))
    server.on("/g", steps.respond(status, {"Location": "/h"})).on("/h", BUSY, OK)
    async with keyed(kit, clock, follow_redirects=True) as client:
        assert (await client.post(server.url + "/f", content=b"abc")).text == "done"
    assert [seen.path for seen in server.requests][-1] == "/h"
    assert {seen.body for seen in server.requests} == {b"abc"}
    assert len(set(keys(server))) == 1
    assert keys(server)[0] is not None


async def test_the_call_after_a_redirect_has_a_new_key_though_it_sends_the_same_request(kit, server, clock):
    server.on("/f", steps.respond(307, {"Location": "/g"})).on("/g", OK)
    async with keyed(kit, clock, follow_redirects=True) as client:
        request = client.own.build_request("POST", server.url + "/f", content=b"abc")
        for _ in range(2):
            await client.send(request)
    first, its_hop, second, its_own = keys(server)
    assert (first, second) == (its_hop, its_own)
    assert first != second


async def test_a_redirect_that_the_caller_follows_goes_on_with_the_same_key(kit, server, clock):
    server.on("/f", steps.respond(307, {"Location": "/g"})).on("/g", OK)
    async with keyed(kit, clock) as client:
        left = await client.post(server.url + "/f", content=b"abc")
        await client.send(left.next_request)
    first, second = keys(server)
    assert first == second


@pytest.mark.parametrize("kept", [True, False])
async def test_the_next_request_of_a_response_that_is_gone_keeps_its_key(transport_kit, server, clock, kept):
    server.on("/f", steps.respond(307, {"Location": "/g"})).on("/g", OK)
    async with keyed(transport_kit, clock) as client:
        response = await client.post(server.url + "/f")
        following = response.next_request
        if not kept:
            del response
            gc.collect()
        await client.send(following)
        await client.send(following)
    first, second, third = keys(server)
    assert first == second
    assert second != third


async def test_a_redirect_that_becomes_a_get_needs_none(transport_kit, server, clock):
    server.on("/f", steps.respond(303, {"Location": "/g"})).on("/g", BUSY, OK)
    async with keyed(transport_kit, clock, follow_redirects=True) as client:
        await client.post(server.url + "/f")
    assert keys(server)[1:] == [None, None]


async def test_credentials_that_are_asked_for_go_with_a_key_that_is_the_same_over_attempts(
    kit, server, clock
):
    server.on("/f", steps.respond(401, CHALLENGE), BUSY, OK)
    async with keyed(kit, clock) as client:
        response = await client.post(server.url + "/f", auth=kit.module.DigestAuth("u", "p"))
    assert response.text == "done"
    before, first, again = keys(server)
    assert first == again
    assert (before == first) == (kit.seam == "client")  # each round is a call of its own at the transport
    assert [bool(seen.header("Authorization")) for seen in server.requests] == [False, True, True]


# What a key means to the decision


async def test_a_conflict_under_a_key_is_repeated_when_a_rule_says_so(kit, server, clock):
    server.on("/f", steps.respond(409), OK)
    async with keyed(kit, clock) as client:
        assert (await client.post(server.url + "/f")).text == "done"
    assert len(set(keys(server))) == 1


@pytest.mark.parametrize("policy", [retry_on("4xx").fixed(2), retry_on("4xx" & code("used")).fixed(2)])
async def test_a_key_that_was_used_for_something_else_is_not_tried_again(kit, server, clock, policy):
    server.on("/f", steps.json(422, {"code": "used"}), OK)
    async with keyed(kit, clock, policy) as client:
        response = await client.post(server.url + "/f")
    assert response.json() == {"code": "used"}
    assert history(response).reason == "not_idempotent"
    assert len(server.requests) == 1


async def test_no_key_is_in_a_log_record(kit, server, clock, caplog):
    caplog.set_level("DEBUG", logger="bide")
    server.on("/f", BUSY)
    async with keyed(kit, clock) as client:
        response = await client.post(server.url + "/f")
    records = [record for record in caplog.records if record.name == "bide"]
    assert len(records) == 4
    told = [record.getMessage() + repr(record.args) for record in records] + [str(history(response))]
    assert not [text for text in told if keys(server)[0] in text]


async def test_a_server_that_keeps_keys_does_a_thing_once(kit, server, clock, shop):
    done, create = shop
    server.on("/orders", create)
    async with keyed(kit, clock) as client:
        created = [(await client.post(server.url + "/orders")).text for _ in range(2)]
    assert created == ["order 1", "order 2"]
    assert len(done) == 2
