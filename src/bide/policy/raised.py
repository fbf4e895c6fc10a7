"""Conditions on what an attempt raised: exception classes by class or name, and timeouts by kind."""

from __future__ import annotations

import builtins
from typing import ClassVar, Final

import attrs

from bide.policy.condition import NO_STATUS, Condition, Statuses, coercion
from bide.policy.errors import PolicyError
from bide.policy.outcome import Outcome
from bide.policy.registry import bare, condition


@condition("raises")
@attrs.frozen(eq=False, repr=False, init=False)
class Raises(Condition):
    """The attempt raised one of these exceptions, or a subclass; dotted names are compared and never imported."""

    name: ClassVar[str]
    names: tuple[str, ...] = attrs.field(metadata={"kind": "exception", "variadic": True})
    classes: tuple[type[BaseException] | None, ...] = attrs.field(default=(), metadata={"hidden": True})

    def __init__(self, names: tuple[str | type[BaseException], ...]) -> None:
        if not names:
            raise PolicyError("raises() needs at least one exception class")
        pairs = [_exception(one) for one in names]
        self.__attrs_init__(tuple(name for name, _ in pairs), tuple(cls for _, cls in pairs))

    def matches(self, outcome: Outcome) -> bool:
        error = outcome.error
        return error is not None and any(
            isinstance(error, cls) if cls is not None else _named_so(type(error), name)
            for name, cls in zip(self.names, self.classes, strict=True)
        )

    def covers(self, cls: type[BaseException]) -> bool:
        """Tell whether any exception of this class matches."""
        return any(
            issubclass(cls, own) if own is not None else _named_so(cls, name)
            for name, own in zip(self.names, self.classes, strict=True)
        )

    def statuses(self) -> Statuses:
        return NO_STATUS

    def miss(self, outcome: Outcome) -> str:
        wanted = " or ".join(self.names)
        return (
            f"nothing raised, wanted {wanted}"
            if outcome.error is None
            else (f"{type(outcome.error).__name__} is not {wanted}")
        )


def _exception(value: object) -> tuple[str, type[BaseException] | None]:
    """Return the name of an exception, and its class if it was given or is built in."""
    if isinstance(value, str):
        return _exception_name(value)
    if not isinstance(value, type) or not issubclass(value, BaseException):
        raise PolicyError(f"raises() takes exception classes; got {value!r:.60}")
    if not issubclass(value, Exception):
        raise PolicyError(f"{value.__name__} is never an outcome: cancellation and exits pass untouched")
    module = value.__module__
    return (value.__qualname__ if module == "builtins" else f"{module}.{value.__qualname__}"), value


def _exception_name(name: str) -> tuple[str, type[BaseException] | None]:
    if not all(part.isidentifier() and part.isascii() for part in name.split(".")):
        raise PolicyError(f"{name!r:.60} is no dotted exception name, such as httpx.ReadTimeout")
    name = name.removeprefix("builtins.")
    if "." in name:
        return name, None
    if not _is_builtin(name):
        raise PolicyError(
            f"{name!r:.60} is no built-in exception: write its module too, such as httpx.{name:.40}"
        )
    return _exception(getattr(builtins, name))


def _is_builtin(name: str) -> bool:
    found = getattr(builtins, name, None)
    return isinstance(found, type) and issubclass(found, BaseException)


def _named_so(cls: type[BaseException], name: str) -> bool:
    """Compare a dotted name with the names in an MRO; `requests.ReadTimeout` is `requests.exceptions.ReadTimeout`."""
    for base in cls.__mro__:
        package, _, rest = name.rpartition("." + base.__qualname__)
        if not rest and package and (base.__module__ == package or base.__module__.startswith(package + ".")):
            return True
    return False


@condition("timeout")
@attrs.frozen(eq=False, repr=False)
class Timeout(Condition):
    """An attempt ran out of time; with a kind, that kind: "connect", "read", "write", "pool" or "attempt"."""

    name: ClassVar[str]
    kinds: tuple[str, ...] = attrs.field(default=(), metadata={"kind": "text", "variadic": True})

    @kinds.validator
    def _known(self, _field: object, kinds: tuple[str, ...]) -> None:
        unknown = [kind for kind in kinds if kind not in _TIMEOUTS]
        if unknown:
            raise PolicyError(f"timeout takes {', '.join(map(repr, _TIMEOUTS))}; got {unknown[0]!r:.40}")

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


_TIMEOUTS: Final = ("connect", "read", "write", "pool", "attempt")


timeout = Timeout()
bare("timeout", timeout)


@coercion
def _from_exception(value: object) -> Condition | None:
    return Raises((value,)) if isinstance(value, type) and issubclass(value, BaseException) else None
