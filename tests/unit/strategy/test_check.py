import attrs
import pytest

from bide.policy.conditions import anything, when
from bide.policy.params import FOREVER
from bide.policy.policy import retry_on
from bide.strategy.check import check
from bide.strategy.errors import CataloguedError
from bide.strategy.prove import Coverage, proof_of
from bide.strategy.strategy import Strategy


def entry(code, status, decision, more=""):
    lines = [f"[errors.{code}]", f"status = {status}", f'decision = "{decision}"', 'meaning = "m"']
    return "\n".join([*lines, 'resolution = "r"', *filter(None, [more])]) + "\n"


def told(strategy):
    return [(one.code, one.key, one.line, one.column, one.message) for one in check(strategy)]


def test_a_catalogue_that_is_true_has_no_findings(make):
    strategy = make(
        "[read]\ncode = 'e.c'\n"
        '[rules]\nexpired = \'retry_on(401 & code("old")).calling("refresh").immediately(max=1)\'\n'
        "again = 'retry_on(429 & ~code(\"quota\")).fixed(1s)'\nthere = 'accept_on(code(\"dup\"))'\n"
        "refused = 'give_up_on(4xx)'\n[policies]\ndefault = 'expired | again | there | refused'\n"
        + entry("old", 401, "recover")
        + entry("slow", 429, "retry")
        + entry("quota", 429, "give_up")
        + entry("dup", 409, "accept")
    )
    assert told(strategy) == []
    assert strategy.check() == []
    assert strategy.coverage() == Coverage(codes=4, decided=4, rules=4, reached=4)
    assert str(strategy.coverage()) == "4 of 4 codes decided as catalogued, 4 of 4 rules reached"


def test_a_decision_that_differs_from_the_catalogue_is_found(make):
    strategy = make(
        "[policies]\ndefault = 'retry_on(5xx).calling(\"a\") | accept_on(409) | retry_on(429)'\n"
        + entry("down", 503, "give_up")
        + entry("dup", 409, "retry")
        + entry("slow", 429, "retry")
        + entry("other", 429, "recover")
    )
    assert told(strategy) == [
        (
            "wrong-decision", "errors.down", 7, 2,
            "the catalogue says give up, and the default policy says recover, then retry, by its rule 1",
        ),
        (
            "wrong-decision", "errors.dup", 12, 2,
            "the catalogue says retry, and the default policy says accept (accepted), by its rule 2",
        ),
        (
            "wrong-decision", "errors.other", 22, 2,
            "the catalogue says recover, then retry, and the default policy says retry, by its rule 3",
        ),
    ]  # fmt: skip
    assert strategy.coverage() == Coverage(codes=4, decided=1, rules=3, reached=3)


@pytest.mark.parametrize(
    ("decision", "advice"),
    [
        ("retry", 'add a rule, such as retry_on(418 & code("tea"))'),
        ("recover", 'add a rule, such as retry_on(418 & code("tea"))'),
        ("give_up", 'add a rule, such as give_up_on(418 & code("tea"))'),
        ("accept", 'add a rule, such as accept_on(418 & code("tea"))'),
    ],
)
def test_a_code_that_nothing_decides_is_found(make, decision, advice):
    strategy = make("[policies]\ndefault = 'retry_on(5xx)'\n" + entry("tea", 418, decision))
    [finding] = check(strategy)
    assert (finding.code, finding.key, finding.line) == ("undecided-code", "errors.tea", 7)
    assert finding.message == "no rule of the default policy decides about 418 tea"
    assert finding.advice == advice


def test_a_rule_that_no_policy_uses_is_found(make):
    strategy = make(
        "[rules]\nb = 'retry_on(500)'\na = 'retry_on(501)'\n[policies]\ndefault = 'retry_on(502)'\n"
    )
    assert told(strategy) == [
        ("unused-rule", "rules.b", 6, 1, "no policy and no endpoint uses this rule"),
        ("unused-rule", "rules.a", 7, 1, "no policy and no endpoint uses this rule"),
    ]


def test_a_rule_that_an_endpoint_alone_uses_is_used(make):
    strategy = make(
        "[rules]\na = 'retry_on(501)'\n[policies]\ndefault = 'retry_on(502)'\n[endpoints]\n'/x' = 'a.max(9)'\n"
    )
    assert told(strategy) == []


UNREACHED = [
    ('retry_on(429 & code("typo"))', 'retry_on(429 & code("typo", at="e.c"))'),
    ('retry_on(503 & code("slow"))', 'retry_on(503 & code("slow", at="e.c"))'),
    ("retry_on(404 & 500)", "retry_on(404 & 500)"),
    ('retry_on(404 & body("a[100]"))', 'retry_on(404 & body("a[100]"))'),
]


@pytest.mark.parametrize(("rule", "shown"), UNREACHED)
def test_a_rule_that_no_response_reaches_is_found(make, rule, shown):
    strategy = make(
        f"[read]\ncode = 'e.c'\n[rules]\na = '{rule}'\n[policies]\ndefault = 'a | retry_on(429)'\n"
        + entry("slow", 429, "retry")
    )
    assert told(strategy) == [("unreached-rule", "rules.a", 8, 1, f"no response reaches {shown}")]
    assert strategy.coverage() == Coverage(codes=1, decided=1, rules=2, reached=1)


