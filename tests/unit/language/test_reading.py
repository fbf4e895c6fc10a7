import pytest

import bide
from bide import (
    Policy,
    accept_on,
    anything,
    body,
    code,
    forever,
    give_up_on,
    header,
    idempotent,
    message,
    method,
    network,
    parse,
    raises,
    replayable,
    retry_on,
    status,
    timeout,
    unsent,
)

A, B = retry_on(429), retry_on(503)

SENTENCES = [
    (
        'retry_on(429).after_header("Retry-After") | retry_on(5xx).exponential(jitter=True, max=3)',
        retry_on(429).after_header("Retry-After") | retry_on("5xx").exponential(jitter=True, max=3),
    ),
    ("retry_on(429, 503)", retry_on(429, 503)),
    ("retry_on(5xx, 500-504, status(408, 4xx))", retry_on("5xx", "500-504", status(408, "4xx"))),
    ('retry_on("429", "5XX")', retry_on(429, "5xx")),
    ('give_up_on(code("a", "b"))', give_up_on(code("a", "b"))),
    ('accept_on(409 & code("a", at="error.type"))', accept_on(409 & code("a", at="error.type"))),
    ('retry_on(header("X-A"), header("X-B", "c"))', retry_on(header("X-A"), header("X-B", "c"))),
    ('retry_on(header(name="X-A", value="c"))', retry_on(header("X-A", "c"))),
    (
        'retry_on(body("a.b"), body("c", 1), body("d", -1.5), body("e", True), body("f", None), body("g", "x"))',
        retry_on(body("a.b"), body("c", 1), body("d", -1.5), body("e", True), body("f"), body("g", "x")),
    ),
    ("retry_on(message('*it\\'s*'))", retry_on(message("*it's*"))),
    ('retry_on(method("get"))', retry_on(method("GET"))),
    (
        "retry_on(timeout, network, unsent, anything, idempotent, replayable)",
        retry_on(timeout, network, unsent, anything, idempotent, replayable),
    ),
    ('retry_on(timeout("read", "pool"), timeout())', retry_on(timeout("read", "pool"), timeout)),
    (
        'retry_on(TimeoutError, raises(ValueError, httpx.ReadTimeout, "a.class.B"), httpx.ReadError)',
        retry_on(
            TimeoutError, raises(ValueError, "httpx.ReadTimeout", "a.class.B"), raises("httpx.ReadError")
        ),
    ),
    (
        "retry_on(~404 & (timeout | network) & ~~unsent | ~(5xx & idempotent))",
        retry_on(~status(404) & (timeout | network) & unsent | ~("5xx" & idempotent)),
    ),
    ('retry_on(503).exponential(1s, 3, 1m, "equal", max=2)', B.exponential(1, 3, 60, "equal", max=2)),
    ("retry_on(503).exponential(base=250ms, jitter=False)", B.exponential(0.25, jitter=False)),
    ('retry_on(503).exponential("1m30s", cap="2m")', B.exponential(90, cap=120)),
    ("retry_on(503).decorrelated(cap=10s)", B.decorrelated(cap=10)),
    ("retry_on(503).linear(step=0.5s)", B.linear(step=0.5)),
    ("retry_on(503).fibonacci(base=1s)", B.fibonacci()),
    ("retry_on(503).fixed(1h1m, max=0)", B.fixed(3660, max=0)),
    ("retry_on(503).delays(1s, 5s, 30s, max=5)", B.delays(1, 5, 30, max=5)),
    ("retry_on(503).immediately()", B.immediately()),
    (
        'retry_on(503).after_body("a.b").after_message("{seconds} s", at="m").after_attribute("x.y").fixed(1s)',
        B.after_body("a.b").after_message("{seconds} s", at="m").after_attribute("x.y").fixed(1),
    ),
    ('retry_on(503).after_reset("X-Reset").after_hint()', B.after_reset("X-Reset").after_hint()),
    ("retry_on(503).max(5).within(30s).at_most(2m)", B.max(5).within(30).at_most(120)),
    ("retry_on(503).max(n=forever).within(seconds=30s)", B.max(forever).within(30)),
    ('retry_on(401).calling("refresh").any_method()', retry_on(401).calling("refresh").any_method()),
    ("retry_on(503).attempts(5)", B.max(4)),
    (
        "(retry_on(429) | retry_on(503)).attempts(5).within(30s).timeout(5s)",
        (A | B).attempts(5).within(30).timeout(5),
    ),
    ("Policy(retry_on(503)).attempts(5)", Policy(B).attempts(5)),
    ("Policy(retry_on(429) | retry_on(503)).within(5s)", (A | B).within(5)),
    ("retry_on(429).attempts(5) | retry_on(503).attempts(2)", A.attempts(5) | B.attempts(2)),
    ("retry_on(429) | (retry_on(503) | retry_on(timeout)).within(5s)", A | (B | retry_on(timeout)).within(5)),
    (
        'retry_on(503).budget(20%, per="host").cooldown(per="key").breaker(3, 10s).hedge(1s, 2).over_inner()',
        B.budget(0.2, per="host").cooldown(per="key").breaker(3, 10).hedge(1, 2).over_inner(),
    ),
    ("retry_on(503).budget(0.25).hedge(after=1s, max=2)", B.budget(0.25).hedge(1, max=2)),
    ('retry_on(503).named("search \\u00e9 \\x41 \\U0001f642 \\n \\\\")', B.named("search é A 🙂 \n \\")),
    ("((((retry_on(503)))))", B),
]


