"""One harness for six ways to use a client: {httpx, httpx2} x {sync, asyncio, trio}. A scenario is written once."""

import asyncio
import inspect
import ssl
import sys
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import attrs
import httpx
import httpx2
import pytest

from bide.adapters import httpx as httpx_adapter
from bide.adapters import httpx2 as httpx2_adapter
from bide.testing import FaultServer, VirtualClock, steps

sys.path.append(str(Path(__file__).parent))  # test folders are no packages

NO_VERIFICATION = (
    ssl.create_default_context()
)  # loading certificates for each client would take most of the time
WAYS = {
    f"{name}-{backend or 'sync'}": (module, adapter, backend)
    for name, module, adapter in (("httpx", httpx, httpx_adapter), ("httpx2", httpx2, httpx2_adapter))
    for backend in (None, "asyncio", "trio")
}


@attrs.frozen
class Kit:
    """One way to use a client. Scenarios are coroutines; for a sync client they never suspend, and run all the same."""

    module: object
    adapter: object
    backend: str | None
    seam: str = "transport"

    @property
    def is_async(self):
        return self.backend is not None

    @property
    def client_class(self):
        return self.module.AsyncClient if self.is_async else self.module.Client

    @property
    def http_transport_class(self):
        return self.module.AsyncHTTPTransport if self.is_async else self.module.HTTPTransport

    @property
    def retry_class(self):
        return self.adapter.AsyncRetryTransport if self.is_async else self.adapter.RetryTransport

    @property
    def stream_base(self):
        return self.module.AsyncByteStream if self.is_async else self.module.SyncByteStream

    def run(self, scenario):
        """Run a scenario to its end, and see that it leaves no task behind."""

        async def main():
            await scenario()
            if self.backend == "asyncio":
                assert asyncio.all_tasks() == {asyncio.current_task()}

        if self.is_async:
            anyio.run(main, backend=self.backend)
            return
        coroutine = main()
        with pytest.raises(StopIteration):  # a sync client's scenario has nothing to wait for
            coroutine.send(None)

    def http(self, **options):
        """A transport of the library's own."""
        return self.http_transport_class(verify=NO_VERIFICATION, **options)

    def client(
        self,
        policy,
        *,
        over=None,
        count_header=None,
        idempotency_key=False,
        clock=None,
        limits=None,
        options=None,
        **client,
    ):
        """A client that retries at the kit's seam; `over` is what it retries over, instead of HTTP."""
        inner = over or self.http(**({"limits": limits} if limits else {}))
        bound = dict(options or {}) | ({"clock": clock} if clock else {})
        bound |= {"count_header": count_header, "idempotency_key": idempotency_key}
        if self.seam == "transport":
            return self.bare(transport=self.retry_class(policy, inner, **bound), **client)
        installed = self.bare(transport=inner, **client)
        self.adapter.install(installed.own, policy, seam=self.seam, **bound)
        return installed

    def bare(self, **client):
        """A client of the library, with the same face for all ways."""
        client = {"trust_env": False, "timeout": 5, "verify": NO_VERIFICATION} | client
        return Client(self, self.client_class(**client))

    def scripted(self, *outcomes):
        """A transport that plays outcomes: exceptions, statuses, or functions of the request; the last repeats."""
        return _scripted(self.module, outcomes)

    def spying(self, look=lambda request: None, then=lambda response: None, **options):
        """The library's HTTP transport, which shows each request to `look`, and each response to `then`."""
        return _spying(self, look, then, options)

    def body(self, *chunks):
        """A request body that can be read once: a generator of the kind that the client takes."""
        return _async_generator(chunks) if self.is_async else (chunk for chunk in chunks)

    def token_auth(self, url):
        """An auth flow that asks for a token at an address before it sends a request."""
        module = self.module

        class Token(module.Auth):
            requires_response_body = True

            def auth_flow(self, request):
                response = yield module.Request("GET", url)
                request.headers["Authorization"] = f"Bearer {response.text}"
                yield request

        return Token()

    async def waited(self, function, *args):
        """Call what blocks, without holding up an event loop."""
        return await anyio.to_thread.run_sync(function, *args) if self.is_async else function(*args)


class Client:
    """A sync or asynchronous client, awaited in either case."""

    def __init__(self, kit, own):
        self.kit, self.own = kit, own

    async def __aenter__(self):
        await settled(self.own.__aenter__() if self.kit.is_async else self.own.__enter__())
        return self

    async def __aexit__(self, *exc_info):
        await settled(self.own.__aexit__(*exc_info) if self.kit.is_async else self.own.__exit__(*exc_info))

    async def request(self, method, url, **options):
        return await settled(self.own.request(method, url, **options))

    async def get(self, url, **options):
        return await self.request("GET", url, **options)

    async def post(self, url, **options):
        return await self.request("POST", url, **options)

    async def send(self, request, **options):
        return await settled(self.own.send(request, **options))

    @asynccontextmanager
    async def stream(self, method, url, **options):
        response = await self.send(self.own.build_request(method, url, **options), stream=True)
        try:
            yield response
        finally:
            await settled(response.aclose() if self.kit.is_async else response.close())

    async def read(self, response):
        return await settled(response.aread() if self.kit.is_async else response.read())

    async def chunks(self, response):
        if self.kit.is_async:
            return [chunk async for chunk in response.aiter_bytes()]
        return list(response.iter_bytes())


