"""Eleven ways to send a request by a policy: the clients of `clients`, each as it can be run."""

import asyncio
import gc
import threading
from contextlib import asynccontextmanager
from contextvars import copy_context

import anyio
import attrs
import httpx
import httpx2
from clients import AiohttpClient, Client, FunctionClient, HttpxClient, RequestsClient, Setting, finished
from deviations import not_taken

from bide.adapters import httpx as httpx_adapter
from bide.adapters import httpx2 as httpx2_adapter

HANGS = 10  # real seconds after which a call that should have ended hangs
BODIES = frozenset(
    {"none", "bytes", "text", "json", "form", "large", "generator"}
    | {"file", "file at an offset", "multipart", "multipart of a pipe"}
)


NOT_OURS = (
    "fault-server",
    "Trio thread",
)  # trio keeps a thread for a while when its work is done, whosever that was


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
            before = dict(copy_context())
            value = await main()
            assert dict(copy_context()) == before
            return value

        async def timed():
            with anyio.fail_after(hangs):
                value = await watched()
            if self.backend == "asyncio":
                assert asyncio.all_tasks() == {asyncio.current_task()}
            return value

        before = threads()
        try:
            return finished(watched()) if self.backend is None else anyio.run(timed, backend=self.backend)
        finally:
            gc.collect(0)  # what was left to the collector would warn now
            for thread in threads() - before:
                thread.join(HANGS)  # it may be on its way out
                assert not thread.is_alive(), thread


def _httpx_variant(module, adapter, backend):
    name = f"{module.__name__}-{backend or 'sync'}"
    return Variant(name, module.__name__, HttpxClient, backend, module, adapter, BODIES - not_taken(name))


VARIANTS = (
    *(
        _httpx_variant(module, adapter, backend)
        for module, adapter in ((httpx, httpx_adapter), (httpx2, httpx2_adapter))
        for backend in (None, "asyncio", "trio")
    ),
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
