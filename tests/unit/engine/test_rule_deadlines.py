"""A rule's own deadline counts all that its retries take, in every way in: the clock tells more than was asked for."""

import asyncio

import pytest

from bide import Reason, history, retry_on, retrying
from bide.testing import VirtualClock

DOWN = retry_on(ConnectionError)


class Oversleeping(VirtualClock):
    """A clock on which every wait takes three seconds longer than it was to."""

    def sleep(self, seconds):
        super().sleep(seconds + 3)

    async def asleep(self, seconds):
        await super().asleep(seconds + 3)


def called(runtime, fn):
    runtime.call(fn)


def decorated(runtime, fn):
    runtime(fn)()


def block(runtime, fn):
    for attempt in retrying(runtime):
        with attempt:
            fn()


async def acalled(runtime, fn):
    async def afn():
        fn()

    await runtime.acall(afn)


async def adecorated(runtime, fn):
    @runtime
    async def afn():
        fn()

    await afn()


async def ablock(runtime, fn):
    async for attempt in retrying(runtime):
        with attempt:
            fn()


@pytest.fixture(params=[called, decorated, block, acalled, adecorated, ablock])
def begun_until_it_gives_up(request):
    def run(policy):
        clock, begun, way = Oversleeping(), [], request.param

        def down():
            begun.append(clock.monotonic())
            clock.advance(2)
            raise ConnectionError

        with pytest.raises(ConnectionError) as caught:
            ended = way(policy.bind(clock=clock, listeners=[]), down)
            if ended is not None:
                asyncio.run(ended)
        return begun, history(caught.value).reason

    return run


def test_waits_that_last_longer_than_asked_for_count_each_time(begun_until_it_gives_up):
    policy = DOWN.fixed(7).max(20).within(37)
    assert begun_until_it_gives_up(policy) == ([0.0, 12.0, 24.0, 36.0], Reason.DEADLINE)


def test_what_an_attempt_waits_for_its_pace_does_not_count(begun_until_it_gives_up):
    policy = DOWN.fixed(7).max(20).within(20).pace("1/30s")
    assert begun_until_it_gives_up(policy) == ([0.0, 33.0, 63.0], Reason.DEADLINE)