async def settled(value):
    return await value if inspect.isawaitable(value) else value


async def _async_generator(chunks):
    for chunk in chunks:
        yield chunk


def _scripted(module, outcomes):
    class Scripted(module.BaseTransport, module.AsyncBaseTransport):
        def __init__(self):
            self.requests = []
            self.closed = 0

        def handle_request(self, request):
            outcome = outcomes[min(len(self.requests), len(outcomes) - 1)]
            self.requests.append(request)
            if isinstance(outcome, BaseException):
                raise outcome
            return module.Response(outcome) if isinstance(outcome, int) else outcome(request)

        async def handle_async_request(self, request):
            await anyio.lowlevel.checkpoint()
            return self.handle_request(request)

        def close(self):
            self.closed += 1

        async def aclose(self):
            self.closed += 1

    return Scripted()


def _spying(kit, look, then, options):
    class Spying(kit.http_transport_class):
        def handle_request(self, request):
            look(request)
            response = super().handle_request(request)
            then(response)
            return response

        async def handle_async_request(self, request):
            look(request)
            response = await super().handle_async_request(request)
            then(response)
            return response

    return Spying(verify=NO_VERIFICATION, **options)


@pytest.fixture(params=WAYS)
def kit(request, seam):
    return Kit(*WAYS[request.param], seam=seam)


@pytest.fixture(params=WAYS)
def transport_kit(request):
    """For what holds at one seam only, in a module whose other claims hold at both."""
    return Kit(*WAYS[request.param])


@pytest.fixture(params=[way for way in WAYS if not way.endswith("-sync")])
def async_kit(request, seam):
    return Kit(*WAYS[request.param], seam=seam)


@pytest.fixture(params=[way for way in WAYS if way.endswith("-asyncio")])
def asyncio_kit(request, seam):
    return Kit(*WAYS[request.param], seam=seam)


@pytest.fixture(params=[way for way in WAYS if way.endswith("-sync")])
def sync_kit(request, seam):
    return Kit(*WAYS[request.param], seam=seam)


@pytest.fixture
def seam():
    """Where the policy of a kit stands; in a module marked `both_seams`, at each of the two."""
    return "transport"


@pytest.fixture(params=WAYS)
def turn_kit(request):
    """Every way at one of the two seams, and each seam with every backend: for what takes long to see."""
    return Kit(*WAYS[request.param], seam=["transport", "client"][list(WAYS).index(request.param) % 2])


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def server():
    """A server whose every connection a client has let go of by the end of the test."""
    with FaultServer() as running:
        yield running
        running.wait_until_idle()


def pytest_configure(config):
    config.addinivalue_line("markers", "both_seams: what is claimed of a kit holds at each of its seams")


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc):
    """Put both seams into the kits of what is marked so, unless a test says itself at which it is."""
    test = metafunc.definition
    said = any("seam" in mark.args[0] for mark in test.iter_markers("parametrize"))
    if "seam" in metafunc.fixturenames and not said and test.get_closest_marker("both_seams"):
        both = pytest.mark.parametrize("seam", ["transport", "client"])
        test.add_marker(both, append=False)  # a test's name says it right after the kit


@pytest.fixture
def settling_clock(server):
    """A clock on which each wait lasts, for real, until the server's connections are free; `waits` says if they were."""

    class SettlingClock(VirtualClock):
        waits = ()

        def sleep(self, seconds):
            server.wait_until_idle()
            self.waits = (*self.waits, server.open_connections)
            super().sleep(seconds)

        async def asleep(self, seconds):
            await anyio.to_thread.run_sync(self.sleep, seconds)

    return SettlingClock()


@pytest.fixture
def shop():
    """What a server that keeps idempotency keys has done, by key, and its answer, which gets lost the first time."""
    done = {}

    def create(seen):
        key = seen.header("Idempotency-Key")
        if key in done:
            return steps.respond(201, body=done[key])
        done[key] = f"order {len(done) + 1}"
        return steps.drop()

    return done, create


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Run a test that is a coroutine function by its kit."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    kits = [value for name, value in pyfuncitem.funcargs.items() if name.endswith("kit")]
    names = inspect.signature(pyfuncitem.obj).parameters
    kits[0].run(partial(pyfuncitem.obj, **{name: pyfuncitem.funcargs[name] for name in names}))
    return True
