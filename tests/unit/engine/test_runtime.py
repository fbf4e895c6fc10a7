"""What `policy.bind(...)` gives, and what it refuses."""

import asyncio
import copy
import inspect
import pickle
import random
import types

import pytest

from bide import GaveUp, MemoryStore, PolicyError, readers, retry_on
from bide.engine import events
from bide.testing import Draws, Scripted, VirtualClock


def test_a_name_is_given_by_bind_else_by_the_policy_else_by_the_function(bound, told):
    policy = retry_on(OSError).immediately(max=0) | retry_on(KeyError)

    def fetch():
        raise OSError

    class Callable:
        def __call__(self):
            raise OSError

    for use in (policy, policy.named("search")):
        for options in ({}, {"name": "mine"}):
            for fn in (fetch, Callable()):
                with pytest.raises(OSError):
                    bound(use, **options).call(fn)
    inner = "test_a_name_is_given_by_bind_else_by_the_policy_else_by_the_function.<locals>.fetch"
    assert [event.name for event in told] == [
        inner,
        "Callable",
        "mine",
        "mine",
        "search",
        "search",
        "mine",
        "mine",
    ]


def test_listeners_replace_the_default_ones(monkeypatch):
    heard = []
    monkeypatch.setattr(events, "default_listeners", [heard.append])
    quick = retry_on(OSError).immediately(max=0)
    for listeners, count in ((None, 1), ([], 1), ([lambda event: None], 1), (None, 2)):
        with pytest.raises(OSError):
            quick.bind(listeners=listeners).call(Scripted(OSError()))
        assert len(heard) == count
    assert {type(event) for event in heard} == {GaveUp}


def test_draws_come_from_a_random_source_and_a_seed_repeats_them(clock):
    policy = retry_on(OSError).exponential(max=5)
    runs = []
    for _ in range(2):
        with pytest.raises(OSError):
            policy.bind(clock=clock, rng=random.Random(7), listeners=[]).call(
                Scripted(OSError(), repeat_last=True)
            )
        runs.append(clock.sleeps[-5:])
    assert runs[0] == runs[1]
    assert len(set(runs[0])) == 5


def test_nothing_is_drawn_and_no_time_is_read_before_the_first_failure():
    class Untouched:
        def monotonic(self):
            raise AssertionError

        time = sleep = asleep = monotonic

    draws = Draws()
    runtime = retry_on(OSError, 503).bind(clock=Untouched(), rng=draws)
    assert runtime(lambda: 5)() == 5
    assert runtime.call(lambda: 6) == 6
    assert draws.drawn == 0


@pytest.mark.parametrize(
    ("policy", "options", "what"),
    [
        (lambda: retry_on(OSError).budget(0.2), {}, "budget"),
        (lambda: retry_on(OSError).hedge(1), {}, "hedge"),
    ],
)
def test_what_nothing_enforces_yet_is_refused_and_named(policy, options, what):
    with pytest.raises(PolicyError, match=rf"\.{what}\(...\) is not available yet"):
        policy().bind(**options)


def test_a_runtime_knows_its_policy_and_its_parameters_are_documented(bound):
    policy = retry_on(OSError)
    assert bound(policy).policy is policy
    from bide.engine.runtime import bind

    assert list(inspect.signature(bind).parameters) == [
        "policy", "clock", "rng", "listeners", "name", "store", "recover",
    ]  # fmt: skip


def test_a_bound_policy_is_copied_and_pickled_with_its_actions_and_none_of_its_state():
    policy = retry_on(PermissionError).calling("refresh").pace("1/10s", per="policy")
    runtime = policy.bind(recover={"refresh": renew})
    runtime.settings.pacer.store.slot("key", 1, 10.0, 0.0)
    runtime.settings.recoveries.find("refresh").take(0)
    for twin in (pickle.loads(pickle.dumps(runtime)), copy.deepcopy(runtime)):
        assert twin.policy == policy
        assert twin.settings.recoveries.find("refresh").take(0).value == "renewed"
        assert twin.settings.pacer.store.slot("key", 1, 10.0, 0.0) == 0
    assert copy.copy(runtime).settings is runtime.settings


