"""An aiohttp session with retries does all that it does without: redirects, cookies, auth, WebSockets, cancelling."""

import asyncio
import base64
import gc
import hashlib
import inspect
import threading
import warnings
import weakref

import aiohttp
import pytest
from aiohttp import web
from aiohttp_sessions import Sessions

from bide import code, history, network, retry_on
from bide.adapters.aiohttp import retry_middleware
from bide.testing import VirtualClock, steps

POLICY = retry_on(503, network).fixed(2)
OK = steps.respond(body="done")


@pytest.fixture
def kit(clock):
    return Sessions(clock, POLICY)


async def test_a_redirect_and_then_a_failure_are_retried_from_the_hop_that_failed(kit, server, clock):
    server.on("/f", steps.respond(503), steps.respond(307, {"Location": "/g"})).on("/g", steps.drop(), OK)
    url = server.url + "/f"
    async with (
        kit.session(count_header="X-Retry-Count") as session,
        session.put(url, data=b"abc") as response,
    ):
        assert await response.text() == "done"
        assert [one.status for one in response.history] == [307]
    assert [(seen.path, seen.body) for seen in server.requests] == [("/f", b"abc")] * 2 + [("/g", b"abc")] * 2
    assert [seen.header("X-Retry-Count") for seen in server.requests] == [None, "1", None, "1"]


async def test_a_redirect_loop_is_not_multiplied_by_retries(kit, server, clock):
    server.on("/f", steps.respond(302, {"Location": "/f"}))
    async with kit.session() as session:
        with pytest.raises(aiohttp.TooManyRedirects):
            await session.get(server.url + "/f", max_redirects=5)
    assert len(server.requests) == 5
    assert clock.sleeps == []


async def test_credentials_do_not_reappear_at_another_origin(kit, server):
    server.on("/f", steps.respond(302, {"Location": server.url.replace("127.0.0.1", "localhost") + "/g"}))
    server.on("/g", steps.respond(503), OK)
    async with kit.session() as session:
        await session.get(server.url + "/f", headers={"Authorization": "Bearer secret"})
    assert [seen.header("Authorization") for seen in server.requests] == ["Bearer secret", None, None]


async def test_cookies_of_the_final_response_are_kept_and_sent(kit, server):
    server.on("/f", steps.respond(503, {"Set-Cookie": "a=1"}), steps.respond(200, {"Set-Cookie": "b=2"}))
    async with kit.session(session={"cookie_jar": aiohttp.CookieJar(unsafe=True)}) as session:
        for _ in range(2):
            await session.get(server.url + "/f")
    assert [seen.header("Cookie") for seen in server.requests] == [None, None, "b=2"]


@pytest.mark.parametrize("where", ["session", "request", "function"])
async def test_raise_for_status_judges_the_last_response_only(kit, server, clock, where):
    async def raising(response):
        response.raise_for_status()

    server.on("/f", steps.respond(503), OK)
    always = {"raise_for_status": True if where == "session" else None}
    once = {} if where == "session" else {"raise_for_status": True if where == "request" else raising}
    async with kit.session(session=always) as session:
        async with session.get(server.url + "/f", **once) as response:
            assert response.status == 200
        server.on("/f", steps.respond(503))
        with pytest.raises(aiohttp.ClientResponseError) as caught:
            await session.get(server.url + "/f", **once)
    assert caught.value.status == 503
    assert len(server.requests) == 6


async def test_a_permanent_error_is_asked_for_once_even_if_it_is_raised(kit, server):
    server.on("/f", steps.respond(404))
    async with kit.session(session={"raise_for_status": True}) as session:
        with pytest.raises(aiohttp.ClientResponseError):
            await session.get(server.url + "/f")
    assert len(server.requests) == 1


CHALLENGE = {"WWW-Authenticate": 'Digest realm="r", qop="auth", nonce="n", algorithm=MD5'}


@pytest.mark.parametrize("order", ["inner", "outer"])
async def test_digest_auth_goes_together_with_retries(kit, server, clock, order):
    def answer(seen):
        if seen.ordinal == 0:
            return steps.respond(503)
        return OK if seen.header("Authorization") else steps.respond(401, CHALLENGE)

    server.on("/f", answer)
    digest = aiohttp.DigestAuthMiddleware("user", "secret")
    async with kit.session(**{order: [digest]}) as session, session.get(server.url + "/f") as response:
        assert await response.text() == "done"
    assert [bool(seen.header("Authorization")) for seen in server.requests] == [False, False, True]
    assert clock.sleeps == [2.0]


