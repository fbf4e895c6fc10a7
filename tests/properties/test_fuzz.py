"""Whatever the text, the parser answers with a policy or with a PolicySyntaxError that has a place in it."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bide import Policy, PolicySyntaxError, parse

SEED = 20_240_229
VALID = [
    'retry_on(429).after_header("Retry-After") | retry_on(5xx).exponential(jitter=True, max=3)',
    '(give_up_on(429 & ~code("quota", at="e.c")) | retry_on(500-504, timeout("read"))).attempts(5).within(1m30s)',
    "Policy(retry_on(ValueError, httpx.ReadTimeout, raises(OSError))).within(30s).budget(20%).named('x \\u00e9')",
    'retry_on(body("a.b", -1.5), header("X-A", "b"), message("*busy?")).after_message("{seconds} s").fixed(250ms)',
    "retry_on(~(status(408) | network) & idempotent).delays(1s, 5s).at_most(2m).any_method() # a comment\n",
    'accept_on(409) | retry_on(401).calling("refresh").max(1) | retry_on(anything).immediately(max=2)',
    "retry_on(503).breaker(5, 30s, per='host').cooldown().hedge(1s, max=2).over_inner().timeout(5s)",
]
WORDS = [
    "retry_on", "give_up_on", "accept_on", "Policy", "status", "code", "header", "body", "message", "method", "raises",
    "timeout", "network", "unsent", "anything", "idempotent", "replayable", "when", "forever", "True", "False", "None",
    ".exponential", ".fixed", ".delays", ".max", ".attempts", ".within", ".named", ".budget", ".after_header", ".at_most",
    ".hedge", ".timeout", ".any_method", "max=", "cap=", "at=", "base=", "jitter=", "per=", "(", ")", "(", ")", ",", "|",
    "&", "~", "=", ".", "-", "+", "*", "**", ":", "[", "]", "{", "}", ";", "@", "429", "5xx", "500-504", "30s", "250ms",
    "1m30s", "20%", "0", "1", "-1", "2.5", "9" * 30, '"x"', "'Retry-After'", '"{seconds} s"', '"', "'", "\\", "#", "\n",
    "\r", "\t", " ", " ", "lambda", "if", "not", "await", "import", "ValueError", "httpx.ReadTimeout", "___", "\u202e",
    "\ud800", "\ufeff", "é", "\uff10", "\x00", "f", "b",
]  # fmt: skip
CHARACTERS = "()[]{}.,|&~=+-*/%#\"'\\ \n\r\t_abcxs0159é\u202e\ud800\ufeff\x00🙂"


def from_bytes(draw):
    size = draw.randrange(40)
    data = draw.randbytes(size)
    return data.decode(draw.choice(["latin-1", "utf-16-le"]), "replace")


def mutated(draw):
    text = list(draw.choice(VALID))
    for _ in range(draw.randrange(1, 3)):
        at = draw.randrange(len(text) + 1)
        what = draw.randrange(4)
        if what == 0:
            text[at : at + 1] = draw.choice(CHARACTERS)
        elif what == 1:
            del text[at : at + draw.randrange(1, 9)]
        elif what == 2:
            text[at:at] = draw.choice(WORDS)
        else:
            end = draw.randrange(len(text) + 1)
            text[at:at] = text[end : end + draw.randrange(20)]
    return "".join(text)


def of_words(draw):
    text = "".join(draw.choice(WORDS) for _ in range(draw.randrange(1, 16)))
    return draw.choice(["", "retry_on(", "retry_on(503)"]) + text + draw.choice(["", ")", "))"])


def of_characters(draw):
    return "".join(draw.choice(CHARACTERS) for _ in range(draw.randrange(1, 30)))


def answer(text):
    """The policy of a text, or its error, looked at as a user would."""
    try:
        policy = parse(text)
    except PolicySyntaxError as error:
        return looked_at(error, text.split("\n"))
    assert parse(str(policy)) == policy
    assert policy.worst_case().attempts <= 100
    return policy


def looked_at(error, lines):
    assert 1 <= error.line <= len(lines)
    assert 1 <= error.column <= len(lines[error.line - 1]) + 1
    assert error.width >= 1
    assert error.message in str(error)
    return error


@pytest.mark.parametrize(
    ("make", "count"), [(from_bytes, 25_000), (of_characters, 25_000), (of_words, 30_000), (mutated, 30_000)]
)
def test_nothing_but_a_policy_or_a_syntax_error_comes_of_any_text(make, count):
    draw = random.Random(f"{SEED} {make.__name__}")
    answers = [type(answer(make(draw))) for _ in range(count)]
    assert answers.count(PolicySyntaxError) > count // 3
    if make is mutated:
        assert sum(issubclass(kind, Policy) for kind in answers) > count // 20


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_gets_an_answer(text):
    answer(text)


@given(st.data())
def test_any_cut_of_a_policy_gets_an_answer(policies, data):
    text = str(data.draw(policies))
    start, end = sorted((data.draw(st.integers(0, len(text))), data.draw(st.integers(0, len(text)))))
    answer(text[start:end])
    answer(text[:start] + text[end:])


@pytest.mark.parametrize("text", VALID)
def test_the_seeds_are_policies(text):
    assert isinstance(answer(text), Policy)
