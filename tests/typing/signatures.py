"""
What type checkers know about a decorated function: all that they knew before. Checked by mypy and pyright, never run.

A line that must be an error carries an ignore; both checkers report an ignore that is not needed.
"""

from typing import assert_type

import bide

policy = bide.retry_on(429, "5xx").exponential(max=3)
shared = (policy | bide.retry_on(TimeoutError)).attempts(5).within(30)
parsed = bide.parse("retry_on(5xx).exponential(max=3)")

assert_type(shared, bide.Policy)
assert_type(parsed, bide.Policy)
assert_type(str(parsed), str)


@policy
def by_rule(url: str, *, limit: int = 10) -> bytes:
    return url.encode()[:limit]


@shared
async def by_policy(url: str, *, limit: int = 10) -> bytes:
    return url.encode()[:limit]


class Client:
    @parsed
    def get(self, url: str) -> bytes:
        return url.encode()

    @parsed
    async def aget(self, url: str) -> bytes:
        return url.encode()

    @classmethod
    @parsed
    def default(cls) -> "Client":
        return cls()


bound = shared.bind(name="fetch", listeners=[print])
assert_type(bound, bide.Runtime)
shared.bind(nome="fetch")  # type: ignore[call-arg]


@bound
def by_runtime(url: str, *, limit: int = 10) -> bytes:
    return url.encode()[:limit]


assert_type(by_runtime("https://example.com", limit=1), bytes)
by_runtime(1)  # type: ignore[arg-type]
assert_type(by_rule("https://example.com", limit=1), bytes)
assert_type(Client().get("https://example.com"), bytes)
assert_type(Client.default(), Client)

by_rule(1)  # type: ignore[arg-type]
by_rule("https://example.com", limits=1)  # type: ignore[call-arg]
Client().get()  # type: ignore[call-arg]


async def called() -> None:
    assert_type(await by_policy("https://example.com"), bytes)
    assert_type(await Client().aget("https://example.com"), bytes)
    await by_policy()  # type: ignore[call-arg]

    assert_type(shared.call(len, "abc"), int)
    assert_type(await shared.acall(by_policy, "https://example.com", limit=1), bytes)
    shared.call(len, 1)  # type: ignore[arg-type]
    bide.retry_on(429).exponential(cap=object())  # type: ignore[arg-type]
