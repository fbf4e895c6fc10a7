"""What to write instead of what Python, or another language, would say so."""

from __future__ import annotations

import ast
import re
from typing import Final

from bide.language.words import HEADS

RULES_JOINED: Final = "rules are joined by |, and by nothing else"
_APART: Final = re.compile(r"[0-9.]+\s+(?:ms|s|m|h|%)(?![A-Za-z0-9_])")


def in_place_of_a_rule(node: ast.expr) -> str:
    """Return the message for something that is no rule and no policy."""
    if isinstance(node, (ast.BoolOp, ast.Tuple)):
        return RULES_JOINED
    if isinstance(node, ast.Attribute) and node.attr not in HEADS:
        return f"{node.attr} needs its parentheses: write .{node.attr}(...)"
    return "a policy begins with a rule, such as retry_on(503)"


def in_place_of_a_condition(node: ast.expr, advice: str) -> str:
    """Return the message for something that is no condition; `advice` introduces what would be one."""
    if isinstance(node, ast.BoolOp) or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)):
        return "conditions are combined by a comma or |, by & and by ~; or, and, not are no words of the language"
    if isinstance(node, ast.Compare):
        return 'a condition is not compared: write 503, code("busy") or header("X-Busy", "yes")'
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        return "conditions stand side by side without brackets of their own, as in retry_on(429, 503)"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return "an exception is named without parentheses, as in httpx.ReadTimeout"
    if _is_a_range(node):
        return "a range is written without blanks, as in 500-504"
    return f"this is no condition; {advice} 429, 5xx, code(...), timeout, network, ..."


def _is_a_range(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Sub)
        and isinstance(node.left, ast.Constant)
        and isinstance(node.right, ast.Constant)
    )


def in_the_grammar(said: str, rest: str) -> str:
    """Return what Python's grammar said of a text, or what to write instead; `rest` is the text from the place on."""
    if rest.startswith("|") or rest.lstrip("|").lstrip().startswith(tuple(HEADS)):
        return "rules are joined by a single |"
    if _APART.match(rest):
        return "a number and its unit stand together, as in 30s"
    if "forgot a comma" in said:
        return "perhaps a comma is missing"
    return said.partition(". ")[0]
