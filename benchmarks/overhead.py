"""
What does a decorated function cost, when nothing fails and when two attempts fail?

Run `python benchmarks/overhead.py`. Every number is a ratio to a loop written by hand for the case, timed in the same
shuffled run; nothing here ever fails a build. Waiting is replaced by nothing, for everybody.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import platform
import random
import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import backoff
import interleaved
import stamina
import tenacity

import bide

BASE, CAP, ATTEMPTS = 0.5, 30.0, 4
GOALS = {"sync success": 1.1, "async success": 1.05, "sync, two failures": 1.4, "async, two failures": 1.4}


def no_wait(_seconds: float = 0.0) -> None:
    """Stand for time.sleep."""


async def no_await(_seconds: float = 0.0) -> None:
    """Stand for asyncio.sleep."""


def hand(fn: Callable[[int], int]) -> Callable[[int], int]:
    """Return the loop that one writes by hand."""

    def loop(x: int) -> int:
        attempt = 0
        while True:
            try:
                return fn(x)
            except ValueError:
                attempt += 1
                if attempt >= ATTEMPTS:
                    raise
                ceiling = BASE * 2.0 ** (attempt - 1)
                delay = (min(CAP, ceiling)) * random.random()
            time.sleep(delay)

    return loop


def ahand(fn: Callable[[int], Any]) -> Callable[[int], Any]:
    """Return the loop that one writes by hand, for a coroutine function."""

    async def loop(x: int) -> int:
        attempt = 0
        while True:
            try:
                return await fn(x)  # type: ignore[no-any-return]
            except ValueError:
                attempt += 1
                if attempt >= ATTEMPTS:
                    raise
                ceiling = BASE * 2.0 ** (attempt - 1)
                delay = (min(CAP, ceiling)) * random.random()
            await asyncio.sleep(delay)

    return loop


POLICY = bide.retry_on(ValueError).exponential(base=BASE, cap=CAP, max=ATTEMPTS - 1)
DEADLINE = (POLICY | bide.retry_on(TypeError)).within(30)
DECORATORS: dict[str, Callable[[Any], Any]] = {
    "bide": POLICY,
    "tenacity": tenacity.retry(
        retry=tenacity.retry_if_exception_type(ValueError),
        wait=tenacity.wait_random_exponential(BASE, CAP),
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        reraise=True,
    ),
    "stamina": stamina.retry(on=ValueError, attempts=ATTEMPTS, timeout=None, wait_initial=BASE, wait_max=CAP),
    "backoff": backoff.on_exception(backoff.expo, ValueError, max_tries=ATTEMPTS),
}


class Flaky:
    """A function that fails twice, then succeeds, again and again."""

    def __init__(self) -> None:
        self.calls = 0

    def sync(self) -> Callable[[int], int]:
        def work(x: int) -> int:
            self.calls += 1
            if self.calls % 3:
                raise ValueError
            return x

        return work

    def coroutine(self) -> Callable[[int], Any]:
        async def work(x: int) -> int:
            self.calls += 1
            if self.calls % 3:
                raise ValueError
            return x

        return work


def steady() -> Callable[[int], int]:
    """Return a function that never fails, a new one for each candidate, so that call sites specialise alike."""

    def work(x: int) -> int:
        return x

    return work


def asteady() -> Callable[[int], Any]:
    """Return a coroutine function that never fails."""

    async def work(x: int) -> int:  # the callee is the cheapest there is
        return x

    return work


def _call(fn: Callable[[int], Any]) -> Callable[[], Any]:
    return lambda: fn(1)


def measure(rounds: int) -> dict[str, dict[str, float]]:
    """Return the ratios of one process, by group."""
    time.sleep, asyncio.sleep = no_wait, no_await  # type: ignore[assignment]
    groups: dict[str, dict[str, interleaved.Timed]] = {
        "sync success": {
            "hand": interleaved.timed(_call(hand(steady()))),
            "bare": interleaved.timed(_call(steady())),
        },
        "async success": {
            "hand": interleaved.timed_async(_call(ahand(asteady()))),
            "bare": interleaved.timed_async(_call(asteady())),
        },
        "sync, two failures": {"hand": interleaved.timed(_call(hand(Flaky().sync())))},
        "async, two failures": {"hand": interleaved.timed_async(_call(ahand(Flaky().coroutine())))},
    }
    for name, decorate in DECORATORS.items():
        groups["sync success"][name] = interleaved.timed(_call(decorate(steady())))
        groups["async success"][name] = interleaved.timed_async(_call(decorate(asteady())))
        groups["sync, two failures"][name] = interleaved.timed(_call(decorate(Flaky().sync())))
        groups["async, two failures"][name] = interleaved.timed_async(_call(decorate(Flaky().coroutine())))
    found = {group: interleaved.ratios(candidates, "hand", rounds) for group, candidates in groups.items()}
    return found | {"shapes, to the bare call": shapes(rounds)}


def shapes(rounds: int) -> dict[str, float]:
    """Return what each way of calling a decorated function costs, as a ratio to calling it undecorated."""

    def keyword(x: int, *, y: int = 2) -> int:
        return x + y

    def default(x: int, y: int = 2) -> int:
        return x + y

    def starred(*args: int, **kwargs: int) -> int:
        return len(args) + len(kwargs)

    class Bare:
        def method(self, x: int) -> int:
            return x

    class Retried:
        @POLICY
        def method(self, x: int) -> int:
            return x

    bare, retried = Bare(), Retried()
    k, d, s, w = POLICY(keyword), POLICY(default), POLICY(starred), DEADLINE(default)
    pairs: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "keyword": (lambda: keyword(1, y=3), lambda: k(1, y=3)),
        "default": (lambda: default(1), lambda: d(1)),
        "method": (lambda: bare.method(1), lambda: retried.method(1)),
        "*args, **kwargs": (lambda: starred(1, b=2), lambda: s(1, b=2)),
        "with a deadline": (lambda: default(1), lambda: w(1)),
    }
    return {
        name: interleaved.ratios(
            {"bare": interleaved.timed(a), "bide": interleaved.timed(b)}, "bare", rounds
        )["bide"]
        for name, (a, b) in pairs.items()
    }


def allocation() -> dict[str, float]:
    """Return exact counts: bytes above the bare call at peak on success, and objects left in cycles on each path."""
    bare, decorated, flaky, broken = steady(), POLICY(steady()), POLICY(Flaky().sync()), POLICY(_broken)

    def peak(fn: Callable[[int], int]) -> int:
        for _ in range(100):
            fn(1)
        tracemalloc.start()
        for _ in range(1000):
            fn(1)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    def garbage(call: Callable[[], object]) -> int:
        call()
        gc.collect()
        gc.disable()
        try:
            for _ in range(100):
                call()
            return gc.collect()
        finally:
            gc.enable()

    time.sleep = no_wait
    return {
        "bytes above the bare call": max(0, peak(decorated) - peak(bare)),
        "cyclic garbage, success": garbage(lambda: decorated(1)),
        "cyclic garbage, recovered": garbage(lambda: flaky(1)),
        "cyclic garbage, given up": garbage(lambda: _swallow(broken)),
    }


def _broken(x: int) -> int:
    raise ValueError(x)


def _swallow(fn: Callable[[int], int]) -> None:
    try:
        fn(1)
    except ValueError:
        return


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=150)
    parser.add_argument("--once", action="store_true", help="print one process's ratios as JSON")
    chosen = parser.parse_args()
    if chosen.once:
        print(json.dumps(measure(chosen.rounds)))
        return
    print(f"Python {platform.python_version()}, medians over {chosen.processes} processes")
    found = interleaved.over_processes(__file__, chosen.processes, "--once", "--rounds", str(chosen.rounds))
    for group, row in found.items():
        print(f"\n{group}" + ("" if "bare call" in group else ", as a ratio to the loop written by hand"))
        for name, ratio in row.items():
            goal = f"   (goal: at most {GOALS[group]})" if name == "bide" and group in GOALS else ""
            peer = f"   {ratio / row['bide']:.0f} times bide" if name in DECORATORS and name != "bide" else ""
            print(f"  {name:<18}{ratio:>8.2f}{goal}{peer}")
    print("\nallocation")
    for name, count in allocation().items():
        print(f"  {name:<28}{count:>6.0f}")


if __name__ == "__main__":
    sys.exit(main())
