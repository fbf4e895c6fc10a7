"""Turns that nobody takes, stores that fail, resets that make no sense, and pace beside the other limits."""

import asyncio
import threading
from email.utils import formatdate

import anyio
import pytest
from answers import Answer

from bide import MemoryStore, PaceTimeout, Reason, history, retry_on, retrying
from bide.engine.events import ConditionFailed, GaveUp, Paced
from bide.testing import Draws, VirtualClock

PACED = retry_on(ConnectionError).fixed(1).pace("1/10s")
HEEDING = retry_on(ConnectionError).pace_by_headers()


def hasty(seconds):
    return (PACED | retry_on(503)).within(seconds)


async def anothing():
    pass


# -- turns that nobody takes


def test_calls_that_are_refused_for_their_deadline_take_no_turn_from_others():
    clock = VirtualClock(auto=False)
    runtime = hasty(5).bind(clock=clock)
    runtime.call(print)
    for _ in range(100):
        with pytest.raises(PaceTimeout, match="begin in 10 s"):
            runtime.call(print)
    clock.advance(10)
    assert runtime.call(lambda: "through") == "through"


def test_calls_that_are_cancelled_while_they_wait_take_no_turn_from_others(run):
    async def main():
        clock = VirtualClock(auto=False)
        runtime = PACED.bind(clock=clock)
        await runtime.acall(anothing)
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(runtime.acall, anothing)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(runtime.acall, anothing)
            await anyio.wait_all_tasks_blocked()
            clock.advance(10)
        assert clock.monotonic() == 10

    run(main())


def test_an_interrupt_while_waiting_gives_the_turn_back():
    class Interrupted(VirtualClock):
        def sleep(self, seconds):
            if len(self.trace) == 0:
                super().sleep(0)
                raise KeyboardInterrupt
            super().sleep(seconds)

    clock = Interrupted()
    runtime = PACED.bind(clock=clock)
    runtime.call(print)
    with pytest.raises(KeyboardInterrupt):
        runtime.call(print)
    runtime.call(print)
    assert clock.monotonic() == 10


# -- who is told


def test_an_outer_policy_does_not_repeat_what_the_pace_refused():
    clock = VirtualClock(auto=False)
    inner = hasty(5).bind(clock=clock)
    inner.call(print)
    calls = []

    @retry_on(TimeoutError).immediately().bind(clock=clock)
    def outer():
        calls.append(1)
        inner.call(print)

    with pytest.raises(PaceTimeout) as caught:
        outer()
    assert len(calls) == 1
    assert history(caught.value).reason is Reason.INNER_EXHAUSTED


def test_a_call_that_its_pace_ends_is_told():
    heard = []
    runtime = hasty(5).bind(clock=VirtualClock(), listeners=[heard.append], name="search")
    runtime.call(print)
    with pytest.raises(PaceTimeout):
        runtime.call(print)
    assert heard == [GaveUp("search", 1, "PaceTimeout", Reason.DEADLINE)]


# -- stores that fail


class Failing(MemoryStore):
    """A store that raises while it is down."""

    def __init__(self):
        super().__init__()
        self.down, self.asked = True, 0

    def _ask(self):
        self.asked += 1
        if self.down:
            raise OSError("no route to the store")

    def slot(self, *said):
        self._ask()
        return super().slot(*said)

    def window(self, *said):
        self._ask()
        return super().window(*said)

    def observe(self, *said):
        self._ask()
        super().observe(*said)

    def give_back(self, *said):
        self._ask()
        super().give_back(*said)


def test_a_store_that_is_down_loses_no_call_and_this_process_keeps_the_pace(clock):
    heard, noted = [], []
    store = Failing()
    runtime = PACED.bind(clock=clock, store=store, listeners=[heard.append], name="search")
    for _ in range(3):
        runtime.call(lambda: noted.append(clock.monotonic()))
    assert noted == [0, 10, 20]
    failures = [event for event in heard if isinstance(event, ConditionFailed)]
    assert [(event.name, event.attempt, str(event.error)) for event in failures] == [
        ("search", 1, "no route to the store")
    ]
    assert store.asked == 3


