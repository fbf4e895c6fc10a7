"""Bind the arguments of one call in a policy text to a word's parameters, kind by kind."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any, Final

import attrs

from bide.language.diagnostics import PolicySyntaxError, did_you_mean, quoted
from bide.language.literals import Duration, Literal, Range, Share
from bide.policy.params import FOREVER, Param

_NOT_WRITTEN: Final = object()


@attrs.frozen
class Source:
    """The text being read: where its nodes are, and which literals stand there."""

    text: str
    literals: dict[int, Literal]

    def fail(self, message: str, node: ast.AST) -> PolicySyntaxError:
        """Return the error that points at a node."""
        start = getattr(node, "col_offset", 0)
        return PolicySyntaxError(
            message, self.text, start, getattr(node, "end_col_offset", None) or start + 1
        )

    def literal(self, node: ast.AST) -> Literal | None:
        """Return the literal that stands where a placeholder's node is, or None."""
        return self.literals.get(node.col_offset) if isinstance(node, ast.Name) else None

    def written(self, node: ast.AST) -> str:
        """Return how a node is written."""
        return self.text[getattr(node, "col_offset", 0) : getattr(node, "end_col_offset", None)]


def bound(source: Source, call: ast.Call, word: str, params: Sequence[Param]) -> dict[str, Any]:
    """
    Return the values of a call's arguments by the names of the parameters; those not written are left out.

    Raises:
        PolicySyntaxError: too many, unknown, missing or repeated arguments, or one of the wrong kind.
    """
    values: dict[str, Any] = {}
    variadic = next((param for param in params if param.variadic), None)
    positional = [param for param in params if param is not variadic]
    rest: list[Any] = []
    for index, node in enumerate(call.args):
        if variadic is not None:
            rest.append(value_of(source, node, word, variadic))
        elif index < len(positional) and positional[index].name != "max":
            values[positional[index].name] = value_of(source, node, word, positional[index])
        else:
            raise source.fail(f"{word}() takes {_how_many(positional)}", node)
    if variadic is not None and (rest or not variadic.required):
        values[variadic.name] = tuple(rest)
    for keyword in call.keywords:
        param = next((param for param in positional if param.name == keyword.arg), None)
        if param is None:
            known = [param.name for param in positional]
            raise source.fail(
                f"{word}() has no argument {quoted(str(keyword.arg))}{did_you_mean(str(keyword.arg), known)}",
                keyword,
            )
        if param.name in values:
            raise source.fail(f"{word}() got {param.name} twice", keyword)
        values[param.name] = value_of(source, keyword.value, word, param)
    missing = [param.name for param in params if param.required and param.name not in values]
    if missing:
        raise source.fail(f"{word}() needs {missing[0]}", call)
    return values


def _how_many(params: Sequence[Param]) -> str:
    names = [param.name for param in params if param.name != "max"]
    return f"at most {len(names)}: {', '.join(names)}" if names else "nothing in its parentheses"


def value_of(source: Source, node: ast.expr, word: str, param: Param) -> Any:
    """Return the value of one argument, if it is of the parameter's kind."""
    if isinstance(node, ast.Starred):
        raise source.fail("there is no unpacking in the language; write the arguments out", node)
    read, expected = _KINDS.get(param.kind, _KINDS["any"])
    value = read(source, node)
    if value is _NOT_WRITTEN:
        raise source.fail(f"{param.name} of {word}() takes {expected}{_instead(source, node, param)}", node)
    return value


def _instead(source: Source, node: ast.expr, param: Param) -> str:
    """Say what to write for the mistakes that are easily made."""
    value = constant(source, node)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if param.kind == "seconds" and number and value == 0:
        return "; a delay of nothing is written immediately()"
    if param.kind == "seconds" and number:
        return f"; write {source.written(node)}s for seconds, or {source.written(node)}ms"
    if param.kind in ("count", "forever", "number") and isinstance(value, Duration):
        return f"; write {source.written(node).rstrip('hms')} without a unit"
    if param.kind in ("text", "json") and isinstance(node, ast.Name) and not source.literal(node):
        return f'; write "{node.id[:40]}" in quotes'
    return f"; got {quoted(source.written(node))}"


