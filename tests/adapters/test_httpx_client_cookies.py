"""At the client's seam the cookies of an attempt are those that the client has by then."""

import attrs
import pytest

from bide import retry_on
from bide.testing import steps

POLICY = retry_on(503).fixed(2)
OK = steps.respond(body="done")
pytestmark = pytest.mark.filterwarnings("ignore:Setting per-request cookies:DeprecationWarning")


@pytest.fixture
def kit(kit):
    return attrs.evolve(kit, seam="client")


def setting(*cookies, status=503):
    return steps.respond(status, [("Set-Cookie", cookie) for cookie in cookies])


async def cookies_sent(kit, server, clock, *script, jar=(), call=None, **client_options):
    """Return the `Cookie` headers of the attempts, each as a sorted list."""
    server.on("/f", *script)
    async with kit.client(POLICY, clock=clock, **client_options) as client:
        for name, value in jar:
            client.own.cookies.set(name, value, domain="127.0.0.1", path="/")
        response = await client.get(server.url + "/f", **(call or {}))
    assert response.text == "done"
    return [sorted((seen.header("Cookie") or "").split("; ")) for seen in server.requests]


async def test_a_cookie_that_a_rejected_response_set_is_sent_by_the_next_attempt(kit, server, clock):
    seen = await cookies_sent(kit, server, clock, setting("a=1"), setting("b=2; Path=/f"), OK)
    assert seen == [[""], ["a=1"], ["a=1", "b=2"]]


async def test_a_cookie_that_a_rejected_response_changed_is_sent_changed(kit, server, clock):
    seen = await cookies_sent(kit, server, clock, setting("a=2; Path=/"), OK, jar=[("a", "1"), ("b", "1")])
    assert seen == [["a=1", "b=1"], ["a=2", "b=1"]]


async def test_a_cookie_that_a_rejected_response_took_back_is_gone(kit, server, clock):
    seen = await cookies_sent(kit, server, clock, setting("a=; Max-Age=0; Path=/"), OK, jar=[("a", "1")])
    assert seen == [["a=1"], [""]]
    assert server.requests[1].header("Cookie") is None


async def test_a_cookie_for_elsewhere_is_not_sent(kit, server, clock):
    seen = await cookies_sent(
        kit, server, clock, setting("a=1; Path=/elsewhere", "b=2; Domain=example.test"), OK
    )
    assert seen == [[""], [""]]


async def test_what_the_caller_set_for_the_call_stays(kit, server, clock):
    call = {"cookies": {"a": "mine"}}
    seen = await cookies_sent(kit, server, clock, setting("a=2", "b=2"), OK, jar=[("c", "1")], call=call)
    assert seen == [["a=mine", "c=1"], ["a=mine", "b=2", "c=1"]]


async def test_a_header_of_the_callers_own_keeps_what_it_says(kit, server, clock):
    call = {"headers": {"Cookie": "a=mine"}}
    seen = await cookies_sent(kit, server, clock, setting("b=2"), OK, jar=[("c", "1")], call=call)
    assert seen == [["a=mine"], ["a=mine", "b=2"]]


async def test_nothing_changes_when_the_jar_does_not(kit, server, clock):
    call = {"headers": {"Cookie": "z=9;y=8"}}
    server.on("/f", steps.respond(503), OK)
    async with kit.client(POLICY, clock=clock) as client:
        await client.get(server.url + "/f", **call)
    assert [seen.header("Cookie") for seen in server.requests] == ["z=9;y=8"] * 2


async def test_a_cookie_that_another_call_brought_meanwhile_is_sent(kit, server, clock):
    """Logging in again between two attempts, say."""
    clients = []

    def log_in(seen):
        clients[0].own.cookies.set("session", "new", domain="127.0.0.1", path="/")
        return steps.respond(503)

    server.on("/f", log_in, OK)
    async with kit.client(POLICY, clock=clock) as client:
        clients.append(client)
        client.own.cookies.set("session", "old", domain="127.0.0.1", path="/")
        await client.get(server.url + "/f")
    assert [seen.header("Cookie") for seen in server.requests] == ["session=old", "session=new"]


async def test_a_cookie_that_a_redirect_set_is_sent_from_the_first_hop_on(kit, server, clock):
    server.on("/f", steps.respond(302, {"Location": "/g", "Set-Cookie": "a=1; Path=/"}))
    server.on("/g", steps.respond(503), OK)
    async with kit.client(POLICY, clock=clock, follow_redirects=True) as client:
        await client.get(server.url + "/f")
    seen = [(one.path, one.header("Cookie")) for one in server.requests]
    assert seen == [("/f", None), ("/g", "a=1"), ("/f", "a=1"), ("/g", "a=1")]
