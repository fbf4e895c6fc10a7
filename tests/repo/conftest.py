"""What the house rules look at: the repository's root, and every module of src/bide, parsed."""

import ast
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src"


def parse(name, text, path=None):
    """A module as the rules see it. Also made by hand, from bad samples, to prove that a rule can fail."""
    return SimpleNamespace(name=name, text=text, tree=ast.parse(text), path=path or f"{name}.py")


def module_name(path):
    parts = path.relative_to(SRC).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.fixture(scope="session")
def root():
    return ROOT


@pytest.fixture(scope="session")
def sample():
    return parse


@pytest.fixture(scope="session")
def modules():
    paths = sorted((SRC / "bide").rglob("*.py"))
    assert paths
    return [
        parse(module_name(path), path.read_text("utf-8"), path.relative_to(ROOT).as_posix()) for path in paths
    ]
