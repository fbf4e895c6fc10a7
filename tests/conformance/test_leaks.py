"""Nothing leaks: what a call took is given back, at the latest when it ends, and of a rejected answer before the wait."""

import contextvars
import gc
import threading
import weakref
from pathlib import Path

import pytest
from deviations import warnings_of
from faults import response_class
from sending import Ask
from variants import VARIANTS, threads

import bide
from bide.testing import VirtualClock, steps

OK = steps.respond(body="done")
BUSY = steps.respond(503, body="busy")
POLICY = 'retry_on(503 & code("later"), 503, network).fixed(60s).max(2)'
CALLS = {
    "a success": [OK],
    "a recovery": [BUSY, steps.json(503, {"code": "later"}), OK],
    "a recovery from a long answer": [steps.respond(503, body=bytes(200_000)), OK],
    "a recovery from faults": [steps.drop(), steps.reset(), OK],
    "an answer given up on": [BUSY],
    "an exception given up on": [steps.drop()],
    "a long answer given up on": [steps.respond(503, body=bytes(200_000))],
}
# aiohttp's request holds its last response; one of httpx that was read by its client is in a circle with its stream.
KEPT_WHILE_CLOSED = {"aiohttp", "httpx-client", "httpx2-client", "function"}
OURS = contextvars.ContextVar("ours", default="outside")


class Looking(VirtualClock):
    """A clock that looks, in each wait, which responses and which threads there still are."""

    def __init__(self, variant):
        super().__init__()
        self.kind = response_class(variant.family)
        self.still_open = variant.family in KEPT_WHILE_CLOSED
        self.responses, self.seen_threads, self.contexts = [], [], []

    def _look(self):
        self.responses.append(alive(self.kind, still_open=self.still_open))
        self.seen_threads.append(threads())
        self.contexts.append(OURS.get())

    def sleep(self, seconds):
        self._look()
        super().sleep(seconds)

    async def asleep(self, seconds):
        self._look()
        await super().asleep(seconds)


def alive(kind, *, still_open=False):
    """The objects of a class that there are, collected or not, and perhaps only those with a body yet to be read."""
    found = [one for one in gc.get_objects() if type(one) is kind]
    return [repr(one) for one in found if not (still_open and is_closed(one))]


def is_closed(response):
    """Whether a response has given its connection back, or closed it."""
    if hasattr(response, "is_closed"):
        return response.is_closed
    return response.closed if hasattr(response, "closed") else response.raw.isclosed()


def open_files():
    """How many files this process has open."""
    return len(list(Path("/dev/fd").iterdir()))


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "variant", [pytest.param(one, id=one.name, marks=warnings_of(one.name)) for one in VARIANTS]
)
def test_a_call_gives_back_what_it_took(server, variant, call):
    server.on("/f", *CALLS[call])
    clock = Looking(variant)
    runtime = bide.parse(POLICY).bind(clock=clock)
    gc.collect()
    gc.freeze()  # what there is already need not be looked through
    files, before, token = open_files(), threads(), OURS.set("inside")

    async def main():
        async with variant.client(runtime) as client:
            answer = await client.send(Ask(server.url + "/f"))
            context = dict(contextvars.copy_context())
            return weakref.ref(answer.final), context

    try:
        final, context = variant.run(main)
        server.wait_until_idle()
        gc.collect()
        assert final() is None
        assert alive(clock.kind) == []
    finally:
        OURS.reset(token)
    assert all(found == [] for found in clock.responses)
    assert all(found <= before for found in clock.seen_threads)
    assert all(found == "inside" for found in clock.contexts)
    assert context[OURS] == "inside"
    assert threads() == before
    assert open_files() <= files + threading.active_count()
