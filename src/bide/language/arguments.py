"""Bind the arguments of one call in a policy text to a word's parameters, kind by kind."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Container, Sequence
from typing import Any, Final

import attrs

from bide.language.diagnostics import PolicySyntaxError, did_you_mean, quoted
from bide.language.literals import Duration, Literal, Range, Share
from bide.policy import loanwords, registry
from bide.policy.errors import PolicyError
from bide.policy.params import FOREVER, JITTERS, Param, jitter_instead

_NOT_WRITTEN: Final = object()
_UNQUOTED: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}|[0-9]{1,9}/[0-9]{0,9}[A-Za-z]{1,9}")
_SPELLED: Final = {"true": "True", "false": "False", "null": "None", "none": "None"}


@attrs.frozen(eq=False, repr=False)
class Source:
    """The text being read: where its nodes are, and which literals stand there."""

    text: str
    literals: dict[int, Literal]

    def fail(self, message: str, node: ast.AST) -> PolicySyntaxError:
        """Return the error that points at a node."""
        return PolicySyntaxError(message, self.text, *span_of(node))

    def literal(self, node: ast.AST) -> Literal | None:
        """Return the literal that stands where a placeholder's node is, or None."""
        return self.literals.get(node.col_offset) if isinstance(node, ast.Name) else None

    def written(self, node: ast.AST) -> str:
        """Return how a node is written."""
        start, end = span_of(node)
        return self.text[start:end]


@attrs.frozen(eq=False, repr=False)
class Arguments:
    """The values of a call's arguments by their names, those not written left out, and where they are written."""

    values: dict[str, Any]
    spans: dict[str, tuple[int, int]]

    def place(self, error: PolicyError) -> tuple[int, int] | None:
        """Return where the argument stands that an error is about, if it is about one that is written."""
        if error.argument is not None and len(self.spans) == 1:
            return next(iter(self.spans.values()))
        return self.spans.get(error.argument or "")


def span_of(first: ast.AST, last: ast.AST | None = None) -> tuple[int, int]:
    """Return where a node, or what reaches from one to another, begins and ends."""
    start = int(getattr(first, "col_offset", 0))
    return start, int(getattr(last or first, "end_col_offset", None) or start + 1)


def bound(source: Source, call: ast.Call, word: str, params: Sequence[Param]) -> Arguments:
    """
    Return the arguments of a call, bound to a word's parameters.

    Raises:
        PolicySyntaxError: too many, unknown, missing or repeated arguments, or one of the wrong kind.
    """
    values: dict[str, Any] = {}
    spans: dict[str, tuple[int, int]] = {}
    variadic = next((param for param in params if param.variadic), None)
    single = [param for param in params if param is not variadic]
    if variadic is not None and (call.args or not variadic.required):
        values[variadic.name] = tuple(value_of(source, node, word, variadic) for node in call.args)
        if call.args:
            spans[variadic.name] = span_of(call.args[0], call.args[-1])
    elif variadic is None:
        placed = [param for param in single if not param.keyword]
        if len(call.args) > len(placed):
            named = [param.name for param in single if param.keyword]
            raise source.fail(f"{word}() takes {_how_many(placed, named)}", call.args[len(placed)])
        for param, node in zip(placed, call.args, strict=False):
            values[param.name] = value_of(source, node, word, param)
            spans[param.name] = span_of(node)
    for keyword in call.keywords:
        param = _by_name(source, keyword, word, single, values)
        values[param.name] = value_of(source, keyword.value, word, param)
        spans[param.name] = span_of(keyword)
    missing = next((param for param in params if param.required and param.name not in values), None)
    if missing is not None:
        _, expected = _KINDS.get(missing.kind, _KINDS["any"])
        raise source.fail(f"{word}() needs {missing.name}: {expected}", call)
    return Arguments(values, spans)


