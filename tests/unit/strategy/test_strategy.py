import pickle

import aiohttp
import attrs
import httpx
import pytest
import requests
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from bide.engine.clock import Clock
from bide.policy.errors import PolicyError
from bide.policy.outcome import Outcome
from bide.policy.policy import give_up_on, retry_on
from bide.strategy.errors import APIError, AuthenticationError, RateLimitError
from bide.strategy.strategy import Strategy

TEXT = """
base_url = "https://api.example.com"
[read]
code = "error.code"
message = "error.message"
request_id = "header:x-request-id"
delay = "error.wait"
details = "error.details"
param = "error.param"
[rules]
throttled = 'retry_on(429 & ~code("quota")).after_body("error.wait").fixed(30s)'
session = 'accept_on(409 & body("upload_session_id"))'
refused = 'give_up_on(4xx)'
hidden = 'retry_on(200 & code("busy")).fixed(1s)'
[policies]
default = 'throttled | session | hidden | refused'
patient = 'default.attempts(9)'
[endpoints]
"POST /api/agents/{id}/query/" = 'default.attempts(4)'
"GET /slow/*" = 'patient'
[errors.quota]
status = 429
decision = "give_up"
meaning = "Nothing is left."
resolution = "Buy more."
raises = "AuthenticationError"
[errors.busy]
status = 200
decision = "retry"
meaning = "Not now."
resolution = "Wait."
[errors.known]
status = 409
decision = "accept"
meaning = "It is there already."
resolution = "Use it."
example = '{"error": {"code": "known"}, "upload_session_id": 1}'
"""


@pytest.fixture
def acme(make):
    return make(TEXT)


def body(code, **more):
    inside = ", ".join(f'"{key}": {value}' for key, value in {"code": f'"{code}"'}.items() | more.items())
    return f'{{"error": {{{inside}}}}}'


def test_a_strategy_has_what_its_file_says(acme):
    assert (acme.name, acme.title, acme.docs) == ("acme", "Acme", "Errors")
    assert acme.base_url == "https://api.example.com"
    assert list(acme.rules) == ["throttled", "session", "refused", "hidden"]
    assert list(acme.policies) == ["default", "patient"]
    assert acme.policy == acme.policies["default"]
    assert acme.errors["quota"].meaning == "Nothing is left."
    assert acme.read.request_id == "header:x-request-id"


def test_nothing_of_it_can_be_changed(acme):
    with pytest.raises(TypeError):
        acme.policies["default"] = retry_on(500)
    with pytest.raises(AttributeError):
        acme.name = "other"


def test_a_strategy_is_a_value(acme, make):
    copy = pickle.loads(pickle.dumps(acme))
    assert type(copy) is Strategy
    assert copy == acme == make(TEXT)
    assert hash(copy) == hash(acme)
    assert copy != attrs.evolve(acme, title="Other")
    assert copy.policy_for("GET", "/slow/x") == acme.policies["patient"]


@pytest.mark.parametrize(
    ("method", "url", "attempts"),
    [
        ("POST", "https://api.example.com/api/agents/7/query/?x=1", 4),
        ("POST", "/api/agents/7/query", 4),
        ("GET", "/api/agents/7/query", None),
        ("GET", "/slow/a/b", 9),
        (None, "/slow/a/b", None),
        ("GET", None, None),
    ],
)
def test_the_most_specific_endpoint_has_the_policy(acme, method, url, attempts):
    assert acme.policy_for(method, url).limits.attempts == attempts
    outcome = Outcome(429, body=body("x"), method=method, url=url)
    assert acme.explain(outcome, attempt=5).action == ("retry" if attempts == 9 else "give_up")
    assert acme.explain(outcome, elapsed=1.0, now=1e9).action == "retry"


def test_an_endpoint_may_be_everything(make):
    every = make(
        "[policies]\ndefault = 'retry_on(500)'\n[endpoints]\n\"*\" = 'retry_on(501)'\n'GET /a' = 'default'\n"
    )
    assert every.policy_for("GET", "/a") == every.policy
    assert every.policy_for("GET", "/b") == retry_on(501)


def test_policies_print_and_parse_by_themselves(acme):
    text = 'retry_on(429 & ~code("quota", at="error.code"))'
    assert str(acme.policy).startswith(text)


def test_a_strategy_made_in_python_needs_a_default():
    with pytest.raises(PolicyError, match="needs policies"):
        Strategy(name="x", policies={"other": retry_on(500)})
    assert Strategy(name="x", policies={"default": retry_on(500)}).policy_for("GET", "/") == retry_on(500)


