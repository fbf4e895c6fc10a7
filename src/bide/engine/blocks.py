"""Block by block: `for attempt in retrying(policy): with attempt: ...`, and the same with `async for`."""

from __future__ import annotations

from math import inf
from types import TracebackType
from typing import Any, ClassVar, Final, Self

from bide.engine.call import Call
from bide.engine.deadline import Deadline
from bide.engine.nesting import tick
from bide.engine.runtime import Runtime, bind
from bide.policy.errors import PolicyError
from bide.policy.policy import Policy

_NOTHING: Final = object()


class BlockCall(Call):
    """The call of a block: no loop or wrapper of ours is on the stack while the block runs."""

    __slots__ = ()
    frames: ClassVar[int] = 0


class Attempt:
    """
    One run of the block; `number` counts from 1.

    An exception that the policy retries ends the block quietly, and the loop goes on. Hand a response or value that
    the policy should judge to `returned(value)`; when the block raises after that, the exception is judged instead.
    """

    __slots__ = ("_awaits", "_call", "_deadline", "_entered", "_goes_on", "_left", "_value", "held", "number")

    def __init__(self, call: Call, number: int, *, awaits: bool) -> None:
        self.number = number
        self.held: object = _NOTHING
        """What the block came to while its loop awaits a recovery."""
        self._call = call
        self._awaits = awaits
        self._value: object = _NOTHING
        self._entered = self._left = self._goes_on = False
        self._deadline: Deadline | None = None

    def returned(self, value: object) -> None:
        """Let the policy judge what this attempt came to: when it is worth another attempt, the loop goes on."""
        if self._left:
            self._goes_on = self._call.returned(value) and self._recovered(value)
        else:
            self._value = value

    @property
    def time_allowed(self) -> float:
        """The seconds that this attempt may take by the policy's timeout and deadline; infinity when none is set."""
        return self._call.time_allowed()

    def __enter__(self) -> Self:
        self._entered = True
        allowed = self.time_allowed
        if allowed != inf:
            self._deadline = self._call.enter(allowed)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._left = True
        if self._deadline is not None:
            self._deadline.leave()
        value, self._value = self._value, _NOTHING
        if error is None:
            self._goes_on = value is not _NOTHING and self._call.returned(value) and self._recovered(value)
            return False
        self._goes_on = isinstance(error, Exception) and self._call.failed(error) and self._recovered(error)
        return self._goes_on

    def _recovered(self, raw: object) -> bool:
        """Take the recovery that the retry waits for, if there is one; a loop with `async for` does so by itself."""
        if self._awaits and self._call.pending is not None:
            self.held = raw
            return True
        return self._call.recovered(raw)

    def goes_on(self) -> bool:
        """
        Tell whether another attempt follows.

        Raises:
            PolicyError: the block did not enter this attempt, so that nothing of it can be retried.
        """
        if not self._entered:
            raise PolicyError("put the loop's body into `with attempt:`, or nothing of it can be retried")
        return self._goes_on


class Attempts:
    """The attempts of one call: each `next` waits as long as the policy says, or ends the loop."""

    __slots__ = ("_call", "_last")

    def __init__(self, call: Call) -> None:
        call.since = tick()
        self._call = call
        self._last: Attempt | None = None

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Attempt:
        call = self._call
        if self._last is not None:
            if not self._last.goes_on():
                raise StopIteration
            if call.rejected is not None:
                call.release()
            call.settings.clock.sleep(call.delay or 0.0)
            call.next_attempt()
        call.keep_pace()
        return self._begun(awaits=False)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Attempt:
        call = self._call
        if self._last is not None:
            if not self._last.goes_on():
                raise StopAsyncIteration
            await self._recover(self._last)
            if call.rejected is not None:
                await call.arelease()
            await call.settings.clock.asleep(call.delay or 0.0)
            call.next_attempt()
        await call.akeep_pace()
        return self._begun(awaits=True)

    async def _recover(self, last: Attempt) -> None:
        """Await the recovery that the next attempt waits for, if there is one, or end the loop as without a retry."""
        held, last.held = last.held, _NOTHING
        try:
            if held is not _NOTHING and not await self._call.arecovered(held):
                if isinstance(held, BaseException):
                    raise held
                raise StopAsyncIteration
        finally:
            del held  # else the frame that it was raised in would hold it, and it that frame

    def _begun(self, *, awaits: bool) -> Attempt:
        self._last = Attempt(self._call, self._call.attempt, awaits=awaits)
        return self._last


class Retrying:
    """What `retrying(policy)` returns: iterate over it with `for` or `async for`; each iteration is a call of its own."""

    __slots__ = ("_runtime",)

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def __iter__(self) -> Attempts:
        return self._attempts()

    def __aiter__(self) -> Attempts:
        return self._attempts()

    def _attempts(self) -> Attempts:
        settings = self._runtime.settings
        started = settings.clock.monotonic() if settings.needs_clock else None
        return Attempts(BlockCall(settings, _block, started))


def retrying(policy: Policy | Runtime, /, **options: Any) -> Retrying:
    """
    Return what to loop over to retry a block of code.

    Write `for attempt in retrying(policy): with attempt: ...`, and `async for` in coroutines; leaving the loop early is
    leaving the call. Nothing can interrupt a block: hand `attempt.time_allowed` to what it waits for.

    Options are those of `policy.bind`.

    Raises:
        PolicyError: not a policy; or options beside a runtime, which has its own.
    """
    if isinstance(policy, Policy):
        return Retrying(bind(policy, **options))
    if not isinstance(policy, Runtime):
        raise PolicyError(f"retrying() takes a policy; got {policy!r:.60}")
    if options:
        raise PolicyError("a runtime is bound already: say these options to policy.bind(...)")
    return Retrying(policy)


def _block() -> None:
    """Stand for the block in the names of events."""


_block.__qualname__ = "block"
