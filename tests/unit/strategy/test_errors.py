import copy
import pickle
import traceback

import pytest

from bide.strategy.errors import (
    CLASSES,
    APIError,
    AuthenticationError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    class_for,
)


@pytest.mark.parametrize(
    ("status", "cls"),
    [
        (401, AuthenticationError),
        (403, PermissionDeniedError),
        (404, NotFoundError),
        (429, RateLimitError),
        (400, APIError),
        (503, APIError),
    ],
)
def test_the_status_chooses_the_class(status, cls):
    assert class_for(status, None) is cls
    assert issubclass(cls, APIError)


def test_the_catalogue_may_name_another_class():
    assert class_for(402, "RateLimitError") is RateLimitError
    assert set(CLASSES) == {
        "APIError",
        "AuthenticationError",
        "NotFoundError",
        "PermissionDeniedError",
        "RateLimitError",
    }


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (APIError(429, "busy", "Slow down.", request_id="r-1"), "429 busy: Slow down. (request r-1)"),
        (APIError(503), "503"),
        (APIError(503, None, "Down\n\tfor\x1b now"), "503: Down for now"),
        (APIError(402, "due", meaning="Pay first."), "402 due: Pay first."),
        (APIError(402, "due", "Please pay.", meaning="Pay first."), "402 due: Please pay."),
        (APIError(400, message="x" * 9999), "400: " + "x" * 500),
        (APIError(400, "c" * 9999, request_id="r" * 9999), f"400 {'c' * 500} (request {'r' * 500})"),
    ],
)
def test_an_error_reads_as_one_line(error, line):
    assert str(error) == line


def test_an_error_never_shows_what_may_be_secret():
    error = APIError(401, "bad_key", "No.", details={"key": "sk-secret"}, response=object())
    assert "secret" not in str(error) + repr(error)
    assert "object" not in str(error) + repr(error)


@pytest.mark.parametrize("again", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy])
def test_a_copy_has_everything_but_the_response(again):
    error = RateLimitError(
        429,
        "busy",
        "Slow down.",
        details={"limit": 3},
        param="page",
        request_id="r-1",
        retry_after=7.5,
        meaning="Too many.",
        resolution="Wait.",
        response=lambda: "a socket, say",
    )
    error.add_note("noted")
    other = again(error)
    assert type(other) is RateLimitError
    assert vars(other) == vars(error) | {"response": None}
    assert (other.args, other.__notes__, str(other)) == (error.args, ["noted"], str(error))


def test_notes_are_part_of_the_traceback():
    error = APIError(400)
    error.add_note("look here")
    assert "look here" in "".join(traceback.format_exception(error))
