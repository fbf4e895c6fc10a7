"""Bodies through a requests session: sent again as they were, or not at all; read once, within bounds, and put back."""

import gc
import gzip
import io
import json
import os
import ssl
import threading
import zlib

import pytest
import requests
import urllib3
from requests.exceptions import ChunkedEncodingError, ContentDecodingError, SSLError

from bide import code, history, network, retry_on, timeout
from bide.adapters import http
from bide.adapters.requests import RetryAdapter
from bide.engine.clock import SYSTEM_CLOCK
from bide.testing import steps

POLICY = retry_on(408, 421, 429, 503, network).fixed(2)
PEEKS = retry_on("4xx" & code("later")).fixed(2).any_method()
OK = steps.respond(body="done")
LATER = json.dumps({"error": {"code": "later", "text": "é" * 100}}).encode()
NEVER = json.dumps({"error": {"code": "never", "text": "é" * 100}}).encode()


@pytest.fixture
def client(server, clock):
    with requests.Session() as session:
        session.trust_env = False

        def make(policy=POLICY, **options):
            one = {
                "pool_maxsize": 1,
                "pool_block": True,
            }  # a response that is kept would be waited for, for ever
            session.mount("http://", RetryAdapter(policy, **{"clock": clock, **one, **options}))
            return session

        yield make
    gc.collect()  # an exception of urllib3 is in a circle with the pool that it came from


def got(client, server, *script, policy=POLICY, method="GET", **options):
    server.on("/f", *script)
    return client(policy).request(method, server.url + "/f", **options)


# What is sent


def at(position, text=b"0123456789"):
    file = io.BytesIO(text)
    file.seek(position)
    return file


def opened(path, position):
    path.write_bytes(b"0123456789" * 10_000)
    file = path.open("rb")
    file.seek(position)
    return file


BODIES = {
    "bytes": lambda path: b"0123456789",
    "text": lambda path: "é",
    "form": lambda path: {"a": "1", "b": ["2", "3"]},
    "bytearray": lambda path: bytearray(b"0123"),
    "in memory": lambda path: at(0),
    "in memory from 2": lambda path: at(2),
    "file": lambda path: opened(path, 0),
    "file from 2": lambda path: opened(path, 2),
    "nothing": lambda path: None,
}


@pytest.mark.parametrize("kind", BODIES)
def test_a_body_is_sent_again_as_it_was(client, server, tmp_path, kind):
    body = BODIES[kind](tmp_path / "body")
    fault = steps.respond(503)
    script = [fault, steps.drop(), steps.early(503), OK]
    response = got(client, server, *script, policy=POLICY.max(6), method="PUT", data=body)
    assert response.text == "done"
    first, second, _, *_, last = (seen.body for seen in server.requests)
    assert first == second == last
    if hasattr(body, "close"):
        body.seek(2 if "from 2" in kind else 0)
        assert first == body.read()
        body.close()


def test_json_and_files_are_sent_again_as_they_were(client, server, tmp_path):
    got(client, server, steps.respond(503), OK, method="PUT", json={"a": 1})
    with opened(tmp_path / "body", 2) as file:
        got(client, server, steps.drop(), OK, method="PUT", files={"one": file, "two": b"2"})
    one, again, parts, parts_again = server.requests
    assert one.body == again.body == b'{"a": 1}'
    assert parts.body == parts_again.body
    assert len(parts.body) > 99_998
    assert parts.header("Content-Type") == parts_again.header("Content-Type")


def generated(count):
    def chunks():
        for chunk in (b"abc", b"def"):
            count.append(chunk)
            yield chunk

    return chunks()


class Unseekable(io.BytesIO):
    def seek(self, *where):
        raise OSError("no")


def piped():
    reading, writing = os.pipe()
    os.write(writing, b"abcdef")
    os.close(writing)
    return os.fdopen(reading, "rb")


@pytest.mark.parametrize("fault", [steps.respond(503), steps.drop(), steps.respond(429)])
@pytest.mark.parametrize(
    "body", [lambda: generated([]), lambda: iter([b"abc", b"def"]), lambda: Unseekable(b"abcdef"), piped]
)
def test_a_body_that_can_be_read_once_is_sent_once_and_never_again_empty(client, server, clock, body, fault):
    body = body()
    try:
        came = got(client, server, fault, OK, method="PUT", data=body)
    except requests.ConnectionError as error:
        came = error
    assert [seen.body for seen in server.requests] == [b"abcdef"]
    assert history(came).reason == "body_not_replayable"
    assert clock.sleeps == []
    getattr(body, "close", int)()


