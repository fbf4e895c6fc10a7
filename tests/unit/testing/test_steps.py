"""The bytes that each step promises."""

import pytest

from bide.testing import steps


def test_an_answer_has_a_length():
    step = steps.respond(503, {"Retry-After": "2"}, "né")
    assert step.head == b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Length: 3\r\n\r\n"
    assert (step.body, step.ending) == ("né".encode(), "keep")


def test_an_answer_may_be_chunked():
    step = steps.respond(body=b"0123456789abcdefX", framing="chunked")
    assert step.head == b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert step.body == b"10\r\n0123456789abcdef\r\n1\r\nX\r\n0\r\n\r\n"


def test_an_answer_may_end_with_its_connection():
    step = steps.respond(framing="close")
    assert step.head == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    assert (step.body, step.ending) == (b"ok", "close")


@pytest.mark.parametrize("status", [103, 204, 304])
def test_a_status_that_has_no_body_gets_none(status):
    step = steps.respond(status, body=b"nothing of this")
    assert step.body == b""
    assert b"Content-Length" not in step.head


def test_headers_may_repeat_and_framing_headers_may_lie():
    step = steps.respond(200, [("Set-Cookie", "a"), ("Set-Cookie", "b"), ("content-length", "9")], b"ok")
    assert step.head == b"HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nSet-Cookie: b\r\ncontent-length: 9\r\n\r\n"


def test_an_unknown_status_has_a_reason_all_the_same():
    assert steps.respond(599).head.startswith(b"HTTP/1.1 599 Unknown\r\n")


def test_json_names_its_type_unless_another_is_given():
    step = steps.json(429, {"error": None})
    assert b"Content-Type: application/json\r\n" in step.head
    assert step.body == b'{"error": null}'
    assert steps.json(400, [], {"content-type": "application/problem+json"}).head.count(b"ontent-") == 1 + 1


@pytest.mark.parametrize(("framing", "wire"), [("length", b"12345"), ("chunked", b"a\r\n1234567")])
def test_half_of_a_body_is_kept_when_it_is_truncated(framing, wire):
    assert steps.truncate(b"1234567890", framing=framing).body == wire


def test_it_may_be_said_how_much_is_kept():
    step = steps.truncate("1234567890", keep=0, ending="reset", status=500)
    assert (step.body, step.ending) == (b"", "reset")
    assert b"Content-Length: 10\r\n" in step.head


def test_a_body_without_an_end_cannot_be_truncated():
    with pytest.raises(ValueError, match="cannot be seen"):
        steps.truncate(framing="close")


def test_an_endless_body_has_something_to_send():
    with pytest.raises(ValueError, match="end the body"):
        steps.endless(b"")


def test_raw_bytes_are_sent_as_they_are():
    assert steps.raw(b"\x00", ending="reset") == steps.Step(b"\x00", ending="reset")
