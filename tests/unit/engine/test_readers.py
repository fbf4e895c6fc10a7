"""Each client's response and exception is read as the same outcome, and no client is imported for it."""

import asyncio
import email.message
import io
import subprocess
import sys
import urllib.error

import aiohttp
import httpx
import httpx2
import pytest
import requests
import urllib3
from aiohttp.client_reqrep import RequestInfo
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from bide import AttemptTimeout, Reason, history, retry_on
from bide.engine import readers
from bide.engine.readers import Reader, has_key, outcome_of_error, outcome_of_value, reader_for, register
from bide.testing import Scripted

URLS = "https://example.com/a?b=c"
BODY = b'{"error": {"code": "overloaded"}}'
HEADERS = {"Retry-After": "7", "Content-Type": "application/json"}


def of_httpx(status=429, module=httpx, method="POST", headers=None):
    request = module.Request(method, URLS, headers=headers or {})
    return module.Response(status, headers=HEADERS, content=BODY, request=request)


def of_requests(status=429, headers=None):
    response = requests.Response()
    response.status_code = status
    response.headers.update(HEADERS)
    response._content = BODY
    response.request = requests.Request("POST", URLS, headers=headers).prepare()
    return response


def of_urllib3(status=429):
    return urllib3.HTTPResponse(BODY, headers=HEADERS, status=status)


RESPONSES = {
    "httpx": (of_httpx, "POST"),
    "httpx2": (lambda: of_httpx(module=httpx2), "POST"),
    "requests": (of_requests, "POST"),
    "urllib3": (of_urllib3, None),
}


@pytest.mark.parametrize("client", RESPONSES)
def test_responses_are_read_alike(client):
    make, method = RESPONSES[client]
    response = make()
    outcome = outcome_of_value(response, elapsed=1.5, body=True)
    assert (outcome.status, outcome.method, outcome.elapsed, outcome.value) == (429, method, 1.5, response)
    assert outcome.values("retry-after") == ["7"]
    assert outcome.url == (URLS if method else None)
    assert outcome.read_code() == "overloaded"
    assert outcome_of_value(make()).body is None


def raised(client):
    if client == "httpx":
        return httpx.HTTPStatusError("429", request=of_httpx().request, response=of_httpx())
    if client == "httpx2":
        response = of_httpx(module=httpx2)
        return httpx2.HTTPStatusError("429", request=response.request, response=response)
    if client == "requests":
        return requests.HTTPError("429", response=of_requests(), request=of_requests().request)
    if client == "openai-like":
        return Openai(of_httpx())
    if client == "botocore-like":
        return Botocore(
            {
                "Error": {"Code": "overloaded", "Message": "slow down"},
                "ResponseMetadata": {"HTTPStatusCode": 429, "HTTPHeaders": {"retry-after": "7"}},
            }
        )
    if client == "urllib":
        headers = email.message.Message()
        headers["Retry-After"] = "7"
        return urllib.error.HTTPError(URLS, 429, "slow down", headers, io.BytesIO())
    if client == "aiohttp":
        info = RequestInfo(URL(URLS), "POST", CIMultiDictProxy(CIMultiDict()), URL(URLS))
        return aiohttp.ClientResponseError(info, (), status=429, headers=CIMultiDict(HEADERS))
    raise AssertionError(client)


class Openai(Exception):
    def __init__(self, response):
        super().__init__("overloaded")
        self.response = response
        self.request = response.request
        self.status_code = response.status_code
        self.body = {"code": "overloaded"}
        self.code = "overloaded"


class Botocore(Exception):
    def __init__(self, response):
        super().__init__("An error occurred")
        self.response = response


@pytest.mark.parametrize(
    ("client", "method", "code"),
    [
        ("httpx", "POST", "overloaded"),
        ("httpx2", "POST", "overloaded"),
        ("requests", "POST", "overloaded"),
        ("openai-like", "POST", "overloaded"),
        ("botocore-like", None, "overloaded"),
        ("urllib", None, None),
        ("aiohttp", "POST", None),
    ],
)
def test_exceptions_that_carry_a_response_are_read_alike(client, method, code):
    error = raised(client)
    try:
        outcome = outcome_of_error(error, body=True)
        assert (outcome.status, outcome.method, outcome.error) == (429, method, error)
        assert outcome.values("retry-after") == ["7"]
        assert outcome.read_code() == code
    finally:
        if client == "urllib":
            error.close()


