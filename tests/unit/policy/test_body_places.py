"""A place in a response is a path into its body, or `header:` and a name; a text that is neither is refused at once."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import bide
from bide import Outcome, PolicyError, PolicySyntaxError, body, code, parse, retry_on
from bide.policy.hints.paths import steps as steps_of

ADVICE = "; write a path such as 'error.code' or 'errors[0].code'"
SAYS = {
    "path": [bide.body, retry_on(429).after_body],
    "at": [
        lambda place: bide.code("busy", at=place),
        lambda place: bide.message("*busy*", at=place),
        lambda place: retry_on(429).waits(parse_delay("{seconds} s", place)),
    ],
}
TEXTS = [
    "retry_on(body({}))",
    "retry_on(429).after_body({})",
    'retry_on(code("busy", at={}))',
    'retry_on(message("*busy*", at={}))',
    'retry_on(429).after_message("{{seconds}} s", at={})',
]
GOOD = [
    "error",
    "error.code",
    "errors.0.code",
    "errors[0].code",
    "errors.[0].code",
    "[0]",
    ".error",
    "$.error.code",
    "d[@type=a.b/C].e",
    "d[meta.kind=].e",
    "a b.é",
    "header:x-error",
]
BAD = [
    ("a[", "the bracket at character 2 is not closed"),
    ("a.[0", "the bracket at character 3 is not closed"),
    ("a..b", "two dots stand together at character 2"),
    ("a.", "it ends in a dot"),
    (".", "it ends in a dot"),
    ("$.", "it names nothing"),
    ("a]", "no bracket is open at character 2"),
    ("a.]", "no bracket is open at character 3"),
    ("a[]", "the brackets at character 2 hold '', and no index such as 0 and no key=value"),
    ("a[-1]", "the brackets at character 2 hold '-1', and no index such as 0 and no key=value"),
    ("a[b]", "the brackets at character 2 hold 'b', and no index such as 0 and no key=value"),
    ("a[=b]", "the brackets at character 2 hold '=b', and no index such as 0 and no key=value"),
    ("a[b..c=d]", "in the brackets at character 2, two dots stand together at character 2"),
    ("a." * 128 + "b", "it is longer than 256 characters"),
]


def parse_delay(template, place):
    return type(retry_on(429).after_message(template).clause.delays[0])(template, at=place)


@pytest.mark.parametrize("place", GOOD)
def test_a_place_is_taken_wherever_one_is_said(place):
    for say in SAYS["path"] + SAYS["at"]:
        say(place)
    for text in TEXTS:
        policy = parse(text.format(f'"{place}"'))
        assert parse(str(policy)) == policy


@pytest.mark.parametrize(("place", "why"), BAD)
def test_what_is_no_place_is_refused_with_the_reason(place, why):
    for argument, says in SAYS.items():
        for say in says:
            with pytest.raises(PolicyError) as caught:
                say(place)
            assert str(caught.value) == f"{place!r:.60} is no place in a response: {why}{ADVICE}"
            assert caught.value.argument == argument


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize(("place", "why"), BAD)
def test_what_is_no_place_is_pointed_at_in_a_text(text, place, why):
    said = text.format(f'"{place}"')
    with pytest.raises(PolicySyntaxError) as caught:
        parse(said)
    assert why in caught.value.message
    span = said[caught.value.start :][: caught.value.width]
    assert span.removeprefix("at=") == f'"{place}"'


@pytest.mark.parametrize("name", ["", "a b", "é", "x:y"])
def test_a_header_that_cannot_be_is_no_place(name):
    with pytest.raises(PolicyError, match="names no header; write one, such as 'header:x-request-id'"):
        bide.code("busy", at=f"header:{name}")


@given(st.text(alphabet="ab.[]=0$@:é", min_size=1, max_size=12))
@example("a.[0]")
@example("[a=")
def test_a_place_prints_and_parses_back_or_is_refused_by_both_faces(place):
    for text, say in zip(TEXTS, (bide.body, retry_on(429).after_body), strict=False):
        try:
            say(place)
        except PolicyError:
            with pytest.raises(PolicySyntaxError):
                parse(text.format(f'"{place}"'))
        else:
            policy = parse(text.format(f'"{place}"'))
            assert parse(str(policy)) == policy


def place_in(steps, value):
    for step in reversed(steps):
        value = {step: value} if isinstance(step, str) else [*[None] * step, value]
    return value


@given(st.lists(st.integers(0, 5) | st.from_regex(r"[a-z@_ -]{1,8}", fullmatch=True), min_size=1, max_size=6))
def test_a_path_of_keys_and_indexes_leads_to_what_stands_there(steps):
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).removeprefix(".")
    assert bide.body(path, "x").matches(bide.Outcome(400, body=json.dumps(place_in(steps, "x"))))
    assert len(steps_of(path)) == len(steps)


IN_A_LIST = (
    '[{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "slow", "retry": 7, "list": [1]}}]'
)


def test_a_list_of_exactly_one_object_is_looked_into_as_that_object():
    outcome = Outcome(429, body=IN_A_LIST)
    assert outcome.read_code() == "429"
    assert outcome.read_message() == "slow"
    for place in ("error.status", "$.error.status", "[0].error.status", "0.error.status"):
        assert outcome.at(place) == "RESOURCE_EXHAUSTED"
        assert code("RESOURCE_EXHAUSTED", at=place).matches(outcome)
    assert retry_on(429).after_body("error.retry").explain(outcome).delay == (7.0, 8.0)
    assert body("error.list.0", 1).matches(outcome)


@pytest.mark.parametrize(
    "said",
    [
        '[{"code": "a"}, {"code": "b"}]',
        "[]",
        '["code"]',
        '[[{"code": "a"}]]',
        '{"errors": [{"x": [{"code": "a"}]}]}',
        '[{"other": [{"code": "a"}]}]',
    ],
)
def test_no_other_list_is_looked_into_by_a_name(said):
    assert Outcome(400, body=said).at("code") is None
    assert Outcome(400, body=said).at("errors.0.x.code") is None
    assert Outcome(400, body=said).at("other.code") is None
