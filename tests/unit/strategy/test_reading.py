import pytest

from bide.language.parse import parse
from bide.policy.outcome import Outcome
from bide.strategy.reading import read

OK = "[policies]\ndefault = 'retry_on(500)'\n"
ENTRY = 'status = 429\ndecision = "retry"\nmeaning = "m"\nresolution = "r"\n'


def test_a_file_needs_no_more_than_its_name_and_a_default(make):
    least = make(OK)
    assert str(least.policy) == "retry_on(500)"
    assert (dict(least.rules), dict(least.endpoints), dict(least.errors)) == ({}, {}, {})


def test_policies_name_rules_and_the_policies_above_them(make):
    some = make(
        "[rules]\na = 'retry_on(429)'\nb = 'retry_on(5xx)'\n"
        "[policies]\nboth = 'a | b'\ndefault = 'give_up_on(500) | both'\n"
        "[endpoints]\n'GET /x' = 'default.attempts(2)'\n'GET /y' = 'b'\n"
    )
    assert some.policy == parse("give_up_on(500) | retry_on(429) | retry_on(5xx)")
    assert some.endpoints["GET /x"] == some.policy.attempts(2)
    assert some.endpoints["GET /y"] == some.rules["b"]


def test_every_policy_says_by_itself_where_it_looks(make):
    some = make(
        "[read]\ncode = 'e.c'\nmessage = 'e.m'\n[rules]\na = 'retry_on(code(\"x\"))'\n"
        "[policies]\ndefault = '''retry_on(message(\"*y*\")).after_message(\"{seconds} s\") | a'''\n"
        "[endpoints]\n'/z' = 'give_up_on(code(\"x\", at=\"other\")) | a'\n"
    )
    for policy in (some.rules["a"], some.policy, some.endpoints["/z"]):
        assert parse(str(policy)) == policy
    assert some.explain(Outcome(500, body='{"e": {"c": "x"}}')).rule == 1
    assert some.explain(Outcome(500, body='{"code": "x"}')).rule is None


def test_an_override_of_the_same_rule_is_no_error(make):
    some = make(
        "[read]\ncode = 'e.c'\n[rules]\na = 'retry_on(code(\"x\"))'\nb = 'retry_on(500)'\n"
        "[policies]\nboth = 'a | b'\ndefault = 'give_up_on(code(\"x\")) | both'\n"
    )
    assert [clause.verb for clause in some.policy.clauses] == ["give_up_on", "retry_on"]


