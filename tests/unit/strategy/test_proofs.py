"""How a catalogued error is proved, and told: headers, an endpoint's policy, a condition instead of a code."""

import pickle

import pytest

from bide.policy.errors import PolicyError
from bide.policy.outcome import Outcome
from bide.policy.policy import retry_on
from bide.strategy.errors import APIError, CataloguedError, PermissionDeniedError, RateLimitError
from bide.strategy.prove import proof_of
from bide.strategy.strategy import Strategy

LIMITS = """
[rules]
limited = 'retry_on(403 & header("X-Left", "0")).fixed(60s)'
refused = 'give_up_on(4xx)'
asked = 'give_up_on(200 & body("errors"))'
[policies]
default = 'limited | refused'
graphql = 'asked | default'
[endpoints]
"POST /graphql" = 'graphql'
"/things/{id}" = 'refused'
"""


def entry(header, more, status=403, decision="retry"):
    said = f'status = {status}\ndecision = "{decision}"\nmeaning = "m"\nresolution = "r"\n'
    return f"[{header}]\n{said}{more}\n"


def told(strategy):
    return [(one.code, one.key, one.line, one.column, one.message) for one in strategy.check()]


def test_headers_are_part_of_the_proof(make):
    limit = entry("errors.limit", 'headers = { X-Left = "0", X-Reset = "9" }')
    some = make(LIMITS + limit)
    proof = proof_of(some, some.errors["limit"])
    assert (proof.headers, proof.body) == (
        (("x-left", "0"), ("x-reset", "9")),
        '{"error": {"code": "limit"}}',
    )
    assert told(some) == []
    with_example = make(LIMITS + limit + "example = '{}'\n")
    proof = proof_of(with_example, with_example.errors["limit"])
    assert (proof.values("X-Left"), proof.body) == (["0"], "{}")
    [found] = told(make(LIMITS + limit.replace('"0"', '"1"')))
    assert found[:2] == ("wrong-decision", "errors.limit")
    assert make(LIMITS + entry("errors.limit.headers", "").partition("\n")[0] + "\nX-Left = '0'\n" + entry(
        "errors.limit", "")).errors["limit"].headers == (("X-Left", "0"),)  # fmt: skip


def test_a_status_and_a_category_may_have_headers_and_an_endpoint_too(make):
    some = make(
        "[read]\ncategory = 'error.type'\n"
        + LIMITS
        + entry("categories.slow", 'headers = { X-Left = "0" }')
        + entry("statuses.404", 'endpoint = "/things/{id}"', 404, "give_up").replace("status = 404\n", "")
    )
    assert told(some) == []
    assert [(error.label, error.endpoint) for error in some.catalogue] == [
        ("403 slow", None),
        ("404", "/things/{id}"),
    ]


def test_an_endpoints_own_policy_decides_and_its_method_is_asked(make):
    error = entry("errors.bad", "endpoint = 'POST /graphql'\nexample = '{\"errors\": [1]}'", 200, "give_up")
    some = make(LIMITS + error)
    assert told(some) == []
    assert (some.errors["bad"].endpoint, some.errors["bad"].method) == ("POST /graphql", "POST")
    assert some.errors["bad"].path == ("errors", "bad")
    [found] = told(make(LIMITS + error.replace("endpoint = 'POST /graphql'\n", "")))
    assert found[4] == "no rule of the default policy decides about 200 bad"


def test_what_an_endpoint_decides_otherwise_is_told_with_its_name(make):
    some = make(
        LIMITS
        + entry("errors.limit", 'headers = { X-Left = "0" }\nendpoint = "/things/{id}"')
        + entry("errors.odd", 'endpoint = "/things/{id}"', 302)
    )
    assert [one[4] for one in told(some)] == [
        "the catalogue says retry, and the policy of '/things/{id}' says give up (rule_gave_up), by its rule 1",
        "no rule of the policy of '/things/{id}' decides about 302 odd",
    ]


