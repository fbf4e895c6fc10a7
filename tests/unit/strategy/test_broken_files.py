"""Whatever stands in a file, a strategy comes out of it or a StrategyError, whose places lie inside the file."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bide.strategy.check import check
from bide.strategy.findings import StrategyError
from bide.strategy.load import load
from bide.strategy.strategy import Strategy

FULL = """\
[api]
name = "acme"
title = "Acme"
docs = "Errors"
base_url = "https://api.example.com"
[read]
code = "error.code"
message = "error.message"
request_id = "header:x-request-id"
delay = "details[@type=RetryInfo].delay"
[rules]
throttled = 'retry_on(429 & ~code("quota")).after_body("details.wait").fixed(30s)'
server = '''
retry_on(5xx)   # all of them
  .exponential(max=2)'''
[policies]
default = 'throttled | server | give_up_on(4xx)'
patient = "default.attempts(9)"
[endpoints]
"POST /api/agents/{id}/query/" = 'patient'
"*.example.com/v1/*" = "give_up_on(anything)"
[errors.quota]
status = 429
decision = "give_up"
meaning = "Nothing left."
resolution = "Buy more."
raises = "RateLimitError"
[errors]
slow = { status = 429, decision = "retry", meaning = "Wait.", resolution = "Wait." }
"""


def survives(path, data):
    """Load and check a file of these bytes; every place that is told lies inside it."""
    path.write_bytes(data)
    try:
        strategy = load(path)
    except StrategyError as error:
        findings = list(error.findings)
        assert check(path) == findings
        str(error)
    else:
        assert isinstance(strategy, Strategy)
        findings = check(path)
    lines = data.decode("utf-8-sig", "replace").replace("\r\n", "\n").split("\n")
    for finding in findings:
        if finding.line is not None:
            line = lines[finding.line - 1]
            assert finding.excerpt == line
            assert 1 <= finding.column <= len(line) + 1
            assert finding.width >= 1
    return findings


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("broken") / "acme.toml"


def test_the_file_that_is_broken_below_is_whole(path):
    assert survives(path, FULL.encode()) == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n" * 1000,
        b"\0",
        bytes(range(256)),
        b"\xff\xfe" + FULL.encode("utf-16-le"),
        Path(__file__).read_bytes(),
        b"[[api]]\n[[rules]]\n[[policies]]\n[[errors]]\n",
        b"a = " + b"{b = " * 300 + b"1" + b"}" * 300,
        b"[policies]\ndefault = '" + b"retry_on(500)|" * 300 + b"retry_on(501)'",
        b"[policies]\ndefault = '" + b"(" * 1000 + b"'",
        b"[policies]\ndefault = 'retry_on(500).attempts(999)'",
        b"[rules]\n" + b"\n".join(b"a%d = 3" % n for n in range(3000)),
    ],
)
def test_a_broken_file_is_a_strategy_error(path, data):
    assert survives(path, data)


PIECES = st.sampled_from(
    [
        *[
            "",
            "'",
            '"',
            "\\",
            "[",
            "]",
            "{",
            "}",
            "=",
            ".",
            ",",
            "#",
            "\n",
            "é",
            "\0",
            "429",
            "true",
            "'''",
            '"""',
        ],
        *[
            "retry_on(",
            ")",
            " | ",
            "default",
            "[errors.quota]",
            "\\u00e9",
            "1979-05-27",
            "\r\n",
            "\t",
            "~",
            "[]",
        ],
    ]
)


@given(st.lists(st.tuples(st.integers(0, len(FULL)), st.integers(0, 12), PIECES), min_size=1, max_size=4))
def test_mutations_of_a_whole_file_are_survived(path, changes):
    text = FULL
    for at, length, piece in changes:
        text = text[:at] + piece + text[at + length :]
    survives(path, text.encode("utf-8", "surrogatepass"))


@given(st.binary(max_size=200))
def test_any_bytes_are_survived(path, data):
    survives(path, data)


def paths(table, before=()):
    for key, value in table.items():
        yield (*before, key)
        if isinstance(value, dict):
            yield from paths(value, (*before, key))


def written(table, before=()):
    """A table as TOML, every key in one line, inline tables for tables."""
    if isinstance(table, dict):
        return "{" + ", ".join(f"'{key}' = {written(value)}" for key, value in table.items()) + "}"
    if isinstance(table, list):
        return "[" + ", ".join(map(written, table)) + "]"
    if isinstance(table, str):
        return '"' + "".join(f"\\U{ord(char):08x}" for char in table) + '"'
    return str(table).lower()


VALUES = st.recursive(
    st.one_of(st.booleans(), st.integers(-(2**70), 2**70), st.text(alphabet="ab*/{} .", max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(["a", "status", "default"]), inner)
    ),
    max_leaves=3,
)


@given(st.sampled_from(sorted(paths(tomllib.loads(FULL)))), VALUES)
def test_a_value_of_any_type_in_any_place_is_survived(path, where, value):
    data = tomllib.loads(FULL)
    inner = data
    for key in where[:-1]:
        inner = inner[key]
    inner[where[-1]] = value
    text = "\n".join(f"{key} = {written(section)}" for key, section in data.items())
    assert tomllib.loads(text) == data
    survives(path, text.encode())
