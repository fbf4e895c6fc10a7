"""What the documentation of the Prompt Library API says, held against the strategy that we ship."""

import pytest

from bide.policy.outcome import Outcome
from bide.strategy.errors import (
    APIError,
    AuthenticationError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
)
from bide.strategy.load import load

DOCUMENTED = [
    ("INVALID_PARAM", 400, "give_up", APIError),
    ("UNAUTHORIZED", 401, "give_up", AuthenticationError),
    ("DISPUTED", 402, "give_up", APIError),
    ("PAST_DUE", 402, "give_up", APIError),
    ("API_NOT_ALLOWED", 403, "give_up", PermissionDeniedError),
    ("NOT_FOUND", 404, "give_up", NotFoundError),
    ("RATE_LIMITED", 429, "retry", RateLimitError),
    ("INTERNAL_ERROR", 500, "retry", APIError),
]


@pytest.fixture(scope="module")
def library():
    return load("prompt-library")


def answer(status, code="X", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Outcome(status, named, f'{{"error": {{"code": "{code}", "message": "Words."}}}}')


def test_every_documented_code_is_catalogued_and_no_other(library):
    assert {(error.code, error.status, error.decision) for error in library.errors.values()} == {
        row[:3] for row in DOCUMENTED
    }
    assert library.docs == "Error codes and handling"


@pytest.mark.parametrize(("code", "status", "decision", "cls"), DOCUMENTED)
def test_a_documented_code_is_decided_and_raised_as_documented(library, code, status, decision, cls):
    outcome = answer(status, code, x_request_id="req-9")
    assert library.explain(outcome).action == decision
    error = library.error_of(outcome)
    assert type(error) is cls
    assert str(error) == f"{status} {code}: Words. (request req-9)"
    assert error.meaning == library.errors[code].meaning
    assert error.resolution in error.__notes__[0]


def test_a_429_waits_as_the_server_says(library):
    explained = library.explain(answer(429, retry_after="17"))
    assert explained.delay[0] == 17
    assert explained.source == "Retry-After"


def test_a_429_without_a_hint_waits_exponentially(library):
    delays = [library.explain(answer(429), attempt=attempt).delay for attempt in (1, 2, 3)]
    assert delays == [(0, 0.5), (0, 1), (0, 2)]


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
def test_a_5xx_is_retried_three_times_with_jitter(library, status):
    explained = [library.explain(answer(status), attempt=attempt) for attempt in (1, 2, 3, 4)]
    assert [one.action for one in explained] == ["retry", "retry", "retry", "give_up"]
    assert [one.delay for one in explained[:3]] == [(0, 0.5), (0, 1), (0, 2)]


@pytest.mark.parametrize("status", sorted({*range(400, 500)} - {429}))
def test_any_other_4xx_is_never_retried(library, status):
    explained = library.explain(answer(status))
    assert (explained.action, explained.reason) == ("give_up", "rule_gave_up")


@pytest.mark.parametrize("error", [ConnectionRefusedError(), TimeoutError(), ConnectionResetError()])
def test_a_network_failure_is_retried_exponentially(library, error):
    explained = library.explain(Outcome(error=error))
    assert (explained.action, explained.delay) == ("retry", (0, 0.5))


def test_it_is_bounded_and_true(library):
    worst = library.policy.worst_case()
    assert worst.attempts == 5
    assert worst.seconds < 600
    assert library.check() == []
    assert str(library.coverage()) == "8 of 8 codes decided as catalogued, 4 of 4 rules reached"
