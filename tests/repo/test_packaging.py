"""What is written twice says the same twice: extras and groups, pins, the supported versions of Python."""

import re
import tomllib

import pytest


@pytest.fixture(scope="module")
def project(root):
    return tomllib.loads((root / "pyproject.toml").read_text("utf-8"))


def name_of(requirement):
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


def unpinned(requirements, constraints):
    pins = {name_of(line) for line in constraints.splitlines() if re.fullmatch(r"[\w.-]+==[\w.]+", line)}
    return [requirement for requirement in requirements if name_of(requirement) not in pins]


def test_every_dependency_group_is_the_extra_of_that_name(project):
    extras = project["project"]["optional-dependencies"]
    for name, group in project["dependency-groups"].items():
        assert group == extras[name]


def test_every_requirement_of_the_tests_is_pinned(project, root):
    requirements = [*project["project"]["dependencies"], *project["project"]["optional-dependencies"]["test"]]
    constraints = (root / "constraints.txt").read_text("utf-8")
    assert unpinned(requirements, constraints) == []
    assert unpinned(["httpx>=0.27", "not-pinned>=1"], constraints) == ["not-pinned>=1"]


def test_one_list_of_python_versions(project, root):
    classifiers = re.findall(r"Python :: (3\.\d+)", " ".join(project["project"]["classifiers"]))
    assert project["project"]["requires-python"] == f">={classifiers[0]}"
    for path in ["noxfile.py", ".github/workflows/ci.yml"]:
        assert re.findall(r'"(3\.\d+)"', (root / path).read_text("utf-8")) == classifiers