def test_a_store_that_is_back_is_asked_again_and_its_next_failure_told(clock):
    heard = []
    store = Failing()
    runtime = PACED.bind(clock=clock, store=store, listeners=[heard.append])
    for down in (True, False, True, True):
        store.down = down
        runtime.call(print)
    assert sum(isinstance(event, ConditionFailed) for event in heard) == 2


def test_a_store_that_is_down_loses_no_coroutines_call(run):
    async def main():
        clock = VirtualClock()
        noted = []

        async def note():
            noted.append(clock.monotonic())

        runtime = PACED.pace_by_headers().bind(clock=clock, store=Failing())
        for _ in range(3):
            await runtime.acall(note)
        assert noted == [0, 10, 20]

    run(main())


def test_a_store_that_cannot_remember_loses_no_retry(clock):
    answers = [Answer(503, X_RateLimit_Remaining="0", X_RateLimit_Reset="20"), Answer(200)]
    policy = (retry_on(503).fixed(1) | retry_on(ConnectionError)).pace_by_headers()
    runtime = policy.bind(clock=clock, store=Failing(), rng=Draws(0.0))
    assert runtime.call(lambda: answers.pop(0)).status_code == 200
    assert clock.sleeps == [1, 19]  # this process remembers


def test_a_turn_is_given_back_to_this_process_when_the_store_is_down():
    clock = VirtualClock(auto=False)
    runtime = hasty(5).bind(clock=clock, store=Failing())
    runtime.call(print)
    for _ in range(3):
        with pytest.raises(PaceTimeout, match="begin in 10 s"):
            runtime.call(print)


@pytest.mark.parametrize("answer", [None, "3", -1, float("nan"), float("inf")])
def test_a_store_that_answers_with_no_seconds_is_one_that_fails(clock, answer):
    class Odd(MemoryStore):
        def slot(self, *said):
            return answer

        async def aslot(self, *said):
            return answer

    heard = []
    runtime = PACED.bind(clock=clock, store=Odd(), listeners=[heard.append])
    assert runtime.call(lambda: "done") == "done"
    assert asyncio.run(runtime.acall(asyncio.sleep, 0, "done")) == "done"
    assert [type(event) for event in heard if not isinstance(event, Paced)] == [ConditionFailed]


# -- resets


def waits(value, remaining="0", *, draw=0.0):
    """What the second call sleeps after the first was told of a reset."""
    clock = VirtualClock()
    runtime = HEEDING.bind(clock=clock, rng=Draws(draw), name="api")
    runtime.call(lambda: Answer(X_RateLimit_Remaining=remaining, X_RateLimit_Reset=value))
    runtime.call(Answer)
    return clock.sleeps


NOW = VirtualClock().time()


@pytest.mark.parametrize(
    "value",
    ["20", "20.0", f"{NOW + 20:.0f}", f"{(NOW + 20) * 1000:.0f}", formatdate(NOW + 20, usegmt=True)],
    ids=["delta", "decimal", "epoch", "milliseconds", "date"],
)
def test_a_reset_is_read_in_every_form(value):
    assert waits(value) == [20]


@pytest.mark.parametrize(
    "value", ["-5", "0", "1e3", "soon", "NaN", "9" * 12, "9" * 400, f"{NOW + 86_401:.0f}"]
)
def test_a_reset_in_the_past_or_farther_than_a_day_holds_nobody_back(value):
    assert waits(value) == []


@pytest.mark.parametrize("remaining", ["0", "0.0", "0.75", " 0 ", "00"])
def test_less_than_one_request_is_none(remaining):
    assert waits("20", remaining) == [20]


@pytest.mark.parametrize("remaining", ["1", "1.5", "", ".5", "0.x", "+0", "²", "9" * 19])
def test_what_remains_or_is_no_count_holds_nobody_back(remaining):
    assert waits("20", remaining) == []