def test_an_endpoint_that_the_strategy_has_not_cannot_be_named_in_python_either():
    error = CataloguedError("down", 503, "retry", "m", "r", endpoint="/x")
    said = "'503 down' names '/x', which is none of the endpoints"
    with pytest.raises(PolicyError, match=said):
        Strategy(name="mine", policies={"default": retry_on(503)}, errors={"down": error})


@pytest.mark.parametrize(
    ("more", "finding"),
    [
        ('endpoint = "POST /grapql"', ("bad-value", "errors.a.endpoint", 22, 12)),
        ('endpoint = ""', ("wrong-type", "errors.a.endpoint", 22, 12)),
        ('endpoint = "POST /graphql"\nmethod = "GET"', ("bad-value", "errors.a.method", 23, 10)),
        ('headers = "X-Left: 0"', ("wrong-type", "errors.a.headers", 22, 1)),
        ("headers = { X-Left = 0 }", ("wrong-type", "errors.a.headers.X-Left", 22, 22)),
        ('headers = { "X Left" = "0" }', ("bad-place", 'errors.a.headers."X Left"', 22, 13)),
        ("when = 429", ("wrong-type", "errors.a.when", 22, 8)),
        ('when = \'header("X") & hedaer("Y")\'', ("bad-condition", "errors.a.when", 22, 23)),
        ("when = '429).fixed(1s'", ("bad-condition", "errors.a.when", 22, 12)),
    ],
)
def test_what_is_wrong_in_a_proof_is_found(wrong, more, finding):
    [found] = wrong(LIMITS + "\n" + entry("errors.a", more))
    assert found[:4] == finding


def test_an_endpoint_that_is_wrong_itself_is_told_once(wrong):
    found = wrong("[policies]\ndefault = 'retry_on(403)'\n[endpoints]\n'https://x' = 'default'\n"
                  + entry("errors.a", "endpoint = 'https://x'"))  # fmt: skip
    assert [one[:2] for one in found] == [("bad-endpoint", 'endpoints."https://x"')]


def test_a_keyless_error_is_told_by_its_condition_and_raised_by_its_name(make):
    some = make(
        LIMITS
        + entry(
            "errors.hourly_limit",
            "when = 'header(\"X-Left\", \"0\")'\nraises = 'RateLimitError'",
        )
        + entry("errors.other", "", 403, "give_up")
    )
    assert told(some) == []
    spent = some.error_of(Outcome(403, {"X-Left": "0"}, '{"message": "no"}'))
    assert (type(spent), spent.code, spent.message, spent.meaning) == (
        RateLimitError, "hourly_limit", "no", "m",
    )  # fmt: skip
    assert str(spent) == "403 hourly_limit: no"
    plain = some.error_of(Outcome(403, {"X-Left": "7"}, '{"message": "no"}'))
    assert (type(plain), plain.code) == (PermissionDeniedError, None)
    assert some.error_of(Outcome(404, {"X-Left": "0"}, "{}")).code is None  # of its own statuses alone
    assert pickle.loads(pickle.dumps(some)) == some
    assert hash(pickle.loads(pickle.dumps(some))) == hash(some)


def test_a_code_that_is_documented_goes_before_a_condition_and_an_unknown_one_after(make):
    some = make(
        LIMITS
        + entry("errors.limit", "when = 'header(\"X-Left\", \"0\")'\nraises = 'RateLimitError'")
        + entry("errors.known", "", 403, "give_up")
    )
    known = some.error_of(Outcome(403, {"X-Left": "0"}, '{"code": "known"}'))
    assert (type(known), known.code) == (PermissionDeniedError, "known")
    unknown = some.error_of(Outcome(403, {"X-Left": "0"}, '{"code": "E7"}'))
    assert (type(unknown), unknown.code, unknown.meaning) == (RateLimitError, "E7", "m")


