"""
What clients come to by each strategy that is shipped, as a page of the docs.

After a change that is meant: `python tests/conformance/strategies/table.py --write`.
"""

import sys
from itertools import groupby
from pathlib import Path

from strategy_cases import CASES, FILES, strategy_of

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "strategies.md"
HEAD = """\
# The strategies that come with bide

`bide.load("NAME")` finds each of these. For each: its policies as text, and what came of its documented errors when a
server played them, in the API's own envelope, to httpx, requests and aiohttp in turn, on a virtual clock. "With a key"
is a request that carries an `Idempotency-Key`. The delays are those that were waited, each jitter drawn in its middle;
where the server asks for a delay, what is added so that a fleet does not come back at once is left out. "Raised" is what
`raise_for` made of the last answer.

[The strategy file](strategy-file.md) tells what stands in such a file, and how to write one.

This page is written by `python tests/conformance/strategies/table.py --write`, and a test keeps it true.
"""
DECISIONS = {"give_up": "give up", "return": "hand back"}


def page():
    """The whole page."""
    return "\n".join([HEAD, *(section(path.stem) for path in FILES)])


def section(name):
    """What is said of one strategy."""
    strategy = strategy_of(name)
    lines = [f"## {name}", "", f"{strategy.title}, written from {source(strategy.docs)}.", ""]
    lines += [*policies(strategy), "", *table([case for case in CASES if case.strategy == name]), ""]
    return "\n".join([*lines, f"`bide check {name}`: {strategy.coverage()}.", ""])


def source(docs):
    return f"<{docs}>" if docs.startswith("http") else f'"{docs}"'


def policies(strategy):
    said = {**strategy.policies, **strategy.endpoints}
    lines = ["```text"]
    for name, policy in said.items():
        first, *others = str(policy).split(" | ")
        lines += [f"{name}:", f"    {first}", *(f"    | {other}" for other in others)]
    return [*lines, "```"]


def table(cases):
    rows = [
        "| answer | status | request | decision | delays | raised |",
        "|---|---|---|---|---|---|",
    ]
    return [*rows, *map(row, cases)]


def row(case):
    said = "no answer" if case.fault else code(case.code or case.category) or "no code"
    what = ", ".join(filter(None, [said, case.fault, case.note]))
    request = f"{case.method} with a key" if case.keyed else case.method
    cells = [what, str(case.status or ""), request, decision(case), delays(case), raised(case)]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def decision(case):
    """What is decided, with the actions taken, and the reason where it is not the usual one."""
    said = DECISIONS.get(case.decision, case.decision)
    if case.recoveries:
        said += f" by {', '.join(map(code, dict.fromkeys(case.recoveries)))}"
    return f"{said} ({case.reason})" if case.decision == "give_up" and case.reason else said


def delays(case):
    """The seconds waited, what repeats said once."""
    runs = [(seconds, len(list(same))) for seconds, same in groupby(case.delays)]
    return ", ".join(f"{seconds:g} s" + (f" ({times} times)" if times > 1 else "") for seconds, times in runs)


def raised(case):
    if case.raises is None:
        return ""
    return code(case.raises) or "nothing"


def code(text):
    return f"`{text}`" if text else ""


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit(__doc__)
    PAGE.write_text(page(), "utf-8")
