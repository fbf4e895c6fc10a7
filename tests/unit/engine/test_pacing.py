import asyncio
import threading

import anyio
import pytest
from answers import Answer

from bide import MemoryStore, Outcome, PaceTimeout, PolicyError, Reason, history, retry_on, retrying
from bide.engine.events import Paced
from bide.engine.pacing import Pacer, Place
from bide.testing import VirtualClock

PACED = retry_on(ConnectionError).fixed(1).pace("2/10s")
HEEDING = retry_on(ConnectionError).pace_by_headers()


class Caller:
    """One whose pace is kept."""

    def __init__(self, place):
        self.place = lambda: place


def bounded_by(seconds):
    return (PACED | retry_on(503)).within(seconds)


def starts(clock):
    """A function that notes when it is called, and the notes."""
    noted = []
    return (lambda: noted.append(clock.monotonic())), noted


# -- a rate


def test_first_attempts_wait_for_their_turn(clock):
    begin, noted = starts(clock)
    runtime = PACED.bind(clock=clock)
    for _ in range(5):
        runtime.call(begin)
    assert noted == [0, 0, 10, 10, 20]


def test_a_decorated_function_waits_for_its_turn(clock):
    begin, noted = starts(clock)
    paced = PACED.bind(clock=clock)(begin)
    for _ in range(3):
        paced()
    assert noted == [0, 0, 10]


def test_retries_take_turns_too(clock):
    noted = []

    @PACED.bind(clock=clock)
    def ask():
        noted.append(clock.monotonic())
        if len(noted) < 3:
            raise ConnectionError

    ask()
    assert noted == [0, 1, 10]


def test_a_thousand_calls_at_sixty_a_minute_are_never_too_many(clock):
    begin, noted = starts(clock)
    runtime = retry_on(OSError).pace("60/minute").bind(clock=clock)
    for _ in range(1000):
        runtime.call(begin)
    assert max(sum(end - 60 < other <= end for other in noted) for end in noted) == 60
    assert noted[-1] == 960


def test_coroutines_wait_for_their_turn(run):
    async def main():
        clock = VirtualClock()
        noted = []

        async def begin():
            noted.append(clock.monotonic())

        runtime = PACED.bind(clock=clock)

        async def one():
            with clock.worker():
                await runtime.acall(begin)

        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(one)
        decorated = PACED.bind(clock=clock)(begin)
        await decorated()
        assert sorted(noted) == [0, 0, 10, 10, 20, 20]

    run(main())


def test_threads_share_the_rate_of_a_runtime():
    clock = VirtualClock()
    begin, noted = starts(clock)
    runtime = PACED.bind(clock=clock)
    barrier = threading.Barrier(6)

    def one():
        with clock.worker():
            barrier.wait(30)
            runtime.call(begin)

    threads = [threading.Thread(target=one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(noted) == [0, 0, 10, 10, 20, 20]


def test_blocks_wait_for_their_turn(clock):
    begin, noted = starts(clock)
    loop = retrying(PACED.bind(clock=clock))
    for _ in range(3):
        for attempt in loop:
            with attempt:
                begin()
    assert noted == [0, 0, 10]


def test_blocks_in_coroutines_wait_for_their_turn(clock):
    async def main():
        begin, noted = starts(clock)
        loop = retrying(PACED.bind(clock=clock))
        for _ in range(3):
            async for attempt in loop:
                with attempt:
                    begin()
        return noted

    assert asyncio.run(main()) == [0, 0, 10]


def test_bindings_with_one_store_and_one_name_pace_together(clock):
    store = MemoryStore()
    begin, noted = starts(clock)
    for policy in (PACED, PACED.attempts(9), PACED):
        policy.bind(clock=clock, store=store, name="search").call(begin)
    assert noted == [0, 0, 10]


def test_bindings_of_their_own_do_not(clock):
    begin, noted = starts(clock)
    for _ in range(3):
        PACED.bind(clock=clock).call(begin)
    assert noted == [0, 0, 0]


def test_a_turn_after_the_deadline_is_not_waited_for(clock):
    begin, noted = starts(clock)
    runtime = bounded_by(5).bind(clock=clock)
    runtime.call(begin)
    runtime.call(begin)
    with pytest.raises(
        PaceTimeout, match="lets this attempt begin in 10 s, and the deadline leaves 5 s"
    ) as caught:
        runtime.call(begin)
    assert history(caught.value).reason is Reason.DEADLINE
    assert history(caught.value).attempts == 0
    assert noted == [0, 0]
    assert clock.sleeps == []


def test_a_retry_whose_turn_comes_after_the_deadline_tells_what_came_before(clock):
    def refused():
        raise ConnectionError

    with pytest.raises(PaceTimeout) as caught:
        bounded_by(5).bind(clock=clock).call(refused)
    assert [record.outcome for record in history(caught.value)] == ["ConnectionError"] * 2
    assert history(caught.value).attempts == 2


def test_waiting_for_a_turn_is_told(clock):
    heard = []
    begin, _ = starts(clock)
    runtime = PACED.bind(clock=clock, listeners=[heard.append], name="search")
    for _ in range(3):
        runtime.call(begin)
    assert heard == [Paced("search", 1, "", 10)]


def test_waiting_for_a_turn_is_no_part_of_what_an_attempt_took(clock):
    policy = (retry_on(ConnectionError).fixed(1).within(4).max(9) | retry_on(503)).pace("1/10s")
    noted = []

    @policy.bind(clock=clock)
    def ask():
        noted.append(clock.monotonic())
        raise ConnectionError

    with pytest.raises(ConnectionError):
        ask()
    assert noted[:3] == [0, 10, 20]


# -- what the server says remains


def epoch(clock, seconds):
    return str(int(clock.time() + seconds))


def test_the_next_call_waits_for_the_reset_when_nothing_remains(clock):
    noted = []

    def ask():
        noted.append(clock.monotonic())
        return Answer(X_RateLimit_Remaining="0", X_RateLimit_Reset=epoch(clock, 20))

    runtime = HEEDING.bind(clock=clock)
    for _ in range(3):
        assert runtime.call(ask).status_code == 200
    assert noted == [0, 20, 40]


def test_what_remains_is_sent_at_once(clock):
    noted = []

    def ask():
        noted.append(clock.monotonic())
        left = max(0, 3 - len(noted)) if len(noted) < 4 else 9
        return Answer(
            X_RateLimit_Remaining=str(left), X_RateLimit_Reset=epoch(clock, 30 - clock.monotonic() % 30)
        )

    runtime = HEEDING.bind(clock=clock)
    for _ in range(5):
        runtime.call(ask)
    assert noted == [0, 0, 0, 30, 30]


def test_errors_that_carry_a_response_are_heeded_too(clock):
    def refuse():
        error = ConnectionError()
        error.response = Answer(429, X_RateLimit_Remaining="0", X_RateLimit_Reset=epoch(clock, 20))
        raise error

    noted = []
    policy = (retry_on(ConnectionError).max(0) | retry_on(503)).pace_by_headers()
    named = policy.bind(clock=clock, name="api")
    with pytest.raises(ConnectionError):
        named.call(refuse)
    named.call(lambda: noted.append(clock.monotonic()))
    assert noted == [20]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X_RateLimit_Remaining": "0"},
        {"X_RateLimit_Reset": "20"},
        {"X_RateLimit_Remaining": "none", "X_RateLimit_Reset": "20"},
        {"X_RateLimit_Remaining": "-1", "X_RateLimit_Reset": "20"},
        {"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": "soon"},
        {"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": "1"},
    ],
)
def test_headers_that_make_no_sense_hold_nobody_back(clock, headers):
    runtime = HEEDING.bind(clock=clock, name="api")
    if headers.get("X_RateLimit_Reset") == "1":
        headers = {**headers, "X_RateLimit_Reset": epoch(clock, -5)}
    for _ in range(3):
        runtime.call(lambda: Answer(**headers))
    assert clock.sleeps == []


