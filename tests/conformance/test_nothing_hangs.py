"""Nothing hangs: a pool of one connection serves others during each wait, and what a server pours out is not taken in."""

import gc
import gzip
import tracemalloc

import attrs
import pytest
from clients import finished
from deviations import formerly
from sending import Ask
from variants import VARIANTS

import bide
from bide.testing import VirtualClock, steps

OK = steps.respond(body="done")
LOOKS = 'retry_on(503 & code("later"), 503, network).fixed(60s)'
PLAIN = "retry_on(503, network).fixed(60s)"
BOMB = gzip.compress(bytes(2**26))  # 64 KiB that unpack to 64 MiB
TAKEN_IN = 2**22  # bytes
REJECTED = {
    "a short error": steps.respond(503, body="busy"),
    "an error in chunks": steps.respond(503, body="busy" * 99, framing="chunked"),
    "an error of 32 MiB": attrs.evolve(
        steps.respond(503, {"Content-Length": str(2**25)}, b""), body=bytes(2**16), repeats=2**9 - 1
    ),
    "an endless error": steps.endless(status=503, limit=2**25),
    "an error that stops in its middle": attrs.evolve(
        steps.truncate(b"xy", keep=1, status=503), ending="keep"
    ),
    "an error that is a gzip bomb": steps.respond(503, {"Content-Encoding": "gzip"}, BOMB),
    "a lost connection": steps.drop(),
}
POURED = ("an error of 32 MiB", "an endless error", "an error that is a gzip bomb")
ADAPTERS = [variant for variant in VARIANTS if variant.family != "function"]


class Meanwhile(VirtualClock):
    """A clock in whose every wait somebody else sends a request through the same client."""

    def __init__(self):
        super().__init__()
        self.client = self.url = None
        self.answers = []

    def sleep(self, seconds):
        self.answers.append(finished(self.client.send(Ask(self.url))))
        super().sleep(seconds)

    async def asleep(self, seconds):
        self.answers.append(await self.client.send(Ask(self.url)))
        await super().asleep(seconds)


@pytest.mark.parametrize("policy", [PLAIN, LOOKS], ids=["unread", "looked into"])
@pytest.mark.parametrize("rejected", REJECTED)
@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_a_call_that_waits_leaves_a_pool_of_one_to_others(server, variant, rejected, policy):
    server.on("/f", REJECTED[rejected], OK)
    server.on("/other", steps.respond(body="other"))
    clock = Meanwhile()
    runtime = bide.parse(policy).bind(clock=clock)

    async def main():
        async with variant.client(runtime, connections=1, timeout=0.5) as client:
            clock.client, clock.url = client, server.url + "/other"
            return await client.send(Ask(server.url + "/f"))

    answer = variant.run(main)
    assert (answer.status, answer.content) == (200, b"done")
    assert [(other.status, other.content) for other in clock.answers] == [(200, b"other")]


@pytest.mark.parametrize("policy", [PLAIN, LOOKS], ids=["unread", "looked into"])
@pytest.mark.parametrize(
    ("variant", "rejected"),
    [
        pytest.param(variant, rejected, id=f"{variant.name}-{rejected}")
        for variant in ADAPTERS
        for rejected in POURED
        if not any(rejected in row.takes_in for row in formerly(variant.name))
    ],
)
def test_a_rejected_error_is_not_taken_in(server, variant, rejected, policy):
    server.on("/f", REJECTED[rejected], OK)
    runtime = bide.parse(policy).bind(clock=VirtualClock())

    async def main():
        async with variant.client(runtime) as client:
            assert (await client.send(Ask(server.url + "/warm"))).status == 404
            gc.collect()
            tracemalloc.start()
            try:
                answer = await client.send(Ask(server.url + "/f"))
                return answer, tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()

    answer, peak = variant.run(main)
    assert (answer.status, answer.content) == (200, b"done")
    assert peak < TAKEN_IN