def test_a_rule_behind_others_that_answer_all_of_it_is_found(make):
    strategy = make(
        "[rules]\na = 'retry_on(429 & code(\"slow\"))'\n"
        "[policies]\ndefault = 'give_up_on(429 & ~code(\"fast\")) | a'\n" + entry("slow", 429, "give_up")
    )
    assert [one[:2] for one in told(strategy)] == [("unreached-rule", "rules.a")]


def test_an_inline_rule_that_nothing_reaches_is_found_at_its_policy(make):
    strategy = make(
        "[policies]\ndefault = 'retry_on(500)'\nother = 'retry_on(code(\"a\"))'\n"
        "[endpoints]\n'/x' = 'retry_on(code(\"a\")) | retry_on(code(\"b\"))'\n"
    )
    assert [one[:4] for one in told(strategy)] == [
        ("unreached-rule", "policies.other", 7, 1),
        ("unreached-rule", 'endpoints."/x"', 9, 1),
    ]


def test_a_rule_of_several_that_nothing_reaches_is_told_once(make):
    strategy = make('[policies]\ndefault = \'retry_on(code("a")) | retry_on(code("b"))\'\n')
    assert len(told(strategy)) == 1


@pytest.mark.parametrize(
    "rule",
    [
        "retry_on(5xx)",
        "retry_on(anything)",
        "retry_on(network)",
        "retry_on(timeout, unsent)",
        "retry_on(httpx.ReadTimeout)",
        'retry_on(429 & header("x-busy"))',
        'retry_on(429 & header("x-busy", "yes") & ~header("x-idle"))',
        'retry_on(429 & body("error.kind", 3))',
        'retry_on(429 & body("error.kind"))',
        'retry_on(message("*over?oaded*"))',
        'retry_on(message("*overloaded*", at="m"))',
        'retry_on(503 & method("POST", "PUT"))',
        "retry_on(503 & idempotent & replayable)",
        'retry_on(503 & code("kind", at="error.type"))',
        'retry_on(400 & (code("typo") | message("*x*")))',
        'retry_on(200 & code("slow"), 200 & code("ok", at="other"))',
        'retry_on(code("slow"))',
        'retry_on(code("slow") & header("x-busy"))',
        'retry_on(code("slow") & method("POST"))',
    ],
)
def test_a_rule_that_some_response_reaches_is_not_found(make, rule):
    strategy = make(f"[read]\ncode = 'e.c'\n[policies]\ndefault = '{rule}'\n" + entry("slow", 429, "retry"))
    assert [one for one in told(strategy) if one[0] == "unreached-rule"] == []


def test_a_code_may_be_proved_by_an_example_of_another_method(make):
    strategy = make(
        '[policies]\ndefault = \'accept_on(409 & method("POST") & body("session")) | retry_on(503)\'\n'
        + entry("dup", 409, "accept", "method = 'POST'\nexample = '{\"session\": 1}'")
        + entry("down", 503, "give_up", "method = 'POST'")
    )
    assert told(strategy) == []  # a POST that came to 503 is not repeated


def test_a_code_stands_where_the_file_says_in_the_proof(make):
    strategy = make("[read]\ncode = 'header:x-code'\n[policies]\ndefault = 'retry_on(503)'\n")
    outcome = proof_of(strategy, CataloguedError("down", 503, "retry", "m", "r"))
    assert (outcome.status, outcome.values("x-code"), outcome.method) == (503, ["down"], "GET")


def test_a_strategy_made_in_python_is_checked_by_its_name():
    error = CataloguedError("down", 503, "give_up", "m", "r")
    policies = {"default": retry_on(503).max(FOREVER), "own": retry_on(when(lambda outcome: False))}
    strategy = Strategy(name="mine", policies=policies, rules={"a": retry_on(503)}, errors={"down": error})
    assert told(strategy) == [
        (
            "wrong-decision",
            "errors.down",
            None,
            None,
            "the catalogue says give up, and the default policy says retry, by its rule 1",
        ),
        (
            "unbounded",
            "policies.default",
            None,
            None,
            "forever needs a deadline: add .within(10m) to the rule or to the whole policy",
        ),
    ]
    assert check(strategy)[0].file == "mine"


def test_endpoints_are_held_to_bounds_too():
    strategy = Strategy(
        name="mine",
        policies={"default": retry_on(anything)},
        endpoints={"/x": retry_on(anything).max(FOREVER)},
    )
    assert [(one.code, one.key) for one in check(strategy)] == [("unbounded", 'endpoints."/x"')]
    bounded = attrs.evolve(strategy, endpoints={"/x": retry_on(anything).max(FOREVER).within(60)})
    assert check(bounded) == []


def test_a_policy_that_nothing_runs_yet_is_found(make):
    rules = "[rules]\nbusy = 'retry_on(503)'\n[policies]\ndefault = 'busy.budget(20%)'\n"
    [found] = make(rules + "[endpoints]\n'/a' = 'busy'\n").check()
    assert (found.code, found.key) == ("not-available", "policies.default")
    assert (
        found.message
        == ".budget(...) parses, and nothing runs it yet: every call by this policy would be refused"
    )
    assert found.advice == "leave it out for now"
    assert found.line is not None