@pytest.mark.parametrize(("text", "policy"), SENTENCES, ids=[text[:40] for text, _ in SENTENCES])
def test_text_and_python_say_the_same(text, policy):
    read = parse(text)
    assert read == policy
    assert type(read) is type(policy)
    assert parse(str(policy)) == policy


@pytest.mark.parametrize(
    "text",
    [
        "\n\n  retry_on(503)  \n",
        "\r\nretry_on(503)\r\n",
        "\tretry_on(503)",
        "retry_on(503) # a comment with \"quotes', [brackets and \u202e anything",
        "# first\n# second\nretry_on(503)",
        "retry_on # here\n ( # there\n 503 # and\n )",
        "retry_on(503,)",
    ],
)
def test_L20_blanks_line_ends_and_comments_are_blanks(text):
    assert parse(text) == retry_on(503)


def test_a_text_may_name_rules():
    rules = {"expired": retry_on(401).calling("refresh"), "busy": retry_on("5xx")}
    assert parse("expired | busy", rules=rules) == rules["expired"] | rules["busy"]
    assert parse("busy.max(1)", rules=rules) == retry_on("5xx").max(1)
    assert parse("(expired | busy).attempts(4)", rules=rules) == (rules["expired"] | rules["busy"]).attempts(
        4
    )
    with pytest.raises(bide.PolicySyntaxError, match="'bussy' is no rule here: did you mean 'busy'"):
        parse("bussy", rules=rules)


def test_L16_nothing_is_expanded(monkeypatch):
    monkeypatch.setenv("SECRET", "hunter2")
    for written in ("$SECRET", "${SECRET}", "%(SECRET)s", "{SECRET}", "!include /etc/passwd", "{{SECRET}}"):
        (condition,) = parse(f'retry_on(code("{written}"))').clauses[0].conditions
        assert condition.codes == (written,)
    for text in ("retry_on($SECRET)", "${SECRET}", "retry_on(%SECRET%)"):
        with pytest.raises(bide.PolicySyntaxError) as caught:
            parse(text)
        assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        "__import__('os').system('x')",
        "{{7*7}}",
        "{%% include %%}",
        "!!python/object/apply:os.system ['x']",
        "c__builtin__\\neval\\n(S'1'\\ntR.",
        "%(x)s %s {0.__class__}",
        "<script>",
        "'; DROP TABLE x; --",
    ],
)
def test_L09_a_text_that_looks_like_code_is_data(data):
    policy = retry_on(code(data), message("*")).named(data)
    assert parse(str(policy)) == policy
    assert data in repr(policy.name) or policy.name == data


def test_L17_two_equal_texts_are_one_key():
    texts = [
        'retry_on(5xx).exponential(base=500ms, jitter="full")',
        "retry_on(500-599).exponential( ) # same",
    ]
    assert len({parse(text) for text in texts}) == 1
    assert len({str(parse(text)) for text in texts}) == 1