def both_wait(policy, draw):
    """What two callers wait who find that nothing remains, one after the other."""
    clock = VirtualClock()
    runtime = policy.bind(clock=clock, rng=Draws(draw), name="api")
    runtime.call(lambda: Answer(X_RateLimit_Remaining="0", X_RateLimit_Reset="60"))
    together = threading.Barrier(2)

    def one(comes_later):
        with clock.worker():
            together.wait(30)
            while comes_later and not clock.sleeps:
                threading.Event().wait(0.001)
            runtime.call(Answer)

    threads = [threading.Thread(target=one, args=(comes_later,)) for comes_later in (False, True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return clock.sleeps


def test_callers_who_wait_together_do_not_come_back_in_one_instant():
    policy = retry_on(ConnectionError).pace_by_headers()
    assert both_wait(policy, draw=0.5) == [60, 63]
    assert both_wait(policy, draw=0.999999) == [60, pytest.approx(66)]


def test_the_spread_leaves_room_for_the_attempt_before_its_deadline():
    policy = (retry_on(ConnectionError) | retry_on(503)).within(62).pace_by_headers()
    assert both_wait(policy, draw=0.999999) == [60, pytest.approx(61.8)]


def test_a_clock_that_stands_still_does_not_make_a_call_wait_for_ever():
    class Frozen(VirtualClock):
        def monotonic(self):
            return 0.0

    clock = Frozen()
    runtime = HEEDING.bind(clock=clock, rng=Draws(0.0), name="api")
    runtime.call(lambda: Answer(X_RateLimit_Remaining="0", X_RateLimit_Reset="20"))
    assert runtime.call(Answer).status_code == 200
    assert clock.sleeps == [20]


def test_a_wall_clock_that_steps_back_changes_no_wait(clock):
    runtime = HEEDING.bind(clock=clock, rng=Draws(0.0), name="api")
    runtime.call(lambda: Answer(X_RateLimit_Remaining="0", X_RateLimit_Reset=f"{NOW + 20:.0f}"))
    clock.step_wall(-3600)
    runtime.call(Answer)
    assert clock.sleeps == [20]


# -- beside the other limits


def test_waiting_for_a_turn_is_part_of_the_polling(clock):
    policy = (retry_on(KeyError).fixed(5).polling().within(600) | retry_on(OSError)).within(30)
    polls = []

    def poll():
        polls.append(clock.monotonic())
        if len(polls) < 20:
            raise KeyError
        return "done"

    assert policy.pace("1/10s").bind(clock=clock).call(poll) == "done"
    assert polls[-1] == 190


def test_a_polls_turn_after_its_own_deadline_is_not_waited_for(clock):
    policy = retry_on(KeyError).fixed(5).polling().within(60) | retry_on(OSError)

    def poll():
        raise KeyError

    with pytest.raises(PaceTimeout, match="begin in 5 s, and the deadline leaves 5 s") as caught:
        policy.pace("1/10s").bind(clock=clock).call(poll)
    assert clock.monotonic() == 55
    assert [record.attempt for record in history(caught.value)] == [1, 2, 3, 4, 5, 6]


def test_a_turn_after_the_deadline_around_is_not_waited_for(clock):
    inner = PACED.bind(clock=clock)
    inner.call(print)
    outer = (retry_on(KeyError) | retry_on(503)).within(5)
    with pytest.raises(PaceTimeout, match="the deadline leaves 5 s"):
        outer.bind(clock=clock).call(inner.call, print)


def test_a_block_whose_turn_comes_too_late_raises(clock):
    loop = retrying(hasty(5).bind(clock=clock))
    entered = []
    for attempt in loop:
        with attempt:
            entered.append(attempt.number)
    with pytest.raises(PaceTimeout):
        next(iter(loop))
    assert entered == [1]


def test_an_async_generator_may_pace_what_it_yields():
    async def numbers(clock):
        loop = retrying(PACED.bind(clock=clock))
        for number in range(3):
            async for attempt in loop:
                with attempt:
                    found = number
            yield found

    async def main():
        clock = VirtualClock()
        return [number async for number in numbers(clock)], clock.monotonic()

    assert asyncio.run(main()) == ([0, 1, 2], 20)


def test_turns_are_first_come_first_served():
    clock = VirtualClock()
    order = []
    runtime = PACED.bind(clock=clock)
    ready = [threading.Event() for _ in range(5)]

    def one(number):
        with clock.worker():
            ready[number].set()
            runtime.call(order.append, number)

    with clock.worker():
        threads = [threading.Thread(target=one, args=(number,)) for number in range(5)]
        for number, thread in enumerate(threads):
            thread.start()
            assert ready[number].wait(30)
            while len(clock.trace) + len(order) < number + 1:
                threading.Event().wait(0.001)
    for thread in threads:
        thread.join(30)
    assert order == [0, 1, 2, 3, 4]
