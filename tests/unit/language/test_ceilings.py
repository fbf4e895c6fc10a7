"""What comes from text cannot lift the ceilings: 100 attempts, an hour of waiting, 256 rules, 64 KiB, 64 levels."""

import pickle
import sys

import pytest

from bide import Outcome, PolicySyntaxError, Reason, Retry, State, forever, parse, retry_on
from bide.language.parse import MOST_RULES, parse_condition


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("retry_on(503).max(100)", "at most 100 attempts: add .attempts(100) to the whole"),
        ("retry_on(503).fixed(1s, max=1000000)", "at most 100 attempts"),
        ("retry_on(503).attempts(101)", "at most 100 attempts"),
        ("Policy(retry_on(503)).attempts(101)", "at most 100 attempts"),
        ("Policy(retry_on(503)).attempts(n=1000000)", "at most 100 attempts"),
        ("retry_on(503).within(2h)", "at most an hour (1h)"),
        ("Policy(retry_on(503)).within(61m)", "at most an hour (1h)"),
        ('retry_on(503).within(seconds="2h")', "at most an hour (1h)"),
        ("retry_on(503).fixed(2h)", "may wait 21600 s: add .within(1h) to the whole"),
        ("retry_on(503).fixed(30m, max=3)", "may wait 5400 s"),
        ("retry_on(503).delays(1s, 2h)", "at most an hour of waiting"),
        ("retry_on(503).after_hint().at_most(1h)", "at most an hour of waiting"),
        ("retry_on(503).fixed(20m) | retry_on(500).fixed(1s)", "may wait 3603 s"),
        ("retry_on(503).immediately().max(forever)", "forever needs a deadline"),
    ],
)
def test_L19_text_cannot_lift_the_ceilings(text, said):
    with pytest.raises(PolicySyntaxError) as caught:
        parse(text)
    assert said in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "retry_on(503).max(99).fixed(1s)",
        "retry_on(503).attempts(100).fixed(1s)",
        "Policy(retry_on(503)).attempts(100).within(1h)",
        "retry_on(503).fixed(20m)",
        "retry_on(503).fixed(2h).within(1h)",
        "(retry_on(503).fixed(1s, max=1000) | retry_on(500)).attempts(100)",
        "retry_on(503).after_hint().at_most(1h).within(1h)",
        "retry_on(503).max(forever).within(1h)",
        "retry_on(503).max(forever).immediately().within(1h) | retry_on(500).max(99).immediately()",
    ],
)
def test_up_to_the_ceilings_anything_goes(text):
    worst = parse(text).worst_case()
    assert worst.attempts <= 100
    assert worst.seconds <= 3600


def test_L19_forever_from_text_ends_all_the_same():
    policy = parse("retry_on(503).immediately(max=forever).within(1h)")
    same = pickle.loads(pickle.dumps(policy))
    for capped in (
        policy,
        same,
        policy | retry_on(500),
        retry_on(500) | policy.named("x"),
        parse("a", rules={"a": same}),
    ):
        index = next(i for i, rule in enumerate(capped.rules) if rule.clause.retries == forever)
        used = tuple(99 if i == index else 0 for i in range(index + 1))
        assert isinstance(capped.decide(Outcome(503), State(99, used=used)), Retry)
        assert capped.decide(Outcome(503), State(100, used=used)).reason == Reason.ATTEMPTS_EXHAUSTED
    written = retry_on(503).immediately(max=forever).within(3600)
    assert written == policy
    assert isinstance(written.decide(Outcome(503), State(100, used=(99,))), Retry)


def test_a_policy_built_in_python_may_lift_them():
    assert retry_on(503).fixed(7200).max(1000).worst_case().attempts == 1001
    assert str(retry_on(503).fixed(7200).max(1000)) == "retry_on(503).fixed(2h, max=1000)"


def rules(count):
    return " | ".join(f"retry_on({status})" for status in range(100, 100 + count))


def test_L03_there_are_at_most_256_rules():
    policy = parse(rules(MOST_RULES))
    assert len(policy.clauses) == MOST_RULES
    assert policy.worst_case().attempts == 100
    with pytest.raises(PolicySyntaxError, match="at most 256 rules; this has 257") as caught:
        parse(rules(MOST_RULES + 1))
    assert caught.value.column == rules(MOST_RULES + 1).rindex("retry_on") + 1
    half = {
        "a": parse(rules(200)),
        "b": parse("retry_on(timeout)"),
        "c": parse(rules(80).replace("(1", "(5").replace("(2", "(4")),
    }
    with pytest.raises(PolicySyntaxError, match="at most 256 rules; this has 281"):
        parse("a | b | c", rules=half)


def test_L03_a_text_is_at_most_64_kib_long():
    assert parse("retry_on(503)" + " " * (65_536 - 13))
    with pytest.raises(PolicySyntaxError, match="at most 65536 characters long; this is 65537") as caught:
        parse("retry_on(503)" + " " * (65_537 - 13))
    assert (caught.value.line, caught.value.column, caught.value.text) == (1, 1, "")


@pytest.mark.parametrize(
    ("opening", "closing", "most"),
    [("(", ")", 64), ("~", "", 64), ("~(", ")", 63), ("-", "", 0), ("~ # note\n", "", 64)],
    ids=ascii,
)
def test_L03_a_text_is_at_most_64_levels_deep(opening, closing, most):
    def nested(levels):
        inner = "timeout"
        return f"retry_on({opening * levels}{inner}{closing * levels})"

    if most:
        assert parse(nested(most - 1))
    for levels in (65, 1000, 5000):
        with pytest.raises(PolicySyntaxError, match="at most 64 levels deep"):
            parse(nested(levels))


def test_L03_a_text_has_at_most_20000_words():
    with pytest.raises(PolicySyntaxError, match="at most 20000 words and signs"):
        parse("retry_on(" + "5," * 20_000 + ")")


@pytest.mark.parametrize("links", [501, 4000])
@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("retry_on(timeout{})", "&timeout"),
        ("retry_on(timeout{})", "|timeout"),
        ("retry_on(a{})", ".B"),
        ("retry_on(503){}", ".over_inner()"),
    ],
)
def test_L03_a_chain_has_at_most_500_links(text, link, links):
    with pytest.raises(PolicySyntaxError, match=r"at most 500 may be chained|too deeply"):
        parse(text.format(link * links))
    assert parse(text.format(link * 499))


@pytest.mark.parametrize(("read", "form"), [(parse, "retry_on({})"), (parse_condition, "{}")])
def test_L03_a_caller_near_the_end_of_its_stack_gets_the_same_error(read, form):
    text = form.format("~(timeout & " * 60 + "network" + ")" * 60)
    assert read(text) == read(text)

    def from_deep_down(levels):
        return from_deep_down(levels - 1) if levels else read(text)

    left = sys.getrecursionlimit() - len_of_stack()
    with pytest.raises(PolicySyntaxError, match="too deeply"):
        from_deep_down(left - 150)


def len_of_stack():
    frame, depth = sys._getframe(), 0
    while frame is not None:
        frame, depth = frame.f_back, depth + 1
    return depth
