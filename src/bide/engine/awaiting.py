"""Tell what has to be awaited from what must not be: coroutine functions, and plain ones that return awaitables."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Awaitable, Callable
from types import FunctionType
from typing import Any, Final, ParamSpec, TypeVar, cast

from bide.policy.errors import PolicyError, callable_name

P = ParamSpec("P")
T = TypeVar("T")
_DECORATE_THE_COROUTINE: Final = (
    "a plain callable returned an awaitable, whose failure could not be retried: decorate the coroutine function itself "
    "(async def), or write `await policy.acall(fn, ...)`"
)


def is_coroutine_function(fn: Any) -> bool:
    """Tell whether calling this gives a coroutine: a function, a method, a partial, an object, a mock."""
    return any(map(inspect.iscoroutinefunction, called(fn))) or _is_marked(fn)


def called(fn: Any) -> tuple[Any, ...]:
    """Return what runs when something is called: a function itself, of an object its `__call__` too."""
    if isinstance(fn, FunctionType):
        return (fn,)
    return fn, getattr(cast("object", type(fn)), "__call__", None)  # noqa: B004  # looked at, not asked about


def _is_marked(fn: Any) -> bool:
    """Tell whether something says that it is a coroutine function in the way of asyncio before 3.14, as AsyncMock does."""
    mark = getattr(sys.modules.get("asyncio.coroutines"), "_is_coroutine", None)
    return mark is not None and getattr(fn, "_is_coroutine", None) is mark


def giving_awaitables(fn: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """Return a function that returns what another does; raises PolicyError, with advice, for what nobody can await."""
    name = callable_name(fn)

    def give(*args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        value = fn(*args, **kwargs)
        if inspect.isawaitable(value):
            return value
        raise PolicyError(
            f"{name} returned a value of type {type(value).__name__}, which cannot be awaited: for a plain function "
            "write `policy.call(fn, ...)`"
        )

    give.__qualname__ = name
    return give


def never_awaitable(value: Any, advice: str = _DECORATE_THE_COROUTINE) -> Any:
    """Return a value that is none; raises PolicyError, with advice, for an awaitable, whose failure nobody could retry."""
    if hasattr(cast("object", type(value)), "__await__"):
        close = getattr(
            value, "close", None
        )  # of a coroutine, which else complains that it was never awaited
        if close is not None:
            close()
        raise PolicyError(advice)
    return value
