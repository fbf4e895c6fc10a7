"""Many retries through each client: memory, sockets and threads stay as they were."""

import gc
import math
import os
import sys
import threading
import time
from pathlib import Path

import attrs
import pytest
from sending import Ask
from variants import VARIANTS

import bide
from bide.testing import VirtualClock, steps

RETRIES = int(os.environ.get("BIDE_SOAK_RETRIES", "100000"))
A_CALL = 9  # retries in each call, the last of which succeeds
ROUNDS = 10
# Real seconds for each client; then it stops, and says so.
LONGEST = float(os.environ.get("BIDE_SOAK_SECONDS", "900"))
MORE_BLOCKS = 1_000  # objects, about, that there may be more at the end than after the second round
STATM = Path("/proc/self/statm")  # where the system is Linux
MORE_RESIDENT = 16 * 2**20  # bytes that the system may count more; allocators keep what they once had
POLICY = f'retry_on(503 & code("later"), 503, network).fixed(1s).max({A_CALL})'


@attrs.frozen
class Reading:
    """What a process holds at one moment."""

    blocks: int
    resident: int
    files: int
    threads: int


def reading():
    """Look, after collecting what is in circles."""
    gc.collect()
    pages = int(STATM.read_text().split()[1]) if STATM.exists() else 0
    return Reading(
        sys.getallocatedblocks(),
        pages * os.sysconf("SC_PAGE_SIZE"),
        len(list(Path("/dev/fd").iterdir())),
        threading.active_count(),
    )


@pytest.mark.soak
@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_retries_leave_nothing_behind(server, variant, capsys):
    server.on("/f", one_success_in_ten)
    clock = VirtualClock()
    runtime = bide.parse(POLICY).bind(clock=clock)
    calls = math.ceil(RETRIES / A_CALL / ROUNDS)
    readings, until, retries = [], time.monotonic() + LONGEST, 0

    async def main():
        nonlocal retries
        async with variant.client(runtime) as client:
            for _ in range(ROUNDS):
                for _ in range(calls):
                    answer = await client.send(Ask(server.url + "/f"))
                    assert (answer.status, answer.content) == (200, b"ok")
                    retries += len(clock.sleeps)
                    clock.trace.clear()
                    server._seen.clear()  # a server remembers every request that it has seen
                readings.append(reading())
                assert time.monotonic() < until, f"{len(readings)} of {ROUNDS} rounds took {LONGEST:g} s"

    began = time.monotonic()
    variant.run(main, hangs=LONGEST + 60)
    first, last = readings[1], readings[-1]
    with capsys.disabled():
        sys.stdout.write(figures(variant, retries, time.monotonic() - began, first, last))
    assert retries >= RETRIES
    assert last.blocks - first.blocks < MORE_BLOCKS
    assert last.resident - first.resident < MORE_RESIDENT
    assert last.files <= first.files
    assert last.threads <= first.threads


def one_success_in_ten(seen):
    """Answer with an error, of which a rule asks the body or not, or with a lost connection; at last with success."""
    at = seen.ordinal  # the test forgets the requests after each call
    if at == A_CALL:
        return steps.respond()
    return (steps.json(503, {"code": "later"}), steps.respond(503, body="busy"), steps.drop())[at % 3]


def figures(variant, retries, seconds, first, last):
    """One line for people: what there was after the second round, and after the last."""
    return (
        f"\n{variant.name}: {retries:,} retries in {seconds:.0f} s; blocks {first.blocks:,} -> {last.blocks:,}; "
        f"resident {first.resident // 1024:,} -> {last.resident // 1024:,} KiB; "
        f"files {first.files} -> {last.files}; threads {first.threads} -> {last.threads}"
    )