def test_coroutines_wait_for_the_reset(run):
    async def main():
        clock = VirtualClock()
        noted = []

        async def ask():
            noted.append(clock.monotonic())
            return Answer(X_RateLimit_Remaining="0", X_RateLimit_Reset=epoch(clock, 20))

        runtime = HEEDING.bind(clock=clock)
        for _ in range(3):
            await runtime.acall(ask)
        assert noted == [0, 20, 40]

    run(main())


# -- keys


def test_keys_tell_what_is_paced_and_by_what():
    limits = PACED.pace_by_headers("X-Left", per="endpoint").limits
    place = Place("api.example.com", "GET /agents/{agent_id}", {"agent_id": "7"})
    assert place.key(limits.pace) == "2/10s per host api.example.com"
    assert place.key(limits.pace_by_headers) == "x-left per endpoint GET /agents/{agent_id}"
    assert place.key(PACED.pace("1/s", per="agent_id").limits.pace) == "1/s per agent_id 7"
    assert place.key(PACED.pace("1/s", per="policy").limits.pace) == "1/s per policy "


def test_a_part_of_the_path_that_nothing_names_is_refused_with_advice(clock):
    runtime = PACED.pace("1/s", per="agent_id").bind(clock=clock)
    with pytest.raises(PolicyError, match=r'per="host"'):
        runtime.call(print)


@pytest.mark.parametrize("store", [object(), {}, "redis://"])
def test_what_is_no_store_is_refused(store):
    with pytest.raises(
        PolicyError, match=r"store takes an object such as bide\.MemoryStore\(\); got .*, without slot\(\)"
    ):
        PACED.bind(store=store)


def test_a_store_of_ones_own_is_asked(clock):
    class Shared(MemoryStore):
        asked = 0

        def slot(self, key, most, seconds, now):
            Shared.asked += 1
            return super().slot(key, most, seconds, now)

    PACED.bind(clock=clock, store=Shared()).call(print)
    assert Shared.asked == 1


def test_the_outcome_of_a_paced_call_is_judged_as_ever(clock):
    policy = (retry_on(503).fixed(1) | retry_on(ConnectionError)).pace_by_headers()
    answers = [Answer(503), Answer(200)]
    assert policy.bind(clock=clock).call(lambda: answers.pop(0)).status_code == 200
    assert policy.explain(Outcome(503)).action == "retry"


def test_a_window_is_read_from_the_least_of_several_values(clock):
    store = MemoryStore()
    place = Place("h", "h")
    pacer = Pacer.of(HEEDING.limits, store)
    headers = [
        ("X-RateLimit-Remaining", "9"),
        ("X-RateLimit-Remaining", "0"),
        ("X-RateLimit-Reset", epoch(clock, 5)),
    ]
    pacer.observe(clock, Caller(place), Outcome(200, headers))
    assert store.window(place.key(HEEDING.limits.pace_by_headers), clock.monotonic()) == 5
