"""The clients, open and ready, behind one face, so that a scenario is written once."""

import asyncio
import inspect
import io
import ssl

import aiohttp
import anyio
import attrs
import requests
from sending import BYTES, FORM, HUGE, LARGE, OBJECT, SECRET, TEXT, Answer, Ask, agenerated, generated, opened

from bide.adapters import aiohttp as aiohttp_adapter
from bide.adapters import requests as requests_adapter

# Loading certificates for each client would take most of the time.
NO_VERIFICATION = ssl.create_default_context()


@attrs.frozen(kw_only=True)
class Setting:
    """How a client is made: by default with a pool of one connection, which a leak would leave waiting for ever."""

    timeout: float = 5.0
    timeouts: dict = attrs.field(factory=dict)
    count_header: str | None = None
    streams: bool = False
    connections: int = 1
    ops: object = None

    def seconds(self, kind):
        """The client's own timeout of one kind: "pool", "connect", "write" or "read"."""
        return self.timeouts.get(kind, self.timeout)


class Client:
    """An open client; `native` sends and returns its own response, `send` says what came of it."""

    def __init__(self, variant, setting, runtime):
        self.variant, self.setting, self.runtime = variant, setting, runtime

    async def native(self, ask):
        raise NotImplementedError

    async def read(self, response, ask):
        raise NotImplementedError

    def status_of(self, response):
        return response.status_code

    async def send(self, ask, outer=None):
        """Send, by an outer policy too if there is one, and read what the ask says."""
        try:
            response = await (self.native(ask) if outer is None else self.within(outer, ask))
            content = await self.read(response, ask)
        except Exception as error:
            return Answer(final=error)
        return Answer(self.status_of(response), content, response)

    async def prepared(self, before, url, server):
        """Have a connection in the pool on which an answer came, and which the server then closed or not."""
        if before == "nothing":
            return
        assert (await self.send(Ask(url))).status == 200
        if before == "an answer, then its end":
            server.wait_until_idle()
            if self.variant.backend == "asyncio":
                for _ in range(3):  # aiohttp hears of it in the loop's next turns
                    await asyncio.sleep(0)

    async def within(self, outer, ask):
        if self.variant.backend is not None:
            return await outer.acall(self.native, ask)
        return outer.call(lambda: finished(self.native(ask)))


