"""At the client's seam a failure may be one of something that came after the caller's request was processed."""

import attrs
import pytest

from bide import history, network, retry_on, unsent
from bide.testing import steps

POLICY = retry_on(408, 421, 425, 429, "5xx", network, unsent).fixed(2)
OK = steps.respond(body="done")


@pytest.fixture
def kit(kit):
    return attrs.evolve(kit, seam="client")


async def came(client, module, method, url, **options):
    """What comes out of a call, response or exception."""
    try:
        return await client.request(method, url, **options)
    except (module.HTTPError, OSError) as error:
        return error


AFTER = {
    "drop": steps.drop(),
    "cut off": steps.truncate(),
    "503": steps.respond(503),
    "429": steps.respond(429),
    "421": steps.respond(421),
    "408": steps.respond(408),
}


@pytest.mark.parametrize("redirect", [301, 302, 303])
@pytest.mark.parametrize("what", AFTER)
async def test_a_post_that_became_a_get_is_not_repeated_whatever_the_get_comes_to(
    kit, server, clock, redirect, what
):
    server.on("/pay", steps.respond(redirect, {"Location": "/receipt"})).on("/receipt", AFTER[what], OK)
    async with kit.client(POLICY, clock=clock, follow_redirects=True) as client:
        outcome = await came(client, kit.module, "POST", server.url + "/pay", content=b"pay")
    assert history(outcome).reason == "not_idempotent"
    assert [(seen.method, seen.path) for seen in server.requests] == [("POST", "/pay"), ("GET", "/receipt")]


async def test_a_post_whose_redirect_leads_nowhere_is_not_repeated(kit, server, clock):
    server.on("/pay", steps.respond(303, {"Location": server.refused_url()}))
    async with kit.client(POLICY, clock=clock, follow_redirects=True) as client:
        with pytest.raises(kit.module.ConnectError) as caught:
            await client.post(server.url + "/pay", content=b"pay")
    assert history(caught.value).reason == "not_idempotent"
    assert len(server.requests) == 1


async def test_that_the_first_of_two_hops_was_sent_is_known_to_rules(kit, server, clock):
    server.on("/pay", steps.respond(303, {"Location": server.refused_url()}))
    async with kit.client(retry_on(unsent).fixed(2), clock=clock, follow_redirects=True) as client:
        with pytest.raises(kit.module.ConnectError) as caught:
            await client.post(server.url + "/pay", content=b"pay")
    assert history(caught.value) is None


@pytest.mark.parametrize("redirect", [307, 308])
async def test_a_post_that_was_sent_on_and_declined_there_is_repeated(kit, server, clock, redirect):
    server.on("/pay", steps.respond(redirect, {"Location": "/there"})).on("/there", steps.respond(429), OK)
    async with kit.client(POLICY, clock=clock, follow_redirects=True) as client:
        response = await client.post(server.url + "/pay", content=b"pay")
    assert response.text == "done"
    assert [(seen.path, seen.body) for seen in server.requests] == [("/pay", b"pay"), ("/there", b"pay")] * 2


async def test_a_post_that_was_sent_on_to_where_nobody_listens_is_repeated(kit, server, clock):
    server.on("/pay", steps.respond(307, {"Location": server.refused_url()}), OK)
    async with kit.client(POLICY, clock=clock, follow_redirects=True) as client:
        assert (await client.post(server.url + "/pay", content=b"pay")).text == "done"


async def test_a_get_is_repeated_wherever_its_redirects_fail(kit, server, clock):
    server.on("/f", steps.respond(303, {"Location": server.refused_url()}), OK)
    async with kit.client(retry_on(unsent).fixed(2), clock=clock, follow_redirects=True) as client:
        assert (await client.get(server.url + "/f")).text == "done"
    assert clock.sleeps == [2.0]


async def test_a_rule_may_still_allow_any_method(kit, server, clock):
    server.on("/pay", steps.respond(303, {"Location": "/receipt"})).on("/receipt", steps.respond(503), OK)
    async with kit.client(POLICY.any_method(), clock=clock, follow_redirects=True) as client:
        assert (await client.post(server.url + "/pay", content=b"pay")).text == "done"
    assert [seen.path for seen in server.requests] == ["/pay", "/receipt"] * 2