def test_a_file_that_was_closed_meanwhile_is_not_sent_again(client, server, clock):
    class Closing(RetryAdapter):
        def send_once(self, request, *options):
            response = super().send_once(request, *options)
            request.body.close()
            return response

    server.on("/f", steps.respond(503), OK)
    session = client()
    session.mount("http://", Closing(POLICY, clock=clock))
    response = session.put(server.url + "/f", data=io.BytesIO(b"abcdef"))
    assert history(response).reason == "body_not_replayable"
    assert clock.sleeps == []


def test_a_generator_that_nobody_has_begun_to_read_is_sent_after_all(client, server, clock):
    begun = []
    session = client()
    refused = server.refused_url()
    server.on("/f", OK)

    class Moving(RetryAdapter):
        def send_once(self, request, *options):
            if clock.sleeps:
                assert begun == []
                request.url = server.url + "/f"
            return super().send_once(request, *options)

    session.mount("http://", Moving(POLICY, clock=clock))
    assert session.put(refused, data=generated(begun)).text == "done"
    assert [seen.body for seen in server.requests] == [b"abcdef"]


def test_a_list_of_chunks_is_sent_again(client, server):
    server.on("/f", steps.respond(503), OK)
    session = client()
    request = session.prepare_request(requests.Request("PUT", server.url + "/f"))
    request.body = [b"abc", b"def"]
    del request.headers["Content-Length"]
    assert session.send(request).text == "done"
    assert [seen.body for seen in server.requests] == [b"abcdef", b"abcdef"]


# What comes back, and is rejected


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("size", [0, 1000, http.DRAINED])
def test_the_connection_is_used_again_after_a_small_body(client, server, clock, framing, size):
    error = steps.respond(503, body=b"e" * size, framing=framing)
    assert got(client, server, error, error, OK).text == "done"
    assert server.connections == 1
    assert clock.sleeps == [2.0, 2.0]


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_large_body_is_closed_and_a_pool_of_one_goes_on(client, server, framing, stream):
    size = 5_000_000 if framing == "length" else 200_000
    error = steps.respond(503, body=b"e" * size, framing=framing)
    assert got(client, server, error, OK, stream=stream).text == "done"
    assert server.connections == 2


def test_an_endless_body_is_closed_not_read(client, server):
    script = [steps.endless(status=503), steps.endless(b".", status=503), OK]
    assert got(client, server, *script).text == "done"
    assert server.connections == 3


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("pause", [0.02, 0.7])
def test_a_body_that_stalls_or_dribbles_is_closed_after_half_a_second(client, server, clock, framing, pause):
    stalling = steps.trickle(b"e" * 1000, pause=pause, status=503, framing=framing)
    began = SYSTEM_CLOCK.monotonic()
    assert got(client, server, stalling, OK).text == "done"
    assert SYSTEM_CLOCK.monotonic() - began < 10  # all of it would take twenty seconds, or seven hundred
    assert clock.sleeps == [2.0]


def test_draining_takes_no_longer_than_the_requests_own_timeout(client, server, clock):
    stalling, took = steps.trickle(b"ab", pause=0.6, status=503), []
    for seconds in (0.1, 5):
        began = SYSTEM_CLOCK.monotonic()
        assert got(client, server, stalling, OK, policy=POLICY.max(99), timeout=seconds).text == "done"
        took.append(SYSTEM_CLOCK.monotonic() - began)
    assert took[0] < took[1]


@pytest.mark.parametrize("fault", [steps.truncate(status=503), steps.bad_chunk(503)])
def test_a_body_that_breaks_while_it_is_drained_is_nobodys_business(client, server, fault):
    assert got(client, server, fault, OK).text == "done"


def test_a_bomb_is_drained_as_it_is_and_never_decoded(client, server):
    bomb = steps.respond(503, {"Content-Encoding": "gzip"}, gzip.compress(bytes(20_000_000)))
    assert got(client, server, bomb, OK).text == "done"
    assert server.connections == 1


def test_an_answer_to_head_leaves_its_connection_whatever_length_it_names(client, server):
    got(client, server, steps.respond(503, {"Content-Length": "5000000"}, b""), OK, method="HEAD")
    assert server.connections == 1


@pytest.mark.parametrize("status", [408, 421])
@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("policy", [POLICY, retry_on(code("busy")).fixed(1) | POLICY])
def test_a_misdirected_request_goes_to_a_new_connection(client, server, status, framing, policy):
    error = steps.respond(status, body=b'{"code": "wrong_host"}', framing=framing)
    assert got(client, server, error, OK, policy=policy, method="POST").text == "done"
    assert server.connections == 2


