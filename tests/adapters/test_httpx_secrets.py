"""Nothing that may be secret is in logs, events, notes or histories."""

import gc
import logging
import weakref

import pytest

from bide import history, network, retry_on
from bide.engine.events import RetryScheduled
from bide.testing import steps

pytestmark = pytest.mark.both_seams

SECRETS = ("s3cret", "t0ken", "passw0rd", "c00kie", "fr4gment", "b0dy")
POLICY = retry_on(503, network).fixed(2).any_method()


def secret_request(server):
    host = server.url.removeprefix("http://")
    return {
        "url": f"http://user:passw0rd@{host}/f?key=s3cret#fr4gment",
        "headers": {"Authorization": "Bearer t0ken", "X-Api-Key": "s3cret", "Idempotency-Key": "s3cret"},
        "cookies": {"session": "c00kie"},
        "content": b"b0dy",
    }


def leaks(*texts):
    return [secret for secret in SECRETS for text in texts if secret in text]


async def test_no_secret_is_in_a_log_record(kit, server, clock, caplog):
    caplog.set_level(logging.DEBUG, logger="bide")
    answer = {"Set-Cookie": "session=c00kie", "X-Token": "t0ken"}
    server.on("/f", steps.respond(503, answer, "b0dy"), steps.drop(), steps.respond(503, answer, "b0dy"))
    request = secret_request(server)
    async with kit.client(POLICY, clock=clock, cookies=request.pop("cookies")) as client:
        response = await client.request("POST", request.pop("url"), **request)
    records = [record for record in caplog.records if record.name == "bide"]
    assert [record.levelname for record in records] == ["INFO"] * 3 + ["WARNING"]
    assert all(record.getMessage().startswith("POST request: ") for record in records)
    told = [record.getMessage() + repr(record.args) for record in records]
    assert leaks(*told, repr(history(response)), str(history(response))) == []


async def test_no_secret_is_in_a_note_or_an_event(kit, server, clock):
    events = []
    server.on("/f", steps.drop())
    request = secret_request(server)
    cookies = request.pop("cookies")
    async with kit.client(
        POLICY, clock=clock, options={"listeners": [events.append]}, cookies=cookies
    ) as client:
        with pytest.raises(kit.module.RemoteProtocolError) as caught:
            await client.request("POST", request.pop("url"), **request)
    assert any(isinstance(event, RetryScheduled) for event in events)
    assert leaks(*caught.value.__notes__, *map(repr, events), repr(history(caught.value))) == []


async def test_events_are_named_after_the_policy_or_else_the_method(kit, clock):
    names = []
    options = {"listeners": [lambda event: names.append(event.name)]}
    for policy, method in (
        (POLICY, "GET"),
        (POLICY.named("search"), "GET"),
        (POLICY, "G\x1b[31m"),
        (POLICY, "X" * 50),
    ):
        async with kit.client(policy, over=kit.scripted(503, 200), clock=clock, options=options) as client:
            await client.request(method, "http://example.test/")
    assert sorted(set(names)) == ["? request", "GET request", "X" * 16 + " request", "search"]


async def test_nothing_keeps_a_rejected_response_or_a_failed_attempt_alive(transport_kit, clock):
    """Without the garbage collector: what is in a circle would stay until it runs."""
    kept, alive = [], []

    def fail(request):
        error = transport_kit.module.ConnectError("refused")
        kept.append(weakref.ref(error))
        try:
            raise error
        finally:
            del error  # or this very function would keep it

    def reject(request):
        response = transport_kit.module.Response(503)
        kept.append(weakref.ref(response))
        return response

    def succeed(request):
        alive.extend(ref() for ref in kept)
        return transport_kit.module.Response(200)

    gc.collect()
    gc.disable()
    try:
        async with transport_kit.client(
            POLICY, over=transport_kit.scripted(fail, reject, succeed), clock=clock
        ) as client:
            await client.get("http://example.test/")
        assert alive == [None, None]
    finally:
        gc.enable()


async def test_nothing_keeps_what_an_attempt_raised_alive(kit, clock):
    """A response of httpx is in a circle with its own stream at the client's seam; exceptions are in none."""
    kept, alive = [], []

    def fail(request):
        error = kit.module.ConnectError("refused")
        kept.append(weakref.ref(error))
        try:
            raise error
        finally:
            del error  # or this very function would keep it

    def succeed(request):
        alive.extend(ref() for ref in kept)
        return kit.module.Response(200)

    gc.collect()
    gc.disable()
    try:
        async with kit.client(POLICY, over=kit.scripted(fail, fail, succeed), clock=clock) as client:
            await client.get("http://example.test/")
        assert alive == [None, None]
    finally:
        gc.enable()
