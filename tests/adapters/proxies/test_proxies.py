"""Retries through a proxy: each attempt goes through it, and what it does itself has one name for every client."""

import logging

import proxy_server as steps
import pytest

from bide import network, retry_on, unsent
from bide.testing import FaultServer
from bide.testing import steps as answers

POLICY = retry_on(429, "5xx", network).after_header("Retry-After").fixed(2)
OK = answers.respond(body="done")
NO_TUNNEL = {"httpx": "ProxyError", "requests": "ProxyError", "aiohttp": "ClientHttpProxyError"}
REFUSED = {"httpx": "ConnectError", "requests": "ProxyError", "aiohttp": "ClientProxyConnectionError"}
VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
LOST = {"closed": steps.DROP, "reset": steps.RESET}


@pytest.fixture(params=["said to the client", "from the environment"])
def told(request, proxy, monkeypatch):
    """What a client is told of the proxy: its address, or nothing, since the environment tells it."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    if request.param == "said to the client":
        return proxy.url
    monkeypatch.setenv("http_proxy", proxy.url)
    monkeypatch.setenv("https_proxy", proxy.url)
    return None


def through(proxy, server):
    """Tell whether all that the server has seen came through the proxy, each in the form that its scheme asks for."""
    host = server.url.partition("://")[2]
    if server.url.startswith("https"):
        return len(proxy.passed) == server.connections and {
            (passed.method, passed.target) for passed in proxy.passed
        } == {("CONNECT", host)}
    return [passed.target for passed in proxy.passed] == [f"http://{host}/f"] * len(server.requests)


async def test_every_attempt_goes_through_the_proxy(any_kit, told, proxy, server, clock):
    server.on("/f", answers.respond(503), answers.drop(), answers.respond(429, {"Retry-After": "1"}), OK)
    async with any_kit.sender(POLICY, proxy=told) as send:
        came = await send("PUT", server.url + "/f", b"put")
    assert (came.status, came.text) == (200, "done")
    assert came.history.attempts == 4
    assert [seen.body for seen in server.requests] == [b"put"] * 4
    assert through(proxy, server)
    assert len(clock.sleeps) == 3


async def test_an_answer_of_the_proxys_own_is_an_answer(any_kit, proxy, clock):
    with FaultServer() as server:
        server.on("/f", OK)
        proxy.script(
            steps.answer(502), steps.answer(503, {"Retry-After": "7"}), steps.answer(504), steps.PASS_ON
        )
        async with any_kit.sender(POLICY, proxy=proxy.url) as send:
            came = await send("GET", server.url + "/f")
        assert came.text == "done"
        assert len(server.requests) == 1
    assert clock.sleeps[0] == clock.sleeps[2] == 2.0
    assert clock.sleeps[1] >= 7


@pytest.mark.parametrize("status", [502, 503, 504])
async def test_a_write_that_the_proxy_answers_for_the_server_is_not_repeated(
    any_kit, proxy, server, clock, status
):
    """Of a tunnel it is certain that nothing went through; of a request that was passed on it is not."""
    server.on("/f", OK)
    proxy.script(steps.answer(status), steps.PASS_ON)
    async with any_kit.sender(POLICY, proxy=proxy.url) as send:
        came = await send("POST", server.url + "/f", b"pay")
    if server.url.startswith("https"):
        assert (came.text, clock.sleeps) == ("done", [2.0])
        assert [seen.body for seen in server.requests] == [b"pay"]
    else:
        assert (came.status, came.history.reason, clock.sleeps) == (status, "not_idempotent", [])
        assert server.requests == []


@pytest.mark.parametrize("status", [407, 502, 503])
async def test_a_tunnel_that_the_proxy_does_not_make_is_a_fault_of_connecting(
    any_kit, proxy, tls_server, clock, status
):
    proxy.script(steps.answer(status))
    async with any_kit.sender(retry_on(unsent & network).fixed(2), proxy=proxy.url) as send:
        came = await send("POST", tls_server.url + "/f", b"pay")
    assert came.class_name == NO_TUNNEL[any_kit.family]
    assert (came.history.attempts, came.history.reason) == (4, "retries_exhausted")
    assert [passed.method for passed in proxy.passed] == ["CONNECT"] * 4
    assert tls_server.requests == []
    assert clock.sleeps == [2.0] * 3


async def test_credentials_that_the_proxy_asks_for_are_no_answer_to_repeat(any_kit, proxy, clock):
    proxy.script(steps.answer(407, {"Proxy-Authenticate": "Basic"}))
    async with any_kit.sender(POLICY, proxy=proxy.url) as send:
        came = await send("GET", "http://example.test/")
    assert came.status == 407
    assert len(proxy.passed) == 1
    assert clock.sleeps == []


async def test_a_proxy_that_refuses_the_connection_is_retried_for_every_method(any_kit, server, clock):
    async with any_kit.sender(retry_on(unsent & network).fixed(2), proxy=server.refused_url()) as send:
        came = await send("POST", server.url + "/f", b"pay")
    assert came.class_name == REFUSED[any_kit.family]
    assert came.history.attempts == 4
    assert server.requests == []


@pytest.mark.parametrize("lost", LOST)
async def test_a_connection_that_the_proxy_loses_is_retried_for_what_can_be_repeated(
    any_kit, proxy, server, clock, lost
):
    server.on("/f", OK)
    proxy.script(LOST[lost], steps.PASS_ON)
    async with any_kit.sender(retry_on(network).fixed(2), proxy=proxy.url) as send:
        came = await send("PUT", server.url + "/f", b"put")
    assert came.text == "done"
    assert [seen.body for seen in server.requests] == [b"put"]
    assert clock.sleeps == [2.0]


@pytest.mark.parametrize("lost", LOST)
async def test_a_write_whose_connection_the_proxy_loses_may_have_been_passed_on(
    any_kit, proxy, server, clock, lost
):
    server.on("/f", OK)
    proxy.script(LOST[lost], steps.PASS_ON)
    async with any_kit.sender(retry_on(network, unsent).fixed(2), proxy=proxy.url) as send:
        came = await send("POST", server.url + "/f", b"pay")
    assert came.history.reason == "not_idempotent"
    assert len(proxy.passed) == 1
    assert clock.sleeps == []


async def test_a_tunnel_that_ends_before_tls_has_begun_carried_nothing(any_kit, proxy, tls_server, clock):
    tls_server.on("/f", OK)
    proxy.script(steps.ESTABLISHED_THEN_DROP, steps.PASS_ON)
    async with any_kit.sender(retry_on(unsent).fixed(2), proxy=proxy.url) as send:
        came = await send("POST", tls_server.url + "/f", b"pay")
    assert came.text == "done"
    assert [seen.body for seen in tls_server.requests] == [b"pay"]
    assert clock.sleeps == [2.0]


def cutting(proxy):
    """Have the proxy drop its tunnels when the server has read a request."""

    def step(seen):
        proxy.cut_tunnels()
        return answers.stall()

    return step


async def test_a_tunnel_that_is_cut_after_the_request_may_have_carried_a_write(
    any_kit, proxy, tls_server, clock
):
    tls_server.on("/f", cutting(proxy), OK)
    async with any_kit.sender(retry_on(network, unsent).fixed(2), proxy=proxy.url) as send:
        came = await send("POST", tls_server.url + "/f", b"pay")
    assert came.history.reason == "not_idempotent"
    assert [seen.body for seen in tls_server.requests] == [b"pay"]
    assert clock.sleeps == []


async def test_a_tunnel_that_is_cut_is_made_again_for_what_can_be_repeated(any_kit, proxy, tls_server, clock):
    tls_server.on("/f", cutting(proxy), OK)
    async with any_kit.sender(retry_on(network).fixed(2), proxy=proxy.url) as send:
        came = await send("PUT", tls_server.url + "/f", b"put")
    assert came.text == "done"
    assert [seen.body for seen in tls_server.requests] == [b"put", b"put"]
    assert through(proxy, tls_server)
    assert clock.sleeps == [2.0]


async def test_the_proxys_credentials_go_to_the_proxy_each_time_and_to_nobody_else(
    any_kit, proxy, server, caplog
):
    caplog.set_level(logging.DEBUG, logger="bide")
    server.on("/f", answers.respond(503), answers.drop(), OK)
    address = proxy.url.replace("http://", "http://user:passw0rd@")
    async with any_kit.sender(POLICY, proxy=address) as send:
        came = await send("GET", server.url + "/f")
    assert came.text == "done"
    assert {passed.headers.get("proxy-authorization") for passed in proxy.passed} == {
        "Basic dXNlcjpwYXNzdzByZA=="
    }
    assert [seen.header("Proxy-Authorization") for seen in server.requests] == [None] * 3
    told = [record.getMessage() for record in caplog.records if record.name == "bide"]
    assert told
    assert "passw0rd" not in "".join(told) + repr(came.history)
