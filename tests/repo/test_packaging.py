"""What is written twice says the same twice: extras and groups, pins, the supported versions of Python and of clients."""

import ast
import re
import tomllib

import pytest

CLIENTS = {"aiohttp", "httpx", "httpx2", "requests", "urllib3"}
EXTRAS_OF_USERS = ["httpx", "httpx2", "requests", "aiohttp", "cli"]


@pytest.fixture(scope="module")
def project(root):
    return tomllib.loads((root / "pyproject.toml").read_text("utf-8"))


def name_of(requirement):
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


def unpinned(requirements, constraints):
    pins = {name_of(line) for line in constraints.splitlines() if re.fullmatch(r"[\w.-]+==[\w.]+", line)}
    return [requirement for requirement in requirements if name_of(requirement) not in pins]


def floors(requirements):
    """The lowest version that each requirement allows."""
    return dict(
        re.fullmatch(r"([\w-]+)(?:\[\w+\])?>=([\w.]+)", requirement).groups() for requirement in requirements
    )


def pins(constraints):
    """The exact version of each library in a file of constraints, which holds nothing else."""
    lines = [line for line in constraints.splitlines() if not line.startswith("#")]
    return dict(re.fullmatch(r"([\w-]+)==([\w.]+)", line).groups() for line in lines)


def sessions(noxfile):
    """The sessions of a noxfile, by the names that one calls them by."""
    found = {}
    for function in ast.parse(noxfile).body:
        for decorator in getattr(function, "decorator_list", ()):
            said = {keyword.arg: keyword.value for keyword in decorator.keywords}
            found[said["name"].value if "name" in said else function.name] = ast.unparse(function)
    return found


def versions_of_clients(page):
    """The table of lowest versions in the documentation."""
    section = page.partition("\n## Versions\n")[2].partition("\n## ")[0]
    return dict(re.findall(r"^\| ([\w-]+) \| ([\d.]+) \|", section, re.MULTILINE))


def test_every_dependency_group_is_the_extra_of_that_name(project):
    extras = project["project"]["optional-dependencies"]
    for name, group in project["dependency-groups"].items():
        assert group == extras[name]


def test_every_requirement_of_the_tests_is_pinned(project, root):
    requirements = [*project["project"]["dependencies"], *project["project"]["optional-dependencies"]["test"]]
    constraints = (root / "constraints.txt").read_text("utf-8")
    assert unpinned(requirements, constraints) == []
    assert unpinned(["httpx>=0.27", "not-pinned>=1"], constraints) == ["not-pinned>=1"]


def test_the_tests_have_the_floors_of_the_extras(project):
    extras = project["project"]["optional-dependencies"]
    tested = floors(extras["test"])
    for name in EXTRAS_OF_USERS:
        assert floors(extras[name]).items() <= tested.items()


def test_the_lowest_versions_that_are_tested_are_the_floors(project, root):
    extras = project["project"]["optional-dependencies"]
    promised = [
        *project["project"]["dependencies"],
        *(one for name in EXTRAS_OF_USERS for one in extras[name]),
    ]
    lowest = pins((root / "constraints-lowest.txt").read_text("utf-8"))
    assert lowest.items() >= floors(promised).items()
    assert lowest.items() <= floors([*promised, *extras["test"]]).items()
    assert lowest.keys() > CLIENTS
    assert not pins("# why\nhttpx==0.28\n").items() <= floors(["httpx>=0.27"]).items()


def test_the_lowest_versions_stand_in_the_documentation(root):
    page = (root / "docs/reference/clients.md").read_text("utf-8")
    assert versions_of_clients(page) == pins((root / "constraints-lowest.txt").read_text("utf-8"))


def test_nox_has_a_session_for_the_lowest_and_one_for_the_highest_versions_of_clients(root):
    found = sessions((root / "noxfile.py").read_text("utf-8"))
    assert found.keys() >= {"tests", "check", "clients-lowest", "clients-highest"}
    assert "constraints-lowest.txt" in found["clients-lowest"]
    assert "constraints" not in found["clients-highest"]


def test_one_list_of_python_versions(project, root):
    classifiers = re.findall(r"Python :: (3\.\d+)", " ".join(project["project"]["classifiers"]))
    assert project["project"]["requires-python"] == f">={classifiers[0]}"
    for path in ["noxfile.py", ".github/workflows/ci.yml"]:
        assert re.findall(r'"(3\.\d+)"', (root / path).read_text("utf-8")) == classifiers