def test_every_field_of_the_error_is_read_from_its_place(acme):
    said = body("quota", message='"None left."', wait=9, details='{"limit": 3}', param='"page"')
    outcome = Outcome(429, {"X-Request-Id": "r-7"}, said)
    error = acme.error_of(outcome)
    assert type(error) is AuthenticationError  # as the catalogue says
    assert (error.status, error.code, error.message) == (429, "quota", "None left.")
    assert (error.details, error.param, error.request_id, error.retry_after) == (
        {"limit": 3},
        "page",
        "r-7",
        9.0,
    )
    assert (error.meaning, error.resolution) == ("Nothing is left.", "Buy more.")
    assert error.__notes__ == ["what to do: Buy more."]
    assert str(error) == "429 quota: None left. (request r-7)"


def test_a_code_that_is_not_catalogued_has_the_class_of_its_status(acme):
    error = acme.error_of(Outcome(429, body=body("other", param=7)))
    assert type(error) is RateLimitError
    assert (error.code, error.meaning, error.resolution, error.param) == ("other", None, None, "7")
    assert not hasattr(error, "__notes__")


def test_fields_whose_place_is_not_said_are_not_read(make):
    error = make("[policies]\ndefault = 'retry_on(500)'").error_of(
        Outcome(500, {"x-request-id": "r", "retry-after": "3"}, '{"code": 12, "detail": "Oops."}')
    )
    assert (error.code, error.message, error.request_id, error.details) == ("12", "Oops.", None, None)
    assert error.retry_after == 3.0


@pytest.mark.parametrize(
    ("status", "said", "code"),
    [
        (200, "{}", None),
        (204, None, None),
        (304, None, None),
        (200, body("quota"), None),  # documented of a 429, so here it is something else
        (200, body("busy"), "busy"),
        (201, body("busy"), None),
        (409, body("known"), None),  # the catalogue accepts it
        (409, '{"upload_session_id": 1}', None),  # a rule accepts it
        (409, body("other"), "other"),
        (500, body("busy"), "busy"),
        (None, None, None),
    ],
)
def test_a_success_is_no_error(acme, status, said, code):
    error = acme.error_of(Outcome(status, body=said))
    assert (error.code if error else None) == code
    assert (error is None) == (code is None)


def test_what_is_missing_because_nobody_read_the_body_is_said(acme):
    error = acme.error_of(Outcome(503))
    assert (error.code, error.message, str(error)) == (None, None, "503")
    assert error.__notes__ == [
        "the response's body had not been read, so what it says is missing here: read it before raise_for"
    ]


def httpx_response(status, content):
    request = httpx.Request("GET", "https://api.example.com/x")
    return httpx.Response(status, headers={"x-request-id": "r-1"}, content=content, request=request)


def requests_response(status, content):
    response = requests.Response()
    response.status_code, response._content = status, content
    response.headers["X-Request-Id"] = "r-1"
    return response


@pytest.mark.parametrize("respond", [httpx_response, requests_response])
def test_raise_for_reads_the_response_of_a_client(acme, respond):
    assert acme.raise_for(respond(200, b"{}")) is None
    response = respond(429, body("quota").encode())
    with pytest.raises(AuthenticationError) as caught:
        acme.raise_for(response)
    assert (caught.value.code, caught.value.request_id) == ("quota", "r-1")
    assert caught.value.response is response
    assert caught.value.__cause__ is None


def test_raise_for_does_not_touch_a_stream(acme):
    class Untouchable(httpx.SyncByteStream):
        def __iter__(self):
            raise AssertionError

    response = httpx.Response(500, stream=Untouchable())
    with pytest.raises(APIError) as caught:
        acme.raise_for(response)
    assert (caught.value.status, caught.value.code) == (500, None)
    assert "had not been read" in caught.value.__notes__[0]


def test_raise_for_takes_an_exception_that_carries_a_response(acme):
    response = httpx_response(401, b'{"error": {"code": "no"}}')
    original = httpx.HTTPStatusError("401", request=response.request, response=response)
    with pytest.raises(AuthenticationError) as caught:
        acme.raise_for(original)
    assert caught.value.code == "no"
    assert caught.value.__cause__ is original
    assert caught.value.response is response


def test_raise_for_lets_an_exception_pass_whose_response_is_accepted(acme):
    response = httpx_response(409, b'{"upload_session_id": 1}')
    assert acme.raise_for(httpx.HTTPStatusError("", request=response.request, response=response)) is None


