"""An action between two attempts, a deadline around them, and a pace: what the engine brings holds in a client too."""

import pytest

from bide import code, retry_on
from bide.testing import steps

pytestmark = pytest.mark.both_seams

OK = steps.respond(body="done")
EXPIRED = steps.json(401, {"code": "expired"})


def stored(kit, token):
    """An auth flow that sends the token which is stored by then."""

    class Stored(kit.module.Auth):
        def auth_flow(self, request):
            request.headers["Authorization"] = f"Bearer {token[0]}"
            yield request

    return Stored()


def refreshing(kit, clients, token, url):
    """An action of the kind that the client needs: it fetches a token by that client, and stores it."""

    def plain():
        token[0] = clients[0].own.get(url).text

    async def awaited():
        token[0] = (await clients[0].own.get(url)).text

    return awaited if kit.is_async else plain


@pytest.mark.parametrize("by", ["status", "code"])
async def test_a_recovery_by_the_same_client_has_a_connection(kit, server, clock, by):
    """A pool of one: the action would wait in vain for the connection of the response that it is about."""
    server.on("/f", EXPIRED, OK).on("/token", steps.respond(body="new"))
    clients, token = [], ["old"]
    refresh = refreshing(kit, clients, token, server.url + "/token")
    policy = retry_on(401 if by == "status" else 401 & code("expired")).calling("refresh").immediately()
    limits = kit.module.Limits(max_connections=1)
    runtime = policy.bind(clock=clock, recover={"refresh": refresh})
    async with kit.client(runtime, limits=limits, timeout=kit.module.Timeout(5, pool=0.5)) as client:
        clients.append(client)
        response = await client.get(server.url + "/f", auth=stored(kit, token))
    assert response.text == "done"
    assert [seen.path for seen in server.requests] == ["/f", "/token", "/f"]
    assert server.connections == 1
    sent = [seen.header("Authorization") for seen in server.requests if seen.path == "/f"]
    assert sent == ["Bearer old", "Bearer new" if kit.seam == "client" else "Bearer old"]


async def test_a_call_never_outlives_the_deadline_around_it(kit, server, clock):
    def look(request):
        seen.append(request.extensions["timeout"]["read"])

    seen = []
    server.on("/f", OK)
    around = (retry_on(503) | retry_on(429)).within(3).bind(clock=clock)
    async with kit.client(retry_on(503).fixed(2), over=kit.spying(look), clock=clock) as client:
        if kit.is_async:
            await around.acall(client.own.get, server.url + "/f")
        else:
            around.call(client.own.get, server.url + "/f")
    assert seen == [3.0]


async def test_attempts_keep_the_policys_pace(kit, server, clock):
    server.on("/f", OK)
    async with kit.client(retry_on(503).fixed(2).pace("1/minute"), clock=clock) as client:
        for _ in range(3):
            assert (await client.get(server.url + "/f")).text == "done"
    assert clock.sleeps == [60.0, 60.0]