def constant(source: Source, node: ast.expr) -> Any:
    """Return the number, text, flag or literal that a node is, or something that is none of them."""
    if isinstance(node, ast.Constant):
        return node.value
    if (
        isinstance(node, ast.UnaryOp)
        and isinstance(node.op, ast.USub)
        and isinstance(node.operand, ast.Constant)
    ):
        positive = node.operand.value
        number = isinstance(positive, (int, float)) and not isinstance(positive, bool)
        return -positive if number else _NOT_WRITTEN  # type: ignore[operator]  # mypy forgets what number means
    literal = source.literal(node)
    if literal is not None:
        return literal
    if isinstance(node, ast.Name) and node.id == "forever":
        return FOREVER
    return _NOT_WRITTEN


def _seconds(source: Source, node: ast.expr) -> Any:
    value = constant(source, node)
    if isinstance(value, Duration):
        return value.seconds
    return value if isinstance(value, str) else _NOT_WRITTEN


def _number(source: Source, node: ast.expr) -> Any:
    value = constant(source, node)
    return value if type(value) in (int, float) and value != FOREVER else _NOT_WRITTEN


def _count(source: Source, node: ast.expr) -> Any:
    value = constant(source, node)
    return value if type(value) is int else _NOT_WRITTEN


def _forever(source: Source, node: ast.expr) -> Any:
    value = constant(source, node)
    return value if type(value) is int or value == FOREVER else _NOT_WRITTEN


def _share(source: Source, node: ast.expr) -> Any:
    value = constant(source, node)
    return value.share if isinstance(value, Share) else value if type(value) is float else _NOT_WRITTEN


def _text(source: Source, node: ast.expr) -> Any:
    value = constant(source, node)
    return value if isinstance(value, str) else _NOT_WRITTEN


def _flag(source: Source, node: ast.expr) -> Any:
    value = constant(source, node)
    return value if isinstance(value, bool) else _NOT_WRITTEN


def _jitter(source: Source, node: ast.expr) -> Any:
    value = constant(source, node)
    return value if isinstance(value, (bool, str)) else _NOT_WRITTEN


def _json(source: Source, node: ast.expr) -> Any:
    value = constant(source, node)
    return (
        value
        if value is None or (type(value) in (str, bool, int, float) and value != FOREVER)
        else _NOT_WRITTEN
    )


def _status(source: Source, node: ast.expr) -> Any:
    value = constant(source, node)
    if isinstance(value, Range):
        return value.statuses
    return value if type(value) in (int, str) else _NOT_WRITTEN


def _exception(source: Source, node: ast.expr) -> Any:
    dotted = dotted_name(node)
    if dotted is not None and source.literal(node) is None:
        return dotted
    value = constant(source, node)
    return value if isinstance(value, str) else _NOT_WRITTEN


def dotted_name(node: ast.expr) -> str | None:
    """Return `a.b.C` of a chain of names, or None when a node is anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else None


def _any(source: Source, node: ast.expr) -> Any:
    value = constant(source, node)
    return (
        value.seconds if isinstance(value, Duration) else value.share if isinstance(value, Share) else value
    )


_KINDS: Final[dict[str, tuple[Callable[[Source, ast.expr], Any], str]]] = {
    "seconds": (_seconds, "a duration with its unit, such as 250ms, 30s or 1m30s"),
    "number": (_number, "a number"),
    "count": (_count, "a whole number"),
    "forever": (_forever, "a whole number, or forever"),
    "share": (_share, "a share, such as 20%"),
    "text": (_text, "a text in quotes"),
    "flag": (_flag, "True or False"),
    "jitter": (_jitter, 'True, False, "full", "equal" or "decorrelated"'),
    "json": (_json, "a text, a number, True, False or None"),
    "status": (_status, "a status, such as 429, 5xx or 500-504"),
    "exception": (_exception, "dotted exception names, such as httpx.ReadTimeout"),
    "any": (_any, "a value"),
}