@pytest.mark.parametrize("own", [{}, {"X-Retry-Count": "mine"}])
async def test_the_counting_header_is_gone_after_the_attempt(kit, server, own):
    requests = []

    async def twice(request, send):
        requests.append(request)
        (await send(request)).close()
        return await send(request)

    server.on("/f", steps.respond(503), OK)
    mine = own.get("X-Retry-Count")
    headers = dict(own)
    url = server.url + "/f"
    counting = kit.session(count_header="X-Retry-Count", outer=[twice])
    async with counting as session, session.get(url, headers=headers) as response:
        assert response.request_info.headers.get("X-Retry-Count") == mine
    assert [seen.header("X-Retry-Count") for seen in server.requests] == [mine, "1", mine]
    assert requests[0].headers.get("X-Retry-Count") == mine
    assert headers == own


async def test_nothing_is_added_to_requests_by_default(kit, server):
    server.on("/f", steps.respond(503), OK)
    async with kit.session() as session:
        await session.get(server.url + "/f")
    first, second = (seen.headers for seen in server.requests)
    assert first == second


async def test_a_middleware_may_be_given_with_one_request(kit, server, clock):
    server.on("/f", steps.respond(503), OK)
    url, own = server.url + "/f", (retry_middleware(POLICY, clock=clock),)
    async with aiohttp.ClientSession() as session, session.get(url, middlewares=own) as response:
        assert response.status == 200


# WebSockets


async def test_a_websocket_opens_after_a_retry_and_carries_messages(kit, clock):
    tries = []

    async def echo(request):
        tries.append(request)
        if len(tries) == 1:
            return web.Response(status=503, text="later")
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(message.data.upper())
        return socket

    application = web.Application()
    application.router.add_get("/ws", echo)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    policy = POLICY | retry_on(101 & code("never")).fixed(1)
    async with kit.session(policy) as session, session.ws_connect(f"http://127.0.0.1:{port}/ws") as socket:
        await socket.send_str("hello")
        assert await socket.receive_str() == "HELLO"
    await runner.cleanup()
    assert len(tries) == 2
    assert clock.sleeps == [2.0]


