"""The schema against what reads the file: it knows the same keys, and never refuses what can be loaded."""

import copy
import json
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from bide.strategy.reading import read
from bide.strategy.schema import schema
from bide.strategy.skeleton import skeleton

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / "strategies").glob("*.toml"))
PAGE = (ROOT / "docs/reference/strategy-file.md").read_text("utf-8")
VALIDATOR = Draft202012Validator(schema())

FINE = {
    "api": {"name": "acme", "title": "Acme", "docs": "Errors", "base_url": "https://acme.example"},
    "read": {"code": "error.code", "category": "error.type", "request_id": "header:x-request-id", "failed": "200 & body('ok', False)"},
    "rules": {"busy": "retry_on(503)", "refused": "give_up_on(4xx)"},
    "policies": {"default": "busy | refused", "patient": "default.attempts(9)"},
    "endpoints": {"POST /jobs/{id}": "patient"},
    "errors": {
        "down": {"status": 503, "decision": "retry", "meaning": "It is down.", "resolution": "Wait."},
        "bad": [
            {
                "status": [400, 422],
                "decision": "give_up",
                "meaning": "A parameter is wrong.",
                "resolution": "Correct it.",
                "raises": "APIError",
                "method": "POST",
                "example": "{}",
                "category": "invalid",
                "details": "error.details",
                "headers": {"X-Left": "0"},
                "endpoint": "POST /jobs/{id}",
                "when": "header('X-Left', '0')",
            },
            {"status": 413, "decision": "give_up", "meaning": "Too large.", "resolution": "Send less."},
        ],
    },
    "categories": {
        "invalid": {"status": [400, 422], "decision": "give_up", "meaning": "Wrong.", "resolution": "Correct."}
    },
    "statuses": {"404": {"decision": "give_up", "meaning": "Not there.", "resolution": "Look elsewhere."}},
}  # fmt: skip


def toml(value):
    """A value as TOML writes it, tables in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


def loads(document):
    text = "\n".join(f"{json.dumps(key)} = {toml(value)}" for key, value in document.items())
    assert tomllib.loads(text) == document
    return read(text, "acme.toml")[0] is not None


def changed(path, value):
    """The fine document with another value at a path; without what is there when the value is None."""
    document = copy.deepcopy(FINE)
    *before, last = path
    table = document
    for key in before:
        table = table[key]
    if value is None:
        del table[last]
    else:
        table[last] = value
    return document


def described(node, name=""):
    """The names of the keys that a schema knows, with their descriptions."""
    for key, one in {**node.get("properties", {}), **node.get("patternProperties", {})}.items():
        yield f"{name}.{key}", one.get("description")
        yield from described(one, f"{name}.{key}")
    if isinstance(node.get("additionalProperties"), dict):
        yield f"{name}.*", node["additionalProperties"].get("description")
        yield from described(node["additionalProperties"], f"{name}.*")
    for key, one in node.get("$defs", {}).items():
        yield from described(one, f"{name}.{key}")


def test_it_is_a_schema_of_its_draft():
    Draft202012Validator.check_schema(schema())
    assert schema()["$schema"].endswith("2020-12/schema")


def test_the_committed_copy_is_what_the_code_makes():
    committed = (ROOT / "strategies/schema.json").read_text("utf-8")
    assert committed == json.dumps(schema(), indent=2) + "\n", "run: bide schema > strategies/schema.json"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_shipped_strategy_is_valid(path):
    assert list(VALIDATOR.iter_errors(tomllib.loads(path.read_text("utf-8")))) == []


def test_the_skeleton_and_the_documented_example_are_valid():
    example = re.search(r'TEXT = """(.*?)"""', PAGE, re.DOTALL)[1]
    for text in (skeleton("mine"), example):
        assert list(VALIDATOR.iter_errors(tomllib.loads(text))) == []
    assert loads(FINE)
    assert list(VALIDATOR.iter_errors(FINE)) == []


def test_every_key_has_a_description():
    every = dict(described(schema()))
    assert {".api.name", ".read.code", ".policies.default", ".errors.*", ".error.status"} <= every.keys()
    assert [name for name, said in every.items() if not (said or "").endswith(".")] == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        # misspelt
        (["policy"], {"default": "busy"}),
        (["api", "titel"], "Acme"),
        (["read", "codes"], "error.code"),
        (["errors", "down", "resolutoin"], "Wait."),
        (["errors", "bad", 1, "resolutoin"], "Wait."),
        (["statuses", "404", "category"], "invalid"),
        (["categories", "invalid", "details"], "error.details"),
        # of a wrong type
        (["api"], "acme"),
        (["api", "docs"], 1),
        (["read", "code"], ["error.code"]),
        (["read", "failed"], 200),
        (["rules", "busy"], {"on": 503}),
        (["rules", "busy"], " "),
        (["policies", "default"], True),
        (["endpoints", "POST /jobs/{id}"], 1),
        (["errors", "down"], "retry"),
        (["errors", "down"], []),
        (["errors", "down", "status"], "503"),
        (["errors", "down", "status"], 600),
        (["errors", "down", "status"], [503, 5030]),
        (["errors", "down", "status"], []),
        (["errors", "down", "meaning"], ""),
        (["errors", "bad", 0, "headers"], "X-Left: 0"),
        (["errors", "bad", 0, "headers", "X-Left"], 0),
        (["errors", "bad", 0, "endpoint"], ["POST /jobs/{id}"]),
        (["errors", "bad", 0, "when"], True),
        (["categories", "invalid", "when"], "429"),
        (["statuses", "404", "headers"], []),
        (["statuses"], []),
        # missing
        (["api"], None),
        (["api", "name"], None),
        (["api", "title"], None),
        (["policies"], None),
        (["policies", "default"], None),
        (["errors", "down", "status"], None),
        (["errors", "down", "decision"], None),
        (["errors", "bad", 1, "meaning"], None),
        (["categories", "invalid", "resolution"], None),
        # a wrong word
        (["api", "name"], "a b"),
        (["errors", "down", "decision"], "retries"),
        (["errors", "bad", 0, "raises"], "ValueError"),
        (["errors", "bad", 0, "method"], "post"),
        (["statuses", "4xx"], FINE["statuses"]["404"]),
        (["rules", "not-a-name"], "retry_on(500)"),
        (["rules", "retry_on"], "retry_on(500)"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_by_the_schema_and_by_the_loader(path, value):
    document = changed(path, value)
    assert not VALIDATOR.is_valid(document)
    assert not loads(document)


def places(node, path=()):
    yield from ((*path, key) for key in node)
    for key, one in node.items():
        if isinstance(one, dict):
            yield from places(one, (*path, key))


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(99, 600),
    st.sampled_from(["", " ", "accept", "recover", "GET", "busy", "error.code", "header:x", "retry_on(5xx)", "\x1c"]),
    st.lists(st.integers(99, 600), max_size=2),
)  # fmt: skip
NAMES = st.sampled_from(
    ["x", "a b", "_", "599", "600", "forever", "if", "GET /x", "raises", "details", "delay"]
)


@given(st.sampled_from(sorted(places(FINE), key=str)), NAMES, VALUES, st.booleans())
def test_what_can_be_loaded_is_never_refused(path, name, value, beside):
    document = changed((*path[:-1], name) if beside and value is not None else path, value)
    assert VALIDATOR.is_valid(document) or not loads(document)
