"""
What do other retry libraries do in situations that bide was built for, and what does bide do in the same?

    python benchmarks/correctness/run.py               a table of every case
    python benchmarks/correctness/run.py tenacity      the cases of one peer, or those whose name contains this
    python benchmarks/correctness/run.py --json        the same as data
    python benchmarks/correctness/run.py --markdown    rewrite the generated part of the page in docs/explanation

The peers are installed into a virtual environment beside this file. Every function of every case runs in a process of
its own, with a limit; sleeps take no time, servers are on the loopback interface. A peer that does not install is told
as not run, and what a newer version does right as not reproduced. Exit code: 1 when bide gets a case wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any

import peers
import show

LIMIT = 30.0
"""Seconds that one function of one case may take."""


def play(*arguments: str) -> Any:
    """Return what a process of its own prints; raises RuntimeError with its last words."""
    command = [str(peers.PYTHON), str(peers.HERE / "play.py"), *arguments]
    quiet = os.environ | {"no_proxy": "*", "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False, env=quiet)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"did not end within {LIMIT:g} s") from None
    try:
        return json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        raise RuntimeError((done.stderr.strip().splitlines() or ["no output"])[-1]) from None


def row(case: dict[str, Any]) -> dict[str, Any]:
    """Return a case with what happened on both sides, and the verdict."""
    ours, bide_wrong = side(case, "ours")
    if case["missing"]:
        theirs, verdict = "", f"not run: {', '.join(case['missing'])} is not installed"
    else:
        theirs, wrong = side(case, "theirs")
        verdict = "reproduced" if wrong else f"not reproduced in {case['version']}"
        if wrong is None:
            theirs, verdict = "", f"not run: {theirs}"
    return case | {"verdict": verdict, "theirs": theirs, "ours": ours, "bide_wrong": bide_wrong is not False}


def side(case: dict[str, Any], which: str) -> tuple[str, bool | None]:
    """Return what was seen, and if it was wrong; None when it could not be run."""
    try:
        seen = play(case["name"], which)
    except RuntimeError as error:
        return str(error), None
    return seen["what"], seen["wrong"]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("only", nargs="*", help="peers, or parts of names of cases")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true")
    form.add_argument("--markdown", action="store_true", help="rewrite the page; only with every case")
    parser.add_argument(
        "--fresh", action="store_true", help="make the environment anew, with the newest peers"
    )
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    if options.markdown and options.only:
        parser.error("the page has every case")
    peers.environment(fresh=options.fresh)
    began = time.perf_counter()
    listed = play("--list")
    cases = [
        case for case in listed["cases"] if not options.only or any(map(partial(about, case), options.only))
    ]
    with ThreadPoolExecutor(options.jobs) as pool:
        rows = list(pool.map(row, cases))
    found = {
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "bide": listed["bide"],
        "seconds": time.perf_counter() - began,
        "rows": rows,
    }
    if options.markdown:
        show.write(found)
    print(
        show.as_json(found)
        if options.json
        else show.summary(found)
        if options.markdown
        else show.table(found)
    )
    return int(any(one["bide_wrong"] for one in rows))


def about(case: dict[str, Any], word: str) -> bool:
    return word == case["peer"] or word in case["name"]


if __name__ == "__main__":
    raise SystemExit(main())
