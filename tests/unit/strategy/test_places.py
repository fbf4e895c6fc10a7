import pytest
from hypothesis import given
from hypothesis import strategies as st

from bide.language.parse import parse
from bide.policy.errors import PolicyError
from bide.policy.outcome import Outcome
from bide.strategy.places import Places, answer, checked_place


@pytest.mark.parametrize(
    "place",
    [
        "code",
        "error.code",
        "errors.0.code",
        "errors[2].code",
        "$.error.code",
        "details[@type=google.rpc.ErrorInfo].reason",
        "error.details[meta.kind=quota].reason",
        "header:x-error-code",
    ],
)
def test_an_answer_holds_a_value_where_the_place_says(place):
    assert checked_place(place) == place
    assert answer(400, "GET", {place: "busy"}).at(place) == "busy"


@pytest.mark.parametrize(
    "place",
    ["a..b", "a.", "[", "a[x=]]", "list[k=v]", "a[100]", "x" * 300, "header:", "header:a b"],
)
def test_what_is_no_place_is_refused(place):
    with pytest.raises(PolicyError, match=r"no place in a response|names no header"):
        checked_place(place)


@given(st.text(alphabet="ab.[]=0$@:", max_size=12))
def test_a_place_is_refused_or_can_be_written_and_read(text):
    try:
        place = checked_place(text)
    except PolicyError:
        return
    assert answer(400, "GET", {place: "busy"}).at(place) == "busy"


def test_several_values_stand_side_by_side_in_one_answer():
    held = {"errors[0].code": "a", "errors[1].code": "b", "errors[0].text": "c", "header:x": "d"}
    read = answer(400, "POST", held)
    assert {place: read.at(place) for place in held} == held
    assert read.method == "POST"


def test_conditions_and_delays_say_where_they_look():
    places = Places(code="e.c", message="e.m")
    policy = parse(
        'retry_on(429 & ~code("a") | message("*b*")).after_message("{seconds} s").fixed(1s)'
        ' | give_up_on(code("d", at="x"), message("y", at="z"))'
    )
    applied = places.applied(policy)
    assert applied == parse(
        'retry_on(429 & ~code("a", at="e.c") | message("*b*", at="e.m")).after_message("{seconds} s", at="e.m")'
        '.fixed(1s) | give_up_on(code("d", at="x"), message("y", at="z"))'
    )
    assert parse(str(applied)) == applied


def test_places_that_are_not_said_change_nothing():
    policy = parse(
        'retry_on(code("a"), message("b")).after_message("{seconds} s").after_header("x").fixed(1s)'
    )
    assert Places().applied(policy) == policy
    assert Places(code="e.c").applied(parse('retry_on(message("b"))')) == parse('retry_on(message("b"))')


@pytest.mark.parametrize(
    ("place", "headers", "body", "seconds"),
    [
        (None, {"Retry-After": "7"}, None, 7.0),
        (None, {}, None, None),
        ("details.retry_after", {"Retry-After": "7"}, '{"details": {"retry_after": 9}}', 9.0),
        ("details.retry_after", {"Retry-After": "7"}, "{}", None),
        ("header:X-Wait", {"X-Wait": "3"}, None, 3.0),
        ("header:X-Wait", {"Retry-After": "7"}, None, None),
        (
            "header:Retry-After",
            {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT", "Date": "Wed, 21 Oct 2026 07:27:00 GMT"},
            None,
            60.0,
        ),
    ],
)
def test_the_delay_asked_for_is_read_where_the_place_says(place, headers, body, seconds):
    assert Places(delay=place).retry_after(Outcome(429, headers, body)) == seconds