TWO_DOTS = (
    "'a..b' is no place in a response: two dots stand together at character 2; "
    "write a path such as 'error.code' or 'errors[0].code'"
)


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        ("", [("missing-section", "policies", 1, 1, "is missing")]),
        ("[policies]", [("missing-key", "policies.default", 5, 2, "is missing: what every request has")]),
        (
            OK + "[polices]",
            [("unknown-section", "polices", 7, 2, "unknown section: did you mean 'policies'?")],
        ),
        (
            OK + "[api.x]\n",
            [("unknown-key", "api.x", 7, 2, "unknown key: there is base_url, docs, name, title")],
        ),
        (OK + "[read]\ncode = 3", [("wrong-type", "read.code", 8, 8, "takes a text; got a whole number")]),
        (OK + "[read]\ncode = ' '", [("wrong-type", "read.code", 8, 8, "takes a text; got an empty one")]),
        (OK + "[read]\ncdoe = 'x'", [("unknown-key", "read.cdoe", 8, 1, None)]),
        (
            OK + "[read]\ncode = 'a..b'",
            [
                (
                    "bad-place",
                    "read.code",
                    8,
                    8,
                    TWO_DOTS,
                )
            ],
        ),
        (OK + "[rules]\na = true", [("wrong-type", "rules.a", 8, 5, "takes a text; got true or false")]),
        (OK + "[rules]\na = 1.5", [("wrong-type", "rules.a", 8, 5, "takes a text; got a number")]),
        (OK + "[rules]\na = []", [("wrong-type", "rules.a", 8, 5, "takes a text; got a list")]),
        (OK + "[rules]\na = {}", [("wrong-type", "rules.a", 8, 5, "takes a text; got a table")]),
        (
            OK + "[rules]\na = 2024-01-01",
            [("wrong-type", "rules.a", 8, 5, "takes a text; got a date or time")],
        ),
        (
            OK + "[rules]\na-b = 'retry_on(500)'",
            [("bad-name", "rules.a-b", 8, 1, "is no name: write letters, digits and _ only")],
        ),
        (OK + "[rules]\n5xx = 'retry_on(500)'", [("bad-name", "rules.5xx", 8, 1, None)]),
        (
            OK + "[rules]\nretry_on = 'retry_on(500)'",
            [("bad-name", "rules.retry_on", 8, 1, "is a word of the language; choose another name")],
        ),
        (OK + "[rules]\nclass = 'retry_on(500)'", [("bad-name", "rules.class", 8, 1, None)]),
        (OK + "[rules]\n__ = 'retry_on(500)'", [("bad-name", "rules.__", 8, 1, None)]),
        (OK + "[rules]\n'' = 'retry_on(500)'", [("bad-name", 'rules.""', 8, 1, None)]),
        (
            OK + "[rules]\na = 'retry_on(500).exponental()'",
            [("bad-policy", "rules.a", 8, 20, "unknown method 'exponental': did you mean 'exponential'?")],
        ),
        (
            OK + '[rules]\na = """\n\n  retry_on(500) \\\n  .fixd(1s)"""',
            [("bad-policy", "rules.a", 11, 4, None)],
        ),
        (
            "[rules]\nslow = 'retry_on(500)'\n[policies]\ndefault = 'slwo'",
            [("bad-policy", "policies.default", 8, 12, "'slwo' is no rule here: did you mean 'slow'?")],
        ),
        (
            "[policies]\ndefault = 'other.attempts(2)'\nother = 'retry_on(500)'",
            [
                (
                    "bad-policy",
                    "policies.default",
                    6,
                    12,
                    "'other' stands here or further down; a policy names only those above it",
                )
            ],
        ),
        (
            "[rules]\na = 'retry_on(500)'\n[policies]\na = 'a'\ndefault = 'a'",
            [("bad-name", "policies.a", 8, 1, "is the name of a rule too; give one of them another name")],
        ),
        (
            "[rules]\na = 'retry_on(x)'\n[policies]\ndefault = 'a | retry_on(500)'",
            [("bad-policy", "rules.a", 6, 15, None)],
        ),
        (
            '[read]\ncode = "e.c"\n[policies]\ndefault = \'retry_on(code("x")) | retry_on(code("x", at="e.c"))\'',
            [
                (
                    "bad-policy",
                    "policies.default",
                    8,
                    11,
                    "rule 2 can never decide: those before it answer all of it",
                )
            ],
        ),
        (OK + "[endpoints]\n'GET a' = 'default'", [("bad-endpoint", 'endpoints."GET a"', 8, 1, None)]),
        (
            OK + "[endpoints]\n'/{a}' = 'default'\n\"/{b}\" = 'default'",
            [("bad-endpoint", 'endpoints."/{b}"', 9, 1, "says the same as '/{a}'")],
        ),
        (OK + "[endpoints]\n'/a' = 'defalt'", [("bad-policy", 'endpoints."/a"', 8, 9, None)]),
        (OK + "[errors]\na = 3", [("wrong-type", "errors.a", 8, 1, "takes a table; got a whole number")]),
        (
            OK + "[errors.a]\n" + ENTRY.replace("429", '"429"'),
            [
                (
                    "wrong-type",
                    "errors.a.status",
                    8,
                    10,
                    "takes an HTTP status, 100 to 599, or a list of them; got a text",
                )
            ],
        ),
        (
            OK + "[errors.a]\n" + ENTRY.replace("429", "99"),
            [
                (
                    "wrong-type",
                    "errors.a.status",
                    8,
                    10,
                    "takes an HTTP status, 100 to 599, or a list of them; got another number",
                )
            ],
        ),
        (
            OK + "[errors.a]\n" + ENTRY.replace("429", "true"),
            [("wrong-type", "errors.a.status", 8, 10, None)],
        ),
        (
            OK + "[errors.a]\n" + ENTRY.replace("status = 429\n", ""),
            [("missing-key", "errors.a.status", 7, 2, "is missing")],
        ),
        (
            OK + "[errors.a]\nstatus = 429",
            [
                ("missing-key", "errors.a.decision", 7, 2, "is missing"),
                ("missing-key", "errors.a.meaning", 7, 2, "is missing"),
                ("missing-key", "errors.a.resolution", 7, 2, "is missing"),
            ],
        ),
        (
            OK + "[errors.a]\n" + ENTRY.replace('"retry"', '"rety"'),
            [
                (
                    "bad-value",
                    "errors.a.decision",
                    9,
                    12,
                    "'rety' is none of those known: did you mean 'retry'?",
                )
            ],
        ),
        (
            OK + "[errors.a]\n" + ENTRY + 'raises = "RateLimtError"',
            [
                (
                    "bad-value",
                    "errors.a.raises",
                    12,
                    10,
                    "'RateLimtError' is none of those known: did you mean 'RateLimitError'?",
                )
            ],
        ),
        (
            OK + "[errors.a]\n" + ENTRY.replace('"retry"', '"accept"') + 'raises = "APIError"',
            [("bad-value", "errors.a.raises", 12, 1, "says nothing: what is accepted is never raised")],
        ),
        (OK + "[errors.a]\n" + ENTRY + 'method = "post"', [("bad-value", "errors.a.method", 12, 10, None)]),
        (
            OK + "[errors.a]\n" + ENTRY + "mening = 'm'",
            [("unknown-key", "errors.a.mening", 12, 1, "unknown key: did you mean 'meaning'?")],
        ),
        (
            OK + "[errors.a]\n" + ENTRY + "[errors.b]\n" + ENTRY + "[errors.a]\n" + ENTRY,
            [("duplicate-code", "errors.a", 17, 2, "'a' is catalogued twice; the first is on line 7")],
        ),
        (
            OK + "[rules]\na = 'retry_on(500)'\n\"a\" = 'retry_on(500)'",
            [("duplicate-key", "rules.a", 9, 1, "'a' stands here twice; the first is on line 8")],
        ),
        (
            OK + "[rules]\na = '''\nretry_on(500)'''\na = '''\nretry_on(501)'''\nb = 1",
            [("duplicate-key", "rules.a", 10, 1, "'a' stands here twice; the first is on line 8")],
        ),
        (
            OK + "[errors]\na = { status = 1, status = 2 }",
            [
                (
                    "duplicate-key",
                    "errors.a.status",
                    8,
                    19,
                    "'status' stands here twice; the first is on line 8",
                )
            ],
        ),
        (
            OK + "[errors]\na = { status = 1 }\na = { meaning = 'm' }\n",
            [("duplicate-code", "errors.a", 9, 1, "'a' is catalogued twice; the first is on line 8")],
        ),
        (OK + "a.b = 1", [("wrong-type", "policies.a", 7, 1, "takes a text; got a table")]),
        (OK + "a = 'retry_on(501)'\n[policies.a.b]", [("bad-toml", None, 8, 14, None)]),
        (OK + "[rules]\na = {}\na.b = 1", [("bad-toml", None, 9, 8, None)]),
        (OK + "x = throttled", [("bad-toml", None, 7, 5, "this is no TOML: Invalid value")]),
        (OK + 'x = "open', [("bad-toml", None, 7, 10, None)]),
        (OK + "x = " + "9" * 5000, [("bad-toml", None, 1, 1, None)]),
        (OK + "x = " + "[" * 5000, [("bad-toml", None, 1, 1, "this is nested too deeply to be read")]),
    ],
)
def test_what_is_wrong_is_found_with_its_line_and_column(wrong, text, findings):
    found = wrong(text)
    assert [one[:4] for one in found] == [one[:4] for one in findings]
    for (*_, message), (*_, expected) in zip(found, findings, strict=True):
        assert expected in (None, message)


