"""Exception classes of an SDK's own: `Strategy.with_errors`."""

import copy
import pickle

import httpx
import pytest

from bide.policy.errors import PolicyError
from bide.policy.outcome import Outcome
from bide.strategy.errors import APIError, AuthenticationError, NotFoundError, RateLimitError

TEXT = """
[read]
code = "error.code"
category = "error.type"
request_id = "header:x-request-id"
details = "error.details"
param = "error.param"
[policies]
default = 'retry_on(429) | give_up_on(4xx)'
[errors.quota]
status = 402
decision = "give_up"
meaning = "Nothing is left."
resolution = "Buy more."
raises = "RateLimitError"
"""


class AcmeError(APIError):
    """What every error of this SDK is."""


class QuotaError(AcmeError):
    upgrade_url = "https://acme.example/upgrade"


class SlowDown(AcmeError, RateLimitError):
    """Both ours and theirs."""


class Counted(APIError):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.digits = len(str(self.status))


@pytest.fixture
def acme(make):
    return make(TEXT)


def answer(status, code="x", category="y", headers=()):
    return Outcome(status, headers, f'{{"error": {{"code": "{code}", "type": "{category}", "param": "p"}}}}')


def test_a_class_stands_for_a_code_a_category_a_status_or_a_class_of_ours(acme):
    mine = acme.with_errors({"quota": QuotaError, "poor": SlowDown, 404: Counted, APIError: AcmeError})
    assert type(mine.error_of(answer(402, "quota"))) is QuotaError
    assert type(mine.error_of(answer(402, "other", "poor"))) is SlowDown
    assert type(mine.error_of(answer(404))) is Counted
    assert type(mine.error_of(answer(400))) is AcmeError
    assert type(mine.error_of(answer(401))) is AuthenticationError  # nobody spoke of it


def test_the_narrower_key_wins(acme):
    mine = acme.with_errors({RateLimitError: SlowDown, 402: Counted, "poor": AcmeError, "quota": QuotaError})
    assert type(mine.error_of(answer(402, "quota", "poor"))) is QuotaError
    assert type(mine.error_of(answer(402, "other", "poor"))) is AcmeError
    assert type(mine.error_of(answer(402, "other", "other"))) is Counted
    assert type(mine.error_of(answer(429, "other", "other"))) is SlowDown


def test_a_class_in_place_of_ours_is_raised_where_the_catalogue_names_ours(acme):
    mine = acme.with_errors({RateLimitError: SlowDown})
    assert type(mine.error_of(answer(402, "quota"))) is SlowDown


def test_raise_for_raises_it_with_all_that_the_response_says(acme):
    mine = acme.with_errors({"quota": QuotaError})
    request = httpx.Request("GET", "https://acme.example/x")
    said = {"error": {"code": "quota", "param": "size", "details": [1]}}
    response = httpx.Response(
        402, json=said, headers={"x-request-id": "r-1", "Retry-After": "9"}, request=request
    )
    with pytest.raises(QuotaError) as caught:
        mine.raise_for(response)
    error = caught.value
    assert (error.status, error.code, error.param, error.details) == (402, "quota", "size", [1])
    assert (error.request_id, error.retry_after, error.meaning) == ("r-1", 9.0, "Nothing is left.")
    assert error.upgrade_url.startswith("https://")


@pytest.mark.parametrize("again", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy])
@pytest.mark.parametrize("cls", [QuotaError, Counted])
def test_what_is_raised_pickles_and_copies_whole(acme, again, cls):
    error = acme.with_errors({"quota": cls}).error_of(answer(402, "quota", headers={"x-request-id": "r-1"}))
    error.add_note("mine")
    error.extra = "kept"
    other = again(error)
    assert type(other) is cls
    assert vars(other) == vars(error)
    assert other.__notes__ == ["what to do: Buy more.", "mine"]
    assert str(other) == str(error)


def test_said_again_it_adds(acme):
    mine = acme.with_errors({404: Counted, 402: Counted}).with_errors({402: QuotaError})
    assert type(mine.error_of(answer(404))) is Counted
    assert type(mine.error_of(answer(402))) is QuotaError
    assert type(acme.error_of(answer(404))) is NotFoundError  # the first one is as it was


def test_a_strategy_with_classes_is_a_value(acme):
    mine = acme.with_errors({"quota": QuotaError})
    again = pickle.loads(pickle.dumps(mine))
    assert again == mine != acme
    assert hash(again) == hash(mine)
    assert again.policy == acme.policy


class Narrow(APIError):
    def __init__(self, status):
        super().__init__(status)


class Choosy(APIError):
    def __init__(self, status, code, *args, **kwargs):
        if code is None:
            raise ValueError("a code is needed")
        super().__init__(status, code, *args, **kwargs)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ({"quota": ValueError}, "takes a subclass of APIError for 'quota'; got <class 'ValueError'>"),
        ({"quota": QuotaError("x")}, "takes a subclass of APIError for 'quota'"),
        ({"": QuotaError}, "takes a code, a status or one of APIError, AuthenticationError"),
        ({99: QuotaError}, "as a key; got 99"),
        ({True: QuotaError}, "as a key; got True"),
        ({QuotaError: QuotaError}, "as a key; got <class"),
        ({"quota": Narrow}, "Narrow cannot be built as APIError is"),
        ({"quota": Choosy}, "Choosy cannot be built as APIError is (a code is needed)"),
    ],
)
def test_what_cannot_be_raised_is_refused_at_once(acme, classes, message):
    with pytest.raises(PolicyError) as caught:
        acme.with_errors(classes)
    assert message in str(caught.value)
