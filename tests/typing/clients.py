"""What type checkers know about the adapters: what they are given, and that a client stays what it was. Never run."""

from typing import assert_type

import aiohttp
import httpx
import httpx2
import requests

import bide
from bide.adapters import aiohttp as for_aiohttp
from bide.adapters import httpx as for_httpx
from bide.adapters import httpx2 as for_httpx2
from bide.adapters import requests as for_requests

rule = bide.retry_on(503)
policy = (rule | bide.retry_on(429).after_hint()).within("30s")
routes = bide.Routes({"GET /search": policy, "*": rule})
strategy = bide.load("prompt-library")


class Source:
    def policy_for(self, method: str, url: str) -> bide.Policy | None:
        return policy if method == "GET" else None


class Client(httpx.Client):
    pass


class AsyncClient(httpx2.AsyncClient):
    pass


class Session(requests.Session):
    pass


assert_type(for_httpx.install(Client(), policy), Client)
assert_type(for_httpx.install(httpx.AsyncClient(), routes, seam="client", name="search"), httpx.AsyncClient)
assert_type(for_httpx2.install(AsyncClient(), strategy), AsyncClient)
assert_type(for_requests.install(Session(), Source(), count_header="X-Retry-Count"), Session)

httpx.Client(transport=for_httpx.RetryTransport(rule, httpx.HTTPTransport()))
httpx.AsyncClient(mounts={"all://": for_httpx.AsyncRetryTransport(policy.bind())})
httpx2.Client(transport=for_httpx2.RetryTransport(routes))
requests.Session().mount("https://", for_requests.RetryAdapter(policy, pool_maxsize=1))


async def get(url: str) -> None:
    retry = for_aiohttp.retry_middleware(policy, idempotency_key=True)
    async with aiohttp.ClientSession(middlewares=(retry,)) as session:
        await session.get(url, middlewares=[retry])


for_httpx.install(requests.Session(), policy)  # type: ignore[type-var]
for_httpx.install(httpx.Client(), "retry_on(503)")  # type: ignore[arg-type]
for_httpx.install(httpx.Client(), policy, seam="session")  # type: ignore[arg-type]
for_requests.RetryAdapter(policy, max_retries=3)  # type: ignore[call-arg]
for_aiohttp.retry_middleware(policy, clock=1)  # type: ignore[arg-type]