def finished(coroutine):
    """Run a coroutine that has nothing to wait for."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("a blocking client awaited something")


async def settled(value):
    return await value if inspect.isawaitable(value) else value


class HttpxClient(Client):
    """A client of httpx or httpx2, blocking or not."""

    def arguments(self, ask):
        made = {
            "bytes": lambda: {"content": BYTES},
            "text": lambda: {"content": TEXT},
            "json": lambda: {"json": OBJECT},
            "form": lambda: {"data": FORM},
            "large": lambda: {"content": LARGE},
            "huge": lambda: {"content": HUGE},
            "secret": lambda: {"content": SECRET},
            "generator": lambda: {"content": agenerated() if self.variant.backend else generated()},
            "file": lambda: {"content": opened(ask.body)},
            "file at an offset": lambda: {"content": opened(ask.body)},
            "multipart": lambda: self.multipart(ask),
            "multipart of a pipe": lambda: self.multipart(ask),
        }.get(ask.body, dict)()
        return {"headers": list(ask.headers), **made}

    @staticmethod
    def multipart(ask):
        return {"files": {"file": ("f.txt", opened(ask.body), "text/plain")}, "data": {"note": "the note"}}

    async def native(self, ask):
        request = self.own.build_request(ask.method, ask.url, **self.arguments(ask))
        return await settled(self.own.send(request, stream=ask.stream))

    async def read(self, response, ask):
        if not ask.stream:
            return response.content
        try:
            if self.variant.backend is None:
                return _joined(response.iter_bytes(), ask)
            return await _ajoined(response.aiter_bytes(), ask)
        finally:
            await settled(response.aclose() if self.variant.backend else response.close())

    async def __aenter__(self):
        variant, module = self.variant, self.variant.module
        limits = module.Limits(max_connections=self.setting.connections)
        inner = variant.pick(module.HTTPTransport, module.AsyncHTTPTransport)(
            verify=NO_VERIFICATION, limits=limits
        )
        if self.setting.ops is not None:
            self.setting.ops.into_httpx(variant, inner)
        self.own = variant.pick(module.Client, module.AsyncClient)(
            transport=self.transport(inner),
            timeout=module.Timeout(self.setting.timeout, **self.setting.timeouts),
            trust_env=False,
            follow_redirects=True,
            verify=NO_VERIFICATION,
        )
        await settled(self.own.__aenter__() if variant.backend else self.own.__enter__())
        return self

    def transport(self, inner):
        adapter = self.variant.adapter
        make = self.variant.pick(adapter.RetryTransport, adapter.AsyncRetryTransport)
        return make(self.runtime, inner, count_header=self.setting.count_header)

    async def __aexit__(self, *exc_info):
        await settled(self.own.__aexit__(*exc_info) if self.variant.backend else self.own.__exit__(*exc_info))


class ClientSeamClient(HttpxClient):
    """A client of httpx or httpx2 that retries around its `send`."""

    def transport(self, inner):
        return inner

    async def __aenter__(self):
        await super().__aenter__()
        added = {"seam": "client", "count_header": self.setting.count_header}
        self.variant.adapter.install(self.own, self.runtime, **added)
        return self


class FunctionClient(HttpxClient):
    """A decorated function around a bare httpx client: it builds its request anew each time it is called."""

    def transport(self, inner):
        return inner

    async def native(self, ask):
        def send_once(ask, *, token):
            request = self.own.build_request(ask.method, ask.url, **self.arguments(ask))
            return self.own.send(request, stream=ask.stream)

        async def send_once_awaited(ask, *, token):
            return await send_once(ask, token=token)

        decorated = self.runtime(self.variant.pick(send_once, send_once_awaited))
        return await settled(decorated(ask, token="s3cret-keyword"))


class RequestsClient(Client):
    """A session of requests with the adapter mounted."""

    def arguments(self, ask):
        made = {
            "bytes": lambda: {"data": BYTES},
            "text": lambda: {"data": TEXT.encode()},
            "json": lambda: {"json": OBJECT},
            "form": lambda: {"data": FORM},
            "large": lambda: {"data": LARGE},
            "huge": lambda: {"data": HUGE},
            "secret": lambda: {"data": SECRET},
            "generator": lambda: {"data": generated()},
            "file": lambda: {"data": opened(ask.body)},
            "file at an offset": lambda: {"data": opened(ask.body)},
            "multipart": lambda: HttpxClient.multipart(ask),
            "multipart of a pipe": lambda: HttpxClient.multipart(ask),
        }.get(ask.body, dict)()
        return {"headers": dict(ask.headers), **made}

    async def native(self, ask):
        return self.own.request(
            ask.method,
            ask.url,
            stream=ask.stream,
            timeout=(self.setting.seconds("connect"), self.setting.seconds("read")),
            **self.arguments(ask),
        )

    async def read(self, response, ask):
        if not ask.stream:
            return response.content
        with response:
            return _joined(response.iter_content(None), ask)

    async def __aenter__(self):
        self.own = requests.Session()
        self.own.trust_env = False
        adapter = requests_adapter.RetryAdapter(
            self.runtime,
            count_header=self.setting.count_header,
            pool_maxsize=self.setting.connections,
            pool_block=True,
        )
        if self.setting.ops is not None:
            self.setting.ops.into_requests(adapter)
        self.own.mount("http://", adapter)
        self.own.mount("https://", adapter)
        return self

    async def __aexit__(self, *exc_info):
        pools = self.own.get_adapter("http://").poolmanager.pools
        idle = [pools[key] for key in pools.keys()]  # noqa: SIM118  # it refuses to be iterated
        self.own.close()
        for pool in idle:
            pool.close()  # urllib3 leaves that to the collector; connections that somebody still has stay open


class AiohttpClient(Client):
    """A session of aiohttp with the middleware."""

    def arguments(self, ask):
        made = {
            "bytes": lambda: {"data": BYTES},
            "text": lambda: {"data": TEXT},
            "json": lambda: {"json": OBJECT},
            "form": lambda: {"data": FORM},
            "large": lambda: {"data": LARGE},
            "huge": lambda: {"data": io.BytesIO(HUGE)},
            "secret": lambda: {"data": SECRET},
            "generator": lambda: {"data": agenerated()},
            "file": lambda: {"data": opened(ask.body)},
            "file at an offset": lambda: {"data": opened(ask.body)},
            "multipart": lambda: {"data": self.multipart(ask)},
            "multipart of a pipe": lambda: {"data": self.multipart(ask)},
        }.get(ask.body, dict)()
        return {"headers": list(ask.headers), **made}

    @staticmethod
    def multipart(ask):
        form = aiohttp.FormData()
        form.add_field("file", opened(ask.body), filename="f.txt", content_type="text/plain")
        form.add_field("note", "the note")
        return form

    async def native(self, ask):
        return await self.own.request(ask.method, ask.url, **self.arguments(ask))

    async def read(self, response, ask):
        try:
            if not ask.stream:
                return await response.read()
            return await _ajoined(response.content.iter_any(), ask)
        finally:
            response.close()

    def status_of(self, response):
        return response.status

    async def __aenter__(self):
        middleware = aiohttp_adapter.retry_middleware(
            self.runtime, read_body=not self.setting.streams, count_header=self.setting.count_header
        )
        options = {} if self.setting.ops is None else self.setting.ops.for_aiohttp()
        self.own = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self.setting.connections, **options),
            timeout=aiohttp.ClientTimeout(
                connect=self.setting.timeouts.get("pool"),
                sock_connect=self.setting.timeouts.get("connect", 5.0),
                sock_read=self.setting.seconds("read"),
            ),
            middlewares=(middleware,),
        )
        return self

    async def __aexit__(self, *exc_info):
        await self.own.close()
        for _ in range(3):  # its transports close in the loop's next turns
            await asyncio.sleep(0)


def _joined(chunks, ask):
    return next(iter(chunks))[:1] if ask.first_chunk_only else b"".join(chunks)


async def _ajoined(chunks, ask):
    if ask.first_chunk_only:
        first = await anext(chunks)
        with anyio.CancelScope() as scope:  # the generators that httpx left within one another end in order
            scope.cancel()
            async for _ in chunks:
                pass
        return first[:1]
    return b"".join([chunk async for chunk in chunks])
