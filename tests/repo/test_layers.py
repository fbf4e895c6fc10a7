"""A folder is a storey. Imports point down, in no circle, and stand at the top of their file."""

import ast
from graphlib import CycleError, TopologicalSorter

# Storey -> the storeys right beneath it. What lies beneath those may be imported too.
BENEATH = {
    "policy": [],
    "language": ["policy"],
    "fleet": ["policy"],
    "engine": ["policy", "fleet"],
    "strategy": ["policy", "language", "engine"],
    "observe": ["engine"],
    "adapters": ["engine", "strategy"],
    "testing": ["engine"],
    "cli": ["observe", "adapters", "testing", "front"],
    # `bide` itself and the modules right in it: what users import. They hold nothing but names.
    "front": ["engine", "strategy", "observe"],
}

# The one place that looks up the storeys above it: a policy is data that people want to use.
DOOR = "src/bide/policy/door.py"

# A foreign library -> the files that may import it.
HOMES = {
    "aiohttp": ["src/bide/adapters/aiohttp.py"],
    "click": ["src/bide/cli/"],
    "h11": ["src/bide/testing/"],
    "httpx": ["src/bide/adapters/httpx.py", "src/bide/cli/"],
    "httpx2": ["src/bide/adapters/httpx2.py"],
    "opentelemetry": ["src/bide/observe/otel.py"],
    "pytest": ["src/bide/testing/"],
    "redis": ["src/bide/fleet/stores/redis.py"],
    "requests": ["src/bide/adapters/requests.py"],
    "rich": ["src/bide/cli/"],
    "urllib3": ["src/bide/adapters/requests.py"],
}
CLIENTS = ["aiohttp", "httpx", "httpx2", "requests"]


def storey(name):
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in BENEATH else "front"


def allowed(upper):
    """The storeys that a storey may import: itself, and all that it stands on."""
    return {upper}.union(*(allowed(lower) for lower in BENEATH[upper]))


def imported(node, module, known=()):
    """The absolute names that an import statement loads; `from package import module` loads the module."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = node.module or ""
    if node.level:
        package = module.name.split(".")
        if not module.path.endswith("__init__.py"):
            package = package[:-1]
        base = ".".join([*package[: len(package) - node.level + 1], *filter(None, [node.module])])
    return [
        full if (full := f"{base}.{alias.name}") in known or base == "bide" else base for alias in node.names
    ]


def ours(module, known=()):
    return [
        (node.lineno, name)
        for node in ast.walk(module.tree)
        for name in imported(node, module, known)
        if name.split(".")[0] == "bide"
    ]


def upward(modules):
    known = {module.name for module in modules}
    return [
        f"{module.path}:{line}: {storey(module.name)} may not import {name}"
        for module in modules
        for line, name in ours(module, known)
        if storey(name) not in allowed(storey(module.name)) and module.path != DOOR
    ]


def cycle(modules):
    known = {module.name for module in modules}
    graph = {m.name: {name for _, name in ours(m, known) if name in known} for m in modules if m.path != DOOR}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return " -> ".join(error.args[1])
    return None


def hidden(modules):
    """Imports of ours inside functions, and ours looked up by name: what would hide a cycle."""
    return [
        f"{module.path}:{node.lineno}: {ast.unparse(node)}"
        for module in modules
        if module.path != DOOR
        for function in ast.walk(module.tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if any(name.split(".")[0] == "bide" for name in imported(node, module)) or looks_up_ours(node)
    ]


def looks_up_ours(node):
    """A module looked up by name, unless it is plain to see that it is not ours."""
    if not isinstance(node, ast.Call):
        return False
    name = node.args[0] if node.args else None
    foreign = isinstance(name, ast.Constant) and not str(name.value).startswith(("bide", "."))
    return ast.unparse(node.func).rpartition(".")[2] in {"import_module", "__import__"} and not foreign


def strangers(modules):
    """Foreign libraries away from home, or, in an adapter, elsewhere than at the top."""
    found = []
    for module in modules:
        for node in ast.walk(module.tree):
            for name in imported(node, module):
                homes = HOMES.get(name.split(".")[0], [""])
                away = not any(module.path.startswith(home) for home in homes)
                buried = module.path.startswith("src/bide/adapters/") and node not in module.tree.body
                if away or (buried and name.split(".")[0] in HOMES):
                    found.append(f"{module.path}:{node.lineno}: {name}")
    return found


def siblings(modules):
    """Adapters that import one another; what they share stands in a file named for no client."""
    return [
        f"{module.path}:{line}: {name}"
        for module in modules
        if storey(module.name) == "adapters"
        for line, name in ours(module, {m.name for m in modules})
        if name in {f"bide.adapters.{client}" for client in CLIENTS} - {module.name}
    ]


def logic_in_init(modules):
    return [
        f"{module.path}:{node.lineno}: {ast.unparse(node)[:60]}"
        for module in modules
        if module.path.endswith("__init__.py")
        for node in module.tree.body
        if not is_name_keeping(node)
    ]


def is_name_keeping(node):
    if isinstance(node, ast.Assign):
        return [ast.unparse(target) for target in node.targets] in (["__all__"], ["__version__"])
    docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return docstring or isinstance(node, ast.Import | ast.ImportFrom)


def test_imports_point_down(modules):
    assert upward(modules) == []


def test_no_modules_import_one_another_in_a_circle(modules):
    assert cycle(modules) is None


def test_nothing_of_ours_is_imported_inside_a_function_except_through_the_door(modules):
    assert hidden(modules) == []


def test_a_foreign_library_is_imported_only_in_its_own_file(modules):
    assert strangers(modules) == []


def test_adapters_do_not_import_one_another(modules):
    assert siblings(modules) == []


def test_an_init_file_holds_names_only(modules):
    assert logic_in_init(modules) == []


def test_every_folder_is_a_storey(root):
    folders = {path.name for path in (root / "src/bide").iterdir() if path.is_dir()}
    assert folders - {"__pycache__"} <= set(BENEATH)


def test_these_rules_can_fail(sample):
    policy = sample("bide.policy.rules", "from bide.engine import loop", "src/bide/policy/rules.py")
    assert upward([policy]) == ["src/bide/policy/rules.py:1: policy may not import bide.engine"]
    relative = sample("bide.policy.rules", "from ..cli import main", "src/bide/policy/rules.py")
    assert upward([relative])
    assert upward([sample("bide.policy.rules", "from bide import parse", "src/bide/policy/rules.py")])

    here = sample("bide.policy.a", "if TYPE_CHECKING:\n    from bide.policy import b", "src/bide/policy/a.py")
    there = sample("bide.policy.b", "from bide.policy.a import A", "src/bide/policy/b.py")
    assert "bide.policy.b" in cycle([here, there])

    inside = "def f():\n    from bide.policy import rules\n    import_module('bide.engine')"
    assert len(hidden([sample("bide.engine.loop", inside, "src/bide/engine/loop.py")])) == 2
    assert hidden([sample("bide.engine.loop", "def f(name): import_module(name)")])
    assert hidden([sample("bide.policy.door", inside, DOOR)]) == []

    assert strangers([sample("bide.engine.readers", "import httpx", "src/bide/engine/readers.py")])
    late = sample("bide.adapters.httpx", "def f():\n    import httpx", "src/bide/adapters/httpx.py")
    assert strangers([late])

    assert siblings([sample("bide.adapters.httpx2", "from bide.adapters.httpx import T")])
    assert logic_in_init([sample("bide", "def __getattr__(name): ...", "src/bide/__init__.py")])
