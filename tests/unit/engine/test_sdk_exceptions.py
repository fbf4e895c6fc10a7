"""What SDKs raise around their own clients, stood in for by classes of the same names and attributes."""

from enum import Enum
from http import HTTPStatus

import pytest

from bide import Outcome, code, network, retry_on, timeout, unsent
from bide.engine.readers import outcome_of_error
from bide.testing import Scripted


def a_class(module, name, *bases, **members):
    return type(name, bases or (Exception,), {"__module__": module} | members)


class StatusCode(Enum):
    UNAVAILABLE = (14, "unavailable")


def rpc_error(trailing=(), status=StatusCode.UNAVAILABLE):
    """What grpc and grpc.aio raise: what happened is told by methods."""
    base = a_class("grpc", "RpcError")
    members = {"code": lambda _: status, "trailing_metadata": lambda _: trailing}
    return a_class("grpc._channel", "_InactiveRpcError", base, **members)()


def stripe_error(**said):
    error = a_class("stripe._error", "RateLimitError")("slow down")
    error.__dict__.update({"http_status": 429, "headers": {"Retry-After": "7"}, "http_body": None} | said)
    return error


def azure_error(name, inner, *bases):
    error = a_class("azure.core.exceptions", name, *bases)("it did not work")
    error.inner_exception = inner
    return error


def test_stripe_says_status_headers_and_body():
    error = stripe_error(http_body='{"error": {"code": "lock_timeout"}}', code="lock_timeout")
    outcome = outcome_of_error(error, body=True)
    assert (outcome.status, outcome.values("retry-after")) == (429, ["7"])
    assert outcome.at("error.code") == outcome.read_code() == "lock_timeout"
    assert outcome_of_error(error).body is None


def test_elasticsearch_keeps_status_and_headers_in_what_it_calls_meta():
    meta = a_class("elastic_transport", "ApiResponseMeta", object, status=429, headers={"retry-after": "7"})
    error = a_class("elasticsearch", "ApiError", status_code=429, meta=meta())("slow down")
    outcome = outcome_of_error(error)
    assert (outcome.status, outcome.values("retry-after")) == (429, ["7"])


@pytest.mark.parametrize("body", [None, b"{}", 7])
def test_a_body_of_stripe_that_is_no_text_is_none(body):
    assert outcome_of_error(stripe_error(http_body=body), body=True).body is None


def test_a_status_may_be_a_member_of_an_enumeration():
    google = a_class("google.api_core.exceptions", "TooManyRequests", code=HTTPStatus.TOO_MANY_REQUESTS)
    outcome = outcome_of_error(google())
    assert (outcome.status, type(outcome.status)) == (429, int)


def test_grpc_says_its_code_by_name_and_its_trailers_as_headers():
    trailing = (("grpc-retry-pushback-ms", "1500"), ("grpc-status-details-bin", b"\x08\x0e"))
    outcome = outcome_of_error(rpc_error(trailing))
    assert (outcome.status, outcome.read_code()) == (None, "UNAVAILABLE")
    assert outcome.values("grpc-retry-pushback-ms") == ["1500"]
    assert code("UNAVAILABLE").matches(outcome)


def test_the_pushback_of_grpc_is_waited_for(clock):
    call = Scripted(rpc_error((("grpc-retry-pushback-ms", "1500"),)), "done")
    policy = retry_on(code("UNAVAILABLE")).after_hint().fixed(9)
    assert policy.bind(clock=clock).call(call) == "done"
    assert len(clock.sleeps) == 1
    assert 1.5 <= clock.sleeps[0] <= 3


@pytest.mark.parametrize(
    "error",
    [
        rpc_error(None),
        rpc_error(5),
        rpc_error([(1, 2, 3)]),
        rpc_error(status=None),
        a_class("grpc", "RpcError")(),
        a_class("grpc", "RpcError", code=lambda _: 1 / 0, trailing_metadata=lambda _: 1 / 0)(),
    ],
)
def test_an_rpc_that_does_not_say_what_it_could_is_read_as_far_as_it_goes(error):
    outcome = outcome_of_error(error)
    assert (outcome.status, list(outcome.headers)) == (None, [])


TIMEOUT = a_class("requests.exceptions", "ReadTimeout")
REFUSED = a_class("urllib3.exceptions", "NewConnectionError")
CERTIFICATE = a_class("ssl", "SSLCertVerificationError")


@pytest.mark.parametrize(
    ("name", "inner", "conditions"),
    [
        ("ServiceRequestTimeoutError", None, (timeout("connect"), unsent, network)),
        ("ServiceRequestError", REFUSED(), (unsent, network)),
        ("ServiceRequestError", None, (network,)),
        ("ServiceResponseError", None, (network,)),
        ("ServiceResponseTimeoutError", TIMEOUT(), (timeout("read"), network)),
        ("IncompleteReadError", None, (network,)),
    ],
)
def test_azure_says_where_it_failed(name, inner, conditions):
    outcome = Outcome(error=azure_error(name, inner))
    for condition in (timeout("connect"), timeout("read"), unsent, network):
        assert condition.matches(outcome) == (condition in conditions), condition


def test_a_certificate_that_azure_did_not_accept_is_lasting():
    assert not network.matches(Outcome(error=azure_error("ServiceRequestError", CERTIFICATE())))


@pytest.mark.parametrize("module", ["urllib3.response", "urllib3_future.response"])
def test_responses_of_older_and_of_forked_urllib3_are_read(clock, module):
    members = {"status": 503, "headers": {"Retry-After": "7"}, "release_conn": lambda _: None}
    make = a_class(module, "HTTPResponse", object, **members)
    call = Scripted(make(), "done")
    assert (
        retry_on(503).after_header("Retry-After").fixed(2).any_method().bind(clock=clock).call(call) == "done"
    )
    assert len(clock.sleeps) == 1
    assert clock.sleeps[0] >= 7
