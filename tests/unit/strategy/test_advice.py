"""Each mistake that is easily made in a strategy file is told with its line, its column, and what to write instead."""

import pytest

from bide.strategy.check import check

WHOLE = """\
[api]
name = "acme"
title = "Acme"
docs = "Errors"
[read]
code = "code"
[rules]
slow = 'retry_on(429 & ~code("quota")).fixed(30s)'
down = 'retry_on(5xx)'
refused = 'give_up_on(4xx)'
[policies]
default = 'slow | down | refused'
[errors.quota]
status = 429
decision = "give_up"
meaning = "Used up."
resolution = "Buy more."
"""
AGAIN = WHOLE[WHOLE.index("[errors.quota]") :]

MISTAKES = {
    "no decision": (
        ('decision = "give_up"\n', ""),
        ("missing-key", "errors.quota.decision", 13, 2, "is missing"),
        'decision = "give_up"',
    ),
    "a decision that the rules contradict": (
        ('"give_up"', '"retry"'),
        (
            "wrong-decision", "errors.quota", 13, 2,
            "the catalogue says retry, and the default policy says give up (rule_gave_up), by its rule 3",
        ),
        "correct the catalogue, or the rule",
    ),
    "a limit that says nothing": (
        ("slow | down | refused", "slow | down | refused.max(3)"),
        ("bad-policy", "policies.default", 12, 34, None),
        None,
    ),
    "no rule for a code": (
        ("'slow | down | refused'", "'slow | down | give_up_on(400)'"),
        ("undecided-code", "errors.quota", 13, 2, "no rule of the default policy decides about 429 quota"),
        'add a rule, such as give_up_on(429 & code("quota"))',
    ),
    "a rule that nothing reaches": (
        ('code("quota")', 'code("quote")'),
        (
            "wrong-decision", "errors.quota", 13, 2,
            "the catalogue says give up, and the default policy says retry, by its rule 1",
        ),
        "correct the catalogue, or the rule",
    ),
    "a rule about no documented code": (
        ('retry_on(429 & ~code("quota"))', 'retry_on(429 & code("quote"))'),
        ("unreached-rule", "rules.slow", 8, 1, 'no response reaches retry_on(429 & code("quote", at="code"))'),
        "check its codes against the catalogue, and the rules that are asked before it",
    ),
    "a rule behind one that answers all of it": (
        ("'slow | down | refused'", "'slow | down | refused | give_up_on(404)'"),
        ("bad-policy", "policies.default", 12, 36, None),
        "put the rule about fewer responses first, or leave the other one out",
    ),
    "a rule that nobody uses": (
        ("slow | down | refused", "slow | refused"),
        ("unused-rule", "rules.down", 9, 1, "no policy and no endpoint uses this rule"),
        "add it to a policy, or delete it",
    ),
    "a name that no rule has": (
        ("'slow | down", "'slwo | down"),
        ("bad-policy", "policies.default", 12, 12, "'slwo' is no rule here: did you mean 'slow'?"),
        None,
    ),
    "a misspelt key": (
        ("meaning", "mening"),
        ("unknown-key", "errors.quota.mening", 16, 1, "unknown key: did you mean 'meaning'?"),
        None,
    ),
    "a misspelt section": (
        ("[policies]", "[polices]"),
        ("unknown-section", "polices", 11, 2, "unknown section: did you mean 'policies'?"),
        None,
    ),
    "a code that is catalogued twice": (
        (AGAIN, AGAIN + AGAIN),
        ("duplicate-code", "errors.quota", 18, 2, "'quota' is catalogued twice; the first is on line 13"),
        "leave one of them out; if it has several statuses, write [[errors.quota]] for each",
    ),
    "a code that is catalogued twice with one status": (
        (AGAIN, (AGAIN + AGAIN).replace("[errors.quota]", "[[errors.quota]]")),
        ("duplicate-code", "errors.quota[1]", 18, 3, "'429 quota' is catalogued twice; the first is on line 13"),
        "leave one of them out",
    ),
}  # fmt: skip


def test_the_file_that_the_mistakes_are_made_in_is_right(tmp_path):
    path = tmp_path / "acme.toml"
    path.write_text(WHOLE, "utf-8")
    assert check(path) == []


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_with_its_place_and_with_advice(tmp_path, mistake):
    (right, wrong), told, advice = MISTAKES[mistake]
    path = tmp_path / "acme.toml"
    assert right in WHOLE
    path.write_text(WHOLE.replace(right, wrong), "utf-8")
    finding = next(one for one in check(path) if one.code == told[0])
    assert (finding.code, finding.key, finding.line, finding.column) == told[:4]
    assert told[4] in (None, finding.message)
    assert advice in (None, finding.advice)
    assert finding.advice or any(
        sign in finding.message for sign in ("did you mean", "leave it out", "write ")
    )
    shown = str(finding).split("\n")
    assert shown[0].startswith(f"{path}:{finding.line}:{finding.column}: ")
    assert shown[3].index("^") == len(f"{finding.line} | ") + finding.column - 1
