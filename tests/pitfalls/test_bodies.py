"""A request is sent again as it was, or not at all; and a rejected response gives its connection back."""

import io

import httpx
import pytest

from bide import Reason, body, history, network, retry_on, when
from bide.testing import steps

WHOLE = b"abcdef"
POLICY = retry_on(503).fixed(2)
LARGE = steps.respond(503, body=b"x" * 5_000_000)


def parts():
    yield WHOLE[:3]
    yield WHOLE[3:]


async def async_parts():
    for part in parts():
        yield part


def bodies(server):
    return [seen.body for seen in server.requests]


@pytest.fixture
def busy(server):
    """A server that is busy at first, and then takes everything."""
    server.on("/", steps.respond(503), steps.respond(200))
    return server.url + "/"


@pytest.fixture(params=["file", "bytes in memory"])
def file(request, tmp_path):
    path = tmp_path / "body"
    path.write_bytes(b"read" + WHOLE)
    with path.open("rb") if request.param == "file" else io.BytesIO(b"read" + WHOLE) as opened:
        opened.read(4)
        yield opened


def test_a_generator_body_is_never_resent_empty_by_requests(server, busy, with_requests):
    response = with_requests(POLICY).put(busy, data=parts())
    assert response.status_code == 503
    assert bodies(server) == [WHOLE]
    assert history(response).reason is Reason.BODY_NOT_REPLAYABLE


def test_a_generator_body_is_never_resent_empty_by_httpx_and_the_503_is_not_lost(server, busy, with_httpx):
    response = with_httpx(POLICY).put(busy, content=parts())
    assert response.status_code == 503
    assert bodies(server) == [WHOLE]
    assert history(response).reason is Reason.BODY_NOT_REPLAYABLE


async def test_an_async_generator_body_is_never_resent_empty_by_aiohttp(server, busy, with_aiohttp):
    async with with_aiohttp(POLICY) as session, session.put(busy, data=async_parts()) as response:
        assert response.status == 503
        assert bodies(server) == [WHOLE]
        assert history(response).reason is Reason.BODY_NOT_REPLAYABLE


def test_a_file_is_sent_again_from_where_it_stood_by_requests(server, busy, file, with_requests):
    assert with_requests(POLICY).put(busy, data=file).status_code == 200
    assert bodies(server) == [WHOLE, WHOLE]


def test_a_file_is_sent_again_from_where_it_stood_by_httpx(server, busy, file, with_httpx):
    length = {"Content-Length": str(len(WHOLE))}  # httpx itself would tell the whole file's
    assert with_httpx(POLICY).put(busy, content=file, headers=length).status_code == 200
    assert bodies(server) == [WHOLE, WHOLE]


async def test_a_file_is_sent_again_from_where_it_stood_by_aiohttp(server, busy, file, with_aiohttp):
    async with with_aiohttp(POLICY) as session, session.put(busy, data=file) as response:
        assert response.status == 200
    assert bodies(server) == [WHOLE, WHOLE]


async def test_a_large_rejected_response_does_not_deadlock_a_pool_of_one_in_aiohttp(server, with_aiohttp):
    server.on("/", LARGE, steps.respond(200))
    async with with_aiohttp(POLICY) as session, session.get(server.url + "/") as response:
        assert response.status == 200


def test_a_large_rejected_response_does_not_deadlock_a_pool_of_one_in_requests(server, with_requests):
    server.on("/", LARGE, steps.respond(200))
    assert with_requests(POLICY).get(server.url + "/", stream=True).status_code == 200


def test_a_large_rejected_response_does_not_deadlock_a_pool_of_one_in_httpx(server, with_httpx):
    server.on("/", LARGE, steps.respond(200))
    assert with_httpx(POLICY).get(server.url + "/").status_code == 200


def test_headers_are_sent_with_every_attempt(server, with_httpx):
    server.on("/", steps.respond(503))
    with_httpx(POLICY.attempts(3)).get(server.url + "/", headers={"X-Auth": "s"})
    assert [seen.header("X-Auth") for seen in server.requests] == ["s", "s", "s"]


def test_a_condition_that_raises_does_not_lose_the_response_or_its_connection(with_httpx):
    closed, faults = [], []

    class Body(httpx.SyncByteStream):
        def __iter__(self):
            yield b"ok"

        def close(self):
            closed.append(True)

    def broken(outcome):
        raise KeyError("no such field")

    over = httpx.MockTransport(lambda request: httpx.Response(200, stream=Body()))
    client = with_httpx(retry_on(when(broken)), over=over, listeners=[faults.append])
    assert client.get("http://host/").text == "ok"
    assert closed
    assert [type(fault.error) for fault in faults] == [KeyError]


def test_no_condition_can_use_up_the_body_of_a_clients_response(server, with_httpx, with_requests):
    shown = []

    def busy(outcome):
        shown.append(outcome.value)
        return outcome.json["state"] == "busy"

    policy = retry_on(body("state") & when(busy)).fixed(1)
    for path, get in [("/httpx", with_httpx(policy).get), ("/requests", with_requests(policy).get)]:
        server.on(path, steps.json(200, {"state": "busy"}), steps.json(200, {"state": "done"}))
        assert get(server.url + path).json() == {"state": "done"}
    assert shown == [None] * 4


def test_a_response_that_a_condition_used_up_is_the_callers_and_says_so(clock):
    def use_up(outcome):
        return not list(outcome.value.iter_bytes())

    response = httpx.Response(200, stream=httpx.ByteStream(b"whole"))
    runtime = retry_on(when(use_up)).bind(clock=clock)
    assert runtime.call(lambda: response) is response
    with pytest.raises(httpx.StreamConsumed):
        response.read()


def test_a_body_cut_off_on_its_way_is_retried(server, with_requests, clock):
    server.on("/", steps.truncate(b"x" * 100), steps.respond(body="whole"))
    assert with_requests(retry_on(network).fixed(2)).get(server.url + "/").text == "whole"
    assert clock.sleeps == [2.0]


def test_a_file_that_is_closed_once_it_was_sent_is_not_sent_again_and_hides_nothing(
    server, busy, with_requests
):
    class ClosesAtItsEnd(io.BytesIO):
        def read(self, *size):
            chunk = super().read(*size)
            if not chunk:
                self.close()
            return chunk

    body = ClosesAtItsEnd(WHOLE)
    response = with_requests(POLICY).put(busy, data=body)
    assert body.closed
    assert response.status_code == 503
    assert bodies(server) == [WHOLE]
    assert history(response).reason is Reason.BODY_NOT_REPLAYABLE
