"""The condition on a response's status: 429, "5xx", "500-504"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar, Final

import attrs

from bide.policy.condition import ALL_STATUSES, NO_STATUS, Condition, Statuses, StatusLike, coercion
from bide.policy.errors import PolicyError, shown
from bide.policy.outcome import Outcome
from bide.policy.params import side_by_side
from bide.policy.registry import bare_condition, condition

_CLASS: Final = re.compile(r"([1-5])xx", re.IGNORECASE)
_RANGE: Final = re.compile(r"([1-5][0-9][0-9])-([1-5][0-9][0-9])")
_SINGLE: Final = re.compile(r"[1-5][0-9][0-9]")
_HOW_TO_WRITE: Final = 'write 429, "5xx" or "500-504"'


def status_range(value: object) -> tuple[int, int]:
    """
    Return the first and last status that 429, "429", "5xx" or "500-504" names.

    Raises:
        PolicyError: anything else.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value in ALL_STATUSES:
        return value, value
    if isinstance(value, str):
        if whole := _CLASS.fullmatch(value):
            first = int(whole[1]) * 100
            return first, first + 99
        if _SINGLE.fullmatch(value):
            return int(value), int(value)
        if (span := _RANGE.fullmatch(value)) and int(span[1]) <= int(span[2]):
            return int(span[1]), int(span[2])
    advice = _HOW_TO_WRITE
    if (
        isinstance(value, str)
        and value.replace(".", "_").isidentifier()
        and value.rpartition(".")[2][:1].isupper()
    ):
        advice = f'an exception is its class, or raises("{value}")'
    raise PolicyError(f"{shown(value)} is no HTTP status (100 to 599); {advice}", argument="codes")


@lru_cache(maxsize=128)
def _between(first: int, last: int) -> Statuses:
    return frozenset(range(first, last + 1))


def _spelled(value: object) -> int | str:
    first, last = status_range(value)
    if first == last:
        return first
    return f"{first // 100}xx" if first % 100 == 0 and last == first + 99 else f"{first}-{last}"


def _all_spelled(values: Sequence[object]) -> tuple[int | str, ...]:
    if values:
        side_by_side(values, "codes")
    return tuple(_spelled(value) for value in values)


@condition("status")
@attrs.frozen(eq=False, repr=False)
class Status(StatusLike):
    """The response's status is one of these."""

    spelled: ClassVar[str]
    codes: tuple[int | str, ...] = attrs.field(
        converter=_all_spelled,
        metadata={"kind": "status", "variadic": True},
    )
    _known: Statuses = attrs.field(init=False, default=NO_STATUS)

    def __attrs_post_init__(self) -> None:
        if not self.codes:
            raise PolicyError(f"status() needs at least one; {_HOW_TO_WRITE}", argument="codes")
        known = NO_STATUS.union(*(_between(*status_range(code)) for code in self.codes))
        object.__setattr__(self, "_known", known)

    def matches(self, outcome: Outcome) -> bool:
        return outcome.status in self._known

    def statuses(self) -> Statuses:
        return self._known

    def miss(self, outcome: Outcome) -> str:
        wanted = " or ".join(map(str, self.codes))
        return (
            f"no status, wanted {wanted}"
            if outcome.status is None
            else f"status is {outcome.status}, not {wanted}"
        )


@coercion
def _from_status(value: object) -> Condition | None:
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    if isinstance(value, str) and bare_condition(value) is not None:
        raise PolicyError(
            f"{value!r} in quotes is no status; write {value} without quotes (from bide import {value})"
        )
    return Status((value,))
