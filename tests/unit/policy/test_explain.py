import pytest

from bide import Outcome, PolicyError, Reason, accept_on, code, give_up_on, retry_on

POLICY = (
    give_up_on(429 & code("quota"))
    | retry_on(429).after_header("Retry-After").fixed(3)
    | retry_on(401).calling("refresh").max(1)
    | accept_on(409)
)


@pytest.mark.parametrize(
    ("outcome", "action", "rule", "reason"),
    [
        (Outcome(429, body='{"code": "quota"}'), "give_up", 0, Reason.RULE_GAVE_UP),
        (Outcome(429), "retry", 1, None),
        (Outcome(401), "recover", 2, None),
        (Outcome(409), "accept", 3, Reason.ACCEPTED),
        (Outcome(404), "return", None, Reason.NO_RULE),
        (Outcome(200), "return", None, Reason.SUCCEEDED),
    ],
    ids=repr,
)
def test_an_outcome_is_explained(outcome, action, rule, reason):
    explained = POLICY.explain(outcome)
    assert (explained.action, explained.rule, explained.reason) == (action, rule, reason)
    assert len(explained.skipped) == (4 if rule is None else rule)


def test_the_delay_is_a_range_with_its_source():
    own = POLICY.explain(Outcome(429))
    assert (own.delay, own.source, own.retry_at) == ((3.0, 3.0), None, None)
    asked = POLICY.explain(Outcome(429, {"Retry-After": "20"}), now=1000.0)
    assert asked.delay == (20.0, 22.0)
    assert "retry-after" in asked.source.lower()
    late = POLICY.explain(Outcome(429, {"Retry-After": "200"}), now=1000.0)
    assert (late.delay, late.retry_at, late.reason) == (None, 1200.0, Reason.HINT_TOO_LONG)


def test_the_attempt_counts_as_a_retry_of_the_rule_that_decides():
    assert POLICY.explain(Outcome(401), attempt=2).reason == Reason.RETRIES_EXHAUSTED
    assert POLICY.explain(Outcome(429), attempt=3).action == "retry"
    assert POLICY.explain(Outcome(429), attempt=4).reason == Reason.RETRIES_EXHAUSTED


def test_the_time_elapsed_counts_for_the_call_and_for_the_rule():
    rule = retry_on(503).fixed(10).within(30)
    assert rule.explain(Outcome(503), elapsed=12.0).delay == (10.0, 10.0)
    assert rule.explain(Outcome(503, elapsed=2.0), elapsed=29.0).reason == Reason.DEADLINE
    assert rule.explain(Outcome(503, elapsed=31.0)).reason == Reason.DEADLINE


@pytest.mark.parametrize("attempt", [0, -1, True, "1", 1.0])
def test_attempts_are_counted_from_one(attempt):
    with pytest.raises(PolicyError, match="attempt takes a whole number >= 1"):
        POLICY.explain(Outcome(503), attempt=attempt)


@pytest.mark.parametrize("outcome", [503, None, ConnectionError()], ids=repr)
def test_what_is_explained_is_an_outcome(outcome):
    with pytest.raises(PolicyError, match=r"explain\(\) takes an outcome, such as Outcome\(503\); got "):
        POLICY.explain(outcome)


def test_an_explanation_reads_as_people_would_tell_it():
    assert str(POLICY.explain(Outcome(401))) == (
        "rule 1 does not match: status is 401, not 429\n"
        "rule 2 does not match: status is 401, not 429\n"
        "rule 3 matches: recover, then retry\n"
        "delay: 0 to 0.5 s\n"
        "recovery first: refresh"
    )
    late = POLICY.explain(Outcome(429, {"Retry-After": "200"}), now=1000.0)
    assert str(late).splitlines()[1:] == [
        "rule 2 matches: give up (hint_too_long)",
        "a retry would be welcome at 1200 (epoch seconds)",
    ]
    asked = POLICY.explain(Outcome(429, {"Retry-After": "20"}))
    assert str(asked).splitlines()[-1].startswith("delay: 20 to 22 s, from ")
    assert str(POLICY.explain(Outcome(200))).endswith("no rule matches: hand it back as it came (succeeded)")