def test_classes_of_ones_own_go_by_the_name_of_a_keyless_error(make):
    class Spent(APIError):
        pass

    some = make(LIMITS + entry("errors.limit", 'when = \'header("X-Left", "0")\''))
    sdk = some.with_errors({"limit": Spent})
    assert type(sdk.error_of(Outcome(403, {"X-Left": "0"}, '{"code": "E7"}'))) is Spent


def test_the_smallest_proof_of_a_condition_has_what_it_asks_for_and_no_code(make):
    some = make(
        "[read]\ncode = 'e.c'\nmessage = 'e.m'\n"
        + LIMITS
        + entry("errors.limit", 'when = \'header("X-Left", "0") & message("*spent*")\'')
    )
    proof = proof_of(some, some.errors["limit"])
    assert (proof.values("x-left"), proof.body) == (["0"], '{"e": {"m": "spent"}}')
    assert told(some) == []


def test_a_condition_that_its_own_proof_does_not_meet_is_found(make):
    [found] = told(make(LIMITS + entry("errors.limit", "when = 'header(\"X-Left\", \"0\")'\nexample = '{}'")))
    assert found == (
        "unmet-when", "errors.limit.when", 21, 1,
        "its `when` does not hold for the response that proves it: no header X-Left",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("when", "advice"),
    [
        ('header("X")', 'add a rule, such as retry_on(302 & header("X"))'),
        ('300-302 & header("X")', 'add a rule, such as retry_on(300-302 & header("X"))'),
    ],
)
def test_a_keyless_error_that_nothing_decides_is_found_with_advice(make, when, advice):
    [finding] = make(LIMITS + entry("errors.odd", f"when = '{when}'", 302)).check()
    assert (finding.code, finding.advice) == ("undecided-code", advice)


FAILED = "[read]\nfailed = '200 & body(\"ok\", False)'\n"


def test_a_success_that_failed_is_raised_though_its_code_is_not_catalogued(make):
    some = make(FAILED + LIMITS + entry("errors.slow", "raises = 'RateLimitError'", 429, "give_up"))
    error = some.error_of(Outcome(200, body='{"ok": false, "code": "new", "message": "no"}'))
    assert (type(error), error.status, error.code, error.meaning) == (APIError, 200, "new", None)
    error = some.error_of(Outcome(200, body='{"ok": false, "code": "slow"}'))
    assert (type(error), error.meaning) == (RateLimitError, "m")  # catalogued with another status
    assert some.error_of(Outcome(200, body='{"ok": true, "code": "slow"}')) is None
    assert some.error_of(Outcome(200)) is None
    assert some.error_of(Outcome(201, body='{"ok": false}')) is None
    assert pickle.loads(pickle.dumps(some)) == some
    with pytest.raises(APIError, match="200 new: no"):
        some.raise_for(Outcome(200, body='{"ok": false, "code": "new", "message": "no"}'))


def test_what_failed_is_no_error_where_a_rule_accepts_it(make):
    some = make(FAILED + "[policies]\ndefault = 'accept_on(200 & body(\"ok\", False))'\n")
    assert some.error_of(Outcome(200, body='{"ok": false, "code": "new"}')) is None


def test_failed_looks_for_codes_where_the_file_says(make):
    some = make("[read]\ncode = 'e.c'\nfailed = '200 & code(\"A\")'\n" + LIMITS)
    assert some.error_of(Outcome(200, body='{"e": {"c": "A"}}')).code == "A"
    assert some.error_of(Outcome(200, body='{"code": "A"}')) is None


def test_failed_that_is_no_condition_is_found(wrong):
    [found] = wrong("[read]\nfailed = 'boddy(\"ok\")'\n[policies]\ndefault = 'retry_on(503)'\n")
    assert found == (
        "bad-condition",
        "read.failed",
        6,
        11,
        "unknown condition 'boddy': did you mean 'body'?",
    )
