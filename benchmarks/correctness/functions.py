"""Functions: what is decorated, and never retried, without a word."""

from __future__ import annotations

import asyncio
import inspect

from case import Register, Seen
from stage import raised, stage

from bide import PolicyError, retry_on

here = Register("functions")
LAMBDA = "A lambda that returns a coroutine, decorated; it fails every time"
GENERATOR = "A generator function, decorated; it fails every time"
ASYNC_GENERATOR = "An async generator function, decorated; it fails every time"


class Kinds:
    """Callables that fail, and count how often they ran."""

    def __init__(self) -> None:
        self.calls = 0

    async def coroutine(self) -> None:
        self.calls += 1
        raise ConnectionError

    def generator(self):
        self.calls += 1
        raise ConnectionError
        yield

    async def async_generator(self):
        self.calls += 1
        raise ConnectionError
        yield


def _run(decorate, kind: str) -> Seen:
    """Decorate and use one kind of callable, as its user would."""
    stage(clocks=False)
    kinds = Kinds()

    plain = {
        "lambda": lambda: kinds.coroutine(),  # noqa: PLW0108  # the point is that it is a lambda
        "generator": _function(kinds, "generator"),
        "async_generator": _function(kinds, "async_generator"),
    }[kind]

    async def use() -> None:
        made = decorate(plain)()
        if inspect.isawaitable(made):
            made = await made
        if inspect.isawaitable(made):
            made = await made
        if hasattr(made, "__aiter__"):
            async for _ in made:
                pass
        elif hasattr(made, "__iter__"):
            list(made)

    error = raised(lambda: asyncio.run(use()))
    if isinstance(error, (PolicyError, TypeError, NotImplementedError)):
        return Seen("refuses, and says why", wrong=False)
    runs = "1 attempt, no retry, no word" if kinds.calls == 1 else f"{kinds.calls} attempts"
    return Seen(runs, kinds.calls == 1)


def _function(kinds: Kinds, kind: str):
    if kind == "generator":

        def numbers():
            yield from kinds.generator()

        return numbers

    async def async_numbers():
        async for number in kinds.async_generator():
            yield number

    return async_numbers


def ours_lambda() -> Seen:
    return _run(retry_on(ConnectionError).fixed(0), "lambda")


def ours_generator() -> Seen:
    return _run(retry_on(ConnectionError).fixed(0), "generator")


def ours_async_generator() -> Seen:
    return _run(retry_on(ConnectionError).fixed(0), "async_generator")


def _tenacity(fn):
    import tenacity

    return tenacity.retry(stop=tenacity.stop_after_attempt(3))(fn)


def _stamina(fn):
    import stamina

    return stamina.retry(on=ConnectionError, attempts=3)(fn)


def _backoff(fn):
    import backoff

    return backoff.on_exception(backoff.constant, ConnectionError, max_tries=3, interval=0)(fn)


def _redress(fn):
    import redress

    return redress.retry(max_attempts=3)(fn)


@here.case("tenacity", LAMBDA, ours=ours_lambda)
def tenacity_lambda() -> Seen:
    return _run(_tenacity, "lambda")


@here.case("stamina", LAMBDA, ours=ours_lambda)
def stamina_lambda() -> Seen:
    return _run(_stamina, "lambda")


@here.case("backoff", LAMBDA, ours=ours_lambda)
def backoff_lambda() -> Seen:
    return _run(_backoff, "lambda")


@here.case("redress", LAMBDA, ours=ours_lambda)
def redress_lambda() -> Seen:
    return _run(_redress, "lambda")


@here.case("tenacity", GENERATOR, ours=ours_generator)
def tenacity_generator() -> Seen:
    return _run(_tenacity, "generator")


@here.case("redress", GENERATOR, ours=ours_generator)
def redress_generator() -> Seen:
    return _run(_redress, "generator")


@here.case("tenacity", ASYNC_GENERATOR, ours=ours_async_generator)
def tenacity_async_generator() -> Seen:
    return _run(_tenacity, "async_generator")


@here.case("backoff", ASYNC_GENERATOR, ours=ours_async_generator)
def backoff_async_generator() -> Seen:
    return _run(_backoff, "async_generator")


def _coroutine_function(decorate) -> Seen:
    stage(clocks=False)
    calls = []

    async def work() -> None:
        calls.append(1)
        raise ConnectionError

    raised(lambda: asyncio.run(decorate(work)()))
    return Seen(
        "1 attempt, no retry, no word" if len(calls) == 1 else f"{len(calls)} attempts", len(calls) == 1
    )


def ours_coroutine_function() -> Seen:
    return _coroutine_function(retry_on(ConnectionError).fixed(0).attempts(3))


@here.case("google-api-core", "Retry(...) on an async def", ours=ours_coroutine_function)
def google_coroutine_function() -> Seen:
    def decorate(fn):
        from google.api_core.retry import Retry

        return Retry(lambda _error: True, timeout=5, initial=0.01, maximum=0.01)(fn)

    return _coroutine_function(decorate)


@here.case("retrying", "stop_max_attempt_number=3 on an async def", ours=ours_coroutine_function)
def retrying_coroutine_function() -> Seen:
    def decorate(fn):
        import retrying

        return retrying.retry(stop_max_attempt_number=3)(fn)

    return _coroutine_function(decorate)