def test_an_aiohttp_response_is_read_in_its_own_loop():
    async def main():
        server = await asyncio.start_server(answer, "127.0.0.1")
        port = server.sockets[0].getsockname()[1]
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/x") as response:
            unread = outcome_of_value(response, body=True)
            await response.read()
            read = outcome_of_value(response, body=True)
            await (
                retry_on(503)
                .immediately(max=1)
                .bind(listeners=[])
                .acall(Scripted(response, response).coroutine())
            )
        server.close()
        return unread, read, response

    unread, read, response = asyncio.run(main())
    assert (unread.status, unread.method, unread.body, read.body) == (503, "GET", None, b"busy")
    assert history(response).reason == Reason.RETRIES_EXHAUSTED


async def answer(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbusy")
    await writer.drain()
    writer.close()


def test_bytes_that_were_no_http_are_no_answer_of_400():
    error = aiohttp.ClientResponseError(None, (), status=400)
    cause = type("BadHttpMessage", (Exception,), {"__module__": "aiohttp.http_exceptions"})
    error.__cause__ = cause()
    outcome = outcome_of_error(error)
    assert (outcome.status, outcome.fault.phase, outcome.fault.network) == (None, "read", True)


class Generic(Exception):
    def __init__(self, **said):
        super().__init__("generic")
        self.__dict__.update(said)


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"status_code": 503}, 503),
        ({"status": 503}, 503),
        ({"code": 503}, 503),
        ({"status_code": 503, "status": 200}, 503),
        ({"status_code": "503"}, None),
        ({"status": True}, None),
        ({"code": 14}, None),
        ({}, None),
    ],
)
def test_any_exception_with_a_status_is_read(said, status):
    assert outcome_of_error(Generic(**said)).status == status


def test_a_code_that_is_text_is_the_machine_readable_code():
    assert outcome_of_error(Generic(code="throttled")).read_code() == "throttled"


@pytest.mark.parametrize(
    ("said", "values"),
    [
        ({"retry_after": 7}, ["7"]),
        ({"retry_after": 1.2}, ["2"]),
        ({"retry_after": "3"}, ["3"]),
        ({"retry_after": None}, []),
        ({"retry_after": -1}, []),
        ({"retry_after": True}, []),
        ({"retry_after": 7, "headers": {"Retry-After": "9"}}, ["9"]),
        ({"retry_after": 7, "headers": {"Other": "9"}}, ["7"]),
    ],
)
def test_retry_after_as_an_attribute_is_a_hint_like_the_header(said, values):
    assert outcome_of_error(Generic(**said)).values("Retry-After") == values


def test_the_hint_in_an_attribute_is_waited_for(bound, clock):
    policy = retry_on(OSError, Generic).after_header("Retry-After")
    assert bound(policy).call(Scripted(Generic(retry_after=7), "done")) == "done"
    assert 7 <= clock.sleeps[0] <= 8


@pytest.mark.parametrize("headers", [None, 5, "Retry-After: 5", ["Retry-After"], object()])
def test_an_attribute_that_is_called_headers_may_be_anything(headers):
    assert outcome_of_error(Generic(headers=headers, status=503)).status == 503


def test_properties_that_raise_are_as_good_as_absent():
    class Touchy(Exception):
        @property
        def response(self):
            raise RuntimeError

        request = status = headers = retry_after = response

    assert outcome_of_error(Touchy()).status is None
    assert outcome_of_error(httpx.ConnectError("never sent")).method is None


def test_the_request_of_an_exception_tells_method_url_and_key():
    request = httpx.Request("POST", URLS, headers={"Idempotency-Key": "k"})
    outcome = outcome_of_error(httpx.ReadTimeout("slow", request=request))
    assert (outcome.method, outcome.url, outcome.idempotent) == ("POST", URLS, True)
    assert outcome_of_error(Generic(request=Generic(method=5))).method is None


def test_an_idempotency_key_is_found_whatever_its_case():
    assert has_key({"X-IDEMPOTENCY-KEY": "1"})
    assert not has_key({"Idempotent": "1"})
    assert not has_key(None)
    assert not has_key(5)


def test_our_own_timeout_has_a_phase_of_its_own():
    fault = outcome_of_error(AttemptTimeout("x")).fault
    assert (fault.phase, fault.timed_out, fault.unsent) == ("attempt", True, False)
    assert outcome_of_error(TimeoutError()).fault.phase is None


def test_a_boto_response_that_is_malformed_is_read_as_far_as_it_goes():
    assert outcome_of_error(Botocore({})).status is None
    assert outcome_of_error(Botocore({"Error": {"Code": 5}, "ResponseMetadata": {}})).code is None


