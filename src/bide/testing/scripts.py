"""Fakes that play a script: a function that fails as told, and random numbers that are not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine
from typing import Any

import attrs

from bide.policy.errors import shown
from bide.testing import given


@attrs.frozen
class Call:
    """The arguments of one call."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class Scripted:
    """
    A fake function that plays its outcomes in order, one a call: an exception is raised, anything else returned.

        flaky = Scripted(ConnectionError, TimeoutError("slow"), "done")
        policy.call(flaky, 1, key="a")
        assert flaky.count == 3

    The object can be called; `function()` and `coroutine()` give a real function and a real coroutine function that
    play the same script, for code that tells the two apart. Threads may share it.

    Args:
        outcomes: Exception instances or classes to raise, other objects to return.
        repeat_last: Whether the last outcome repeats for ever. If not, a call too many raises `AssertionError`.

    Attributes:
        calls: The arguments of each call so far.

    Raises:
        ValueError: No outcome.
        TypeError: `repeat_last` is no flag.
    """

    def __init__(self, *outcomes: object, repeat_last: bool = False) -> None:
        if not outcomes:
            raise ValueError("a script needs at least one outcome")
        self.calls: list[Call] = []
        self._outcomes = outcomes
        self._repeats = given.flag(repeat_last, "repeat_last")
        self._lock = threading.Lock()

    @property
    def count(self) -> int:
        """How often it was called."""
        return len(self.calls)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Play the next outcome."""
        with self._lock:
            at = len(self.calls)
            self.calls.append(Call(args, kwargs))
        if at >= len(self._outcomes):
            if not self._repeats:
                raise AssertionError(
                    f"the script has {len(self._outcomes)} outcomes, and this is call {at + 1}"
                )
            at = -1
        outcome = self._outcomes[at]
        if isinstance(outcome, BaseException) or (
            isinstance(outcome, type) and issubclass(outcome, BaseException)
        ):
            raise outcome
        return self._outcomes[at]

    def function(self) -> Callable[..., Any]:
        """Return a plain function that plays this script."""

        def scripted(*args: Any, **kwargs: Any) -> Any:
            return self(*args, **kwargs)

        return scripted

    def coroutine(self) -> Callable[..., Coroutine[Any, Any, Any]]:
        """Return a coroutine function that plays this script, a step each time that it is awaited."""

        async def scripted(*args: Any, **kwargs: Any) -> Any:
            return self(*args, **kwargs)

        return scripted


class Draws:
    """
    A source of chosen "uniform" draws, where code wants one with a method `random()`.

    Args:
        numbers: Each in [0, 1); the last one repeats for ever. None given: always 0.5.

    Attributes:
        drawn: How many were drawn.

    Raises:
        TypeError: Something that is no number.
        ValueError: A number outside [0, 1).
    """

    def __init__(self, *numbers: float) -> None:
        for number in numbers:
            if not 0 <= given.real(number, "a draw is a number in [0, 1)") < 1:
                raise ValueError(f"a uniform draw is in [0, 1), which {shown(number)} is not")
        self.drawn = 0
        self._numbers = numbers or (0.5,)

    def random(self) -> float:
        """Return the next draw, in [0, 1)."""
        number = self._numbers[min(self.drawn, len(self._numbers) - 1)]
        self.drawn += 1
        return number
