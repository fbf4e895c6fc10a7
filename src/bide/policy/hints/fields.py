"""
Take rate-limit fields apart: the structured `RateLimit` list, and the looser `key=value` forms beside it.

Source: IETF draft-ietf-httpapi-ratelimit-headers-10; RFC 9651 (structured fields).
"""

from __future__ import annotations

import re

from bide.policy.hints.amounts import number, seconds

_STRING = r'"[^"\\]*+(?:\\["\\][^"\\]*+)*"'
_PARAMETER = rf'[ ]*+;[ ]*+([a-z*][a-z0-9_.*-]*+)(?:=({_STRING}|[^\s",;]++))?'
_PARAMETERS = re.compile(_PARAMETER)
_MEMBER = re.compile(
    rf'[ \t]*+(?P<item>{_STRING}|[^\s",;]++)(?P<parameters>(?:{_PARAMETER})*)[ \t]*+(?:,|\Z)'
)
_DIGITS = re.compile(r"[0-9]++")


def items(text: str) -> list[tuple[str, dict[str, str]]]:
    """
    Take a structured list of strings with parameters apart.

    Args:
        text: The field's lines, joined by commas: `"burst";q=100;w=60,"daily";q=1000;w=86400`.

    Returns:
        (name, parameters as they are spelled) of each member that is a string, in order; of a parameter given
        twice, the last. Members of another type are left out; a text that is no such list gives nothing at
        all.
    """
    found: list[tuple[str, dict[str, str]]] = []
    position = 0
    while position < len(text):
        match = _MEMBER.match(text, position)
        if match is None:
            return []
        position = match.end()
        name = match["item"]
        if name.startswith('"'):
            parameters = dict(_PARAMETERS.findall(match["parameters"]))
            found.append((re.sub(r"\\(.)", r"\1", name[1:-1]), parameters))
    return found


def pairs(text: str) -> dict[str, str]:
    """Take `total=100; remaining=0; resets=41` apart, also with commas between; keys in lower case."""
    split = (part.partition("=") for part in re.split("[,;]", text))
    return {key.strip(" \t").lower(): spelled.strip(" \t") for key, sign, spelled in split if sign}


def exhausted(text: str) -> float | None:
    """
    Say when a `RateLimit` field lets its reader come back.

    Args:
        text: The field's lines, joined by commas, in the shape of draft 10 or of the drafts before it.

    Returns:
        Seconds: the longest `t` among the policies with nothing left (`r=0`), for only they hold anybody
        back. None when there is no such policy.
    """
    policies = [parameters for _, parameters in items(text)]
    waits = [_whole(policy.get("t")) for policy in policies if _whole(policy.get("r")) == 0]
    usable = [wait for wait in waits if wait is not None]
    return max(usable) if usable else counted(text)


def counted(text: str) -> float | None:
    """Read the seconds of `reset` or `resets` from a `key=value` field whose `remaining` is 0, or None."""
    found = pairs(text)
    if number(found.get("remaining", "")) != 0:
        return None
    return seconds(found.get("reset", found.get("resets", "")))


def is_used_up(remaining: str) -> bool:
    """Tell whether the text of a `*-Remaining` header, `0` or `0;w=21600`, says that nothing is left."""
    text = remaining.partition(";")[0].strip(" \t")
    return number(text.removeprefix("-")) == 0 or (text.startswith("-") and number(text[1:]) is not None)


def _whole(spelled: str | None) -> float | None:
    # The draft's parameters are integers: "30" in quotes or 30.5 is of a wrong type, so it says nothing.
    return seconds(spelled) if spelled and _DIGITS.fullmatch(spelled) else None
