"""What a recovery leaves behind when it has failed, and in whose context its action runs."""

import asyncio
import contextvars
import gc
import threading
import weakref
from typing import ClassVar

import pytest
from answers import Answer
from recovering import EXPIRED, arefused, outcome

from bide import Reason, history, retry_on, retrying, when
from bide.engine.events import RecoveryFailed
from bide.engine.recovery import Recovery


class Seen(PermissionError):
    """One that is seen to go."""

    made: ClassVar = []

    def __init__(self):
        super().__init__()
        self.made.append(weakref.ref(self))


class Fault(Exception):
    """What an action raises, with a local variable that is seen to go."""


class Held:
    """What an action holds while it runs."""


@pytest.fixture
def no_cycles():
    Seen.made.clear()
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def breaks(held):
    here = Held()
    held.append(weakref.ref(here))
    raise Fault


def refuse():
    raise Seen


def given_up(runtime):
    """Whether a call gave up, and not by another error than its own."""
    try:
        runtime.call(refuse)
    except Seen as error:
        return isinstance(error.__context__, Fault)
    return False


@pytest.mark.usefixtures("no_cycles")
def test_a_failed_recovery_keeps_no_error_and_no_frame():
    held = []
    runtime = EXPIRED.bind(recover={"refresh": lambda: breaks(held)}, listeners=[])
    assert given_up(runtime)
    assert [one() for one in Seen.made] == [None]
    assert [one() for one in held] == [None]


@pytest.mark.usefixtures("no_cycles")
def test_a_failed_recovery_keeps_nothing_of_what_was_handled_around_it():
    def within_a_handler(runtime):
        try:
            refuse()
        except Seen:
            return runtime.call(Answer, 401)

    runtime = retry_on(401).calling("refresh").immediately().bind(recover={"refresh": lambda: breaks([])})
    assert history(within_a_handler(runtime)).reason is Reason.RECOVERY_FAILED
    assert [one() for one in Seen.made] == [None]


@pytest.mark.usefixtures("no_cycles")
def test_a_hundred_errors_with_one_fault_all_go():
    async def ask():
        await asyncio.sleep(0)
        raise Seen

    async def refresh():
        await asyncio.sleep(0)
        breaks([])

    async def main():
        runtime = EXPIRED.bind(recover={"refresh": refresh}, listeners=[])
        errors = await asyncio.gather(*(runtime.acall(ask) for _ in range(100)), return_exceptions=True)
        return {type(error) for error in errors}, {id(error.__context__) for error in errors}

    kinds, faults = asyncio.run(main())
    assert (kinds, len(faults)) == ({Seen}, 1)
    gc.collect()  # the event loop's own
    assert {one() for one in Seen.made} == {None}
    assert len(Seen.made) == 100


@pytest.mark.usefixtures("no_cycles")
def test_a_block_in_a_coroutine_whose_recovery_fails_keeps_no_error():
    async def block(runtime):
        try:
            async for attempt in retrying(runtime):
                with attempt:
                    refuse()
        except Seen:
            return "gave up"

    async def main():
        runtime = EXPIRED.bind(recover={"refresh": arefused}, listeners=[])
        assert await block(runtime) == "gave up"
        return [one() for one in Seen.made]

    assert asyncio.run(main()) == [None]


def test_every_listener_and_error_sees_the_same_fault_in_the_same_words():
    heard = []
    barrier = threading.Barrier(5)
    runtime = EXPIRED.bind(recover={"refresh": lambda: breaks([])}, listeners=[heard.append])

    def ask():
        barrier.wait(30)
        raise PermissionError

    errors = []
    threads = [
        threading.Thread(target=lambda: errors.append(outcome(lambda: runtime.call(ask)))) for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    said = {error.__notes__[1] for error in errors}
    assert len(said) == 1
    assert "raised Fault (" in said.pop()
    assert len({event.error for event in heard if isinstance(event, RecoveryFailed)}) == 1


class Frozen(PermissionError):
    """One that refuses attributes, as frozen data classes do."""

    def __setattr__(self, name, value):
        raise AttributeError(name)


def test_a_frozen_error_takes_the_fault_of_its_recovery():
    def refuse():
        raise Frozen

    with pytest.raises(Frozen) as caught:
        EXPIRED.bind(recover={"refresh": lambda: breaks([])}).call(refuse)
    assert type(caught.value.__context__) is Fault


def test_a_frozen_error_takes_the_fault_of_a_condition():
    def refuse():
        raise Frozen

    with pytest.raises(Frozen) as caught:
        retry_on(when(lambda _: 1 / 0)).bind(listeners=[]).call(refuse)
    assert type(caught.value.__context__) is ZeroDivisionError


# -- whose context


def test_the_action_sees_the_context_of_whoever_asked_first():
    var = contextvars.ContextVar("var", default="nobody")
    seen = []

    async def action():
        seen.append(var.get())
        var.set("the action")

    async def main():
        var.set("whoever asked")
        with pytest.raises(PermissionError):
            await EXPIRED.bind(recover={"refresh": action}).acall(arefused)
        return var.get()

    assert asyncio.run(main()) == "whoever asked"
    assert seen == ["whoever asked"]


def test_a_thousand_threads_cause_one_run():
    runs = []
    barrier = threading.Barrier(1000)
    recovery = Recovery(lambda: runs.append(1))
    came_to = []

    def one():
        barrier.wait(60)
        came_to.append(recovery.take(0))

    threads = [threading.Thread(target=one) for _ in range(1000)]
    size = threading.stack_size(256 * 1024)
    try:
        for thread in threads:
            thread.start()
    finally:
        threading.stack_size(size)
    for thread in threads:
        thread.join(60)
    assert len(runs) == 1
    assert len({id(taken) for taken in came_to}) == 1
    assert len(came_to) == 1000


def test_calls_in_two_event_loops_at_once_share_one_run():
    runs = []
    both = threading.Barrier(2)

    async def action():
        runs.append(1)
        await asyncio.sleep(0)

    runtime = EXPIRED.bind(recover={"refresh": action})

    async def main():
        calls = []

        async def ask():
            calls.append(1)
            if len(calls) == 1:
                await asyncio.to_thread(both.wait, 30)
                raise PermissionError
            return "done"

        return await runtime.acall(ask)

    came_to = []
    threads = [threading.Thread(target=lambda: came_to.append(asyncio.run(main()))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert came_to == ["done", "done"]
    assert len(runs) == 1
