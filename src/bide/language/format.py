"""Write a policy out as its canonical text, which `parse` reads back to an equal policy."""

from __future__ import annotations

from typing import Any, Final

from bide.language.words import WHOLE, WORDS
from bide.policy import registry
from bide.policy.clause import Clause
from bide.policy.condition import AllOf, AnyOf, Condition, Not
from bide.policy.conditions import Fact, When
from bide.policy.durations import format_duration
from bide.policy.errors import PolicyError
from bide.policy.limits import Limits
from bide.policy.params import FOREVER, Param, params_of
from bide.policy.policy import Policy
from bide.policy.raised import Raises, Timeout
from bide.policy.statuses import Status
from bide.policy.term import Term


def format_policy(policy: Policy) -> str:
    """
    Return the canonical text of a policy.

    Raises:
        PolicyError: it holds what no text can say: a Python callable, or a class that has no importable name.
    """
    rules = " | ".join(_rule(clause) for clause in policy.clauses)
    said = _limits(policy.limits)
    if not said:
        return rules
    if len(policy.clauses) > 1:
        return f"({rules}){said}"
    ambiguous = policy.limits.attempts is not None or policy.limits.within is not None
    return f"{WHOLE}({rules}){said}" if ambiguous else f"{rules}{said}"


def describe(policy: Policy) -> str:
    """Return the canonical text, or where no text can say it, as much of it as there is."""
    try:
        return format_policy(policy)
    except PolicyError as error:
        return f"{len(policy.clauses)} rules; no text: {error}"


def _rule(clause: Clause) -> str:
    conditions = ", ".join(_condition(condition) for condition in clause.conditions)
    parts = [f"{clause.verb}({conditions})"]
    parts += [_call(delay, registered="delays") for delay in clause.delays]
    retries = (
        None if clause.retries is None else "forever" if clause.retries == FOREVER else str(clause.retries)
    )
    if retries is not None and clause.delays:
        inside = parts[-1][:-1]
        parts[-1] = f"{inside}{'' if inside.endswith('(') else ', '}max={retries})"
    elif retries is not None:
        parts.append(f"max({retries})")
    if clause.within is not None:
        parts.append(f"within({format_duration(clause.within)})")
    if clause.at_most is not None:
        parts.append(f"at_most({format_duration(clause.at_most)})")
    if clause.recovery is not None:
        parts.append(f"calling({_text(clause.recovery)})")
    if clause.any_method:
        parts.append("any_method()")
    return ".".join(parts)


def _limits(limits: Limits) -> str:
    parts = []
    for word in WORDS.values():
        said = getattr(limits, "name" if word.name == "named" else word.name, None)
        if not word.on_policy or said is None or said is False:
            continue
        if isinstance(said, Term):
            parts.append("." + _call(said))
        else:
            arguments = [_value(said, param) for param in word.params]
            parts.append(f".{word.name}({', '.join(arguments)})")
    return "".join(parts)


def _condition(condition: Condition, *, inside: str = "") -> str:
    """Write a condition; `inside` is the operator around it, which binds tighter than some."""
    if isinstance(condition, AllOf):
        joined = " & ".join(_condition(one, inside="&") for one in condition.conditions)
        return f"({joined})" if inside == "~" else joined
    if isinstance(condition, AnyOf):
        joined = " | ".join(_condition(one, inside="|") for one in condition.conditions)
        return f"({joined})" if inside else joined
    if isinstance(condition, Not):
        return f"~{_condition(condition.condition, inside='~')}"
    if isinstance(condition, When):
        raise PolicyError(f"no text can say {condition!r:.60}: it holds a Python callable")
    if isinstance(condition, Fact):
        return condition.word
    if isinstance(condition, Status) and len(condition.codes) == 1 and inside != "|":
        return str(condition.codes[0])
    if isinstance(condition, Raises):
        return _raises(condition)
    if isinstance(condition, Timeout) and not condition.kinds:
        return condition.name
    return _call(condition, registered="conditions")


def _raises(condition: Raises) -> str:
    for name in condition.names:
        if "<locals>" in name:
            raise PolicyError(f"no text can say {name[:80]!r}: the class has no importable name")
    single = len(condition.names) == 1 and not condition.names[0].islower()
    return condition.names[0] if single else f"raises({', '.join(condition.names)})"


def _call(term: Term, *, registered: str = "") -> str:
    if registered and registry.find(registered, term.name) is not type(term):  # type: ignore[arg-type]  # a kind
        raise PolicyError(f"no text can say {term!r:.60}: it is not registered as one of the {registered}")
    arguments: list[str] = []
    by_name = False
    for param in params_of(type(term)):
        value = getattr(term, param.name)
        if param.variadic:
            arguments += [_value(one, param) for one in value]
            by_name = True
        elif not param.required and value == _settled(param):
            by_name = True
        else:
            arguments.append(f"{param.name}={_value(value, param)}" if by_name else _value(value, param))
            by_name = by_name or not param.required
    return f"{term.name}({', '.join(arguments)})"


def _settled(param: Param) -> Any:
    """Return a default as the term holds it."""
    return "full" if param.kind == "jitter" and param.default is True else param.default


def _value(value: Any, param: Param) -> str:
    if value == FOREVER and isinstance(value, float):
        return "forever"
    if param.kind == "seconds" and isinstance(value, (int, float)):
        return format_duration(value)
    if param.kind == "share":
        return _percent(value)
    if param.kind in ("status", "exception"):
        return str(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return _number(value)
    return str(value)


def _percent(share: float) -> str:
    for digits in range(8):
        text = f"{share * 100:.{digits}f}"
        if float(text) / 100 == share and len(text.partition(".")[0]) < _LONGEST_PERCENT:
            return f"{text}%"
    return _number(share)


_LONGEST_PERCENT: Final = 4


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else format(value, ".17g")


def _text(value: str) -> str:
    """Write a text in double quotes, in ASCII where Python's escapes would be needed."""
    escaped = "".join(
        _ESCAPES.get(char, char if char.isprintable() else f"\\U{ord(char):08x}") for char in value
    )
    return f'"{escaped}"'


_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
