"""One function of one case, in this process: `play.py NAME theirs|ours` prints what was seen as JSON."""

from __future__ import annotations

import dataclasses
import json
import logging
import sys
import warnings

from case import every_case
from peers import installed


def listed() -> list[dict[str, object]]:
    """Return what is told of every case without running any."""
    return [
        {
            "name": case.name,
            "topic": case.topic,
            "peer": case.peer,
            "version": installed(case.peer),
            "missing": [name for name in (case.peer, *case.needs) if installed(name) is None],
            "tried": case.tried,
        }
        for case in every_case().values()
    ]


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # peers' deprecations are no news here
    logging.lastResort = None
    if sys.argv[1:] == ["--list"]:
        print(json.dumps({"bide": installed("bide"), "cases": listed()}))
    else:
        name, side = sys.argv[1:]
        print(json.dumps(dataclasses.asdict(getattr(every_case()[name], side)())))
