"""Block by block: `for attempt in retrying(policy): with attempt: ...`."""

import gc
import warnings

import anyio
import httpx
import pytest

from bide import GaveUp, PolicyError, Reason, RetryScheduled, Succeeded, history, retry_on, retrying
from bide.testing import Scripted


def play(runtime, script):
    for attempt in retrying(runtime):
        with attempt:
            return script()
    raise AssertionError("the loop ended without an end")


async def aplay(runtime, script):
    async for attempt in retrying(runtime):
        with attempt:
            return script()
    raise AssertionError("the loop ended without an end")


@pytest.fixture(params=["for", "async for on asyncio", "async for on trio"])
def run(request):
    if request.param == "for":
        return play
    return lambda runtime, script: anyio.run(aplay, runtime, script, backend=request.param.split()[-1])


def test_a_block_is_repeated_until_it_succeeds(run, bound, clock, told):
    runtime = bound(retry_on(OSError).delays(1, 2))
    assert run(runtime, Scripted(OSError(), OSError(), "done")) == "done"
    assert clock.sleeps == [1, 2]
    assert told[1] == RetryScheduled("block", 1, "OSError", 0, 1.0)


def test_the_last_failure_of_a_block_is_raised_with_its_history(run, bound):
    last = OSError("last")
    with pytest.raises(OSError) as caught:
        run(bound(retry_on(OSError).immediately(max=1)), Scripted(OSError(), last))
    assert caught.value is last
    assert history(last).attempts == 2


def test_what_no_rule_is_about_leaves_the_block_at_once(run, bound):
    with pytest.raises(KeyError):
        run(bound(retry_on(OSError)), Scripted(KeyError()))


def test_attempts_are_numbered_from_one(bound):
    numbers = []
    for attempt in retrying(bound(retry_on(OSError).immediately(max=2))):
        with attempt:
            numbers.append(attempt.number)
            if attempt.number < 3:
                raise OSError
    assert numbers == [1, 2, 3]


def test_a_response_is_judged_when_it_is_handed_in(bound, clock, told):
    script = Scripted(httpx.Response(503), httpx.Response(200))
    for attempt in retrying(bound(retry_on(503).fixed(1), name="n")):
        with attempt:
            response = script()
            attempt.returned(response)
    assert (response.status_code, script.count, clock.sleeps) == (200, 2, [1])
    assert told[-1] == Succeeded("n", 2, "200")


def test_also_when_it_is_handed_in_after_the_with(bound):
    script = Scripted(httpx.Response(503), httpx.Response(200))
    for attempt in retrying(bound(retry_on(503).immediately())):
        with attempt:
            response = script()
        attempt.returned(response)
    assert response.status_code == 200


def test_a_response_that_was_given_up_ends_the_loop_and_stays_the_users(bound, told):
    script = Scripted(httpx.Response(503), repeat_last=True)
    for attempt in retrying(bound(retry_on(503).immediately(max=1), name="n")):
        with attempt:
            response = script()
            attempt.returned(response)
    assert (script.count, history(response).reason) == (2, Reason.RETRIES_EXHAUSTED)
    assert told[-1] == GaveUp("n", 2, "503", Reason.RETRIES_EXHAUSTED, 0)


def test_a_block_that_raises_after_handing_in_is_judged_once_by_what_it_raised(bound, told):
    request = httpx.Request("GET", "https://example.com")
    script = Scripted(httpx.Response(503, request=request), httpx.Response(200, request=request))
    for attempt in retrying(bound(retry_on(503).fixed(1))):
        with attempt:
            response = script()
            attempt.returned(response)
            response.raise_for_status()
    assert (response.status_code, script.count) == (200, 2)
    assert [type(event) for event in told].count(RetryScheduled) == 1


def test_the_last_value_handed_in_counts(bound):
    for attempt in retrying(bound(retry_on(503).immediately())):
        with attempt:
            attempt.returned(httpx.Response(503))
            attempt.returned(httpx.Response(200))
    assert attempt.number == 1


def test_a_rejected_response_is_let_go_before_the_wait(run, bound):
    closed = []

    class Stream(httpx.SyncByteStream):
        def __iter__(self):
            yield b""

        def close(self):
            closed.append(True)

    script = Scripted(httpx.Response(503, stream=Stream()), "done")
    values = []
    for attempt in retrying(bound(retry_on(503).immediately())):
        with attempt:
            values.append(script())
            attempt.returned(values[-1])
    assert (values[-1], closed) == ("done", [True])


@pytest.mark.anyio
async def test_and_so_in_coroutines(bound):
    response = httpx.Response(503, stream=AStream())
    script = Scripted(response, "done")
    async for attempt in retrying(bound(retry_on(503).immediately())):
        with attempt:
            value = script()
            attempt.returned(value)
    assert (value, response.is_closed) == ("done", True)


class AStream(httpx.AsyncByteStream):
    async def __aiter__(self):
        yield b""


def test_forgetting_with_is_an_error_and_not_an_endless_loop(bound):
    script = Scripted("once")
    with pytest.raises(PolicyError, match="with attempt:"):
        for _ in retrying(bound(retry_on(OSError))):
            script()
    assert script.count == 1


@pytest.mark.anyio
async def test_and_so_in_coroutines_without_with(bound, told):
    with pytest.raises(PolicyError, match="with attempt:"):
        async for _ in retrying(bound(retry_on(OSError))):
            assert told == []


def test_leaving_the_loop_early_is_leaving_the_call(bound, told):
    for attempt in retrying(bound(retry_on(OSError))):
        with attempt:
            raised = True
        break
    assert raised
    assert told == []


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_returning_from_async_for_leaves_nothing_for_the_loop_to_clean_up(bound, backend):
    async def main():
        assert await aplay(bound(retry_on(OSError)), Scripted("done")) == "done"
        gc.collect()
        await anyio.lowlevel.checkpoint()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        anyio.run(main, backend=backend)


def test_each_loop_over_the_same_object_is_a_call_of_its_own(bound):
    again = retrying(bound(retry_on(OSError).immediately(max=1)))
    for _ in range(3):
        script = Scripted(OSError(), "done")
        for attempt in again:
            with attempt:
                script()
        assert script.count == 2


def test_an_iterator_is_its_own_iterator(bound):
    attempts = iter(retrying(bound(retry_on(OSError).immediately(max=1))))
    assert iter(attempts) is attempts
    assert aiter(attempts) is attempts


def test_C10_the_time_that_is_left_is_told_to_the_attempt(bound, clock):
    left = []
    with pytest.raises(OSError):
        for attempt in retrying(
            bound((retry_on(OSError).fixed(4) | retry_on(KeyError)).within(10).timeout(7))
        ):
            with attempt:
                left.append(attempt.time_allowed)
                clock.advance(1)
                raise OSError
    assert left == [7, 5, 1]
    assert clock.monotonic() == 10
    for attempt in retrying(bound(retry_on(OSError))):
        with attempt:
            assert attempt.time_allowed == float("inf")


def test_options_are_those_of_bind_and_a_runtime_has_its_own(bound, clock):
    for attempt in retrying(retry_on(OSError).fixed(1), clock=clock, listeners=[]):
        with attempt:
            if attempt.number == 1:
                raise OSError
    assert clock.sleeps == [1]
    with pytest.raises(PolicyError, match="bound already"):
        retrying(bound(retry_on(OSError)), clock=clock)
    with pytest.raises(PolicyError, match="takes a policy; got 'retry_on"):
        retrying("retry_on(503)")
    with pytest.raises(TypeError, match="clok"):
        retrying(retry_on(OSError), clok=clock)
