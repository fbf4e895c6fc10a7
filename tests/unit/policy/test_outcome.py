import pytest

from bide import Outcome, PolicyError
from bide.policy.faults import Fault, fault_of
from bide.policy.outcome import LaterOutcome


def test_the_first_arguments_go_by_place():
    error = ValueError("x")
    outcome = Outcome(
        503, {"A": "b"}, b"{}", error, "POST", "http://h/", elapsed=1.5, phase="read", replayable=False
    )
    assert (outcome.status, outcome.headers, outcome.body, outcome.error) == (
        503,
        (("a", "b"),),
        b"{}",
        error,
    )
    assert (outcome.method, outcome.url, outcome.elapsed, outcome.phase) == ("POST", "http://h/", 1.5, "read")
    assert not outcome.replayable


@pytest.mark.parametrize("status", [0, 99, 600, 999, -1, "200", 200.0, True, None], ids=repr)
def test_H11_a_status_that_is_none_is_unknown(status):
    assert Outcome(status).status is None


def test_H11_an_answer_whose_status_nobody_knows_counts_as_a_failure():
    assert Outcome(999, {"x": "y"}).failed
    assert Outcome(999, body="").failed
    assert not Outcome(999).failed
    assert not Outcome(value=7, method=None).failed


@pytest.mark.parametrize(
    ("outcome", "failed"),
    [
        (Outcome(200), False),
        (Outcome(399), False),
        (Outcome(400), True),
        (Outcome(200, error=ValueError()), True),
        (Outcome(timed_out=True), True),
        (Outcome(200, network=True), True),
        (Outcome(unsent=True), True),
        (Outcome(phase="connect"), True),
        (Outcome(timed_out=False, network=False, unsent=False), False),
    ],
    ids=repr,
)
def test_a_failure_is_an_error_a_status_from_400_or_what_was_told_of_the_transport(outcome, failed):
    assert outcome.failed is failed


def test_headers_come_as_a_mapping_or_as_pairs_with_repeats_kept():
    pairs = [("Set-Cookie", "a"), (b"SET-COOKIE", b"b\xe9"), ("X", 7)]
    assert Outcome(headers=pairs).values("set-cookie") == ["a", "bé"]
    assert Outcome(headers={"Set-Cookie": ["a", "b"], "X": ("c",)}).values("SET-cookie") == ["a", "b"]
    assert Outcome(headers=pairs).values("x") == ["7"]
    assert Outcome(headers=pairs).values("y") == []


@pytest.mark.parametrize("elapsed", [-1.0, float("nan"), float("inf")])
def test_time_that_no_clock_could_have_measured_counts_as_none(elapsed):
    assert Outcome(503, elapsed=elapsed).elapsed == 0.0


def test_a_phase_is_one_of_a_closed_set():
    with pytest.raises(
        ValueError, match="phase takes one of pool, connect, write, read, body, attempt; got 'dns'"
    ):
        Outcome(phase="dns")


def test_what_is_told_of_the_transport_outweighs_what_the_error_says():
    error = ConnectionRefusedError()
    assert Outcome(error=error).fault == Fault("connect", unsent=True, network=True)
    assert Outcome(error=error, unsent=False, phase="write").fault == Fault("write", network=True)
    assert Outcome(421).fault.unsent
    assert not Outcome(421, unsent=False).fault.unsent