# -- values that are no responses, and responses of clients that nobody knows


class LooksLike:
    status_code = 503
    headers = {"Retry-After": "7"}  # noqa: RUF012
    closed = False

    def close(self):
        self.closed = True


def test_what_looks_like_a_response_of_requests_is_one(bound):
    response = LooksLike()
    outcome = outcome_of_value(response)
    assert (outcome.status, outcome.values("retry-after"), outcome.method) == (503, ["7"], None)
    assert bound(retry_on(503).immediately()).call(Scripted(response, 1)) == 1
    assert response.closed


@pytest.mark.parametrize("value", [None, 5, "text", {"status_code": 503}, object(), LooksLike])
def test_plain_values_are_no_responses(value):
    outcome = outcome_of_value(value)
    assert (outcome.status, outcome.value, outcome.method) == (None, value, None)


def test_a_value_whose_attributes_raise_is_no_response():
    class Lazy:
        def __getattr__(self, name):
            raise RuntimeError("not loaded")

    assert reader_for(Lazy()) is None


def test_subclasses_and_submodules_are_read_by_the_same_reader(bound):
    class Mine(httpx.Response):
        pass

    assert reader_for(Mine(200)) is reader_for(httpx.Response(200))


@pytest.fixture
def registered():
    class Answer:
        """The response of a client of my own."""

        def __init__(self, status):
            self.state = status
            self.freed = False

    Answer.__module__ = "my_client.answers"
    before = reader_for(Answer(200))
    register(
        "my_client",
        "Answer",
        Reader(
            lambda answer: {"status": answer.state}, release=lambda answer: setattr(answer, "freed", True)
        ),
    )
    yield Answer, before
    readers._READERS.pop(("my_client", "Answer"))
    readers._by_type.clear()


def test_a_reader_may_be_registered_after_its_type_was_met(bound, registered):
    Answer, before = registered
    first = Answer(503)
    assert before is None
    assert bound(retry_on(503).immediately()).call(Scripted(first, last := Answer(200))) is last
    assert first.freed
    assert outcome_of_value(last, body=True).body is None


def test_types_that_are_made_as_one_goes_are_not_remembered_for_ever():
    for number in range(1100):
        reader_for(type(f"Made{number}", (), {})())
    assert len(readers._by_type) <= 1000


def test_an_open_httpx_response_is_closed_and_a_closed_one_left_alone(bound):
    class Stream(httpx.SyncByteStream):
        def __iter__(self):
            yield b"x"

    response = httpx.Response(503, stream=Stream())
    bound(retry_on(503).immediately()).call(Scripted(response, httpx.Response(503), 1))
    assert response.is_closed


def test_headers_that_repeat_are_kept():
    response = requests.Response()
    response.status_code = 503
    response.raw = of_urllib3()
    response.raw.headers.add("Retry-After", "9")
    assert outcome_of_value(response).values("retry-after") == ["7", "9"]


def test_no_client_is_imported_to_read_a_failure():
    code = (
        "import sys, bide\n"
        "try: bide.retry_on(OSError, 503).immediately(max=1).call(lambda: 1 / 0)\n"
        "except ZeroDivisionError: pass\n"
        "bide.retry_on(503).call(lambda: object())\n"
        "print([m for m in ('httpx', 'requests', 'aiohttp', 'urllib3', 'asyncio', 'anyio', 'ssl') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("module", [httpx, httpx2])
def test_a_response_after_redirects_is_judged_by_the_request_that_would_be_sent_again(module):
    def redirect(request):
        if request.method == "POST":
            return module.Response(303, headers={"Location": "/done"})
        return module.Response(503)

    with module.Client(transport=module.MockTransport(redirect), follow_redirects=True) as client:
        response = client.post("http://example.com/pay")
    assert response.request.method == "GET"
    assert outcome_of_value(response).method == "POST"


@pytest.mark.parametrize("module", [httpx, httpx2])
def test_a_response_after_a_login_is_judged_by_the_callers_request(module):
    class Login(module.Auth):
        def auth_flow(self, request):
            yield module.Request("GET", "http://example.com/token")
            yield request

    answering = module.MockTransport(lambda request: module.Response(503))
    with module.Client(transport=answering, auth=Login()) as client:
        response = client.post("http://example.com/pay")
    assert [hop.request.method for hop in response.history] == ["GET"]
    assert outcome_of_value(response).method == "POST"
