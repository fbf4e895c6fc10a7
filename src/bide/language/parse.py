"""Read a policy from text: Python's own grammar, a whitelist of nodes; nothing is evaluated, imported or looked up."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Final, TypeVar, cast

from bide.language.arguments import Arguments, Source, bound, constant, dotted_name, span_of
from bide.language.diagnostics import PolicySyntaxError, did_you_mean, quoted
from bide.language.literals import Duration, Range, Share, rewrite
from bide.language.mistakes import (
    RULES_JOINED,
    condition_instead,
    in_place_of_a_condition,
    in_place_of_a_rule,
    in_the_grammar,
    method_instead,
    rule_instead,
)
from bide.language.words import HEADS, MAX, WHOLE, WORDS, Word
from bide.policy import loanwords, registry
from bide.policy.clause import Clause
from bide.policy.condition import AllOf, AnyOf, Condition, joined
from bide.policy.delay import Delay
from bide.policy.errors import PolicyError
from bide.policy.params import FOREVER, params_of
from bide.policy.policy import Policy, Rule, capped, head
from bide.policy.policy import joined as joined_policies
from bide.policy.raised import Raises, is_builtin_exception
from bide.policy.statuses import Status
from bide.policy.term import Term
from bide.policy.worst import longest_waiting

MOST_ATTEMPTS: Final = 100
LONGEST_WAITING: Final = 3600.0
MOST_RULES: Final = 256
LONGEST_CHAIN: Final = 500
_LONGEST_MESSAGE: Final = 300
M = TypeVar("M")


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
    try:
        policy = reader.policy(_grammar(rewritten.text, text, "policy"))
    except RecursionError:
        raise _too_deep(text) from None
    beyond = _beyond_ceilings(policy)
    if beyond is not None:
        raise PolicySyntaxError(beyond, text, 0, len(text))
    return capped(policy, MOST_ATTEMPTS)


def parse_condition(text: str) -> Condition:
    """
    Return the condition that a text says: what stands between the parentheses of `retry_on(...)`; a comma is an or.

    Raises:
        PolicySyntaxError: the text is no condition.
    """
    rewritten = rewrite(text)
    said = rewritten.text.rstrip()
    if not said:
        raise PolicySyntaxError("there is no condition here; write one, such as 429 or timeout", text, 0, 1)
    reader = _Reader(Source(text, rewritten.literals), {})
    ending = "" if said.endswith(",") else ","  # makes a tuple of the conditions, also of one
    try:
        tree = cast("ast.Tuple", _grammar(rewritten.text, text, "condition", ending))
        return head("retry_on", tuple(map(reader.alone, tree.elts))).clause.condition
    except RecursionError:
        raise _too_deep(text) from None


def _too_deep(text: str) -> PolicySyntaxError:
    return PolicySyntaxError("the text is nested too deeply to be read from here", text, 0, 1)


def _grammar(rewritten: str, text: str, what: str, ending: str = "") -> ast.expr:
    """Return the syntax tree; offsets of the blank-padded single line are offsets of the text."""
    indent = len(rewritten) - len(rewritten.lstrip(" "))
    try:
        tree = ast.parse(rewritten[indent:] + ending, mode="eval").body
    except SyntaxError as error:
        raise in_the_grammar(error, rewritten, text, indent, what) from None
    except (RecursionError, MemoryError):  # in the grammar's own stack
        raise PolicySyntaxError("the text is nested or chained too deeply to be read", text, 0, 1) from None
    if indent or not rewritten.isascii():
        _relocate(tree, rewritten + ending, indent)
    return tree


def _relocate(tree: ast.expr, rewritten: str, indent: int) -> None:
    """Turn the grammar's offsets, which count UTF-8 bytes after the indent, into those of the text's characters."""
    characters = [at for at, char in enumerate(rewritten) for _ in char.encode()] + [len(rewritten)]
    for node in ast.walk(tree):
        if isinstance(node, (ast.expr, ast.keyword)):
            node.col_offset = characters[node.col_offset + indent]
            node.end_col_offset = characters[(node.end_col_offset or 0) + indent]


def _beyond_ceilings(policy: Policy) -> str | None:
    """Return how a policy goes beyond the ceilings that only code may lift, or None."""
    if len(policy.clauses) > MOST_RULES:
        return _too_many_rules(len(policy.clauses))
    try:
        policy.check()
    except PolicyError as error:
        return str(error)
    if policy.limits.attempts is None and any(map(_too_patient, policy.clauses)):
        return f"a text may ask for at most {MOST_ATTEMPTS} attempts: add .attempts({MOST_ATTEMPTS}) to the whole"
    waiting = longest_waiting(policy.clauses, policy.limits)
    if waiting > LONGEST_WAITING:
        return (
            f"a text may ask for at most an hour of waiting, and this may wait {waiting:.0f} s: "
            "add .within(1h) to the whole, or ask for fewer retries"
        )
    return None


def _too_patient(clause: Clause) -> bool:
    return clause.retries is not None and MOST_ATTEMPTS - 1 < clause.retries < FOREVER


def _too_many_rules(count: int) -> str:
    return f"a text may have at most {MOST_RULES} rules; this has {count}"


class _Reader:
    """Walks the whitelisted nodes of one text."""

    def __init__(self, source: Source, named: Mapping[str, Policy]) -> None:
        self.source = source
        self.named = named
        self.fail = source.fail

    def policy(self, node: ast.expr) -> Policy:
        """Return the policy of `a | b | c`, with what is said of each or of the whole."""
        parts = _sides(node)
        if len(parts) > MOST_RULES:
            raise self.fail(_too_many_rules(len(parts)), parts[MOST_RULES])
        policies = [self.single(part) for part in parts]
        if len(policies) == 1:
            return policies[0]
        try:
            return joined_policies(policies)
        except PolicyError as error:
            raise self.fail(str(error), node if error.part is None else parts[error.part]) from None

    def single(self, node: ast.expr) -> Policy:
        """Return the policy of a head or name and the methods that follow it."""
        calls, base = _chain(node)
        self.bounded(len(calls), node)
        first = cast("ast.Attribute", calls[0].func).attr if calls else ""
        if first in HEADS and not isinstance(base, ast.Call):
            raise self.fail(f"write {first}(...) alone, with nothing before it", base)
        read = self.base(base)
        for call in calls:
            read = self.method(read, call)
        return read

    def base(self, node: ast.expr) -> Policy:
        if isinstance(node, ast.BinOp):
            if isinstance(node.op, ast.BitOr):
                return self.policy(node)
            raise self.fail(RULES_JOINED, node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            name = node.func.id
            if name == WHOLE:
                return self.whole(node)
            verb = HEADS.get(name)
            if verb is not None:
                for keyword in node.keywords:
                    raise self.fail(self._no_keyword(name, str(keyword.arg)), keyword)
                conditions = tuple(self.condition(argument, "a head takes") for argument in node.args)
                return self.made(lambda: head(verb, conditions), node)
            raise self.fail(
                f"{quoted(self.source.written(node.func))} begins no rule{rule_instead(name, self.named)}",
                node.func,
            )
        if isinstance(node, ast.Name) and self.source.literal(node) is None:
            named = self.named.get(node.id)
            if named is not None:
                return named
            if node.id in HEADS:
                raise self.fail(f"{node.id} needs its conditions, as in {node.id}(503)", node)
            what = f"{quoted(node.id)} is no rule here" if self.named else f"{quoted(node.id)} is no policy"
            raise self.fail(f"{what}{did_you_mean(node.id, (*HEADS, *self.named))}", node)
        raise self.fail(in_place_of_a_rule(node), node)

    def _no_keyword(self, head: str, name: str) -> str:
        advice = loanwords.in_a_head(name, [*WORDS, *registry.names("delays")], registry.names("conditions"))
        return f"{head}() takes conditions only{advice or '; write delays after it'}"

    def whole(self, node: ast.Call) -> Policy:
        if len(node.args) != 1 or node.keywords:
            raise self.fail(f"{WHOLE}() takes one policy, such as {WHOLE}(retry_on(503)).within(30s)", node)
        inner = self.policy(node.args[0])
        return self.made(lambda: Policy(inner), node)

    def method(self, read: Policy, call: ast.Call) -> Policy:
        """Return what a method makes of a rule or policy."""
        func = cast("ast.Attribute", call.func)  # _chain yields nothing else
        name, at = func.attr, _name_node(func)
        rule = isinstance(read, Rule)
        word = WORDS.get(name)
        if word is not None and (word.on_policy or (rule and word.on_rule)):
            return self.limited(read, word, call, at)
        cls = None if word is not None else self.found("delays", name, at)
        if cls is None and word is None:
            known = [*WORDS, *registry.names("delays")]
            raise self.fail(
                f"unknown method {quoted(self.source.written(at))}{method_instead(name, known)}", at
            )
        if isinstance(read, Rule):
            return self.delayed(read, cast("type[Delay]", cls), call, at)
        if len(read.clauses) > 1:
            raise self.fail(
                f".{name}() is about one rule, and this is a policy of several; write it on the rule", at
            )
        raise self.fail(f".{name}() is about the rule; write it before what limits the whole call", at)

    def limited(self, read: Policy, word: Word, call: ast.Call, at: ast.AST) -> Policy:
        """Return what a word that limits a rule or a policy makes of it."""
        arguments = bound(self.source, call, word.name, word.params)
        limited = self.made(
            lambda: cast("Policy", getattr(read, word.name)(**arguments.values)), call, at, arguments
        )
        within = limited.clause.within if isinstance(limited, Rule) else limited.limits.within
        if word.name == "attempts" and arguments.values["n"] > MOST_ATTEMPTS:
            raise self.fail(f"a text may ask for at most {MOST_ATTEMPTS} attempts", _only(call))
        if word.name == "within" and within is not None and within > LONGEST_WAITING:
            raise self.fail("a text may ask for at most an hour (1h)", _only(call))
        return limited

    def delayed(self, rule: Rule, cls: type[Delay], call: ast.Call, at: ast.AST) -> Policy:
        """Return a rule with one more delay."""
        arguments = bound(self.source, call, cls.spelled, (*params_of(cls), MAX))
        retries = arguments.values.pop("max", None)
        return self.made(lambda: rule.waits(cls(**arguments.values), max=retries), call, at, arguments)

    def alone(self, node: ast.expr) -> Condition:
        """Return the condition that a node says where no policy is wanted."""
        _, base = _chain(node)
        if isinstance(base, ast.Call) and isinstance(base.func, ast.Name) and base.func.id in HEADS:
            said = 'this is a policy; say the condition alone, such as 429 & header("Retry-After")'
            raise self.fail(said, node)
        return self.condition(node, "write")

    def condition(self, node: ast.expr, advice: str = "a combination takes") -> Condition:
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
        dotted = dotted_name(self.source, node)
        if dotted is not None:
            self.bounded(dotted.count("."), node)
            return self.named_condition(dotted, node)
        if isinstance(node, ast.Starred):
            raise self.fail("there is no unpacking in the language; write the conditions out", node)
        raise self.fail(in_place_of_a_condition(node, advice), node)

    def combined(self, node: ast.BinOp) -> Condition:
        kind = type(node.op)
        sides = _sides(node, kind)
        self.bounded(len(sides), node)
        constants = [constant(self.source, side) for side in sides]
        if kind is ast.BitOr and any(isinstance(value, (int, str, Range)) for value in constants):
            raise self.fail("statuses are joined by a comma: write retry_on(429, 503), not 429 | 503", node)
        return joined(AllOf if kind is ast.BitAnd else AnyOf, [self.condition(side) for side in sides])

    def bounded(self, links: int, node: ast.expr) -> None:
        """Refuse a chain that Python's grammar, from version to version, may or may not read."""
        if links > LONGEST_CHAIN:
            raise self.fail(f"at most {LONGEST_CHAIN} may be chained; here are {links}", node)

    def status(self, value: Range | int | str, node: ast.expr) -> Condition:
        spelled = value.statuses if isinstance(value, Range) else value
        if isinstance(spelled, str) and spelled in registry.names("conditions"):
            raise self.fail(f"{spelled} is written without quotes", node)
        return self.made(lambda: Status((spelled,)), node)

    def named_condition(self, dotted: str, node: ast.expr) -> Condition:
        """Return the condition that a bare word or an exception's name says."""
        if "." not in dotted and not is_builtin_exception(dotted):
            bare = self.made(lambda: registry.bare_condition(dotted), node)
            if bare is not None:
                return bare
            if self.found("conditions", dotted, node) is not None:
                raise self.fail(f"{dotted} needs its arguments, as in {dotted}(...)", node)
            if dotted.islower() or dotted.isupper():
                advice = condition_instead(dotted)
                raise self.fail(f"unknown condition {quoted(dotted)}{advice}", node)
        return self.made(lambda: Raises((dotted,)), node)

    def called(self, node: ast.Call, name: str) -> Condition:
        if name == "when":
            raise self.fail(
                "when() takes a callable, which no text can hold; build this policy in Python", node
            )
        cls = self.found("conditions", name, node.func)
        if cls is None:
            if name in HEADS:
                raise self.fail(f"{name}(...) is a rule, and no condition", node)
            if registry.bare_condition(name) is not None or is_builtin_exception(name):
                raise self.fail(f"{name} takes no parentheses", node)
            advice = condition_instead(name)
            raise self.fail(f"unknown condition {quoted(self.source.written(node.func))}{advice}", node.func)
        arguments = bound(self.source, node, name, params_of(cls))
        return cast("Condition", self.made(lambda: cls(**arguments.values), node, None, arguments))

    def found(self, kind: registry.Kind, name: str, node: ast.AST) -> type[Term] | None:
        """Return the class registered as a name, or None; point at an extension that cannot be loaded."""
        return self.made(lambda: registry.find(kind, name), node)

    def made(
        self,
        make: Callable[[], M],
        node: ast.AST,
        at: ast.AST | None = None,
        arguments: Arguments | None = None,
    ) -> M:
        """Return what a constructor makes, its complaint turned into one with a place: the argument, or the call."""
        try:
            return make()
        except RecursionError:
            raise
        except Exception as error:  # an extension's constructor may raise anything
            place = (
                arguments.place(error) if arguments is not None and isinstance(error, PolicyError) else None
            )
            start, end = place or span_of(node if at is None else at, node)
            message = str(error)[:_LONGEST_MESSAGE] or type(error).__name__
            raise PolicySyntaxError(message, self.source.text, start, end) from None


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


def _only(call: ast.Call) -> ast.expr:
    """Return the only argument of a call, however it is written."""
    return [*call.args, *(keyword.value for keyword in call.keywords)][0]
