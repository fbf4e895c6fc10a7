"""Fail the first operation on a client's sockets, then the second, then the third, until none is left to fail."""

import gc
import threading
from pathlib import Path

import aiohttp
import httpx
import httpx2
import pytest
import requests
from deviations import connections_of, warnings_of
from failing_io import Operations
from faults import own_error
from sending import Ask
from variants import ways

import bide
from bide.testing import VirtualClock, steps

OK = steps.respond(body="done")
SERVER_THREADS = 1  # one may be on its way out
MOST = 200  # operations; a call that has more does not end
POLICIES = {
    "repeated": 'retry_on(503 & code("later"), 503, network).fixed(1s)',
    "told": 'retry_on(503 & code("later"), 503).fixed(1s)',
}
SCRIPTS = {
    "a success": [OK],
    "an error": [steps.respond(503, body="busy"), OK],
    "an error that is looked into": [steps.json(503, {"code": "later"}), OK],
    "an error too long to drain": [steps.respond(503, body=b"x" * 200_000), OK],
    "a lost connection": [steps.drop(), OK],
    "an answer in chunks": [steps.respond(body=b"done", framing="chunked")],
}
OWN = {
    "httpx": httpx.TransportError,
    "httpx-client": httpx.TransportError,
    "httpx2": httpx2.TransportError,
    "httpx2-client": httpx2.TransportError,
    "function": httpx.TransportError,
    "requests": requests.RequestException,
    "aiohttp": aiohttp.ClientError,
}


@pytest.mark.parametrize(
    ("variant", "script", "policy"),
    [
        pytest.param(one, script, policy, id=f"{one.name}-{script}-{policy}", marks=warnings_of(one.name))
        for script in SCRIPTS
        for policy in POLICIES
        for one in ways(f"{script}, {policy}")
    ],
)
def test_an_operation_that_fails_is_repeated_or_told_and_leaks_nothing(server, variant, script, policy):
    before = open_files(), threading.active_count()
    kinds, recovered, told, at, failed = set(), 0, 0, 0, True
    while failed:
        at += 1
        assert at < MOST
        server.on("/f", *SCRIPTS[script]).on("/again", OK)
        failed, answer = one_failure(server, variant, POLICIES[policy], at)
        kinds.add(failed)
        if failed and answer is not None:
            recovered += answer.status == 200
            told += answer.status is None
    gc.collect()  # here, and not in a test to come, what was left to the collector is closed
    server.wait_until_idle()
    assert kinds >= {"connect", "write", "read", None}
    if policy == "repeated":
        assert recovered >= at // 2
    else:
        assert told >= 1
    assert threading.active_count() <= before[1] + SERVER_THREADS
    assert open_files() <= before[0] + SERVER_THREADS


def one_failure(server, variant, policy, at):
    """Make a call whose n-th operation fails; say which kind that was, None if there was no n-th, and what came of it."""
    operations = Operations(at)

    async def main():
        async with variant.client(
            bide.parse(policy).bind(clock=VirtualClock()),
            ops=operations,
            connections=connections_of(variant.name, "closing failed"),
        ) as client:
            answer = await client.send(Ask(server.url + "/f"))
            operations.fail_at = 0
            again = await client.send(Ask(server.url + "/again"))
            assert (again.status, again.content) == (200, b"done"), f"{again} after operation {at}"
            return answer

    try:
        answer = variant.run(main)
    except OSError:
        if (
            operations.failed != "close"
        ):  # closing failed while the client was being closed: that is its to tell
            raise
        return "close", None
    assert is_an_answer_or_its_own(answer, variant, operations.failed), f"{answer!r} after operation {at}"
    server.wait_until_idle()
    return operations.failed, answer


def is_an_answer_or_its_own(answer, variant, failed):
    """Whether a caller got the answer, whole, or an exception of its client's own."""
    if answer.status == 200:
        return answer.content == b"done"
    own = OWN[variant.family]
    return isinstance(own_error(answer.error), (own, OSError) if failed == "close" else own)


def open_files():
    """How many files this process has open."""
    return len(list(Path("/dev/fd").iterdir()))