def renew():
    return "renewed"


def test_a_response_of_a_plain_client_is_let_go_in_a_coroutine_too(clock):
    class Answer:
        headers, content, request, url = (), b"", None, "http://example.com/"

        def __init__(self, status):
            self.status_code = status

        def close(self):
            closed.append(self.status_code)

    closed = []
    Answer.__module__ = "requests.models"
    answers = [Answer(503), Answer(200)]

    async def ask():
        return answers.pop(0)

    assert asyncio.run(retry_on(503).bind(clock=clock).acall(ask)).status_code == 200
    assert closed == [503]


def test_a_response_of_an_asynchronous_client_is_let_go_before_the_wait(clock):
    class Reply:
        def __init__(self, status):
            self.status = status

    async def release(reply):
        await asyncio.sleep(0)
        released.append((reply.status, clock.monotonic()))

    released = []
    readers.register(
        __name__, "Reply", readers.Reader(lambda reply: {"status": reply.status}, release=release)
    )
    replies = [Reply(503), Reply(200)]

    async def ask():
        return replies.pop(0)

    assert asyncio.run(retry_on(503).fixed(9).bind(clock=clock).acall(ask)).status == 200
    assert released == [(503, 0)]
    assert clock.sleeps == [9]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"clock": 1},
            r"clock takes an object such as bide\.testing\.VirtualClock\(\); got 1, without monotonic\(\)",
        ),
        ({"clock": VirtualClock}, "clock takes .* a class: make one"),
        ({"rng": 1}, r"rng takes an object such as random\.Random\(7\); got 1, without random\(\)"),
        ({"store": MemoryStore}, "store takes .* a class: make one"),
        ({"name": 7}, "name takes a text; got 7"),
        ({"name": ""}, "name takes a text; got ''"),
        (
            {"listeners": print},
            "listeners takes a list of callables of one event; got <built-in function print>",
        ),
        ({"listeners": 7}, "listeners takes a list"),
        ({"listeners": [7]}, "a listener is a callable of one event; got 7"),
        ({"recover": []}, "recover takes actions by name"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_an_option_that_is_not_what_it_takes_is_refused_at_once(options, said):
    with pytest.raises(PolicyError, match=said):
        retry_on(OSError).bind(**options)


def test_what_cannot_be_awaited_is_told_with_what_to_write(run, clock):
    def plain():
        return 7

    runtime = retry_on(OSError).bind(clock=clock)
    with pytest.raises(
        PolicyError, match=r"plain returned a value of type int, .*: .* `policy.call\(fn, ...\)`"
    ):
        run(runtime.acall(plain))


@pytest.mark.parametrize(
    "policy", [retry_on(OSError).fixed(1), (retry_on(OSError) | retry_on(503)).within(30)]
)
def test_what_returns_a_coroutine_is_called_as_a_coroutine_function_is(run, clock, told, policy):
    script = Scripted(OSError(), "done")
    asked = script.coroutine()

    def plain():
        return asked()

    assert run(policy.bind(clock=clock, listeners=[told.append]).acall(plain)) == "done"
    assert {event.name for event in told} == {plain.__qualname__}


def test_what_cannot_be_awaited_is_answered_with_what_to_write():
    with pytest.raises(
        PolicyError, match=r"returned a value of type int, .*write `policy\.call\(fn, \.\.\.\)`"
    ):
        asyncio.run(retry_on(OSError).acall(lambda: 7))


def test_a_coroutine_that_is_made_of_a_generator_can_be_awaited():
    @types.coroutine
    def old():
        yield from asyncio.sleep(0).__await__()
        return "done"

    assert asyncio.run(retry_on(OSError).acall(old)) == "done"
