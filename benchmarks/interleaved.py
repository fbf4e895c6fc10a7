"""Ratios that a noisy machine cannot bend: short batches of every candidate in shuffled order, compared round by round."""

from __future__ import annotations

import asyncio
import gc
import json
import random
import statistics
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter

BATCH = 0.0003
"""Seconds that one batch takes: shorter than most of what disturbs it."""

Timed = Callable[[int], float]


def timed(call: Callable[[], object]) -> Timed:
    """Return what runs a call n times and answers with the seconds that took."""

    def run(n: int) -> float:
        rounds = range(n)
        began = perf_counter()
        for _ in rounds:
            call()
        return perf_counter() - began

    return run


def timed_async(call: Callable[[], Awaitable[object]]) -> Timed:
    """Return what awaits a call n times, driving the coroutine as an event loop would, and answers with the seconds."""

    async def rounds(n: int) -> float:
        each = range(n)
        began = perf_counter()
        for _ in each:
            await call()
        return perf_counter() - began

    loop = asyncio.new_event_loop()
    return lambda n: loop.run_until_complete(rounds(n))


def ratios(
    candidates: Mapping[str, Timed], reference: str, rounds: int = 200, seed: int = 1
) -> dict[str, float]:
    """Return each candidate's median ratio to the reference, both timed in the same round."""
    sizes = {name: _size(run) for name, run in candidates.items()}
    order = list(candidates)
    shuffle = random.Random(seed).shuffle
    seen: dict[str, list[float]] = {name: [] for name in candidates}
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            shuffle(order)
            took = {name: candidates[name](sizes[name]) / sizes[name] for name in order}
            for name, seconds in took.items():
                seen[name].append(seconds / took[reference])
    finally:
        gc.enable()
    return {name: statistics.median(found) for name, found in seen.items()}


def _size(run: Timed) -> int:
    """Return how many calls make a batch."""
    n = 1
    while (took := min(run(n), run(n))) < BATCH / 4:
        n *= 2
    return max(1, round(n * BATCH / took))


def over_processes(script: str, processes: int, *arguments: str) -> dict[str, dict[str, float]]:
    """Run a script that prints `{group: {name: ratio}}` in several processes, and return the medians."""
    runs = [
        json.loads(
            subprocess.run([sys.executable, script, *arguments], check=True, capture_output=True).stdout
        )
        for _ in range(processes)
    ]
    return {
        group: {name: statistics.median(run[group][name] for run in runs) for name in runs[0][group]}
        for group in runs[0]
    }