def test_raise_for_takes_an_exception_with_a_status_alone(acme):
    url = URL("https://api.example.com/x?key=secret")
    original = aiohttp.ClientResponseError(
        aiohttp.RequestInfo(url, "GET", CIMultiDictProxy(CIMultiDict())), ()
    )
    original.status = 429
    with pytest.raises(RateLimitError) as caught:
        acme.raise_for(original)
    assert caught.value.response is None
    assert str(caught.value) == "429"  # the exception's own text has the URL, with what is secret in it


def test_raise_for_raises_an_exception_without_a_response_as_it_is(acme):
    original = ConnectionError("refused")
    with pytest.raises(ConnectionError) as caught:
        acme.raise_for(original)
    assert caught.value is original


def test_the_seconds_asked_for_are_found_where_the_rule_looks_for_them(make):
    some = make("""[policies]\ndefault = 'retry_on(429).after_message("in {seconds} seconds").fixed(9s)'\n""")
    assert some.error_of(Outcome(429, body='{"message": "Again in 42 seconds."}')).retry_after == 42
    assert some.error_of(Outcome(429, {"Retry-After": "7"}, '{"message": "in 42 seconds"}')).retry_after == 7
    assert some.error_of(Outcome(429, body="{}")).retry_after is None  # the 9 are ours
    assert some.error_of(Outcome(500, body="{}")).retry_after is None


def test_the_seconds_asked_for_are_told_though_they_are_too_many_to_wait(make):
    some = make("""[policies]\ndefault = 'retry_on(429).after_message("in {seconds} second").within(9s)'\n""")
    assert some.error_of(Outcome(429, body='{"message": "Again in 1200 seconds."}')).retry_after == 1200
    assert some.error_of(Outcome(429, body='{"message": "Again in 10 seconds."}')).retry_after == 10


def test_the_seconds_asked_for_are_told_though_nothing_is_repeated(make):
    some = make("""[policies]\ndefault = 'retry_on(503).after_body("again_in")'\n""")
    assert some.error_of(Outcome(503, body='{"again_in": 5}', method="POST")).retry_after == 5
    assert some.error_of(Outcome(502, body='{"again_in": 5}')).retry_after is None


def test_details_of_a_code_stand_where_they_usually_do_if_they_are_not_at_its_own_place(make):
    some = make(
        """[read]\ndetails = "details"\n[policies]\ndefault = 'give_up_on(4xx)'\n[errors.invalid]\nstatus = 400
        decision = "give_up"\nmeaning = "m"\nresolution = "r"\ndetails = "errors"\n"""
    )
    both = '{"error": {"code": "invalid"}, "errors": ["its own"], "details": ["usual"]}'
    assert some.error_of(Outcome(400, body=both)).details == ["its own"]
    assert some.error_of(Outcome(400, body=both.replace('"errors"', '"others"'))).details == ["usual"]


@pytest.mark.parametrize("said", [{"error": {"code": "quota"}}, 7, memoryview(b"{}"), ["{}"]])
def test_raise_for_refuses_a_body_that_is_no_text(acme, said):
    with pytest.raises(TypeError, match=f"body takes .* as a text or as bytes; got {type(said).__name__}"):
        acme.raise_for(Outcome(429), body=said)


def test_raise_for_takes_an_outcome(acme):
    assert acme.raise_for(Outcome(200)) is None
    assert acme.raise_for(Outcome(value=3)) is None
    with pytest.raises(RateLimitError):
        acme.raise_for(Outcome(429, body="{}"))


def test_raise_for_refuses_what_nobody_can_read(acme):
    with pytest.raises(TypeError, match="str is no response that can be read"):
        acme.raise_for("200 OK")


def test_what_raise_for_raises_is_retried_by_the_strategy_itself(acme):
    class Timeless(Clock):
        slept = ()

        def sleep(self, seconds):
            self.slept += (seconds,)

    responses = [httpx_response(429, body("x", wait=2).encode()), httpx_response(200, b"{}")]
    clock = Timeless()

    @acme.policy.bind(clock=clock)
    def fetch():
        response = responses.pop(0)
        acme.raise_for(response)
        return response.status_code

    assert fetch() == 200
    assert len(clock.slept) == 1
    assert 2 <= clock.slept[0] <= 3


def test_an_endpoint_decides_what_raise_for_takes_for_a_success(make):
    some = make("[policies]\ndefault = 'give_up_on(409)'\n[endpoints]\n'PUT /x' = 'accept_on(409)'\n")
    assert some.error_of(Outcome(409, method="PUT", url="/x")) is None
    assert some.error_of(Outcome(409, method="PUT", url="/y")).status == 409
    assert some.policy == give_up_on(409)