def test_the_responses_connection_is_free_before_the_wait(client, server, settling_clock):
    server.on("/f", steps.endless(status=503), OK)
    client(clock=settling_clock).get(server.url + "/f")
    assert settling_clock.waits == (0,)


# What comes back, and is the caller's


@pytest.mark.parametrize("step", [steps.truncate(), steps.truncate(framing="chunked"), steps.bad_chunk()])
def test_a_body_that_was_cut_off_is_an_outcome(client, server, clock, step):
    assert got(client, server, step, OK).text == "done"
    assert clock.sleeps == [2.0]


@pytest.mark.parametrize("step", [steps.truncate(), steps.truncate(framing="chunked"), steps.bad_chunk()])
def test_a_stream_that_is_cut_off_is_the_callers(client, server, clock, step):
    response = got(client, server, step, OK, stream=True)
    with pytest.raises(ChunkedEncodingError):
        _ = response.content
    assert clock.sleeps == []
    assert len(server.requests) == 1


def test_a_stream_is_not_read_ahead(client, server):
    hold = threading.Event()
    server.on("/f", steps.respond(503), steps.endless())
    with client().get(server.url + "/f", stream=True) as response:
        assert response.raw.tell() == 0
        assert next(response.iter_content(10)) == b"." * 10
    hold.set()


def test_a_body_that_cannot_be_decoded_gives_its_connection_back(client, server, clock):
    server.on("/f", steps.respond(200, {"Content-Encoding": "gzip"}, b"no gzip"), OK)
    session = client()
    with pytest.raises(ContentDecodingError):
        session.get(server.url + "/f")
    assert session.get(server.url + "/f").text == "done"
    assert clock.sleeps == []


# What a rule looks into


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_a_code_in_the_body_decides(client, server, clock, framing):
    later = steps.respond(400, body=LATER, framing=framing)
    assert got(client, server, later, OK, policy=PEEKS).text == "done"
    assert server.connections == (2 if framing == "close" else 1)
    assert clock.sleeps == [2.0]


READ = {
    "content": lambda response: response.content,
    "text": lambda response: response.text.encode(),
    "json": lambda response: response.json() and NEVER,
    "in chunks": lambda response: b"".join(response.iter_content(7)),
    "as it comes": lambda response: b"".join(response.iter_content(None)),
    "lines": lambda response: b"\n".join(response.iter_lines()),
    "raw": lambda response: response.raw.read(decode_content=True),
    "raw in parts": lambda response: b"".join(iter(lambda: response.raw.read(100, decode_content=True), b"")),
    "raw stream": lambda response: b"".join(response.raw.stream(50, decode_content=True)),
    "raw as it comes": lambda response: b"".join(
        iter(lambda: response.raw.read1(100, decode_content=True), b"")
    ),
}
CODINGS = {"identity": bytes, "gzip": gzip.compress, "deflate": zlib.compress}


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("how", READ)
def test_the_caller_reads_all_of_a_body_that_a_rule_has_read(client, server, how, framing, coding):
    answer = steps.respond(400, {"Content-Encoding": coding}, CODINGS[coding](NEVER), framing=framing)
    response = got(client, server, answer, policy=PEEKS, stream=True)
    assert READ[how](response) == NEVER
    assert history(response) is None
    assert server.connections == 1


@pytest.mark.parametrize("how", [how for how in READ if how != "json"])
@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("size", [65_536, 65_537, 300_000])
def test_the_caller_reads_all_of_a_body_that_is_too_long_for_rules(client, server, how, coding, size):
    noise = bytes(range(33, 127)) * 4000
    body = CODINGS[coding](noise[:size]) if coding != "identity" else noise[:size]
    server.on("/f", steps.respond(400, {"Content-Encoding": coding}, body))
    with client(PEEKS).get(server.url + "/f", stream=True) as response:
        assert READ[how](response) == noise[:size]
    assert client(PEEKS).get(server.url + "/f").content == noise[:size]


def test_the_caller_may_leave_a_long_body_unread(client, server):
    server.on("/f", steps.endless(status=400), OK)
    session = client(PEEKS)
    with session.get(server.url + "/f", stream=True) as response:
        assert response.status_code == 400
    assert session.get(server.url + "/f").text == "done"


