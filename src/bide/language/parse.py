"""Read a policy from text: Python's own grammar, a whitelist of nodes; nothing is evaluated, imported or looked up."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Final, TypeVar, cast

from bide.language.arguments import Source, bound, constant, dotted_name
from bide.language.diagnostics import PolicySyntaxError, did_you_mean, quoted
from bide.language.literals import Duration, Range, Share, rewrite
from bide.language.words import HEADS, MAX, WHOLE, WORDS
from bide.policy import registry
from bide.policy.clause import Verb
from bide.policy.condition import Condition
from bide.policy.delay import Delay
from bide.policy.errors import PolicyError
from bide.policy.params import params_of
from bide.policy.policy import Policy, Rule, head
from bide.policy.raised import Raises
from bide.policy.statuses import Status

MOST_ATTEMPTS: Final = 100
M = TypeVar("M")

LONGEST_CALL: Final = 3600.0
MOST_RULES: Final = 256


def parse(text: str, *, rules: Mapping[str, Policy] | None = None) -> Policy:
    """
    Return the policy that a text says.

    Args:
        text: At most 64 KiB, at most 64 levels deep; comments (`#`) and line ends are blanks.
        rules: Policies that the text may name, as a strategy file does.

    Raises:
        PolicySyntaxError: the text is no policy, or says what text may not: more than 100 attempts, an hour of
            waiting or 256 rules. Nothing else is ever raised, whatever the text.
    """
    if not isinstance(text, str):
        raise PolicySyntaxError(f"a policy is a text; got {type(text).__name__}", "", 0, 1)
    rewritten = rewrite(text)
    if not rewritten.text.strip():
        raise PolicySyntaxError("there is no policy here; write one, such as retry_on(503)", text, 0, 1)
    reader = _Reader(Source(text, rewritten.literals), {} if rules is None else rules)
    policy = reader.policy(_grammar(rewritten.text, text))
    return _within_ceilings(policy, text)


def _grammar(rewritten: str, text: str) -> ast.expr:
    """Return the syntax tree; offsets of the blank-padded single line are offsets of the text."""
    indent = len(rewritten) - len(rewritten.lstrip(" "))
    try:
        tree = ast.parse(rewritten[indent:], mode="eval").body
    except SyntaxError as error:
        raise _grammar_error(error, rewritten, text, indent) from None
    except (RecursionError, MemoryError, ValueError):
        raise PolicySyntaxError("the text is nested or chained too deeply to be read", text, 0, 1) from None
    if indent or not rewritten.isascii():
        _relocate(tree, rewritten, indent)
    return tree


def _relocate(tree: ast.expr, rewritten: str, indent: int) -> None:
    """Turn the grammar's offsets, which count UTF-8 bytes after the indent, into those of the text's characters."""
    characters = [at for at, char in enumerate(rewritten) for _ in char.encode()] + [len(rewritten)]
    for node in ast.walk(tree):
        if isinstance(node, (ast.expr, ast.keyword)):
            node.col_offset = characters[node.col_offset + indent]
            node.end_col_offset = characters[(node.end_col_offset or 0) + indent]


def _grammar_error(error: SyntaxError, rewritten: str, text: str, indent: int) -> PolicySyntaxError:
    at = min(indent + max((error.offset or 1) - 1, 0), max(len(text) - 1, 0))
    said = (error.msg or "invalid syntax").split(". Perhaps")[0]
    stripped = rewritten.rstrip()
    if stripped.endswith(("|", "&", ".", "~", ",")) and stripped.count("(") == stripped.count(")"):
        last = len(stripped) - 1
        return PolicySyntaxError(f"something is missing after {stripped[-1]!r}", text, last, last + 1)
    if stripped.startswith("|"):
        return PolicySyntaxError("something is missing before '|'", text, indent, indent + 1)
    return PolicySyntaxError(f"this is no policy: {said}", text, at, at + 1)


def _within_ceilings(policy: Policy, text: str) -> Policy:
    """Hold what comes from text to the ceilings that only code may lift."""

    def refuse(what: str) -> PolicySyntaxError:
        return PolicySyntaxError(what, text, 0, len(text))

    limits = policy.limits
    if len(policy.clauses) > MOST_RULES:
        raise refuse(f"a text may have at most {MOST_RULES} rules; this has {len(policy.clauses)}")
    try:
        policy.check()
    except PolicyError as error:
        raise refuse(str(error)) from None
    if limits.attempts is None and any(c.allowed(None) > MOST_ATTEMPTS - 1 for c in policy.clauses):
        raise refuse(
            f"a text may ask for at most {MOST_ATTEMPTS} attempts: add .attempts({MOST_ATTEMPTS}) to the whole"
        )
    if limits.attempts is not None and limits.attempts > MOST_ATTEMPTS:
        raise refuse(
            f"a text may ask for at most {MOST_ATTEMPTS} attempts; this asks for {limits.attempts:.0f}"
        )
    if limits.within is not None and limits.within > LONGEST_CALL:
        raise refuse(f"a text may ask for at most an hour (1h); this asks for {limits.within:.0f} s")
    for clause in policy.clauses:
        single = max(clause.within or 0.0, clause.at_most or 0.0, *(d.longest(1) for d in clause.delays), 0.0)
        if single > LONGEST_CALL:
            raise refuse(
                f"a text may ask for at most an hour of waiting (1h); a rule asks for {single:.0f} s"
            )
    return policy


class _Reader:
    """Walks the whitelisted nodes of one text."""

    def __init__(self, source: Source, named: Mapping[str, Policy]) -> None:
        self.source = source
        self.named = named
        self.fail = source.fail

    def policy(self, node: ast.expr) -> Policy:
        """Return the policy of `a | b | c`, with what is said of each or of the whole."""
        parts = _sides(node)
        read = self.single(parts[0])
        for part in parts[1:]:
            following = self.single(part)
            try:
                read = read | following
            except PolicyError as error:
                raise self.fail(_unreachable(error), part) from None
        return read

    def single(self, node: ast.expr) -> Policy:
        """Return the policy of a head or name and the methods that follow it."""
        calls, base = _chain(node)
        read = self.base(base)
        for call in calls:
            read = self.method(read, call)
        return read

    def base(self, node: ast.expr) -> Policy:
        if isinstance(node, ast.BinOp):
            return self.policy(node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            name = node.func.id
            if name == WHOLE:
                return self.whole(node)
            if name in HEADS:
                if node.keywords:
                    raise self.fail(
                        f"{name}() takes conditions only; write delays after it", node.keywords[0]
                    )
                conditions = tuple(self.condition(argument, in_head=True) for argument in node.args)
                return self.made(lambda: head(cast("Verb", name), conditions), node)
            raise self.fail(
                f"{quoted(name)} begins no rule{did_you_mean(name, (*HEADS, *self.named))}", node.func
            )
        if isinstance(node, ast.Name) and self.source.literal(node) is None:
            named = self.named.get(node.id)
            if named is not None:
                return named
            what = f"{quoted(node.id)} is no rule here" if self.named else f"{quoted(node.id)} is no policy"
            raise self.fail(f"{what}{did_you_mean(node.id, (*HEADS, *self.named))}", node)
        raise self.fail("a policy begins with a rule, such as retry_on(503)", node)

    def whole(self, node: ast.Call) -> Policy:
        if len(node.args) != 1 or node.keywords:
            raise self.fail(f"{WHOLE}() takes one policy, such as {WHOLE}(retry_on(503)).within(30s)", node)
        inner = self.policy(node.args[0])
        return self.made(lambda: Policy(inner), node)

    def method(self, read: Policy, call: ast.Call) -> Policy:
        """Return what a method makes of a rule or policy."""
        func = call.func
        assert isinstance(func, ast.Attribute)  # _chain yields nothing else
        name = func.attr
        at = _name_node(func)
        rule = isinstance(read, Rule)
        word = WORDS.get(name)
        if word is not None and ((rule and word.on_rule) or word.on_policy):
            values = bound(self.source, call, name, word.params)
            return self.made(lambda: cast("Policy", getattr(read, name)(**values)), call, at)
        if word is not None:
            raise self.fail(
                f".{name}() limits one rule, and this is a policy of several; write it on the rule", at
            )
        if isinstance(read, Rule):
            cls = registry.find("delays", name)
            if cls is not None and issubclass(cls, Delay):
                return self.delayed(read, cls, call, at)
        elif name in registry.names("delays"):
            raise self.fail(f".{name}() is the delay of one rule, and this is a policy of several", at)
        known = [*(w.name for w in WORDS.values()), *registry.names("delays")]
        raise self.fail(f"unknown method {quoted(name)}{did_you_mean(name, known)}", at)

    def delayed(self, rule: Rule, cls: type[Delay], call: ast.Call, at: ast.AST) -> Policy:
        values = bound(self.source, call, cls.name, (*params_of(cls), MAX))
        retries = values.pop("max", None)
        return self.made(lambda: rule.waits(cls(**values), max=retries), call, at)

    def condition(self, node: ast.expr, *, in_head: bool = False) -> Condition:
        """Return the condition that a node says."""
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.BitAnd, ast.BitOr)):
            return self.combined(node)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert):
            return ~self.condition(node.operand)
        value = constant(self.source, node)
        if isinstance(value, (Range, int, str)) and not isinstance(value, bool):
            return self.status(value, node)
        if isinstance(value, (Duration, Share)):
            raise self.fail(
                f"{quoted(self.source.written(node))} is no condition; a status is 429, 5xx or 500-504", node
            )
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return self.called(node, node.func.id)
        dotted = dotted_name(node)
        if dotted is not None:
            bare = registry.bare_condition(dotted)
            return bare if bare is not None else self.exception(dotted, node)
        if isinstance(node, ast.Starred):
            raise self.fail("there is no unpacking in the language; write the conditions out", node)
        what = "a head" if in_head else "a combination"
        raise self.fail(
            f"this is no condition; {what} takes 429, 5xx, code(...), timeout, network, ...", node
        )

    def combined(self, node: ast.BinOp) -> Condition:
        kind = type(node.op)
        sides = _sides(node, kind)
        if kind is ast.BitOr and any(isinstance(constant(self.source, side), (int, Range)) for side in sides):
            raise self.fail("statuses are joined by a comma: write retry_on(429, 503), not 429 | 503", node)
        read = self.condition(sides[0])
        for side in sides[1:]:
            following = self.condition(side)
            read = read & following if kind is ast.BitAnd else read | following
        return read

    def status(self, value: Range | int | str, node: ast.expr) -> Condition:
        spelled = value.statuses if isinstance(value, Range) else value
        if isinstance(spelled, str) and registry.bare_condition(spelled) is not None:
            raise self.fail(f"{spelled} is written without quotes", node)
        return self.made(lambda: Status((spelled,)), node)

    def exception(self, dotted: str, node: ast.expr) -> Condition:
        if registry.find("conditions", dotted) is not None:
            raise self.fail(f"{dotted} needs its arguments, as in {dotted}(...)", node)
        known = registry.names("conditions")
        if "." not in dotted and dotted.islower():
            raise self.fail(f"unknown condition {quoted(dotted)}{did_you_mean(dotted, known)}", node)
        return self.made(lambda: Raises((dotted,)), node)

    def called(self, node: ast.Call, name: str) -> Condition:
        if name == "when":
            raise self.fail(
                "when() takes a callable, which no text can hold; build this policy in Python", node
            )
        cls = registry.find("conditions", name)
        if cls is None or not issubclass(cls, Condition):
            if registry.bare_condition(name) is not None:
                raise self.fail(f"{name} takes no parentheses", node)
            raise self.fail(
                f"unknown condition {quoted(name)}{did_you_mean(name, registry.names('conditions'))}",
                node.func,
            )
        values = bound(self.source, node, name, params_of(cls))
        return self.made(lambda: cls(**values), node)

    def made(self, make: Callable[[], M], node: ast.AST, at: ast.AST | None = None) -> M:
        """Return what a constructor makes, its complaint turned into one with a place."""
        try:
            return make()
        except PolicySyntaxError:
            raise
        except (ValueError, TypeError) as error:
            raise self.fail(str(error)[:300], node if at is None else _from_name(at, node)) from None


def _sides(node: ast.expr, kind: type[ast.operator] = ast.BitOr) -> list[ast.expr]:
    """Return the sides of `a | b | c`, left to right."""
    sides: list[ast.expr] = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, kind):
        sides.append(node.right)
        node = node.left
    return [node, *reversed(sides)]


def _chain(node: ast.expr) -> tuple[list[ast.Call], ast.expr]:
    """Return the method calls of `base.a().b()`, in order, and the base."""
    calls: list[ast.Call] = []
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        calls.append(node)
        node = node.func.value
    return calls[::-1], node


def _name_node(func: ast.Attribute) -> ast.AST:
    """Return a node that covers a method's name alone."""
    end = func.end_col_offset or 0
    return ast.Name(id=func.attr, col_offset=end - len(func.attr), end_col_offset=end)


def _from_name(at: ast.AST, node: ast.AST) -> ast.AST:
    """Return a node from a method's name to the end of its call."""
    return ast.Name(id="", col_offset=at.col_offset, end_col_offset=node.end_col_offset)  # type: ignore[attr-defined]


def _unreachable(error: PolicyError) -> str:
    return (
        str(error)
        if "limit the whole" in str(error)
        else "this rule can never decide: those before it answer all of it"
    )
