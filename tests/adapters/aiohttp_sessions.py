"""Sessions of aiohttp with retries, for the scenarios of one test: what `Kit` of the conftest is to httpx."""

import asyncio
import gc

import aiohttp
import attrs

from bide.adapters.aiohttp import retry_middleware


@attrs.frozen
class Sessions:
    """Makes sessions with one connection, which a response that is kept would hold; no scenario leaves a task behind."""

    clock: object
    policy: object

    def run(self, scenario):
        async def main():
            await scenario()
            assert asyncio.all_tasks() == {asyncio.current_task()}

        asyncio.run(main())
        gc.collect()  # what was left to the collector would warn now

    def session(self, policy=None, *, outer=(), inner=(), session=(), **options):
        """A session whose retries stand between other middlewares; `session` is for aiohttp, `options` for us."""
        policy = self.policy if policy is None else policy
        retry = retry_middleware(policy, **{"clock": self.clock, **options})
        return aiohttp.ClientSession(
            middlewares=(*outer, retry, *inner),
            connector=aiohttp.TCPConnector(limit=1),
            **{"timeout": aiohttp.ClientTimeout(total=20), **dict(session)},
        )
