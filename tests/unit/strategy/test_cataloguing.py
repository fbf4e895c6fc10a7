"""What a catalogue may say: codes under several statuses, categories, and statuses without a code."""

import pickle

import pytest

from bide.policy.outcome import Outcome
from bide.strategy.errors import APIError, CataloguedError, PermissionDeniedError, RateLimitError
from bide.strategy.prove import proof_of

RULES = "[policies]\ndefault = 'retry_on(429, 5xx) | accept_on(409 & body(\"id\")) | give_up_on(4xx)'\n"
READ = "[read]\ncode = 'error.code'\ncategory = 'error.type'\n"


def entry(header, status="", decision="give_up", more=""):
    said = f"status = {status}\n" if status != "" else ""
    return f'{header}\n{said}decision = "{decision}"\nmeaning = "m"\nresolution = "r"\n{more}\n'


def answer(status, code=None, category=None, **more):
    inside = ", ".join(
        f'"{key}": "{value}"' for key, value in (("code", code), ("type", category)) if value is not None
    )
    return Outcome(status, body=f'{{"error": {{{inside}}}}}', **more)


def labels(strategy):
    return [(error.label, error.decision) for error in strategy.catalogue]


def test_a_code_may_have_a_list_of_statuses(make):
    some = make(RULES + entry("[errors.down]", "[500, 502, 503]", "retry"))
    assert labels(some) == [("500 down", "retry"), ("502 down", "retry"), ("503 down", "retry")]
    assert some.errors["down"].status == 500
    assert some.check() == []
    assert some.coverage().codes == 3


def test_a_code_may_mean_something_else_under_each_status(make):
    some = make(READ + RULES + entry("[[errors.busy]]", 400) + entry("[[errors.busy]]", 503, "retry"))
    assert labels(some) == [("400 busy", "give_up"), ("503 busy", "retry")]
    assert some.documented("busy", None, 503).decision == "retry"
    assert some.documented("busy", None, 400).decision == "give_up"
    assert some.documented("busy", None, 404) is some.errors["busy"]  # it is the code that is known
    assert some.check() == []


def test_codes_may_share_a_status(make):
    some = make(READ + RULES + entry("[errors.a]", 403) + entry("[errors.b]", 403))
    assert labels(some) == [("403 a", "give_up"), ("403 b", "give_up")]


def test_a_finding_about_the_second_table_of_a_code_has_its_line(make, wrong):
    some = make(READ + RULES + entry("[[errors.busy]]", 400) + entry("[[errors.busy]]", 503))
    [finding] = some.check()
    assert (finding.code, finding.key, finding.line) == ("wrong-decision", "errors.busy[1]", 16)
    found = wrong(RULES + entry("[[errors.busy]]", 400) + entry("[[errors.busy]]", 99))
    assert found[0][:4] == ("wrong-type", "errors.busy[1].status", 14, 10)


def test_a_code_is_catalogued_once_for_each_status(wrong):
    [found] = wrong(RULES + entry("[[errors.busy]]", 400) + entry("[[errors.busy]]", "[503, 400]"))
    message = "'400 busy' is catalogued twice; the first is on line 7"
    assert found == ("duplicate-code", "errors.busy[1]", 13, 3, message)


def test_what_is_documented_of_a_code_goes_before_its_category_and_that_before_its_status(make):
    some = make(
        READ
        + RULES
        + entry("[errors.known]", 403, more='category = "refused"')
        + entry("[categories.refused]", 403)
        + entry("[statuses.403]")
    )
    known = [
        some.documented(code, category, 403)
        for code, category in (("known", "refused"), ("new", "refused"), ("new", "other"), (None, None))
    ]
    assert [error.label for error in known] == ["403 known", "403 refused", "403", "403"]
    assert [error.path for error in known[:3]] == [
        ("errors", "known"),
        ("categories", "refused"),
        ("statuses", "403"),
    ]
    assert some.documented("new", "other", 404) is None
    assert some.check() == []


def test_each_is_proved_by_a_response_of_its_own(make):
    some = make(
        READ
        + RULES
        + entry("[errors.known]", 403, more='category = "refused"')
        + entry("[categories.refused]", 403)
        + entry("[statuses.503]", decision="retry")
    )
    assert [proof_of(some, error).body for error in some.catalogue] == [
        '{"error": {"code": "known", "type": "refused"}}',
        '{"error": {"type": "refused"}}',
        "null",
    ]


@pytest.mark.parametrize(
    ("more", "advice"),
    [
        (entry("[statuses.302]"), "add a rule, such as give_up_on(302)"),
        (
            entry("[categories.moved]", 302),
            'add a rule, such as give_up_on(302 & code("moved", at="error.type"))',
        ),
    ],
)
def test_an_error_without_a_code_that_nothing_decides_is_found(make, more, advice):
    [finding] = make(READ + RULES + more).check()
    assert (finding.code, finding.advice, finding.line) == ("undecided-code", advice, 10)


