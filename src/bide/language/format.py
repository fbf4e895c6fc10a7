"""Write a policy out as its canonical text, which `parse` reads back to an equal policy."""

from __future__ import annotations

import keyword
from typing import Any, Final

from bide.language.words import WHOLE, WORDS
from bide.policy import registry
from bide.policy.clause import Clause
from bide.policy.condition import AllOf, AnyOf, Condition, Not
from bide.policy.durations import format_duration, plain
from bide.policy.errors import PolicyError, shown
from bide.policy.limits import Limits
from bide.policy.params import FOREVER, Param, params_of
from bide.policy.policy import Policy
from bide.policy.raised import Raises, can_be_written
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
    parts += [_registered(delay, "delays") for delay in clause.delays]
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
    if clause.polling:
        parts.append("polling()")
    return ".".join(parts)


def _limits(limits: Limits) -> str:
    parts: list[str] = []
    for word in WORDS.values():
        said = getattr(limits, word.limit, None) if word.on_policy else None
        if said is None or said is False:
            continue
        if isinstance(said, Term):
            parts.append("." + _call(said))
        else:
            arguments = ", ".join(_value(said, param) for param in word.params)
            parts.append(f".{word.name}({arguments})")
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
    if isinstance(condition, Status) and len(condition.codes) == 1 and inside != "|":
        return str(condition.codes[0])
    if isinstance(condition, Raises):
        return _raises(condition)
    return registry.bare_name(condition) or _registered(condition, "conditions")


def _raises(condition: Raises) -> str:
    written = [_exception(name) for name in condition.names]
    first = condition.names[0]
    plain_name = len(written) == 1 and written[0] == first and not first.islower()
    return first if plain_name else f"raises({', '.join(written)})"


def _exception(name: str) -> str:
    if not can_be_written(name):
        raise PolicyError(f"no text can say {shown(name, 80)}: the class has no importable name")
    parts = name.split(".")
    strange = any(keyword.iskeyword(part) for part in parts) or not parts[0].strip("_")
    return _text(name) if strange else name


def _registered(term: Term, kind: registry.Kind) -> str:
    name = getattr(type(term), "spelled", "")
    if registry.find(kind, name) is not type(term):
        raise PolicyError(f"no text can say {shown(term, 60)}: {term.why_no_text}")
    return _call(term)


def _call(term: Term) -> str:
    arguments: list[str] = []
    by_name = False
    for param in params_of(type(term)):
        value = getattr(term, param.attribute)
        if param.variadic:
            arguments += [_value(one, param) for one in value]
            by_name = True
        elif value == param.default and type(value) is type(param.default):
            by_name = True
        else:
            written = _value(value, param)
            arguments.append(f"{param.name}={written}" if by_name or param.keyword else written)
            by_name = by_name or not param.required
    return f"{term.spelled}({', '.join(arguments)})"


def _value(value: Any, param: Param) -> str:
    if value == FOREVER and isinstance(value, float):
        return "forever"
    if param.kind == "seconds" and isinstance(value, (int, float)):
        return format_duration(value)
    if param.kind == "share":
        return _percent(value)
    if param.kind == "status":
        return str(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return _number(value)
    if value is None or isinstance(value, int):
        return str(value)
    raise PolicyError(f"no text can say {shown(value, 60)} as {param.name}")


def _percent(share: float) -> str:
    for digits in range(8):
        text = f"{share * 100:.{digits}f}"
        if float(text) / 100 == share and len(text.partition(".")[0]) < _LONGEST_PERCENT:
            return f"{text}%"
    return _number(share)


_LONGEST_PERCENT: Final = 4


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else plain(value)


def _text(value: str) -> str:
    """Write a text in double quotes, in ASCII where Python's escapes would be needed."""
    escaped = "".join(
        _ESCAPES.get(char, char if char.isprintable() else f"\\U{ord(char):08x}") for char in value
    )
    return f'"{escaped}"'


_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
