"""The async shell is the sync shell with awaits in it, and nothing else."""

import ast

import pytest

# How the async shell spells what the sync shell says.
NAMES = {
    "akeep_pace": "keep_pace",
    "arecovered": "recovered",
    "arelease": "release",
    "asleep": "sleep",
}

# A type that says "awaited": the twin has what is inside.
WRAPPER = "Awaitable"


class Unawait(ast.NodeTransformer):
    """Async syntax to sync syntax, names to their twins', docstrings away."""

    def visit_AsyncFunctionDef(self, node):
        return self.visit(rebuilt(node, ast.FunctionDef))

    def visit_AsyncWith(self, node):
        return self.visit(rebuilt(node, ast.With))

    def visit_AsyncFor(self, node):
        return self.visit(rebuilt(node, ast.For))

    def visit_Await(self, node):
        return self.visit(node.value)

    def visit_Subscript(self, node):
        return self.visit(node.slice) if ast.unparse(node.value) == WRAPPER else self.generic_visit(node)

    def visit_FunctionDef(self, node):
        node.name = NAMES.get(node.name, node.name)
        if ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        return self.generic_visit(node)

    def visit_Name(self, node):
        node.id = NAMES.get(node.id, node.id)
        return node

    def visit_Attribute(self, node):
        node.attr = NAMES.get(node.attr, node.attr)
        return self.generic_visit(node)


def rebuilt(node, kind):
    fields = {name: getattr(node, name, None) for name in kind._fields}
    return ast.copy_location(kind(**fields), node)


def functions(text):
    """The functions of a module, methods too, by their twin's name, as text without async."""
    tree = ast.fix_missing_locations(Unawait().visit(ast.parse(text)))
    found = {}
    for node in tree.body:
        members = node.body if isinstance(node, ast.ClassDef) else [node]
        prefix = f"{NAMES.get(node.name, node.name)}." if isinstance(node, ast.ClassDef) else ""
        found |= {prefix + m.name: ast.unparse(m) for m in members if isinstance(m, ast.FunctionDef)}
    return found


@pytest.fixture(scope="module")
def shells(root):
    engine = root / "src/bide/engine"
    return [(engine / name).read_text("utf-8") for name in ("loop.py", "aloop.py")]


def test_every_function_of_one_shell_has_a_twin_in_the_other(shells):
    sync, asynchronous = map(functions, shells)
    assert sync.keys() == asynchronous.keys()


def test_twins_differ_by_await_alone(shells):
    sync, asynchronous = map(functions, shells)
    for name, text in sync.items():
        assert asynchronous[name] == text


def test_the_table_of_names_has_no_entry_that_is_not_needed(shells):
    _, asynchronous = shells
    assert [name for name in NAMES if name not in asynchronous] == []


SYNC = """
def call(policy, fn: Callable[[], T], clock) -> T:
    '''Run it.'''
    while True:
        try:
            return fn()
        except Exception as error:
            decision = policy.decide(error, elapsed=clock.monotonic() - 1)
        clock.sleep(decision.delay)
"""
ASYNC = """
async def call(policy, fn: Callable[[], Awaitable[T]], clock) -> T:
    while True:
        try:
            return await fn()
        except Exception as error:
            decision = policy.decide(error, elapsed=clock.monotonic() - 1)
        await clock.asleep(decision.delay)
"""


def test_a_drift_of_one_token_is_noticed():
    assert functions(SYNC) == functions(ASYNC)
    for before, after in [("- 1", "- 2"), ("except Exception", "except BaseException"), ("True", "1")]:
        assert functions(SYNC) != functions(ASYNC.replace(before, after))
    assert functions(SYNC).keys() != functions(ASYNC + "async def drain(): ...").keys()
