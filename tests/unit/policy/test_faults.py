"""Faults are read from names, so the clients' classes are stood in for by classes of the same names."""

import socket
import ssl
import urllib.error

import pytest

from bide import Outcome, network, timeout, unsent
from bide.engine.timeouts import AttemptTimeout
from bide.policy.faults import Fault, fault_of


def a_class(module, name, *bases, **members):
    return type(name, bases or (Exception,), {"__module__": module} | members)


def raised_from(error, cause=None, context=None):
    error.__context__ = context
    if cause is not None:  # to set it, even to None, is to suppress the context
        error.__cause__ = cause
    return error


CONNECT_ERROR = a_class("httpx", "ConnectError")
READ_ERROR = a_class("httpx._exceptions", "ReadError")
SSL_ERROR = a_class("requests.exceptions", "SSLError")
REMOTE = a_class("httpx", "RemoteProtocolError")
LOCAL = a_class("httpx", "LocalProtocolError")
H2_ERROR = a_class("h2.exceptions", "InvalidBodyLengthError", a_class("h2.exceptions", "ProtocolError"))
PROXY_ERRORS = [
    a_class("requests.exceptions", "ProxyError"),
    a_class("urllib3.exceptions", "ProxyError"),
    a_class("botocore.exceptions", "ProxyConnectionError"),
]
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
        (a_class("httpx", "ProxyError")("503 Service Unavailable"), "connect", False, True, True),
        (a_class("aiohttp", "ClientHttpProxyError")(), "connect", False, True, True),
        (OSError("Tunnel connection failed: 503 Service Unavailable"), "connect", False, True, True),
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


def test_an_error_raised_from_a_wrapper_is_what_the_wrapper_wraps():
    wrapper = raised_from(REQUESTS_CONNECTION(), cause=NEW_CONNECTION())
    assert fault_of(raised_from(KeyError(), cause=wrapper)) == fault_of(NEW_CONNECTION())
    certain = raised_from(REQUESTS_CONNECTION(), context=NEW_CONNECTION())
    assert fault_of(raised_from(KeyError(), cause=certain)).unsent


def test_a_suppressed_context_is_not_looked_at():
    error = REQUESTS_CONNECTION()
    error.__context__ = ConnectionRefusedError()
    error.__suppress_context__ = True
    assert not fault_of(error).unsent


def raised_in(name, error):
    """Return an error that was raised in a function of this name."""
    namespace = {}
    exec(f"def {name}(error): raise error", namespace)
    try:
        namespace[name](error)
    except Exception as raised:
        return raised


def handshake_error(error=None):
    return raised_in("do_handshake", error or ssl.SSLError(1, "wrong version number"))


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


def test_a_body_that_broke_off_is_told_from_a_head_that_did():
    assert fault_of(raised_in("_receive_response_body", REMOTE())) == Fault("body", network=True)
    assert fault_of(raised_in("_receive_response_headers", REMOTE())) == Fault("read", network=True)
    late = raised_in("_receive_response_body", a_class("httpx", "ReadTimeout")())
    assert fault_of(late) == Fault("read", timed_out=True, network=True)


def test_a_timeout_that_urllib3_has_no_name_for_is_one_of_writing():
    aborted = a_class("urllib3.exceptions", "ProtocolError")("aborted", TimeoutError("timed out"))
    assert fault_of(REQUESTS_CONNECTION(raised_from(aborted, context=TimeoutError("timed out")))) == Fault(
        "write", timed_out=True, network=True
    )
    assert fault_of(raised_from(REQUESTS_CONNECTION(), context=TimeoutError())) == Fault(
        timed_out=True, network=True
    )


def test_a_handshake_that_is_reset_is_a_fault_of_connecting():
    reset = raised_from(REQUESTS_CONNECTION(), context=handshake_error(ConnectionResetError()))
    assert fault_of(reset) == Fault("connect", unsent=True, network=True)
    assert fault_of(raised_from(REQUESTS_CONNECTION(), context=ConnectionResetError())).phase == "read"


@pytest.mark.parametrize("proxy_error", PROXY_ERRORS)
def test_what_urllib3_lays_to_the_proxy_is_unsent_only_if_no_connection_to_it_was_made(proxy_error):
    """It says so too of a connection through the proxy that was lost after the request."""
    for reached in (NEW_CONNECTION(), OSError("Tunnel connection failed: 407 Proxy Authentication Required")):
        assert fault_of(raised_from(proxy_error(), cause=reached)) == Fault(
            "connect", unsent=True, network=True
        )
    for lost in (
        ConnectionResetError(),
        a_class("http.client", "RemoteDisconnected", ConnectionResetError)(),
    ):
        assert fault_of(raised_from(proxy_error(), cause=lost)) == Fault("read", network=True)


@pytest.mark.parametrize(
    ("text", "certain"),
    [
        ("<StreamReset stream_id:1, error_code:7, remote_reset:True>", True),
        ("<StreamReset stream_id:1, error_code:ErrorCodes.REFUSED_STREAM, remote_reset:True>", True),
        ("<StreamReset stream_id:7, error_code:2, remote_reset:True>", False),
        ("<StreamReset stream_id:1, error_code:77, remote_reset:True>", False),
        ("<ConnectionTerminated error_code:0, last_stream_id:0, additional_data:None>", True),
        (
            "<ConnectionTerminated error_code:ErrorCodes.NO_ERROR, last_stream_id:0, additional_data:None>",
            True,
        ),
        ("<ConnectionTerminated error_code:7, last_stream_id:1, additional_data:None>", False),
        ("<ConnectionTerminated error_code:0, last_stream_id:10, additional_data:last_stream_id:0>", False),
        ("illegal header line: bytearray(b'<StreamReset stream_id:1, error_code:7, ')", False),
    ],
)
def test_a_stream_that_the_server_did_nothing_about_was_not_processed(text, certain):
    assert fault_of(REMOTE(text)).unsent == certain
    assert unsent.matches(Outcome(method="POST", error=REMOTE(text))) == certain
    assert fault_of(REMOTE(text)).network


def test_frames_in_which_something_is_wrong_are_the_servers_fault_and_not_ours():
    ours, theirs = raised_in("send_data", H2_ERROR()), raised_in("receive_data", H2_ERROR())
    assert fault_of(theirs) == fault_of(LOCAL(theirs)) == Fault("read", network=True)
    assert fault_of(ours) == fault_of(LOCAL(ours)) == fault_of(LOCAL("malformed")) == Fault()


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


@pytest.mark.parametrize("args", [property(lambda _: 1 / 0), {}, "text", 7, ()])
def test_an_error_whose_args_are_its_own_is_what_it_was_raised_from(args):
    own = a_class("mine", "Own", args=args)
    assert fault_of(raised_from(own(), cause=ConnectionRefusedError())) == fault_of(ConnectionRefusedError())


def test_errors_that_wrap_one_another_in_a_circle_end():
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert fault_of(first) == Fault()
    deep = ValueError()
    for _ in range(50):
        deep = raised_from(ValueError(), cause=deep)
    assert fault_of(deep) == Fault()
