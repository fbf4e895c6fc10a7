"""The grammar of a path into a response's body, and what is wrong with a text that is none."""

from __future__ import annotations

import re

STEP = re.compile(
    r"\.?(?:\[(?P<key>[^\]=]+)=(?P<equals>[^\]]*)\]|\[(?P<index>[0-9]{1,9})\]|(?P<name>[^.\[\]]+))"
)


def steps(where: str) -> list[re.Match[str]]:
    """
    Return the steps of a path: each has a `name`, an `index`, or a `key` that `equals` something.

    Raises:
        ValueError: it is no path. Says why.
    """
    at = 2 if where.startswith("$.") else 0
    found: list[re.Match[str]] = []
    while at < len(where):
        step = STEP.match(where, at)
        if step is None:
            raise ValueError(_wrong(where, at + 1 if _a_dot_before_a_bracket(where, at) else at))
        if step["key"] is not None:
            _check_key(step)
        found.append(step)
        at = step.end()
    if not found:
        raise ValueError("it names nothing")
    return found


def _a_dot_before_a_bracket(where: str, at: int) -> bool:
    return where[at] == "." and where[at + 1 : at + 2] in ("[", "]")


def _check_key(step: re.Match[str]) -> None:
    try:
        steps(step["key"])
    except ValueError as error:
        raise ValueError(f"in the brackets at character {step.start('key')}, {error}") from None


def _wrong(where: str, at: int) -> str:
    """Return why no step begins at a character of a path."""
    rest = where[at:]
    inside, closed, _ = rest[1:].partition("]")
    if rest == ".":
        return "it ends in a dot"
    if rest.startswith("."):
        return f"two dots stand together at character {at + 1}"
    if rest.startswith("]"):
        return f"no bracket is open at character {at + 1}"
    if not closed:
        return f"the bracket at character {at + 1} is not closed"
    return f"the brackets at character {at + 1} hold {inside[:40]!r}, and no index such as 0 and no key=value"