async def test_a_key_still_makes_a_write_repeatable(kit, server, clock):
    server.on("/pay", steps.respond(303, {"Location": "/receipt"})).on("/receipt", steps.drop(), OK)
    async with kit.client(POLICY, clock=clock, follow_redirects=True, idempotency_key=True) as client:
        assert (await client.post(server.url + "/pay", content=b"pay")).text == "done"
    keys = [seen.header("Idempotency-Key") for seen in server.requests]
    assert len(set(keys)) == 1


def down(module, whose):
    """What is raised when a server of metrics cannot be reached, of whatever kind it is."""
    if whose == "the system's":
        return ConnectionRefusedError("down")
    request = None if whose == "the library's" else module.Request("POST", "http://metrics.test/")
    return module.ConnectError("down", request=request)


@pytest.mark.parametrize("whose", ["the library's", "the system's", "another client's"])
async def test_a_hook_that_could_not_connect_says_nothing_of_the_request(kit, server, clock, whose):
    def hook(response):
        raise down(kit.module, whose)

    async def awaited(response):
        hook(response)

    server.on("/pay", OK)
    hooks = {"response": [awaited if kit.is_async else hook]}
    async with kit.client(POLICY, clock=clock, event_hooks=hooks) as client:
        outcome = await came(client, kit.module, "POST", server.url + "/pay", content=b"pay")
    assert history(outcome).reason == "not_idempotent"
    assert len(server.requests) == 1


def by_token(kit, url):
    class Token(kit.module.Auth):
        def auth_flow(self, request):
            response = yield kit.module.Request("POST", url)
            request.headers["Authorization"] = f"Bearer {response.status_code}"
            yield request

    return Token()


async def test_a_write_is_not_repeated_when_what_an_auth_flow_sent_failed(kit, server, clock):
    """Whether the write went before it, or would have come after it, cannot be told."""
    async with kit.client(POLICY, clock=clock) as client:
        outcome = await came(
            client, kit.module, "POST", server.url + "/pay", auth=by_token(kit, server.refused_url())
        )
    assert history(outcome).reason == "not_idempotent"


async def test_a_write_behind_an_auth_flow_is_repeated_when_it_was_declined(kit, server, clock):
    server.on("/token", OK).on("/pay", steps.respond(429), OK)
    async with kit.client(POLICY, clock=clock) as client:
        response = await client.post(server.url + "/pay", auth=by_token(kit, server.url + "/token"))
    assert response.text == "done"
    assert [seen.path for seen in server.requests] == ["/token", "/pay"] * 2


async def test_a_write_that_an_auth_function_made_anew_is_repeated_when_it_was_declined(kit, server, clock):
    def anew(request):
        return kit.module.Request("POST", request.url, content=request.content, headers={"X-Signed": "yes"})

    server.on("/pay", steps.respond(429), OK)
    async with kit.client(POLICY, clock=clock) as client:
        response = await client.post(server.url + "/pay", content=b"pay", auth=anew)
    assert response.text == "done"
    assert [(seen.body, seen.header("X-Signed")) for seen in server.requests] == [(b"pay", "yes")] * 2


async def test_a_hook_that_raises_for_a_declined_write_lets_it_be_repeated(kit, server, clock):
    def refuse(response):
        response.raise_for_status()

    async def awaited(response):
        refuse(response)

    server.on("/pay", steps.respond(429), OK)
    hooks = {"response": [awaited if kit.is_async else refuse]}
    async with kit.client(POLICY, clock=clock, event_hooks=hooks) as client:
        assert (await client.post(server.url + "/pay", content=b"pay")).text == "done"


async def test_a_rejected_chain_that_ends_with_an_auth_flows_own_request_is_drained(kit, server, clock):
    """What was answered last need not be the caller's request, and may have no timeouts at all."""

    class Asking(kit.module.Auth):
        def auth_flow(self, request):
            yield request
            yield kit.module.Request("GET", server.url + "/after")

    server.on("/f", OK).on("/after", steps.respond(503, body=b"e" * 1000), OK)
    limits = kit.module.Limits(max_connections=1)
    async with kit.client(POLICY, clock=clock, limits=limits) as client:
        response = await client.get(server.url + "/f", auth=Asking())
    assert response.text == "done"
    assert server.connections == 1