NO_MATCH = {
    "a bomb": ("gzip", gzip.compress(LATER[:-1] + b" " * 50_000_000 + b"}")),
    "too long": ("identity", LATER.ljust(65_537)),
    "not gzip": ("gzip", LATER),
    "several codings": ("gzip, gzip", gzip.compress(gzip.compress(LATER))),
    "no JSON": ("identity", b"<html>later</html>"),
    "nothing": ("identity", b""),
    "deep": ("identity", b"[" * 60_000),
}


@pytest.mark.parametrize("what", NO_MATCH)
def test_a_body_that_cannot_be_read_as_json_matches_nothing(client, server, what):
    coding, body = NO_MATCH[what]
    server.on("/f", steps.respond(400, {"Content-Encoding": coding}, body))
    with client(PEEKS).get(server.url + "/f", stream=True) as response:
        assert history(response) is None
    assert len(server.requests) == 1


@pytest.mark.parametrize("fault", [steps.truncate(LATER, status=400), steps.bad_chunk(400)])
def test_a_broken_body_that_a_rule_looks_at_is_requests_own_error(client, server, clock, fault):
    with pytest.raises(ChunkedEncodingError) as caught:
        got(client, server, fault, policy=PEEKS)
    assert caught.value.request.url == server.url + "/f"
    assert got(client, server, fault, OK, policy=PEEKS | retry_on(network).fixed(5)).text == "done"
    assert clock.sleeps == [5.0]


def test_a_body_that_comes_too_late_for_a_rule_is_requests_own_error(client, server, clock):
    late = steps.trickle(LATER, pause=0.6, status=400)
    with pytest.raises(requests.ConnectionError):
        got(client, server, late, policy=PEEKS, timeout=0.2)
    policy = PEEKS | retry_on(timeout).fixed(5).max(99)
    assert got(client, server, late, OK, policy=policy, timeout=0.2).text == "done"
    assert set(clock.sleeps) == {5.0}  # one, or more where even the answer is too slow


def test_a_success_that_a_rule_may_reject_is_read_within_the_attempt(client, server, clock):
    policy = retry_on(200 & code("later")).fixed(2) | retry_on(network).fixed(5)
    script = [steps.respond(200, body=LATER), steps.truncate(b"x" * 200_000, keep=150_000), OK]
    assert got(client, server, *script, policy=policy).text == "done"
    assert clock.sleeps == [2.0, 5.0]


def test_cookies_come_out_of_a_response_that_a_rule_has_read(client, server):
    server.on("/f", steps.respond(400, [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")], NEVER))
    session = client(PEEKS)
    response = session.get(server.url + "/f")
    assert dict(session.cookies) == {"a": "1", "b": "2"}
    assert response.raw.headers.getlist("Set-Cookie") == ["a=1", "b=2"]
    assert response.raw.version == 11


def test_the_delay_can_stand_in_the_body(client, server, clock):
    error = steps.json(429, {"details": {"retry_after": 40}})
    assert (
        got(client, server, error, OK, policy=retry_on(429).after_body("details.retry_after")).text == "done"
    )
    assert clock.sleeps[0] >= 40


class FromMemory(RetryAdapter):
    """An adapter over something that has no urllib3 in it."""

    answers: list

    def send_once(self, request, *options):
        response = requests.Response()
        response.status_code = self.answers.pop(0)
        response.raw, response.url, response.request = io.BytesIO(LATER), request.url, request
        return response


def test_a_body_that_is_a_plain_file_is_left_alone(client, clock):
    FromMemory.answers = [503, 400]
    session = client()
    session.mount("http://", FromMemory(PEEKS | retry_on(503).fixed(5), clock=clock))
    assert session.get("http://example.test/").content == LATER
    assert clock.sleeps == [5.0]


class Torn(io.BytesIO):
    """A body in the middle of which TLS breaks."""

    def read(self, *amount):
        raise ssl.SSLError(1, "bad record mac")


class OverTornTls(RetryAdapter):
    def send_once(self, request, *options):
        raw = urllib3.HTTPResponse(body=Torn(), status=400, preload_content=False)
        return self.build_response(request, raw)


@pytest.mark.parametrize(("method", "attempts"), [("GET", 4), ("POST", 1)])
def test_tls_that_breaks_in_a_body_is_requests_own_error_and_may_have_carried_a_write(
    client, method, attempts, clock
):
    session = client()
    policy = retry_on(400 & code("later")).fixed(1) | retry_on(network).fixed(2)
    session.mount("http://", OverTornTls(policy, clock=clock))
    with pytest.raises(SSLError) as caught:
        session.request(method, "http://example.test/")
    assert history(caught.value).attempts == attempts
