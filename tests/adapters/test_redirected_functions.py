"""A function that follows redirects sends its POST again only if that may be, whatever came of the GET that followed."""

import asyncio

import aiohttp
import attrs
import httpx
import httpx2
import pytest
import requests

from bide import Reason, history, retry_on, status, unsent
from bide.engine.readers import outcome_of_value
from bide.testing import steps

OK = steps.respond(body="done")
BUSY = steps.respond(429)
TO_PAID = {"Location": "/paid"}
POLICY = retry_on(429, 421).immediately()


@attrs.frozen
class Httpx:
    library: object
    raises: bool

    def send(self, policy, method, url, **options):
        @policy
        def send_once():
            with self.library.Client(trust_env=False, follow_redirects=True, **options) as client:
                response = client.request(method, url)
                return response.raise_for_status() if self.raises else response

        return send_once()


@attrs.frozen
class AsyncHttpx(Httpx):
    def send(self, policy, method, url, **options):
        @policy
        async def send_once():
            async with self.library.AsyncClient(trust_env=False, follow_redirects=True, **options) as client:
                response = await client.request(method, url)
                return response.raise_for_status() if self.raises else response

        return asyncio.run(send_once())


@attrs.frozen
class Requests:
    raises: bool

    def send(self, policy, method, url):
        @policy
        def send_once():
            with requests.Session() as session:
                session.trust_env = False
                response = session.request(method, url)
                pools = session.get_adapter(url).poolmanager.pools
                for key in pools.keys():  # noqa: SIM118  # it cannot be iterated over
                    pools[key].close()  # else what a log record keeps would keep it open
                if self.raises:
                    response.raise_for_status()
                return response

        return send_once()


@attrs.frozen
class Aiohttp:
    raises: bool

    def send(self, policy, method, url):
        @policy
        async def send_once():
            async with (
                aiohttp.ClientSession() as session,
                session.request(method, url) as response,
            ):
                await response.read()
                if self.raises:
                    response.raise_for_status()
                return response

        return asyncio.run(send_once())


WAYS = {
    f"{way.__name__} {'raises' if raises else 'returns'} {' '.join(one.__name__ for one in library)}": way(
        *library, raises=raises
    )
    for way, *library in (
        (Httpx, httpx), (Httpx, httpx2), (AsyncHttpx, httpx), (AsyncHttpx, httpx2), (Requests,), (Aiohttp,)
    )
    for raises in (False, True)
}  # fmt: skip


@pytest.fixture(params=WAYS.values(), ids=WAYS)
def way(request):
    return request.param


def reason_of(way, policy, method, url):
    """Send, and return why no attempt followed, as the response or the exception tells it."""
    try:
        came = way.send(policy, method, url)
    except Exception as error:
        came = error
    kept = history(came)
    return None if kept is None else kept.reason


def seen_by(server):
    return [f"{seen.method} {seen.path}" for seen in server.requests]


@pytest.mark.parametrize("redirect", [301, 302, 303])
@pytest.mark.parametrize("declined", [429, 421])
def test_a_post_that_was_done_is_not_sent_again_because_the_get_after_it_was_declined(
    way, server, redirect, declined
):
    server.on("/pay", steps.respond(redirect, TO_PAID)).on("/paid", steps.respond(declined), OK)
    assert reason_of(way, POLICY, "POST", server.url + "/pay") is Reason.NOT_IDEMPOTENT
    assert seen_by(server) == ["POST /pay", "GET /paid"]


def test_what_followed_a_post_is_never_unsent(way, server):
    server.on("/pay", steps.respond(303, TO_PAID)).on("/paid", steps.respond(421), OK)
    assert reason_of(way, retry_on(unsent).immediately(), "POST", server.url + "/pay") is None
    assert seen_by(server) == ["POST /pay", "GET /paid"]


def test_a_post_is_sent_again_when_its_rule_says_any_method(way, server):
    server.on("/pay", steps.respond(303, TO_PAID)).on("/paid", BUSY, OK)
    policy = retry_on(429).immediately().any_method()
    assert reason_of(way, policy, "POST", server.url + "/pay") is Reason.SUCCEEDED
    assert seen_by(server) == ["POST /pay", "GET /paid"] * 2


@pytest.mark.parametrize("redirect", [307, 308])
def test_a_post_that_was_only_sent_on_is_sent_again_when_it_was_declined(way, server, redirect):
    server.on("/pay", steps.respond(redirect, TO_PAID)).on("/paid", BUSY, OK)
    assert reason_of(way, POLICY, "POST", server.url + "/pay") is Reason.SUCCEEDED
    assert seen_by(server) == ["POST /pay", "POST /paid"] * 2


def test_a_post_that_was_sent_on_and_then_done_is_not_sent_again(way, server):
    server.on("/pay", steps.respond(307, {"Location": "/here"}))
    server.on("/here", steps.respond(303, TO_PAID)).on("/paid", BUSY, OK)
    assert reason_of(way, POLICY, "POST", server.url + "/pay") is Reason.NOT_IDEMPOTENT
    assert seen_by(server) == ["POST /pay", "POST /here", "GET /paid"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_what_is_idempotent_begins_the_chain_anew(way, server, method):
    server.on("/pay", steps.respond(303, TO_PAID)).on("/paid", BUSY, OK)
    assert reason_of(way, POLICY, method, server.url + "/pay") is Reason.SUCCEEDED
    assert seen_by(server) == [f"{method} /pay", "GET /paid"] * 2


# What an auth flow sends stands in the same history, and is not what the caller sends


def asking_for_a_token(library, method, url):
    """An auth flow that sends a request of its own before the caller's."""

    class Asking(library.Auth):
        def auth_flow(self, request):
            yield library.Request(method, url)
            yield request

    return Asking()


@pytest.mark.parametrize("raises", [False, True])
@pytest.mark.parametrize("way", [Httpx, AsyncHttpx])
@pytest.mark.parametrize("library", [httpx, httpx2])
def test_a_post_after_a_get_of_its_auth_flow_is_a_post(way, library, raises, server):
    server.on("/token", OK).on("/pay", steps.respond(503), OK)
    auth = asking_for_a_token(library, "GET", server.url + "/token")

    def send(policy):
        return way(library, raises=raises).send(policy, "POST", server.url + "/pay", auth=auth)

    if raises:
        with pytest.raises(library.HTTPStatusError) as caught:
            send(retry_on(503).immediately())
    came = caught.value if raises else send(retry_on(503).immediately())
    assert history(came).reason is Reason.NOT_IDEMPOTENT
    assert seen_by(server) == ["GET /token", "POST /pay"]


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_a_get_after_a_post_of_its_auth_flow_is_a_get(library, server):
    server.on("/token", OK).on("/f", steps.respond(503), OK)
    auth = asking_for_a_token(library, "POST", server.url + "/token")
    policy = retry_on(503).immediately()
    response = Httpx(library, raises=False).send(policy, "GET", server.url + "/f", auth=auth)
    assert response.status_code == 200
    assert seen_by(server) == ["POST /token", "GET /f"] * 2


@pytest.mark.parametrize("hops", ["a text", [None], [3, object()], [attrs.make_class("Odd", ["status"])([])]])
def test_a_history_of_anything_else_is_none(hops):
    response = httpx.Response(429, request=httpx.Request("POST", "http://example.test/"))
    response.history = hops
    outcome = outcome_of_value(response)
    assert (outcome.method, outcome.repeatable) == ("POST", True)
    assert status(429).matches(outcome)
