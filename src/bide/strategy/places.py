"""Where things stand in an API's responses: the file's `[read]`, and what it makes of the policies."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import zip_longest
from re import Match
from typing import Any, Final, cast

import attrs

from bide.policy import hints
from bide.policy.asked import AfterMessage
from bide.policy.condition import Condition
from bide.policy.conditions import Code, Message
from bide.policy.delay import Delay
from bide.policy.errors import PolicyError, shown
from bide.policy.hints.paths import steps
from bide.policy.outcome import Outcome
from bide.policy.params import one_place
from bide.policy.policy import Policy

_LAST_INDEX: Final = 99
_USUAL_CODE: Final = "error.code"
_USUAL_MESSAGE: Final = "error.message"
FAILED: Final = "failed"
"""The key of `[read]` that takes a condition, not a place."""


@attrs.frozen
class Places:
    """
    Where things stand in a response: a dotted path of the JSON body, or `header:name`.

    None: for code, message and delay, where APIs usually put them; the others are not read. `failed` is no place, but
    tells an error whose status is that of a success.
    """

    code: str | None = None
    message: str | None = None
    request_id: str | None = None
    delay: str | None = None
    details: str | None = None
    param: str | None = None
    category: str | None = None
    failed: Condition | None = None

    def applied(self, policy: Policy) -> Policy:
        """Return a policy whose `code`, `message` and `after_message` say where they look."""
        clauses = tuple(clause.rewritten(self._condition, self._delay) for clause in policy.clauses)
        return Policy.of(clauses, policy.limits)

    def asked(self, condition: Condition) -> Condition:
        """Return a condition whose `code` and `message` say where they look."""
        return condition.rewritten(self._condition)

    def _condition(self, condition: Condition) -> Condition:
        if isinstance(condition, Code) and condition.at is None and self.code is not None:
            return attrs.evolve(condition, at=self.code)
        if isinstance(condition, Message) and condition.at is None and self.message is not None:
            return attrs.evolve(condition, at=self.message)
        return condition

    def _delay(self, delay: Delay) -> Delay:
        if isinstance(delay, AfterMessage) and delay.at is None and self.message is not None:
            return attrs.evolve(delay, at=self.message)
        return delay

    def retry_after(self, outcome: Outcome) -> float | None:
        """Return the seconds that the server asks to wait, or None."""
        if self.delay is None:
            hint = outcome.hint(None)
            return None if hint is None else hint.delay
        kind, _, name = self.delay.partition(":")
        if kind != "header":
            return hints.value(outcome.at(self.delay))
        date = next(iter(outcome.values("date")), None)
        read = hints.header(name, outcome.values(name), now=None, date=date)
        return None if read is None else read.delay

    def answer(
        self,
        code: str | None,
        status: int,
        method: str = "GET",
        held: Mapping[str, object] | None = None,
        *,
        category: str | None = None,
    ) -> Outcome:
        """Return a response with this status that has a code and a category, and more by place, where they stand."""
        said = {self.code_or_usual: code, self.category: category}
        known = {place: value for place, value in said.items() if place is not None and value is not None}
        return answer(status, method, known | dict(held or {}))

    @property
    def message_or_usual(self) -> str:
        """Where the message stands, or where APIs usually put it."""
        return self.message or _USUAL_MESSAGE

    @property
    def code_or_usual(self) -> str:
        """Where the code stands, or where APIs usually put it."""
        return self.code or _USUAL_CODE


def checked_place(place: str) -> str:
    """
    Return a place, unless it is none in a response.

    Raises:
        PolicyError: neither a dotted path nor `header:name`, or one at which no response made up for a check holds
            anything.
    """
    good = one_place(place, "the place")
    if not good.startswith("header:") and answer(400, "GET", {good: "x"}).at(good) != "x":
        raise PolicyError(
            f"{shown(good, 60)} is no place in a response that can be checked (an index is at most {_LAST_INDEX}); "
            "write a path such as 'error.code' or 'errors[0].code'"
        )
    return good


def answer(status: int | None, method: str, held: Mapping[str, object]) -> Outcome:
    """Return a response that holds these values at these places."""
    headers = [
        (place.partition(":")[2], value) for place, value in held.items() if place.startswith("header:")
    ]
    body: object = None
    for place, value in held.items():
        if not place.startswith("header:"):
            body = _merged(body, _holding(steps(place), value))
    return Outcome(status, headers, json.dumps(body), method=method)


def _holding(path: Iterable[Match[str]], value: object) -> Any:
    """Return the JSON in which a path leads to a value."""
    held: Any = value
    for step in reversed(list(path)):
        if step["name"] is not None:
            held = {step["name"]: held}
        elif step["index"] is not None:
            before: list[Any] = [None] * min(int(step["index"]), _LAST_INDEX)
            held = [*before, held]
        else:
            held = [_merged(_holding(steps(step["key"]), step["equals"]), held)]
    return held


def _merged(left: object, right: object) -> object:
    """Return what holds both, the right where they differ."""
    kept: object = left if right is None else right
    if isinstance(left, dict) and isinstance(right, dict):
        ours, theirs = cast("dict[str, object]", left), cast("dict[str, object]", right)
        return ours | {key: _merged(ours.get(key), value) for key, value in theirs.items()}
    if isinstance(left, list) and isinstance(right, list):
        both = zip_longest(cast("list[object]", left), cast("list[object]", right))
        return [_merged(one, other) for one, other in both]
    return kept
