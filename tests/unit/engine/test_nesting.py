"""A policy inside a policy does not multiply, and what an older call left behind is no inner policy."""

import asyncio
import threading

import anyio
import httpx
import pytest

from bide import Reason, history, retry_on, retrying
from bide.adapters.httpx import AsyncRetryTransport, RetryTransport
from bide.testing import Scripted


@pytest.fixture
def twice(bound):
    return bound(retry_on(OSError, RuntimeError, 503).immediately(max=1))


def failing(error=OSError):
    return Scripted(error, repeat_last=True)


def test_F04_three_policies_around_one_function_make_the_attempts_of_the_innermost(twice):
    script = failing()
    with pytest.raises(OSError) as caught:
        twice(twice(twice(script.function())))()
    assert script.count == 2
    kept = history(caught.value)
    assert (kept.reason, kept.attempts) == (Reason.INNER_EXHAUSTED, 1)
    assert (kept.inner.reason, kept.inner.inner.reason) == (Reason.INNER_EXHAUSTED, Reason.RETRIES_EXHAUSTED)
    assert len(caught.value.__notes__) == 3


def test_functions_in_functions_do_not_multiply(twice):
    script = failing()
    inner = twice(script.function())

    @twice
    def middle():
        return inner()

    @twice
    def outer():
        return middle()

    with pytest.raises(OSError):
        outer()
    assert script.count == 2


def test_through_a_wrapper_raised_from_it(twice):
    script = failing()

    @twice
    def outer():
        try:
            twice.call(script)
        except OSError as error:
            raise RuntimeError("wrapped") from error

    with pytest.raises(RuntimeError) as caught:
        outer()
    assert script.count == 2
    assert history(caught.value).reason == Reason.INNER_EXHAUSTED


def test_through_a_wrapper_raised_while_it_was_handled(twice):
    script = failing()

    def inner():
        try:
            twice.call(script)
        except OSError:
            wrap()

    def wrap():
        raise RuntimeError("wrapped")

    with pytest.raises(RuntimeError):
        twice.call(inner)
    assert script.count == 2


def test_through_a_response(twice):
    script = Scripted(httpx.Response(503), httpx.Response(503))
    response = twice.call(lambda: twice.call(script))
    assert script.count == 2
    assert history(response).inner.reason == Reason.RETRIES_EXHAUSTED


def test_through_the_exception_that_a_response_became(twice):
    request = httpx.Request("GET", "https://example.com")
    script = Scripted(*(httpx.Response(503, request=request) for _ in range(2)))
    with pytest.raises(httpx.HTTPStatusError) as caught:
        bound_status(twice).call(lambda: twice.call(script).raise_for_status())
    assert script.count == 2
    assert history(caught.value).reason == Reason.INNER_EXHAUSTED


@pytest.mark.parametrize("what", ["response", "status error", "fault"])
@pytest.mark.parametrize("backend", [None, "asyncio", "trio"])
def test_through_a_client_with_a_transport_that_retries(twice, backend, what):
    sent = []
    policy = twice.policy | retry_on(httpx.HTTPError).immediately(max=1)
    runtime = policy.bind(clock=twice.settings.clock, listeners=[])

    def answer(request):
        sent.append(request)
        if what == "fault":
            raise httpx.ConnectError("refused", request=request)
        return httpx.Response(503)

    def end(response):
        return response.raise_for_status() if what == "status error" else response

    def get():
        with httpx.Client(transport=RetryTransport(runtime, httpx.MockTransport(answer))) as client:
            return end(client.get("https://example.com"))

    async def aget():
        transport = AsyncRetryTransport(runtime, httpx.MockTransport(answer))
        async with httpx.AsyncClient(transport=transport) as client:
            return end(await client.get("https://example.com"))

    try:
        ended = runtime.call(get) if backend is None else anyio.run(runtime.acall, aget, backend=backend)
    except httpx.HTTPError as error:
        ended = error
    assert len(sent) == 2
    assert history(ended).reason == Reason.INNER_EXHAUSTED


def bound_status(runtime):
    return runtime.policy.bind(clock=runtime.settings.clock)


def test_through_a_plain_value(bound):
    from bide import when

    unfit = when(lambda outcome: outcome.error is None)
    runtime = bound(retry_on(unfit).immediately(max=1))
    script = Scripted(Exhaustible(), repeat_last=True)
    runtime.call(lambda: runtime.call(script))
    assert script.count == 2


