"""Faults are read from names, so the clients' classes are stood in for by classes of the same names."""

import socket
import ssl
import urllib.error

import pytest

from bide import Outcome, network, timeout, unsent
from bide.engine.timeouts import AttemptTimeout
from bide.policy.faults import Fault, fault_of


def a_class(module, name, *bases):
    return type(name, bases or (Exception,), {"__module__": module})


def raised_from(error, cause=None, context=None):
    error.__context__ = context
    if cause is not None:  # to set it, even to None, is to suppress the context
        error.__cause__ = cause
    return error


CONNECT_ERROR = a_class("httpx", "ConnectError")
READ_ERROR = a_class("httpx._exceptions", "ReadError")
SSL_ERROR = a_class("requests.exceptions", "SSLError")
REMOTE = a_class("httpx", "RemoteProtocolError")
NEW_CONNECTION = a_class("urllib3.exceptions", "NewConnectionError")
REQUESTS_CONNECTION = a_class("requests.exceptions", "ConnectionError", OSError)
CERTIFICATE = a_class("aiohttp.client_exceptions", "ClientConnectorCertificateError")


@pytest.mark.parametrize(
    ("error", "phase", "timed_out", "unsent_", "network_"),
    [
        (a_class("httpx", "ConnectTimeout")(), "connect", True, True, True),
        (a_class("httpx2", "PoolTimeout")(), "pool", True, True, True),
        (a_class("httpcore._exceptions", "WriteTimeout")(), "write", True, False, True),
        (a_class("urllib3.exceptions", "ReadTimeoutError")(), "read", True, False, True),
        (a_class("aiohttp", "ClientPayloadError")(), "body", False, False, True),
        (a_class("botocore.exceptions", "EndpointConnectionError")(), "connect", False, True, True),
        (a_class("elsewhere", "Late", TimeoutError)(), None, True, False, True),
        (socket.gaierror(), "connect", False, True, True),
        (ConnectionResetError(), "read", False, False, True),
        (BrokenPipeError(), "write", False, False, True),
        (AttemptTimeout("1 s"), "attempt", True, False, True),
        (a_class(None, "Odd")(), None, False, False, False),
        (ValueError(), None, False, False, False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_one_fault_has_one_name(error, phase, timed_out, unsent_, network_):
    assert fault_of(error) == Fault(phase, timed_out, unsent_, network_)


def test_an_attempt_bounded_by_the_policy_is_a_timeout_of_its_own_kind():
    outcome = Outcome(error=AttemptTimeout("1 s"))
    assert timeout("attempt").matches(outcome)
    assert timeout.matches(outcome)
    assert not timeout("read").matches(outcome)


def test_a_wrapper_knows_no_more_than_what_it_wraps():
    refused = ConnectionRefusedError()
    assert fault_of(raised_from(READ_ERROR(), cause=refused)).phase == "connect"
    assert fault_of(raised_from(REQUESTS_CONNECTION(), context=refused)).unsent
    assert fault_of(REQUESTS_CONNECTION(NEW_CONNECTION())).unsent
    assert fault_of(raised_from(REQUESTS_CONNECTION(), context=ValueError())).phase == "read"
    assert fault_of(urllib.error.URLError(refused)).unsent


def test_an_error_of_the_users_is_a_fault_only_if_it_was_raised_from_one():
    refused = ConnectionRefusedError()
    assert fault_of(raised_from(ValueError(), cause=refused)).unsent
    assert fault_of(raised_from(ValueError(), context=refused)) == Fault()
    assert fault_of(raised_from(ValueError(), cause=raised_from(ValueError(), cause=refused))).unsent


def test_a_suppressed_context_is_not_looked_at():
    error = REQUESTS_CONNECTION()
    error.__context__ = ConnectionRefusedError()
    error.__suppress_context__ = True
    assert not fault_of(error).unsent


def handshake_error():
    def do_handshake():
        raise ssl.SSLError(1, "wrong version number")

    try:
        do_handshake()
    except ssl.SSLError as error:
        return error


def test_a_certificate_that_does_not_verify_is_lasting_and_a_broken_handshake_is_not():
    verify = ssl.SSLCertVerificationError(1, "certificate verify failed")
    assert fault_of(verify) == Fault("connect", unsent=True)
    assert fault_of(raised_from(CONNECT_ERROR(), cause=verify)) == Fault("connect", unsent=True)
    assert fault_of(CERTIFICATE()) == Fault("connect", unsent=True)
    assert fault_of(SSL_ERROR(verify)) == Fault("connect", unsent=True)
    assert fault_of(raised_from(SSL_ERROR("broken"), cause=handshake_error())) == Fault(
        "connect", unsent=True, network=True
    )
    assert fault_of(SSL_ERROR("broken later")) == Fault("read", network=True)
    assert fault_of(raised_from(READ_ERROR(), cause=SSL_ERROR("eof"))).network


def test_a_refused_stream_was_not_processed():
    assert fault_of(REMOTE("<StreamReset stream_id:1, error_code:7>")).unsent
    assert not fault_of(REMOTE("<ConnectionTerminated error_code:0>")).unsent
    assert unsent.matches(Outcome(method="POST", error=REMOTE("REFUSED_STREAM")))


class Mute(REMOTE):
    def __str__(self):
        raise RuntimeError("no text")


class Locked(REQUESTS_CONNECTION):
    @property
    def reason(self):
        raise RuntimeError("no reason")


def test_an_error_that_cannot_be_looked_into_is_what_its_class_is():
    assert fault_of(Mute()).phase == "read"
    assert fault_of(Locked()).phase == "read"
    assert network.matches(Outcome(error=Locked()))


def test_errors_that_wrap_one_another_in_a_circle_end():
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert fault_of(first) == Fault()
    deep = ValueError()
    for _ in range(50):
        deep = raised_from(ValueError(), cause=deep)
    assert fault_of(deep) == Fault()
