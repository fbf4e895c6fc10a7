"""A rejected response is let go of before the wait: its connection serves the next attempt, or is closed."""

import threading

import pytest

from bide import code, network, retry_on
from bide.adapters import http
from bide.testing import steps

pytestmark = pytest.mark.both_seams

POLICY = retry_on(408, 421, 500, 503, network).fixed(2)
OK = steps.respond(body="done")
BIG = b"x" * 5_000_000


async def got(kit, server, clock, *script, policy=POLICY, method="GET", **options):
    """Make one call through a pool of one connection, which would deadlock if a response were kept."""
    server.on("/f", *script)
    one = kit.module.Limits(max_connections=1)
    async with kit.client(policy, clock=clock, limits=one, **options) as client:
        return await client.request(method, server.url + "/f")


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_the_connection_is_used_again_after_a_small_body(kit, server, clock, framing):
    error = steps.respond(503, body=b"e" * 1000, framing=framing)
    response = await got(kit, server, clock, error, error, OK)
    assert response.text == "done"
    assert server.connections == 1
    assert clock.sleeps == [2.0, 2.0]


async def test_a_body_of_just_64_kib_is_drained(kit, server, clock):
    await got(kit, server, clock, steps.respond(503, body=b"e" * http.DRAINED), OK)
    assert server.connections == 1


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_a_large_body_is_closed_and_a_pool_of_one_goes_on(turn_kit, server, clock, framing):
    error = steps.respond(503, body=BIG if framing == "length" else BIG[:200_000], framing=framing)
    response = await got(turn_kit, server, clock, error, OK)
    assert response.text == "done"
    assert server.connections == 2


async def test_an_endless_body_is_closed_not_read(turn_kit, server, clock):
    response = await got(
        turn_kit, server, clock, steps.endless(status=503), steps.endless(b".", status=503), OK
    )
    assert response.text == "done"
    assert server.connections == 3


async def test_a_body_that_stalls_is_closed_after_the_clients_own_patience(turn_kit, server, clock):
    stalling = steps.trickle(b"ab", pause=0.3, status=503)
    response = await got(turn_kit, server, clock, stalling, OK, policy=POLICY.max(99), timeout=0.1)
    assert response.text == "done"
    assert server.connections == 1 + len(clock.sleeps)  # more than two, where even the answer is too slow


async def test_a_body_that_never_stalls_long_enough_to_time_out_is_closed_all_the_same(
    turn_kit, server, clock
):
    dribbling = steps.trickle(b"a" * 100, pause=0.02, status=503)
    response = await got(turn_kit, server, clock, dribbling, OK, policy=POLICY.max(99), timeout=0.1)
    assert response.text == "done"
    assert server.connections == 1 + len(clock.sleeps)  # read to its end, one would have served again


@pytest.mark.parametrize("fault", [steps.truncate(status=503), steps.bad_chunk(503)])
async def test_a_body_that_breaks_while_it_is_drained_is_nobodys_business(kit, server, clock, fault):
    response = await got(kit, server, clock, fault, OK)
    assert response.text == "done"
    assert server.connections == 2
    assert clock.sleeps == [2.0]


@pytest.mark.parametrize("status", [408, 421])
@pytest.mark.parametrize("body", [b"", b'{"code": "wrong_host"}'])
@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_a_misdirected_request_goes_to_a_new_connection(kit, server, clock, status, body, framing):
    error = steps.respond(status, body=body, framing=framing)
    assert (await got(kit, server, clock, error, OK)).text == "done"
    assert server.connections == 2


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_a_misdirected_request_goes_to_a_new_connection_even_if_a_rule_read_its_body(
    kit, server, clock, framing
):
    policy = retry_on(code("busy")).fixed(1) | retry_on(421).fixed(2)
    error = steps.respond(421, body=b'{"code": "wrong_host"}', framing=framing)
    assert (await got(kit, server, clock, error, OK, policy=policy)).text == "done"
    assert server.connections == 2
    assert clock.sleeps == [2.0]


async def test_an_answer_to_head_leaves_its_connection_whatever_length_it_names(kit, server, clock):
    error = steps.respond(503, {"Content-Length": "5000000"}, b"")
    await got(kit, server, clock, error, OK, method="HEAD")
    assert server.connections == 1


async def test_the_responses_own_connection_is_free_before_the_wait(kit, server, settling_clock):
    await got(kit, server, settling_clock, steps.endless(status=503), OK)
    assert settling_clock.waits == (0,)


