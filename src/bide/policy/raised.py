"""Conditions on what an attempt raised: exception classes by class or name, and timeouts by kind."""

from __future__ import annotations

import builtins
from collections.abc import Iterable
from typing import ClassVar, Final

import attrs

from bide.policy import params
from bide.policy.condition import NO_STATUS, Condition, Statuses, coercion
from bide.policy.errors import PolicyError, shown
from bide.policy.outcome import Outcome
from bide.policy.registry import bare, condition

_NEVER: Final = "is never an outcome: cancellation and exits pass untouched"
_CANCELLED: Final = frozenset(
    {"asyncio.CancelledError", "asyncio.exceptions.CancelledError", "trio.Cancelled"}
)
"""Names that are no exceptions of Python's own, and no `Exception` wherever they are raised."""
Named = tuple[str, type[BaseException] | None]


def _all_named(values: Iterable[object]) -> tuple[Named, ...]:
    """Return the name and, where it is known, the class of each exception, none twice."""
    return tuple(dict.fromkeys(map(_named, values)))


@condition("raises")
@attrs.frozen(eq=False, repr=False)
class Raises(Condition):
    """The attempt raised one of these exceptions, or a subclass; dotted names are compared and never imported."""

    spelled: ClassVar[str]
    named: tuple[Named, ...] = attrs.field(
        converter=_all_named, alias="names", metadata={"kind": "exception", "variadic": True}
    )

    def __attrs_post_init__(self) -> None:
        if not self.named:
            raise PolicyError("raises() needs at least one exception class", argument="names")

    @property
    def names(self) -> tuple[str, ...]:
        """The exceptions' names, dotted, those of built-in ones plain."""
        return tuple(name for name, _ in self.named)

    @property
    def classes(self) -> tuple[type[BaseException] | None, ...]:
        """The exceptions' classes; None for those known by their dotted name only."""
        return tuple(cls for _, cls in self.named)

    def key(self) -> tuple[str, ...]:
        return self.names

    def matches(self, outcome: Outcome) -> bool:
        error = outcome.error
        return error is not None and any(
            isinstance(error, own) if own is not None else name in spellings(type(error))
            for name, own in self.named
        )

    def covers(self, cls: type[BaseException]) -> bool:
        """Tell whether any exception of this class matches."""
        return any(
            issubclass(cls, own) if own is not None else name in spellings(cls) for name, own in self.named
        )

    def statuses(self) -> Statuses:
        return NO_STATUS

    def miss(self, outcome: Outcome) -> str:
        wanted = " or ".join(self.names)
        if outcome.error is None:
            return f"nothing raised, wanted {wanted}"
        return f"{type(outcome.error).__name__} is not {wanted}"


def _named(value: object) -> Named:
    """Return the name of an exception, and its class if it was given or is built in."""
    if isinstance(value, str):
        return _by_name(value)
    if not isinstance(value, type):
        raise PolicyError(f"raises() takes exception classes; got {shown(value, 60)}", argument="names")
    cls: type[object] = value
    if not issubclass(cls, BaseException):
        raise PolicyError(f"raises() takes exception classes; got {shown(cls, 60)}", argument="names")
    if not issubclass(cls, Exception):
        raise PolicyError(f"{cls.__name__} {_NEVER}", argument="names")
    module = cls.__module__
    return (cls.__qualname__ if module == "builtins" else f"{module}.{cls.__qualname__}"), cls


def _by_name(name: str) -> Named:
    if not all(part.isidentifier() and part.isascii() for part in name.split(".")):
        raise PolicyError(
            f"{shown(name, 60)} is no dotted exception name, such as httpx.ReadTimeout", argument="names"
        )
    name = name.removeprefix("builtins.")
    if name in _CANCELLED:
        raise PolicyError(f"{name} {_NEVER}", argument="names")
    if "." in name:
        return name, None
    if not is_builtin_exception(name):
        raise PolicyError(
            f"{shown(name, 60)} is no built-in exception: write its module too, such as httpx.{name[:40]}",
            argument="names",
        )
    return _named(getattr(builtins, name))


def is_builtin_exception(name: str) -> bool:
    """Tell whether a name is that of one of Python's own exceptions."""
    found = getattr(builtins, name, None)
    return isinstance(found, type) and issubclass(found, BaseException)


def can_be_written(name: str) -> bool:
    """Tell whether text can say an exception's name, and mean that exception."""
    try:
        return _by_name(name)[0] == name
    except PolicyError:
        return False


def spellings(cls: type[BaseException]) -> frozenset[str]:
    """Return the dotted names that mean a class: `requests.ReadTimeout` is `requests.exceptions.ReadTimeout`."""
    return frozenset(
        f"{package}.{base.__qualname__}"
        for base in cls.__mro__
        for package in _packages(str(base.__module__))
    )


def _packages(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:size]) for size in range(1, len(parts) + 1)]


_TIMEOUTS: Final = ("connect", "read", "write", "pool", "attempt")


@condition("timeout")
@attrs.frozen(eq=False, repr=False)
class Timeout(Condition):
    """An attempt ran out of time; with a kind, that kind: "connect", "read", "write", "pool" or "attempt"."""

    spelled: ClassVar[str]
    kinds: tuple[str, ...] = params.choices(*_TIMEOUTS)

    def __call__(self, *kinds: str) -> Timeout:
        """Return the condition for these kinds of timeout only."""
        return Timeout(kinds)

    def matches(self, outcome: Outcome) -> bool:
        fault = outcome.fault
        return fault.timed_out and (not self.kinds or fault.phase in self.kinds)

    def statuses(self) -> Statuses:
        return NO_STATUS

    def miss(self, outcome: Outcome) -> str:
        fault = outcome.fault
        return (
            f"timeout was {fault.phase}, not {' or '.join(self.kinds)}" if fault.timed_out else "no timeout"
        )


timeout = Timeout()
bare("timeout", timeout)


@coercion
def _from_exception(value: object) -> Condition | None:
    return Raises((value,)) if isinstance(value, type) and issubclass(value, BaseException) else None