class Exhaustible:
    pass


def test_over_inner_multiplies_when_asked_to(bound):
    outer = bound(retry_on(OSError).immediately(max=1).over_inner())
    script = failing()
    with pytest.raises(OSError):
        outer.call(lambda: outer.call(script))
    assert script.count == 4


def test_what_an_inner_policy_has_no_rule_about_is_the_outer_ones_business(bound, twice):
    inner = bound(retry_on(KeyError))
    script = failing()
    with pytest.raises(OSError):
        twice.call(lambda: inner.call(script))
    assert script.count == 2


def test_blocks_in_blocks_and_around_functions_do_not_multiply(twice):
    script = failing()
    with pytest.raises(OSError):
        for attempt in retrying(twice):
            with attempt:
                for inner in retrying(twice):
                    with inner:
                        twice(script.function())()
    assert script.count == 2


def test_a_block_in_a_function_does_not_multiply(twice):
    script = failing()

    @twice
    def outer():
        for attempt in retrying(twice):
            with attempt:
                script()

    with pytest.raises(OSError):
        outer()
    assert script.count == 2


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_coroutines_in_coroutines_do_not_multiply(twice, backend):
    script = failing()
    inner = twice(script.coroutine())

    @twice
    async def outer():
        await inner()

    async def main():
        with pytest.raises(OSError):
            await twice.acall(outer)

    anyio.run(main, backend=backend)
    assert script.count == 2


async def test_an_inner_policy_in_another_task_does_not_multiply(bound):
    four = bound(retry_on(OSError).immediately(max=3))
    script = failing()
    inner = four(script.coroutine())
    with pytest.raises(OSError):
        await four.acall(lambda: asyncio.create_task(inner()))
    assert script.count == 4


test_an_inner_policy_in_another_task_does_not_multiply = pytest.mark.anyio(
    test_an_inner_policy_in_another_task_does_not_multiply
)


def test_an_instance_that_an_older_call_gave_up_on_is_retried_again(bound):
    error = OSError("one for all")
    for policy in (retry_on(OSError), retry_on(OSError).max(2), retry_on(Exception)):
        script = Scripted(error, repeat_last=True)
        with pytest.raises(OSError):
            bound(policy.immediately()).call(script)
        assert history(error).attempts == script.count > 2


def test_an_instance_that_nested_calls_gave_up_on_is_retried_again(twice):
    error = OSError("one for all")
    for _ in range(3):
        script = Scripted(error, repeat_last=True)
        with pytest.raises(OSError):
            twice.call(lambda script=script: twice.call(script))
        assert script.count == 2


def test_a_response_that_an_older_call_gave_up_on_is_retried_again(twice):
    response = httpx.Response(503)
    for _ in range(2):
        script = Scripted(response, repeat_last=True)
        assert twice.call(script) is response
        assert script.count == 2


@pytest.mark.parametrize("around", [False, True])
def test_a_fallback_while_an_exhausted_failure_is_handled_has_its_own_attempts(bound, around):
    runtime = bound(retry_on(OSError).immediately(max=2))
    first, second = failing(), failing(ConnectionError)

    def fallback():
        try:
            runtime.call(first)
        except OSError:
            return runtime.call(second)

    with pytest.raises(ConnectionError):
        runtime.call(fallback) if around else fallback()
    assert (first.count, second.count) == (3, 3)


def test_a_context_without_a_traceback_is_not_followed(twice):
    script = failing()

    def outer():
        error = RuntimeError("by hand")
        try:
            twice.call(script)
        except OSError as inner:
            error.__context__ = inner.with_traceback(None)
        raise error

    with pytest.raises(RuntimeError):
        twice.call(outer)
    assert script.count == 4


def test_a_long_chain_of_causes_is_followed_eight_deep(twice):
    error = deepest = OSError()
    for _ in range(50):
        deepest.__cause__ = OSError()
        deepest = deepest.__cause__
    assert history(error) is None


def test_a_policy_in_a_thread_of_its_own_is_its_own(twice):
    script = failing()
    seen = []

    def work():
        with pytest.raises(OSError) as caught:
            twice.call(script)
        seen.append(history(caught.value).reason)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [Reason.RETRIES_EXHAUSTED]