def test_an_unknown_code_is_raised_as_its_category_says_or_as_its_status(make):
    some = make(READ + RULES + entry("[categories.poor]", 402, more='raises = "PermissionDeniedError"'))
    error = some.error_of(answer(402, "new", "poor"))
    assert (type(error), error.code, error.category, error.meaning) == (
        PermissionDeniedError,
        "new",
        "poor",
        "m",
    )
    error = some.error_of(answer(429, "new", "also_new"))
    assert (type(error), error.category, error.meaning) == (RateLimitError, "also_new", None)
    assert str(some.error_of(answer(402, None, "poor"))) == "402 poor: m"


def test_a_status_that_may_be_accepted_is_an_error_when_no_rule_accepts_it(make):
    some = make(RULES + entry("[statuses.409]", decision="accept", more="example = '{\"id\": 1}'"))
    assert some.check() == []
    assert some.error_of(Outcome(409, body='{"id": 1}')) is None
    error = some.error_of(Outcome(409, body="{}"))
    assert (type(error), error.meaning) == (APIError, None)


def test_a_success_is_no_error_whatever_is_documented_of_its_status(make):
    some = make(RULES + entry("[statuses.202]", decision="accept"))
    assert some.error_of(Outcome(202)) is None


def test_a_code_may_have_its_details_elsewhere(make):
    some = make(
        "[read]\ndetails = 'details'\n" + RULES + entry("[errors.bad]", 400, more='details = "errors"')
    )
    said = '{"error": {"code": "%s"}, "details": {}, "errors": [1]}'
    assert some.error_of(Outcome(400, body=said % "bad")).details == [1]
    assert some.error_of(Outcome(400, body=said % "other")).details == {}


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        (
            entry("[statuses.busy]"),
            ("bad-name", "statuses.busy", 10, 2, "is no HTTP status, 100 to 599"),
        ),
        (
            entry("[statuses.503]", 503, "retry"),
            ("unknown-key", "statuses.503.status", 11, 1, None),
        ),
        (
            entry("[categories.a]"),
            ("missing-key", "categories.a.status", 10, 2, "is missing"),
        ),
        (
            entry("[categories.a]", 400) + entry("[errors.b]", 400, more='category = "c"'),
            ("bad-value", "errors.b.category", 21, 12, "'c' is none of those known: there is a"),
        ),
        (
            entry("[categories.a]", 400) + entry("[errors.b]", 403, more='category = "a"'),
            ("bad-value", "errors.b.category", 21, 12, "'a' is documented with another status than 403"),
        ),
        (
            entry("[errors.a]", "[]"),
            ("wrong-type", "errors.a.status", 11, 10, None),
        ),
        (
            entry("[errors.a]", '[400, "x"]'),
            ("wrong-type", "errors.a.status", 11, 10, None),
        ),
        (
            entry("[errors.a]", 400, more="details = 'a..b'"),
            ("bad-place", "errors.a.details", 15, 11, None),
        ),
        ("[[categories]]\na = 3", ("wrong-type", "categories", 10, 3, "takes a table; got a list")),
        ("[[statuses.503]]\ndecision = 'retry'", ("wrong-type", "statuses.503", 10, 3, None)),
        ("[errors]\na = []", ("wrong-type", "errors.a", 11, 1, "takes a table; got a list")),
        ("[errors]\na = [3]", ("wrong-type", "errors.a", 11, 1, "takes a table; got a whole number")),
    ],
)
def test_what_is_wrong_in_a_catalogue_is_found(wrong, text, finding):
    [found] = wrong(READ + RULES + text)
    assert found[:4] == finding[:4]
    assert finding[4] in (None, found[4])


def test_categories_need_to_be_read_somewhere(wrong):
    found = wrong(RULES + entry("[categories.a]", 400))
    assert [one[:2] for one in found] == [("missing-key", "read.category")]


def test_a_catalogue_is_part_of_what_a_strategy_is(make):
    text = (
        READ
        + RULES
        + entry("[[errors.a]]", 400)
        + entry("[[errors.a]]", 503, "retry")
        + entry("[statuses.404]")
    )
    some = make(text)
    assert pickle.loads(pickle.dumps(some)).catalogue == some.catalogue
    assert some != make(text.replace("statuses.404", "statuses.403"))


def test_an_entry_made_in_python_has_the_path_that_a_file_would_give_it():
    said = {"decision": "retry", "meaning": "m", "resolution": "r"}
    assert CataloguedError("a", 400, **said).path == ("errors", "a")
    assert CataloguedError(None, 400, category="b", **said).path == ("categories", "b")
    assert CataloguedError(None, 400, **said).path == ("statuses", "400")
