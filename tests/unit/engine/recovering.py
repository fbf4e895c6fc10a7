"""A service whose tokens expire, actions that fetch new ones, and what a call that may hang comes to."""

import threading

import anyio

from bide import Reason, history, retry_on
from bide.testing import VirtualClock

EXPIRED = retry_on(PermissionError).calling("refresh").immediately()
MANY = 100


class Service:
    """A service that wants the newest token, and the refresh that fetches one."""

    def __init__(self, *, broken: Exception | None = None, mends: bool = True):
        self.token, self.wanted = 0, 1
        self.refreshes = self.calls = 0
        self.broken, self.mends = broken, mends

    def ask(self):
        self.calls += 1
        if self.token < self.wanted:
            raise PermissionError("expired")
        return self.token

    async def aask(self):
        token = self.token
        await anyio.lowlevel.checkpoint()
        self.calls += 1
        if token < self.wanted:
            raise PermissionError("expired")
        return token

    def refresh(self):
        self.refreshes += 1
        if self.broken is not None:
            raise self.broken
        self.token += self.mends
        return {"Authorization": f"Bearer {self.token}"}

    async def arefresh(self):
        for _ in range(5):
            await anyio.lowlevel.checkpoint()
        return self.refresh()


def bound(service, *, policy=EXPIRED, action=None, heard=None, **options):
    listeners = None if heard is None else [heard.append]
    return policy.bind(
        clock=VirtualClock(), recover={"refresh": action or service.refresh}, listeners=listeners, **options
    )


def refused():
    raise PermissionError("expired")


async def arefused():
    raise PermissionError("expired")


def outcome(of):
    """What a function comes to, in a thread of its own, so that one that hangs fails its test and no more."""
    came_to = []

    def attempt():
        try:
            came_to.append(of())
        except BaseException as error:
            came_to.append(error)

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(30)
    assert came_to, "it hangs"
    return came_to[0]


def chained(error):
    """Everything in the context of an error."""
    while error.__context__ is not None:
        error = error.__context__
        yield error


def says_that_it_waits_for_itself(error):
    assert type(error) is PermissionError
    assert history(error).reason is Reason.RECOVERY_FAILED
    return any("waits for itself" in str(one) for one in chained(error))
