"""Small files, small functions, and names that say what is in them."""

import ast

MODULE_LINES = 400
FUNCTION_LINES = 40
VAGUE = {"base", "common", "core", "helpers", "misc", "types", "util", "utils"}


def length(function):
    """The lines of a function, without its docstring."""
    docstring = function.body[0] if ast.get_docstring(function) is not None else None
    written = function.end_lineno - function.lineno + 1
    return written - (docstring.end_lineno - docstring.lineno + 1 if docstring else 0)


def faults(module):
    lines = module.text.count("\n")
    if lines > MODULE_LINES:
        yield f"{module.path}: {lines} lines"
    if module.name.rpartition(".")[2].strip("_") in VAGUE:
        yield f"{module.path}: a name that says nothing"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and length(node) > FUNCTION_LINES:
            yield f"{module.path}:{node.lineno}: {node.name} has {length(node)} lines"


def test_modules_and_functions_are_small_and_well_named(modules):
    assert [fault for module in modules for fault in faults(module)] == []


def test_these_rules_can_fail(sample):
    body = "    x = 1\n"
    assert list(faults(sample("bide.a", "def f():\n" + body * 39))) == []
    assert list(faults(sample("bide.a", 'def f():\n    """\n' + "\n" * 50 + '    """\n' + body * 39))) == []
    assert list(faults(sample("bide.a", "def f():\n" + body * 40)))
    assert list(faults(sample("bide.a", "\n" * 401)))
    assert list(faults(sample("bide._utils", "")))
