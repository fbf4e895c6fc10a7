"""Conditions on code, header, body, message and method, the bare words, and the functions that people write."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, ClassVar, Final

import attrs

from bide.policy import params
from bide.policy.condition import ERROR_STATUSES, NO_STATUS, Condition, Statuses
from bide.policy.errors import PolicyError, callable_name, shown
from bide.policy.outcome import Outcome
from bide.policy.raised import Raises
from bide.policy.registry import bare, condition
from bide.policy.statuses import Status

_LONGEST_GLOB: Final = 256


@condition("code")
@attrs.frozen(eq=False, repr=False)
class Code(Condition):
    """The machine-readable code in the body is one of these."""

    spelled: ClassVar[str]
    reads_body: ClassVar[bool] = True
    failures_only: ClassVar[bool] = True
    codes: tuple[str, ...] = params.texts()
    at: str | None = params.place(None, keyword=True)

    def matches(self, outcome: Outcome) -> bool:
        return outcome.read_code(self.at) in self.codes

    def miss(self, outcome: Outcome) -> str:
        found = outcome.read_code(self.at)
        wanted = " or ".join(map(repr, self.codes))
        return (
            f"no code in the body, wanted {wanted}"
            if found is None
            else f"code is {shown(found, 80)}, not {wanted}"
        )


@condition("header")
@attrs.frozen(eq=False, repr=False)
class HeaderIs(Condition):
    """The response has this header, with this value if one is given (case does not matter)."""

    spelled: ClassVar[str]
    header: str = params.header_name(alias="name")
    value: str | None = params.text(None)

    def matches(self, outcome: Outcome) -> bool:
        values = outcome.values(self.header)
        if self.value is None:
            return bool(values)
        wanted = self.value.strip().lower()
        return any(value.strip().lower() == wanted for value in values)

    def miss(self, outcome: Outcome) -> str:
        has = bool(outcome.values(self.header))
        return f"header {self.header} is not {self.value!r}" if has else f"no header {self.header}"


@condition("body")
@attrs.frozen(eq=False, repr=False)
class BodyIs(Condition):
    """The JSON body has something at this path, and it equals the value if one is given."""

    spelled: ClassVar[str]
    reads_body: ClassVar[bool] = True
    failures_only: ClassVar[bool] = True
    path: str = params.place()
    value: object = params.json_value(None)

    def matches(self, outcome: Outcome) -> bool:
        found = outcome.at(self.path)
        if self.value is None:
            return found is not None
        return type(found) in _same_kind(self.value) and found == self.value

    def miss(self, outcome: Outcome) -> str:
        return (
            f"body has no {self.path}" if outcome.at(self.path) is None else f"body's {self.path} is another"
        )


def _same_kind(value: object) -> tuple[type, ...]:
    return (int, float) if isinstance(value, (int, float)) and not isinstance(value, bool) else (type(value),)


@condition("message")
@attrs.frozen(eq=False, repr=False)
class Message(Condition):
    """The text for people fits this glob (`*` and `?`), whatever the case."""

    spelled: ClassVar[str]
    reads_body: ClassVar[bool] = True
    failures_only: ClassVar[bool] = True
    pattern: str = params.text()
    at: str | None = params.place(None, keyword=True)

    def __attrs_post_init__(self) -> None:
        if len(self.pattern) > _LONGEST_GLOB:
            raise PolicyError(
                f"message() takes a glob of at most {_LONGEST_GLOB} characters", argument="pattern"
            )

    def matches(self, outcome: Outcome) -> bool:
        said = outcome.read_message(self.at)
        return said is not None and glob_matches(self.pattern.lower(), said.lower())

    def miss(self, outcome: Outcome) -> str:
        return (
            "no message"
            if outcome.read_message(self.at) is None
            else f"message does not fit {self.pattern!r}"
        )


def glob_matches(pattern: str, text: str) -> bool:
    """Match `*` and `?`, everything else being itself; no star is ever tried at a second place."""
    return _compiled(pattern).match(text) is not None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    first, *others = (re.escape(part).replace(r"\?", ".") for part in pattern.split("*"))
    if not others:
        return re.compile(rf"{first}\Z", re.DOTALL)
    middle = "".join(f"(?>.*?{part})" for part in others[:-1] if part)
    return re.compile(rf"{first}{middle}.*{others[-1]}\Z", re.DOTALL)


@condition("method")
@attrs.frozen(eq=False, repr=False)
class Method(Condition):
    """The request's method is one of these."""

    spelled: ClassVar[str]
    failures_only: ClassVar[bool] = True
    methods: tuple[str, ...] = params.texts()

    def __attrs_post_init__(self) -> None:
        if not all(map(params.is_token, self.methods)):
            raise PolicyError('method() takes HTTP methods, such as method("GET", "PUT")', argument="methods")
        object.__setattr__(self, "methods", tuple(method.upper() for method in self.methods))

    def matches(self, outcome: Outcome) -> bool:
        return outcome.method is not None and outcome.method.upper() in self.methods

    def miss(self, outcome: Outcome) -> str:
        return f"method is {outcome.method}, not {' or '.join(self.methods)}"


