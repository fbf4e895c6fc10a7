"""Whether each pace that is kept by a part of the path is of requests whose pattern names that part."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from bide.language.diagnostics import did_you_mean
from bide.policy.limits import Pace, PaceByHeaders
from bide.policy.policy import Policy
from bide.strategy.contents import Contents
from bide.strategy.endpoints import Pattern
from bide.strategy.findings import Finding
from bide.strategy.positions import Path, shown

_ALWAYS: Final = ("host", "endpoint", "policy")
_ADVICE: Final = 'name it in the pattern, as in per="id" for "POST /items/{id}"; or say per="host"'


def unnamed_parts(contents: Contents) -> Iterator[Finding]:
    """Yield a finding for each pace by a part that is not there: it would stop the calls that have it."""
    patterns = {text: Pattern.of(text) for text in contents.endpoints}
    named = {text: [*_named(pattern)] for text, pattern in patterns.items()}
    for text, policy in contents.endpoints.items():
        for pace in _by_part(policy):
            if pace.per not in named[text]:
                nearest = did_you_mean(pace.per, (*_ALWAYS, *named[text]))
                what = f"this endpoint's pattern has no part {pace.per!r:.60}{nearest}"
                yield _finding(contents, ("endpoints", text), pace, what)
    of_the_rest = not any(pattern.catches_all for pattern in patterns.values())
    for name, policy in contents.policies.items():
        for pace in _by_part(policy):
            if name == "default" and of_the_rest:
                what = f"requests that no endpoint is about have no part {pace.per!r:.60}"
            elif any(
                pace in _by_part(used) and pace.per in named[text]
                for text, used in contents.endpoints.items()
            ):
                continue
            else:
                what = f"no endpoint with a part {pace.per!r:.60} has this policy"
            yield _finding(contents, ("policies", name), pace, what)


def _named(pattern: Pattern) -> Iterator[str]:
    """Yield the names of a pattern's parts."""
    return (name for names in pattern.names for name in names if name)


def _by_part(policy: Policy) -> list[Pace | PaceByHeaders]:
    """Return what a policy says of a pace, where that is kept by a part of the path."""
    said = (policy.limits.pace, policy.limits.pace_by_headers)
    return [pace for pace in said if pace is not None and pace.per not in _ALWAYS]


def _finding(contents: Contents, path: Path, pace: Pace | PaceByHeaders, what: str) -> Finding:
    message = f".{pace.spelled}(per={pace.per!r:.60}): {what}"
    if contents.document is None:
        return Finding("unnamed-part", message, contents.name, key=shown(path), advice=_ADVICE)
    said = re.compile(rf"""\.{pace.spelled}\s*\([^()]*?(per\s*=\s*\\?["']{re.escape(pace.per)}\\?["'])""")
    return contents.document.finding_on("unnamed-part", path, said, message, _ADVICE)
