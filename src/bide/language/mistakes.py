"""What to write instead of what Python, or another language, would say so."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection
from typing import Final

from bide.language.diagnostics import PolicySyntaxError, did_you_mean
from bide.language.literals import masked
from bide.language.words import HEADS, WORDS
from bide.policy import loanwords, registry

RULES_JOINED: Final = "rules are joined by |, and by nothing else"
_HEAD: Final = "|".join(HEADS)
_COMPARED: Final = 'a condition is not compared: write 503, code("busy") or header("X-Busy", "yes")'
_TOGETHER: Final = "a number and its unit stand together, as in 30s"
_RANGE: Final = "a range is written 500-504, and a class 5xx"
_NAMED: Final = "an argument is named with =, as in cap=30s"
_BY_BAR: Final = "rules are joined by a single |"
_BY_DOT: Final = "what follows a rule begins with a dot, as in retry_on(503).exponential()"
_NEVER_SAID: Final = tuple(
    # What nobody writes who knows the language, in the order in which they are looked for in one place: its first group,
    # or all of it, is what is wrong. Texts in quotes are masked, comments and line ends are blanks.
    (re.compile(pattern), said)
    for pattern, said in (
        (r"^\s*(import|from)\b", "a text imports nothing; write the policy alone"),
        (rf"\b(?:{_HEAD})\s*[:=\[{{]|\b(?:{_HEAD})\s+[\w\"]", "conditions stand in parentheses, as in retry_on(503)"),
        (rf"\)\s*(?:(?:[;,+]|and\b|or\b)\s*)?\b({_HEAD})\b", _BY_BAR),
        (r"(\|\s*\|)", _BY_BAR),
        (r"\)\s*(->|=>|:|then\b)", _BY_DOT),
        (r"\.\s*\.", "one dot is enough"),
        (r"\b[0-9]+(?:\.[0-9]+)?\s+(?:ms|s|m|h|%|secs?|seconds?|mins?|minutes?|hours?|d|days?|milliseconds?)(?!\w)", _TOGETHER),
        (r"\b[0-9]{3}(?:\s+to\s+|\s*:\s*)[0-9]{3}|\b[0-9]{3}-(?=\s*[),])|\b[1-5]\*+", _RANGE),
        (r"(?<=[(,=\s])\.[0-9]+(?:ms|[smh])\b", "a fraction begins with a digit, as in 0.5s"),
        (r"\b[0-9]+,[0-9]+(?:ms|[smh])\b", "a fraction is written with a dot, as in 1.5s"),
        (r"(?<![.\w])0[0-9]+\b", "a number does not begin with 0"),
        (r"&&|&\s*not\b", "conditions are combined with a single &, and not is written ~"),
        (r"!(?!=)", "not is written ~, as in ~404"),
        (r"->|=>|:=|[(,]\s*([a-z_]+\s+[0-9.])", _NAMED),
        (r"[<>]=?|[!=]=", _COMPARED),
        (r"\"\s*([:=])", 'two values are separated by a comma, as in header("X-Busy", "yes")'),
        (r":", _NAMED),
        (r"\*\s*[)*]", 'a * must be in quotes, as in message("*busy*")'),
        (r"[(,]\s*(,)", "something is missing before the comma"),
        (r"[(,]\s*(=)|=\s*[,)]", "something is missing beside ="),
        (r"\.\w+\s*=", "a value stands in parentheses, as in .max(3)"),
        (r"^\s*\w+\s*=", "write the policy alone, with nothing before it"),
        (r";", "rules are joined by |, and conditions by a comma"),
    )
)  # fmt: skip
_WRITTEN: Final = {
    "policy": "it is written like retry_on(503, timeout).exponential() | give_up_on(404)",
    "condition": 'it is written like 503 & code("busy"), timeout',
}


def in_place_of_a_rule(node: ast.expr) -> str:
    """Return the message for something that is no rule and no policy."""
    if isinstance(node, (ast.BoolOp, ast.Tuple, ast.List)):
        return RULES_JOINED
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return "write the policy without quotes around it"
    if isinstance(node, (ast.Constant, ast.Name)):
        return "a condition stands in a head, as in retry_on(503)"
    if isinstance(node, ast.Attribute) and node.attr not in HEADS:
        return f"{node.attr} needs its parentheses: write .{node.attr}(...)"
    return "a policy begins with a rule, such as retry_on(503)"


def in_place_of_a_condition(node: ast.expr, advice: str) -> str:
    """Return the message for something that is no condition; `advice` introduces what would be one."""
    if isinstance(node, ast.BoolOp) or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)):
        return (
            "conditions are combined with a comma or |, with & and with ~; the language has no or, and, not"
        )
    if isinstance(node, ast.Compare):
        return _COMPARED
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        return "write the conditions side by side, without brackets, as in retry_on(429, 503)"
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


def method_instead(name: str, known: Collection[str]) -> str:
    """Return what to write instead of an unknown method, to be put behind the name."""
    if name in HEADS:
        return f": another rule is joined with |, as in retry_on(503) | {name}(404)"
    if name in registry.names("conditions"):
        return f": it is a condition, and belongs in the head, as in retry_on(503 & {name}(...))"
    return loanwords.method(name) or did_you_mean(name, known)


def condition_instead(name: str) -> str:
    """Return what to write instead of an unknown condition, to be put behind the name."""
    if name in WORDS or name in registry.names("delays"):
        return f": it follows the head, as in retry_on(503).{name}(...)"
    return loanwords.condition(name) or did_you_mean(name, registry.names("conditions"))


def rule_instead(name: str, named: Collection[str]) -> str:
    """Return what to write instead of a call that begins no rule, to be put behind the name."""
    if name in WORDS or name in registry.names("delays"):
        return f": it follows a rule, as in retry_on(503).{name}(...)"
    if name in registry.names("conditions"):
        return f": a condition stands in a head, as in retry_on({name}(...))"
    return loanwords.rule(name) or did_you_mean(name, (*HEADS, *named))


def in_the_grammar(
    error: SyntaxError, rewritten: str, text: str, indent: int, what: str
) -> PolicySyntaxError:
    """Return what to write instead of what Python's grammar does not read."""
    stripped = rewritten.rstrip()
    if stripped.endswith(("|", "&", ".", "~", ",")) and stripped.count("(") == stripped.count(")"):
        last = len(stripped) - 1
        return PolicySyntaxError(f"something is missing after {stripped[-1]!r}", text, last, last + 1)
    if stripped.lstrip().startswith("|"):
        return PolicySyntaxError("something is missing before '|'", text, indent, indent + 1)
    found = _never_said(masked(text))
    if found is not None:
        return PolicySyntaxError(f"this is no {what}: {found[0]}", text, *found[1])
    at = min(indent + max((error.offset or 1) - 1, 0), max(len(text) - 1, 0))
    return PolicySyntaxError(f"this is no {what}: {_in_words(error.msg, what)}", text, at, at + 1)


def _never_said(text: str) -> tuple[str, tuple[int, int]] | None:
    """Return what to write instead of the first thing that the language never says, and where that stands."""
    methods = "|".join({*WORDS, *registry.names("delays")}.difference(registry.names("conditions")))
    patterns = ((re.compile(rf"\)\s*({methods})\b"), _BY_DOT), *_NEVER_SAID)
    found = [(match, said) for pattern, said in patterns if (match := pattern.search(text))]
    if not found:
        return None
    match, said = min(found, key=lambda one: one[0].start(one[0].lastindex or 0))
    return said, match.span(match.lastindex or 0)


def _in_words(said: str, what: str) -> str:
    """Return what Python's grammar says of a text, in the words of the language."""
    if "forgot a comma" in said:
        return "perhaps a comma is missing"
    if "follows keyword" in said:
        return "arguments without a name come first, as in exponential(1s, cap=30s)"
    if "never closed" in said or "match" in said:
        return said
    return _WRITTEN[what]