@attrs.frozen(eq=False, repr=False)
class Fact(Condition):
    """A bare word: something that is so of an outcome or not."""

    spelled: ClassVar[str] = "fact"
    failures_only: ClassVar[bool] = True
    word: str

    @property
    def label(self) -> str:
        return self.word

    def matches(self, outcome: Outcome) -> bool:
        return _FACTS[self.word][0](outcome)

    def statuses(self) -> Statuses | None:
        return _FACTS[self.word][1]


_MISDIRECTED: Final = frozenset({421})
_FACTS: Final[dict[str, tuple[Callable[[Outcome], bool], Statuses | None]]] = {
    "network": (lambda outcome: outcome.fault.network, NO_STATUS),
    "unsent": (lambda outcome: outcome.fault.unsent, _MISDIRECTED),
    "anything": (lambda outcome: outcome.failed, ERROR_STATUSES),
    "idempotent": (lambda outcome: outcome.idempotent, None),
    "replayable": (lambda outcome: outcome.replayable, None),
}

network = bare("network", Fact("network"))
unsent = bare("unsent", Fact("unsent"))
anything = bare("anything", Fact("anything"))
idempotent = bare("idempotent", Fact("idempotent"))
replayable = bare("replayable", Fact("replayable"))


@attrs.frozen(eq=False, repr=False)
class When(Condition):
    """A callable of yours says so; Python only, since text can hold no code."""

    spelled: ClassVar[str] = "when"
    why_no_text: ClassVar[str] = "it holds a Python callable"
    sees_values: ClassVar[bool] = True
    ask: Callable[[Outcome], bool]

    def __attrs_post_init__(self) -> None:
        if not callable(self.ask):
            raise PolicyError(f"when() takes a callable of one outcome; got {shown(self.ask)}")

    def matches(self, outcome: Outcome) -> bool:
        answer: Any = self.ask(outcome)
        if type(answer) is not bool:
            raise TypeError(
                f"when({callable_name(self.ask)}) must answer True or False; it answered {type(answer).__name__}"
            )
        return answer

    def miss(self, outcome: Outcome) -> str:
        return f"when({callable_name(self.ask)}) said no"


def status(*codes: int | str) -> Condition:
    """Return the condition that a response has one of these statuses: 429, "5xx", "500-504"."""
    return Status(codes)


def code(*codes: str, at: str | None = None) -> Condition:
    """Return the condition that the body's machine-readable code is one of these, at a dotted path if one is given."""
    return Code(codes, at)


def header(name: str, value: str | None = None) -> Condition:
    """Return the condition that the response has a header, with a value if one is given."""
    return HeaderIs(name, value)


def body(path: str, value: object = None) -> Condition:
    """Return the condition that the JSON body has something at a dotted path, equal to the value if one is given."""
    return BodyIs(path, value)


def message(pattern: str, *, at: str | None = None) -> Condition:
    """Return the condition that the text for people fits a glob, such as "*overloaded*"."""
    return Message(pattern, at)


def method(*methods: str) -> Condition:
    """Return the condition that the request's method is one of these."""
    return Method(methods)


def raises(*exceptions: type[BaseException] | str) -> Condition:
    """Return the condition that one of these exceptions was raised; a text is a dotted name, never imported."""
    return Raises(exceptions)


def when(ask: Callable[[Outcome], bool]) -> Condition:
    """Return the condition that a callable says True of the outcome; Python only."""
    return When(ask)
