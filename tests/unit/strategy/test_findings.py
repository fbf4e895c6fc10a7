import pickle

from bide.policy.errors import PolicyError
from bide.strategy.findings import Finding, StrategyError

AT = Finding(
    "bad-policy",
    "unknown",
    "a.toml",
    key="rules.x",
    advice="write y",
    line=12,
    column=5,
    width=3,
    excerpt="x = abc",
)
WHOLE = Finding("unreadable-file", "cannot be read", "b.toml")


def test_a_finding_shows_its_line_with_a_caret_under_the_span():
    assert str(AT) == (
        "a.toml:12:5: bad-policy: rules.x: unknown\n   |\n12 | x = abc\n   |     ^^^\n  = advice: write y"
    )


def test_a_finding_about_a_whole_file_has_no_line():
    assert str(WHOLE) == "b.toml: unreadable-file: cannot be read"


def test_a_long_line_is_cut_around_the_span_and_shows_nothing_invisible():
    finding = Finding("c", "m", "f", line=1, column=501, width=900, excerpt="\t\x1b" * 250 + "X" * 100)
    shown, caret = str(finding).split("\n")[2:4]
    assert len(shown) == len("1 | ") + 100
    assert "\x1b" not in shown
    assert "\t" not in shown
    assert shown[caret.index("^") :] == "X" * caret.count("^") == "X" * 50


def test_the_error_says_the_first_finding_and_counts_the_others():
    error = StrategyError([AT, WHOLE])
    assert isinstance(error, PolicyError)
    assert (error.file, error.line, error.column, error.key) == ("a.toml", 12, 5, "rules.x")
    assert (error.message, error.advice) == ("unknown", "write y")
    assert str(error) == f"{AT}\n(1 more: `bide check` shows them all)"
    assert str(StrategyError([WHOLE])) == str(WHOLE)


def test_the_error_pickles_with_its_notes():
    error = StrategyError([AT])
    error.add_note("noted")
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.findings, str(copy), copy.__notes__) == (error.findings, str(error), ["noted"])