@pytest.mark.parametrize("method", ["GET", "get", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", None])
def test_a_method_that_may_be_repeated_is_idempotent(method):
    assert Outcome(503, method=method).idempotent


@pytest.mark.parametrize("method", ["POST", "post", "PATCH", "", "GETT", "G" * 1000, "GE\u0422"])
def test_G11_any_other_method_is_not_unless_it_carries_a_key(method):
    assert not Outcome(503, method=method).idempotent
    assert Outcome(503, method=method, idempotency_key=True).idempotent


@pytest.mark.parametrize("status", [408, 421, 425, 429])
def test_G09_what_the_server_declined_unprocessed_may_be_repeated(status):
    assert Outcome(status, method="POST").repeatable


@pytest.mark.parametrize("status", [400, 409, 500, 502, 503, 504])
def test_G07_what_it_may_have_processed_may_not(status):
    assert not Outcome(status, method="POST").repeatable


def test_G09_what_never_left_may_be_repeated():
    assert Outcome(method="POST", error=ConnectionRefusedError()).repeatable
    assert not Outcome(method="POST", error=ConnectionResetError()).repeatable


def test_what_became_of_a_later_request_says_nothing_of_the_one_before():
    assert not LaterOutcome(429, method="POST").repeatable
    assert not LaterOutcome(method="POST", error=ConnectionRefusedError()).unsent
    assert not LaterOutcome(method="POST", error=ConnectionRefusedError()).repeatable
    assert LaterOutcome(503, method="PUT").repeatable
    assert LaterOutcome(503, method="POST", idempotency_key=True).repeatable


BODY = '{"error": {"code": 17, "message": "no"}, "errors": [{"code": "E1"}], "flag": true, "none": null}'


def test_a_code_is_read_from_where_it_usually_stands_or_from_a_place():
    outcome = Outcome(400, [("X-Error", "hot")], BODY)
    assert outcome.read_code() == "17"
    assert outcome.read_code("errors.0.code") == "E1"
    assert outcome.read_code("header:x-error") == "hot"
    assert outcome.read_code("header:") is None
    assert outcome.read_code("flag") is None
    assert outcome.read_code("none") is None
    assert outcome.at("flag") is True
    assert Outcome(400, code="told").read_code() == "told"
    assert Outcome(400, body=BODY, code="told").read_code("errors.0.code") == "E1"
    assert Outcome(400, body=b"\xff{").read_code() is None


@pytest.mark.parametrize(
    "said",
    [
        "SlowDown",
        "com.amazonaws.dynamodb.v20120810#SlowDown",
        "SlowDown:http://internal.amazon.example/coral/#x",
        "a.b#SlowDown:http://internal.amazon.example/",
    ],
)
def test_a_code_of_aws_is_read_without_its_namespace_and_its_address(said):
    in_body, in_header = (
        Outcome(400, body=f'{{"__type": "{said}"}}'),
        Outcome(400, {"x-amzn-ErrorType": said}),
    )
    assert in_body.read_code() == in_body.read_code("__type") == "SlowDown"
    assert in_header.read_code() == in_header.read_code("header:X-Amzn-Errortype") == "SlowDown"
    assert in_body.at("__type") == said  # what stands there stays as it was
    assert Outcome(400, body=f'{{"code": "{said}"}}').read_code() == said  # elsewhere a code is what it says


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no text")


def test_a_message_is_read_from_the_body_or_from_the_exception():
    assert Outcome(400, body=BODY).read_message() == "no"
    assert Outcome(400, body=BODY).read_message("errors.0.code") == "E1"
    assert Outcome(400, body="{}", error=ValueError("boom")).read_message() is None
    assert Outcome(error=ValueError("boom")).read_message() == "boom"
    assert Outcome(error=ValueError("x" * 10**6)).read_message() == "x" * 65_536
    assert Outcome(error=Mute()).read_message() == ""
    assert Outcome(503).read_message() is None


def test_A_hint_is_read_by_every_convention():
    assert Outcome(429, {"Retry-After": "7"}).hint(None).delay == 7.0
    assert Outcome(429).hint(None) is None


def test_a_repr_says_what_happened_and_nothing_that_may_be_secret():
    outcome = Outcome(
        503, {"Authorization": "secret"}, "secret", ValueError("secret"), "POST", "http://u:secret@h/?secret"
    )
    assert repr(outcome) == "Outcome(status=503, error=ValueError, method=POST)"
    assert repr(Outcome(method=None)) == "Outcome()"


def test_no_fault_is_read_from_an_ordinary_error():
    assert fault_of(ValueError("x")) == Fault()


@pytest.mark.parametrize("headers", ["Retry-After: 7", ["Retry-After"], 7, None, [("a", "b", "c")]])
def test_headers_that_are_none_are_refused(headers):
    with pytest.raises(
        PolicyError, match="headers takes a mapping or pairs of name and value; got one of type "
    ):
        Outcome(503, headers)
