"""One request object in two calls at once: what one of them does to its timeouts, the other never sees."""

import attrs
import pytest

from bide import retry_on
from bide.adapters.http import DRAIN_PATIENCE
from bide.testing import VirtualClock, steps

POLICY = retry_on(503).fixed(2)
OWN = {"connect": 5, "read": 5, "write": 5, "pool": 5}
URL = "http://example.test/"


def while_it_is_read(module, happens):
    """A rejected response, in the middle of whose body something happens."""

    class Body(module.SyncByteStream):
        def __iter__(self):
            yield b"slow "
            happens()
            yield b"down"

    return module.Response(503, stream=Body())


@pytest.mark.both_seams
@pytest.mark.parametrize("second", [200, 503], ids=["succeeds", "is rejected too"])
def test_a_call_that_drains_leaves_another_its_timeouts(sync_kit, clock, second):
    module, seen = sync_kit.module, []
    answers = iter([503, second, 200, 200])

    def answer(request):
        seen.append(dict(request.extensions["timeout"]))
        status = next(answers)
        if status == 200:
            return module.Response(200)
        return while_it_is_read(module, (lambda: client.own.send(request_of_all)) if len(seen) == 1 else int)

    client = sync_kit.client(POLICY, over=sync_kit.scripted(answer), clock=clock)
    request_of_all = client.own.build_request("GET", URL)
    assert client.own.send(request_of_all).status_code == 200
    assert seen == [OWN] * (3 if second == 200 else 4)
    assert request_of_all.extensions["timeout"] == OWN


async def test_a_body_is_drained_under_a_read_timeout_of_its_own(kit, server, clock):
    server.on("/f", steps.respond(503, body=b"slow down"), steps.respond(body="done"))
    read = []

    def note(event, info):
        if event == "http11.receive_response_body.started":
            read.append(info["request"].extensions["timeout"]["read"])

    async def anote(event, info):
        note(event, info)

    async with kit.client(POLICY, clock=clock) as client:
        trace = {"trace": anote if kit.is_async else note}
        request = client.own.build_request("GET", server.url + "/f", extensions=trace)
        await client.send(request)
    assert read == [DRAIN_PATIENCE, 5]
    assert request.extensions["timeout"] == OWN


def test_a_login_that_two_calls_share_has_the_timeouts_of_each(sync_kit):
    """The second logs in while the first does."""
    module, seen = sync_kit.module, []
    login = module.Request("POST", URL + "token", extensions={"timeout": {"read": 8}})

    class LoggingIn(module.Auth):
        def auth_flow(self, request):
            yield login
            yield request

    def answer(request):
        if request.url.path == "/token":
            seen.append(dict(request.extensions["timeout"]))
            if len(seen) == 1:
                patient.own.get(URL)
        return module.Response(200)

    def client(seconds):
        options = {"over": sync_kit.scripted(answer), "auth": LoggingIn(), "timeout": None}
        options["clock"] = VirtualClock()  # its own: the deadline of one call is none of the other's
        return attrs.evolve(sync_kit, seam="client").client(POLICY.timeout(seconds), **options)

    hasty, patient = client(3), client(60)
    assert hasty.own.get(URL).status_code == 200
    assert seen == [
        {"connect": 3, "read": 3, "write": 3, "pool": 3},
        {"connect": 60, "read": 8, "write": 60, "pool": 60},
    ]
    assert login.extensions == {"timeout": {"read": 8}}