async def test_a_websocket_is_handed_over_with_what_has_come_already(kit, server):
    def switching(seen):
        key = (seen.header("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()
        accept = base64.b64encode(hashlib.sha1(key).digest())
        head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        return steps.raw(head + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n\x81\x05hello")

    server.on("/ws", steps.drop(), switching)
    async with kit.session() as session, session.ws_connect(server.url + "/ws") as socket:
        assert await socket.receive_str() == "hello"


# Cancelling


async def test_cancelling_during_the_wait_comes_out_untouched(kit, server):
    clock = VirtualClock(auto=False)
    server.on("/f", steps.respond(503), OK)
    async with kit.session(clock=clock) as session:
        call = asyncio.ensure_future(session.get(server.url + "/f"))
        await asyncio.to_thread(clock.wait_for_sleepers)
        call.cancel("mine")
        with pytest.raises(asyncio.CancelledError, match="mine"):
            await call
        assert len(server.requests) == 1
        assert await (await session.get(server.url + "/f")).text() == "done"


class Counting:
    """Awaits something, and cancels the task at its n-th suspension."""

    def __init__(self, coroutine, stop_at):
        self.coroutine, self.stop_at, self.suspended = coroutine, stop_at, 0

    def __await__(self):
        generator = self.coroutine.__await__()
        value, error = None, None
        while True:
            try:
                waited = generator.throw(error) if error else generator.send(value)
            except StopIteration as stop:
                return stop.value
            self.suspended += 1
            if self.suspended == self.stop_at:
                asyncio.current_task().cancel("here")
            try:
                value, error = (yield waited), None
            except BaseException as thrown:
                error = thrown


SLOW = retry_on(503 & code("later")).fixed(1) | POLICY


async def one_call(session, server, counting):
    async def call():
        async with session.put(server.url + "/f", data=b"abc") as response:
            return await response.text()

    counted = Counting(call(), counting)
    try:
        return await counted, counted.suspended
    except asyncio.CancelledError as error:
        asyncio.current_task().uncancel()
        return error.args, counted.suspended


@pytest.mark.parametrize(
    ("policy", "framing"),
    [(POLICY, "length"), (SLOW, "chunked"), (POLICY.timeout(30), "chunked"), (SLOW.within(60), "length")],
)
async def test_cancelled_at_every_single_suspension_it_leaves_no_connection_open(
    kit, server, policy, framing
):
    big = steps.respond(503, body=b"x" * 70_000, framing=framing)
    small = steps.trickle(b'{"code": "later"}', pause=0.002, status=503, framing=framing)
    point, came = 0, ("here",)
    while came == ("here",):
        point += 1
        server.on("/f", small, big, steps.drop(), steps.respond(body="done", framing=framing))
        async with kit.session(policy) as session:
            came, suspended = await one_call(session, server, point)
            assert not session.connector._acquired
        await asyncio.to_thread(server.wait_until_idle)
        assert suspended >= point or came == "done"
    assert came == "done"
    assert point > 10


async def test_a_client_side_timeout_around_the_call_fires_once(kit, server):
    server.on("/f", steps.respond(503), steps.stall())
    async with kit.session() as session:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await session.get(server.url + "/f")
        assert asyncio.current_task().cancelling() == 0
    assert len(server.requests) == 2


# Many at once, and what is left behind


async def test_a_hundred_tasks_share_one_connection(kit, server, clock):
    answers = (steps.respond(503, body=b"e" * 100), steps.drop(), OK)
    server.on("/f", lambda seen: answers[seen.ordinal % 3])
    async with kit.session(retry_on(503, network).immediately().max(60)) as session:

        async def fetch():
            async with session.get(server.url + "/f") as response:
                return await response.text()

        assert await asyncio.gather(*(fetch() for _ in range(100))) == ["done"] * 100
    assert len(server.requests) == 300


async def test_two_event_loops_share_a_middleware(kit, server):
    server.on("/f", steps.respond(503), OK)
    retry = retry_middleware(retry_on(503).immediately())
    texts = []

    async def fetch():
        async with (
            aiohttp.ClientSession(middlewares=(retry,)) as session,
            session.get(server.url + "/f") as answer,
        ):
            texts.append(await answer.text())

    def in_its_own_loop():
        asyncio.run(fetch())

    threads = [threading.Thread(target=in_its_own_loop) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert texts == ["done"] * 4


@pytest.mark.parametrize("policy", [POLICY, SLOW])
async def test_a_rejected_response_is_forgotten_before_the_wait(kit, server, policy):
    kept, alive = [], []

    async def watching(request, send):
        response = await send(request)
        kept.append(weakref.ref(response))
        return response

    class Clock(VirtualClock):
        async def asleep(self, seconds):
            gc.collect()  # the request holds its last response, and aiohttp ties them in circles
            alive.extend(one() for one in kept[:-1] if one() is not None)

    server.on("/f", steps.respond(503, body="{}"), steps.respond(503, body="{}"), OK)
    async with kit.session(policy, inner=[watching], clock=Clock()) as session:
        await session.get(server.url + "/f")
    assert len(kept) == 3
    assert alive == []


def test_the_middleware_has_the_shape_that_aiohttp_asks_for():
    assert inspect.iscoroutinefunction(retry_middleware(POLICY))
    assert len(inspect.signature(retry_middleware(POLICY)).parameters) == 2


async def test_no_warning_filter_is_left_behind(kit, server):
    before = list(warnings.filters)
    server.on("/f", steps.respond(503, body=b"x" * 200_000, framing="chunked"))
    async with kit.session(SLOW.attempts(2)) as session, session.get(server.url + "/f") as response:
        assert response.status == 503
    assert list(warnings.filters) == before


async def test_a_response_after_retries_tells_of_them(kit, server):
    server.on("/f", steps.respond(503), OK)
    async with kit.session() as session, session.get(server.url + "/f") as response:
        assert [record.outcome for record in history(response)] == ["503", "200"]
        assert history(response).reason == "succeeded"
