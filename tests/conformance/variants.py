"""
Seventeen ways to send a request by a policy: the clients of `clients`, each as it can be run.

Six of them have the policy around the `send` of httpx and httpx2. In what is long, the table and the loops over every
step of a call, these take turns (`ways`): each case runs on three, one that blocks, one on asyncio and one on trio.
"""

import asyncio
import gc
import signal
import threading
from contextlib import asynccontextmanager, contextmanager
from contextvars import copy_context
from zlib import crc32

import anyio
import attrs
import httpx
import httpx2
from clients import (
    AiohttpClient,
    Client,
    ClientSeamClient,
    FunctionClient,
    HttpxClient,
    RequestsClient,
    Setting,
    finished,
)
from deviations import not_taken

from bide.adapters import httpx as httpx_adapter
from bide.adapters import httpx2 as httpx2_adapter

BACKENDS = (None, "asyncio", "trio")
HANGS = 10  # real seconds after which a call that should have ended hangs
BODIES = frozenset(
    {"none", "bytes", "text", "json", "form", "large", "generator"}
    | {"file", "file at an offset", "multipart", "multipart of a pipe"}
)


@contextmanager
def interrupted_after(seconds):
    """Interrupt a blocking call that hangs, where the system can."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def interrupt(*_):
        raise AssertionError(f"it hangs: nothing came of it within {seconds:g} real seconds")

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


NOT_OURS = (
    "fault-server",
    "Trio thread",
)  # trio keeps a thread for a while when its work is done, whosever that was


def set_variables():
    """The context variables that say something; one that was put back to nothing may be there still."""
    return {variable: value for variable, value in copy_context().items() if value not in (None, ())}


def threads():
    """The threads that there are, but for those that somebody else may begin or keep."""
    return {one for one in threading.enumerate() if not one.name.startswith(NOT_OURS)}


@attrs.frozen
class Variant:
    """
    One way to send requests by a policy.

    `family` is what faults and deviations go by; `bodies` the kinds of request body that the client takes.
    """

    name: str
    family: str
    make: type[Client]
    backend: str | None = None
    module: object = None
    adapter: object = None
    bodies: frozenset = BODIES

    def pick(self, blocking, awaited):
        return blocking if self.backend is None else awaited

    @asynccontextmanager
    async def client(self, runtime, **setting):
        """A client that sends by a policy, closed at the end."""
        async with self.make(self, Setting(**setting), runtime) as client:
            yield client

    def run(self, main, hangs=HANGS):
        """
        Run a coroutine function to its end, and return what it returns.

        See that it leaves no task and no thread behind, and every context variable as it was.
        """

        async def watched():
            before = set_variables()
            value = await main()
            assert set_variables() == before
            return value

        async def timed():
            with anyio.fail_after(hangs):
                value = await watched()
            if self.backend == "asyncio":
                assert asyncio.all_tasks() == {asyncio.current_task()}
            return value

        before = threads()
        try:
            if self.backend is not None:
                return anyio.run(timed, backend=self.backend)
            with interrupted_after(hangs):
                return finished(watched())
        finally:
            gc.collect(0)  # what was left to the collector would warn now
            for thread in threads() - before:
                thread.join(HANGS)  # it may be on its way out
                assert not thread.is_alive(), thread


def _httpx_variants(make, suffix=""):
    for module, adapter in ((httpx, httpx_adapter), (httpx2, httpx2_adapter)):
        family = module.__name__ + suffix
        for backend in BACKENDS:
            name = f"{family}-{backend or 'sync'}"
            yield Variant(name, family, make, backend, module, adapter, BODIES - not_taken(name))


VARIANTS = (
    *_httpx_variants(HttpxClient),
    *_httpx_variants(ClientSeamClient, "-client"),
    Variant("requests", "requests", RequestsClient),
    Variant("aiohttp", "aiohttp", AiohttpClient, "asyncio"),
    *(
        Variant(name, "function", FunctionClient, backend, httpx, None, BODIES - not_taken(name))
        for name, backend in (
            ("function", None),
            ("function-asyncio", "asyncio"),
            ("function-trio", "trio"),
        )
    ),
)


def ways(case, body="none"):
    """
    The ways to send on which a case runs: all that take its body, but of those that take turns one for each backend.

    Whether that is httpx or httpx2 is drawn from the case's name, so that no other case that comes or goes changes it.
    """
    able = [one for one in VARIANTS if body in one.bodies]
    turn = crc32(case.encode())
    yield from (one for one in able if not takes_turns(one))
    for at, backend in enumerate(BACKENDS):
        sharing = [one for one in able if takes_turns(one) and one.backend == backend]
        if sharing:
            yield sharing[(turn >> at) % len(sharing)]


def takes_turns(variant):
    """Whether a way to send shares long tests with the others of its seam."""
    return variant.make is ClientSeamClient
