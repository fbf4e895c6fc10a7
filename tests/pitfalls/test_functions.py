"""Whatever is decorated is retried, or refused with the reason; never passed through without a word."""

import asyncio
from functools import partial

import pytest

from bide import PolicyError, retry_on
from bide.testing import Scripted

POLICY = retry_on(ConnectionError).fixed(1)


def generator():
    yield 1


async def async_generator():
    yield 1


async def coroutine():
    raise ConnectionError


@pytest.mark.parametrize("fn", [generator, async_generator, partial(generator), partial(async_generator)])
def test_a_generator_function_is_refused_with_the_reason(fn):
    with pytest.raises(PolicyError, match="generator"):
        POLICY(fn)


@pytest.mark.parametrize("use", [lambda fn: POLICY(fn)(), POLICY.call])
def test_a_lambda_that_returns_a_coroutine_is_refused_with_the_reason(use):
    with pytest.raises(PolicyError, match="awaitable"):
        use(lambda: coroutine())  # noqa: PLW0108  # it is about a lambda


@pytest.mark.parametrize("wrap", [lambda fn: fn, partial], ids=["itself", "partial"])
def test_a_coroutine_function_is_retried(wrap, clock):
    fails = Scripted(ConnectionError, ConnectionError, "done")
    assert asyncio.run(POLICY.bind(clock=clock)(wrap(fails.coroutine()))()) == "done"
    assert clock.sleeps == [1.0, 1.0]


@pytest.mark.parametrize(
    "kind", ["method", "classmethod", "classmethod outside", "staticmethod", "object", "partial"]
)
def test_every_kind_of_function_is_retried(kind, clock):
    runtime = POLICY.bind(clock=clock)
    fails = Scripted(ConnectionError, "done")

    class Client:
        @runtime
        def method(self):
            return fails()

        @runtime
        @classmethod
        def of_class(cls):
            assert cls is Client
            return fails()

        @classmethod
        @runtime
        def outside(cls):
            assert cls is Client
            return fails()

        @runtime
        @staticmethod
        def static():
            return fails()

    made = {
        "method": Client().method,
        "classmethod": Client.of_class,
        "classmethod outside": Client.outside,
        "staticmethod": Client.static,
        "object": runtime(fails),
        "partial": runtime(partial(fails, 1, key=2)),
    }
    assert made[kind]() == "done"
    assert clock.sleeps == [1.0]


def test_a_method_keeps_its_signature():
    import inspect

    class Client:
        @POLICY
        def get(self, path: str, *, timeout: float = 1.0) -> bytes:
            """Get."""
            return path.encode()

    assert str(inspect.signature(Client.get)) == "(self, path: str, *, timeout: float = 1.0) -> bytes"
    assert Client.get.__doc__ == "Get."
    with pytest.raises(TypeError):
        Client().get()
