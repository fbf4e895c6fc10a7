import json

import pytest

from bide import (
    Outcome,
    PolicyError,
    accept_on,
    anything,
    body,
    code,
    give_up_on,
    header,
    idempotent,
    method,
    network,
    raises,
    retry_on,
    status,
    timeout,
    unsent,
    when,
)
from bide.policy.reachable import shadowed_by


def yes(outcome):
    return True


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ([503], [503]),
        (["5xx"], [503]),
        (["500-549", "550-599"], ["5xx"]),
        ([status(500, 503)], [503, 500]),
        ([code("a")], [code("a")]),
        ([code("a") & 503], [code("a") & 503]),
        ([503], [503 & code("a")]),
        ([code("a")], [503 & code("a")]),
        ([code("a")], [503 & code("a") & timeout]),
        ([timeout], [timeout("read")]),
        ([timeout("read"), timeout("pool")], [timeout("pool", "read")]),
        ([timeout], [timeout & idempotent]),
        ([OSError], [ConnectionError, TimeoutError]),
        ([raises("os.X")], [raises("os.X")]),
        ([raises("json.JSONDecodeError")], [raises(json.JSONDecodeError)]),
        ([anything], [503]),
        ([anything], [503, code("x"), timeout, ValueError, network, ~status(404)]),
        ([anything], [method("GET") & header("x")]),
        ([anything], ["4xx" & ~status(404)]),
        ([when(yes)], [when(yes)]),
        ([when(yes)], [when(yes) & code("x")]),
        ([200 & code("a")], [200 & code("a")]),
        ([~status(404)], [~status(404)]),
        ([503 | timeout], [timeout]),
    ],
)
def test_a_rule_that_is_answered_already_can_never_decide(earlier, later):
    first, second = give_up_on(*earlier), retry_on(*later)
    with pytest.raises(
        PolicyError, match="can never decide: the rules before it answer all that it is about"
    ):
        first | second
    assert shadowed_by(second.clause, (retry_on(402).clause, first.clause)) == 1


@pytest.mark.parametrize(
    ("earlier", "later", "outcome"),
    [
        ([503], ["5xx"], Outcome(500)),
        ([503 & code("a")], [503], Outcome(503)),
        ([timeout("read")], [timeout], Outcome(timed_out=True)),
        ([timeout("read")], [timeout("read", "pool")], Outcome(timed_out=True, phase="pool")),
        ([ConnectionError], [OSError], Outcome(error=OSError())),
        (
            [raises("os.X")],
            [raises("os.X", "os.Y")],
            Outcome(error=type("Y", (Exception,), {"__module__": "os"})()),
        ),
        ([method("POST")], [200 & method("POST")], Outcome(200, method="POST")),
        ([code("a")], [200 & code("a")], Outcome(200, body='{"code": "a"}')),
        ([anything], [200], Outcome(200)),
        ([anything], [200 & code("a")], Outcome(200, body='{"code": "a"}')),
        ([anything], [when(yes)], Outcome(200)),
        ([503 & when(yes)], [when(yes)], Outcome(200)),
        ([body("a", 1)], [body("a", True)], Outcome(400, body='{"a": true}')),
        ([404], [~status(404)], Outcome(405)),
        ([unsent], [network], Outcome(network=True)),
    ],
)
def test_a_rule_that_has_something_left_to_decide_is_kept(earlier, later, outcome):
    policy = accept_on(*earlier) | retry_on(*later).any_method()
    assert policy.decide(outcome).rule == 1
    assert shadowed_by(retry_on(*later).clause, accept_on(*earlier).clauses) is None


def test_several_rules_together_may_answer_all_of_one():
    rules = [retry_on(status).clause for status in (500, 501, 502)]
    assert shadowed_by(retry_on("500-502").clause, rules) == 2
    assert shadowed_by(retry_on("500-503").clause, rules) is None


def test_an_override_leaves_out_what_it_answers():
    default = retry_on(429) | retry_on("5xx").max(2) | give_up_on(404)
    special = retry_on(429).after_header("Retry-After") | give_up_on(404)
    assert (special | default).clauses == (*special.clauses, default.clauses[1])
    assert special | special == special


def test_an_override_leaves_out_what_it_answers_together_with_the_rules_kept():
    policy = retry_on(500) | (retry_on(501) | retry_on("500-501"))
    assert policy == retry_on(500) | retry_on(501)