def test_everything_wrong_is_found_at_once_in_the_order_of_the_lines(wrong):
    text = "x = 1\n[rules]\na = 'retry_on('\nb = 3\n[policies]\nother = 'retry_on(500)'\n[errors]\nc = 1\n"
    found = wrong(text, api="[api]\nname = 'a b'\ntitle = ''\n")
    assert [(code, key) for code, key, *_ in found] == [
        ("missing-key", "api.docs"),
        ("bad-name", "api.name"),
        ("wrong-type", "api.title"),
        ("unknown-key", "api.x"),
        ("bad-policy", "rules.a"),
        ("wrong-type", "rules.b"),
        ("missing-key", "policies.default"),
        ("wrong-type", "errors.c"),
    ]
    assert [line for _, _, line, *_ in found] == [1, 2, 3, 4, 6, 7, 8, 11]


def test_sections_that_are_no_tables_are_found(wrong):
    found = wrong("", api="api = 1\npolicies = 'x'\n")
    assert [one[:4] for one in found] == [("wrong-type", "api", 1, 1), ("wrong-type", "policies", 2, 1)]


def test_advice_says_what_to_write():
    api = "[api]\nname = 'a'\ntitle = 'b'\ndocs = 'c'\n"
    _, [finding] = read(api + "[rules]\na = 'retry_on(500)'\nb = 'retry_on(501)'\n[policies]\n", "f")
    assert finding.advice == "default = 'a | b'"
    _, [finding] = read(api + "[policies]\n", "f")
    assert finding.advice == "default = 'retry_on(5xx)'"
    _, [finding] = read(api + "[policies]\ndefault = retry\n", "f")
    assert finding.advice == "a text stands in quotes, as in default = 'throttled'"
    _, [finding] = read(
        api + "[rules]\nno-name = 'retry_on(500)'\n[policies]\ndefault = 'retry_on(500)'", "f"
    )
    assert finding.advice == "no_name"
    _, [finding] = read(api + "[rules]\n5-name = 'retry_on(500)'\n[policies]\ndefault = 'retry_on(500)'", "f")
    assert finding.advice == "rule_5_name"


def test_windows_line_ends_change_no_position(wrong):
    text = (OK + "[rules]\na = '''\nretry_on(500)\n.fixd(1s)'''").replace("\n", "\r\n")
    assert wrong(text)[0][:4] == ("bad-policy", "rules.a", 10, 2)