def _by_name(
    source: Source, keyword: ast.keyword, word: str, params: Sequence[Param], bound: Container[str]
) -> Param:
    """Return the parameter that a keyword names."""
    name = str(keyword.arg)
    param = next((param for param in params if param.name == name), None)
    if keyword.arg is None:
        raise source.fail("there is no unpacking in the language; write the arguments out", keyword)
    if param is None:
        known = [param.name for param in params]
        advice = loanwords.argument(name, known) or did_you_mean(name, known)
        raise source.fail(f"{word}() has no argument {quoted(name)}{advice}", keyword)
    if name in bound:
        raise source.fail(f"{word}() got {name} twice", keyword)
    return param


def _how_many(params: Sequence[Param], named: Sequence[str]) -> str:
    names = [param.name for param in params]
    if names:
        return f"at most {len(names)}: {', '.join(names)}"
    return f"named arguments only; write {named[0]}=..." if named else "no arguments"


def value_of(source: Source, node: ast.expr, word: str, param: Param) -> Any:
    """Return the value of one argument, if it is of the parameter's kind."""
    if isinstance(node, ast.Starred):
        raise source.fail("there is no unpacking in the language; write the arguments out", node)
    read, expected = _KINDS.get(param.kind, _KINDS["any"])
    value = read(source, node)
    if value is _NOT_WRITTEN:
        raise source.fail(
            f"{param.name} of {word}() takes {expected}{_instead(source, node, word, param)}", node
        )
    return value


def _instead(source: Source, node: ast.expr, word: str, param: Param) -> str:
    """Say what to write for the mistakes that are easily made."""
    value = constant(source, node)
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and value != FOREVER
    written = source.written(node)
    if param.kind == "seconds" and number and value == 0 and word in registry.names("delays"):
        return "; no delay at all is written immediately()"
    if param.kind == "seconds" and number:
        return f"; write {written}s for seconds, or {written}ms"
    if param.name == "max" and isinstance(value, Duration) and word in registry.names("delays"):
        return f"; it counts retries, and the longest delay is cap={written}"
    if param.kind == "jitter" and (instead := jitter_instead(written)):
        return instead
    if param.kind == "jitter" and written.strip("\"'") in JITTERS:
        return f'; write "{written}" in quotes'
    if param.kind in ("count", "forever", "number") and isinstance(value, Duration):
        return f"; write {written.rstrip('hms')} without a unit"
    if param.kind in ("count", "forever", "number") and isinstance(value, str) and value.isdecimal():
        return f"; write {value} without quotes"
    if param.kind == "share" and type(value) is int:
        return f"; write {written}%"
    if param.kind in ("flag", "jitter", "json") and written in _SPELLED:
        return f"; write {_SPELLED[written]}"
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        return "; write the values side by side, without brackets"
    if param.kind in ("text", "json") and _UNQUOTED.fullmatch(written) and not isinstance(node, ast.Constant):
        return f'; write "{written}" in quotes'
    return f"; got {quoted(written)}"


def constant(source: Source, node: ast.expr) -> Any:
    """Return the number, text, flag or literal that a node is, or something that is none of them."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        positive: Any = constant(source, node.operand) if isinstance(node.operand, ast.Constant) else None
        return -positive if type(positive) in (int, float) else _NOT_WRITTEN
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
    dotted = dotted_name(source, node)
    if dotted is not None:
        return dotted
    value = constant(source, node)
    return value if isinstance(value, str) else _NOT_WRITTEN


def dotted_name(source: Source, node: ast.expr) -> str | None:
    """Return `a.b.C` of a chain of names, or None when a node is anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        if not node.attr.strip("_"):  # a literal, such as 5xx, which was rewritten
            return None
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or source.literal(node) is not None:
        return None
    return ".".join([node.id, *reversed(parts)])


def _any(source: Source, node: ast.expr) -> Any:
    value = constant(source, node)
    if isinstance(value, Duration):
        return value.seconds
    if isinstance(value, Share):
        return value.share
    if isinstance(value, Range):
        return value.statuses
    return value if value is None or type(value) in (str, bool, int, float) else _NOT_WRITTEN


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