async def test_the_clients_read_timeout_is_what_it_was_after_a_drain(kit, server, clock):
    seen = []
    server.on("/f", steps.respond(503, body=b"e"), steps.respond(503, body=b"e"), OK)
    over = kit.spying(lambda request: seen.append(dict(request.extensions["timeout"])))
    async with kit.client(POLICY, over=over, clock=clock, timeout=None) as client:
        response = await client.get(server.url + "/f")
    own = dict.fromkeys(("connect", "read", "write", "pool"))
    assert seen == [own] * 3
    assert response.request.extensions["timeout"] == own


def rejected(kit, stream):
    return lambda request: kit.module.Response(503, stream=stream)


async def test_a_response_whose_closing_fails_does_not_end_the_call(kit, clock):
    class Unclosable(kit.module.SyncByteStream, kit.module.AsyncByteStream):
        def __iter__(self):
            yield b"e"

        async def __aiter__(self):
            yield b"e"

        def close(self):
            raise OSError("gone")

        async def aclose(self):
            raise OSError("gone")

    inner = kit.scripted(rejected(kit, Unclosable()), 200)
    async with kit.client(POLICY, over=inner, clock=clock) as client:
        response = await client.get("http://example.test/")
    assert response.status_code == 200
    assert clock.sleeps == [2.0]


async def test_a_response_that_an_inner_transport_has_read_is_not_read_again(transport_kit, clock):
    def read_already(request):
        response = transport_kit.module.Response(503, content=b"e")
        response.stream = None  # reading it again would fail
        return response

    inner = transport_kit.scripted(read_already, 200)
    async with transport_kit.client(POLICY, over=inner, clock=clock) as client:
        assert (await client.get("http://example.test/")).status_code == 200


async def test_a_stream_without_end_that_never_lets_others_run_is_left_after_64_kib(transport_kit, clock):
    taken = []

    class Endless(transport_kit.module.SyncByteStream, transport_kit.module.AsyncByteStream):
        def __iter__(self):
            while True:
                taken.append(1)
                yield b"e" * 1000

        async def __aiter__(self):
            for chunk in self:
                yield chunk

    inner = transport_kit.scripted(rejected(transport_kit, Endless()), 200)
    async with transport_kit.client(POLICY, over=inner, clock=clock) as client:
        assert (await client.get("http://example.test/")).status_code == 200
    assert len(taken) < 100_000


class Countdown:
    """An iterator that is no generator: it has nothing to close."""

    def __init__(self, left):
        self.left = left

    def __aiter__(self):
        return self

    async def __anext__(self):
        if not self.left:
            raise StopAsyncIteration
        self.left -= 1
        return b"e"


async def test_a_stream_whose_iterator_cannot_be_closed_is_drained_too(async_kit, clock):
    chunks = Countdown(3)

    class Stream(async_kit.stream_base):
        def __aiter__(self):
            return chunks

    inner = async_kit.scripted(rejected(async_kit, Stream()), 200)
    async with async_kit.client(POLICY, over=inner, clock=clock) as client:
        assert (await client.get("http://example.test/")).status_code == 200
    assert chunks.left == 0


class Shared:
    """What a connection of HTTP/2 is to a response: others use it too."""

    touched = False

    def get_extra_info(self, name):
        self.touched = True
        raise OSError


async def test_a_misdirected_request_leaves_a_connection_that_others_share(kit, clock):
    connection = Shared()
    extensions = {"http_version": b"HTTP/2", "network_stream": connection}
    inner = kit.scripted(lambda request: kit.module.Response(421, extensions=extensions), 200)
    async with kit.client(POLICY, over=inner, clock=clock) as client:
        assert (await client.get("http://example.test/")).status_code == 200
    assert not connection.touched


async def test_eight_threads_share_a_client(sync_kit, server):
    answers = {
        path: [steps.respond(503), steps.drop(), steps.respond(body=path)] for path in map(str, range(8))
    }
    for path, script in answers.items():
        server.on(f"/{path}", *script)
    texts = []
    async with sync_kit.client(retry_on(503, network).immediately()) as client:

        def work(path):
            texts.extend(client.own.get(f"{server.url}/{path}").text for _ in range(5))

        threads = [threading.Thread(target=work, args=(path,)) for path in answers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(texts) == sorted(list(answers) * 5)
    assert len(server.requests) == 8 * (5 + 2)


async def test_two_hundred_calls_with_retries_leave_nothing_open(turn_kit, server, clock):
    whole = b"HTTP/1.1 %d X\r\nContent-Length: 4\r\n\r\nbody"
    answers = (steps.raw(whole % 503, ending="keep"), steps.drop(), steps.raw(whole % 200, ending="keep"))
    server.on("/f", lambda seen: answers[seen.ordinal % 3])
    async with turn_kit.client(POLICY, clock=clock) as client:
        for _ in range(200):
            assert (await client.get(server.url + "/f")).text == "body"
    await turn_kit.waited(server.wait_until_idle)
    assert server.open_connections == 0
    assert len(server.requests) == 600
