"""Block by block: `for attempt in retrying(policy): with attempt: ...`, and the same with `async for`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Any, Self

from bide.engine.call import Call
from bide.engine.runtime import Runtime, bind
from bide.policy.errors import PolicyError
from bide.policy.policy import Policy


class Attempt:
    """
    One run of the block; `number` counts from 1.

    An exception that the policy retries ends the block quietly, and the loop goes on. Hand a response or value that
    the policy should judge to `returned(value)`.
    """

    __slots__ = ("_call", "_entered", "_goes_on", "number")

    def __init__(self, call: Call, number: int) -> None:
        self.number = number
        self._call = call
        self._goes_on = False
        self._entered = False

    def returned(self, value: object) -> None:
        """Let the policy judge what this attempt came to: when it is worth another attempt, the loop goes on."""
        self._goes_on = self._call.returned(value)

    @property
    def time_allowed(self) -> float:
        """The seconds that this attempt may take by the policy's timeout and deadline; infinity when none is set."""
        return self._call.time_allowed()

    def __enter__(self) -> Self:
        self._entered = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is None:
            return False
        self._goes_on = isinstance(error, Exception) and self._call.failed(error)
        return self._goes_on


class Retrying:
    """What `retrying(policy)` returns: iterate over it with `for` or `async for`; each iteration is a call of its own."""

    __slots__ = ("_runtime",)

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def __iter__(self) -> Iterator[Attempt]:
        call = self._runtime.open(_block)
        attempt = Attempt(call, 1)
        yield attempt
        while self._another(attempt):
            if call.rejected is not None:
                call.release()
            call.settings.clock.sleep(call.delay or 0.0)
            attempt = self._next(call)
            yield attempt

    async def __aiter__(self) -> AsyncIterator[Attempt]:
        call = self._runtime.open(_block)
        attempt = Attempt(call, 1)
        yield attempt
        while self._another(attempt):
            if call.rejected is not None:
                await call.arelease()
            await call.settings.clock.asleep(call.delay or 0.0)
            attempt = self._next(call)
            yield attempt

    @staticmethod
    def _another(attempt: Attempt) -> bool:
        if not attempt._entered:  # noqa: SLF001  # the two are one mechanism
            raise PolicyError("put the loop's body into `with attempt:`, or nothing of it can be retried")
        return attempt._goes_on  # noqa: SLF001

    @staticmethod
    def _next(call: Call) -> Attempt:
        call.next_attempt()
        return Attempt(call, call.attempt)


def retrying(policy: Policy | Runtime, /, **options: Any) -> Retrying:
    """
    Return what to loop over to retry a block of code.

    Write `for attempt in retrying(policy): with attempt: ...`.

    Options are those of `policy.bind`. Use `async for` in coroutines; leaving the loop early is leaving the call.
    """
    return Retrying(bind(policy, **options) if isinstance(policy, Policy) else policy)


def _block() -> None:
    """Stand for the block in the names of events."""


_block.__qualname__ = "block"
