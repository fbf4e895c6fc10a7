"""Which policy is for which request: patterns of method, host and path, of which the most specific wins."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Protocol, cast

import attrs

from bide.language.format import describe, format_policy
from bide.policy.conditions import glob_matches
from bide.policy.errors import PolicyError
from bide.policy.policy import Policy

_METHOD: Final = re.compile(r"\*|[A-Za-z]{1,32}")
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")
_HOST: Final = re.compile(r"(?:\*\.)?[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:.]+\]|\*")
_PARAM: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SPELLED: Final = re.compile(r"%[0-9A-Fa-f]{2}|[^\x00-\x7f]+")
_UNRESERVED: Final = re.compile(r"[A-Za-z0-9._~-]")
_STAR: Final = re.compile(rf"{_PARAM.pattern}|\*")
_PORTS: Final = {"http": 80, "https": 443}
_LONGEST: Final = 2048
_LAST_PORT: Final = 65_535
_LESS: Final = (
    "its path says less",
    "its host says less",
    "it takes any port",
    "it takes any method",
    "it says as much, and comes later in the alphabet",
    "it says as much, and comes later in the alphabet",
)
"""Why one pattern gives way to another, by the part of `Pattern.order` in which they differ."""


class PolicySource(Protocol):
    """Where policies come from, one for each endpoint: `Routes` and `Strategy` are such."""

    def policy_for(self, method: str, url: str) -> Policy:
        """Return the policy for a request."""
        ...


@attrs.frozen
class Target:
    """Where a request goes, in the parts that patterns look at; host and port are None when the URL is a path."""

    method: str | None
    host: str | None
    port: int | None
    segments: tuple[str, ...]

    @classmethod
    def of(cls, method: str | None, url: str) -> Target:
        """
        Return the parts of a URL, or of a path; query, fragment and userinfo are left out.

        Raises:
            PolicyError: it is neither a text nor a client's own URL.
        """
        said: Any = url
        if said is None or isinstance(said, (bytes, int)):
            raise PolicyError(
                f"a request is asked about by its URL or path, such as '/jobs/7'; got {said!r:.40}"
            )
        rest = str(url).partition("#")[0].partition("?")[0]
        host, port, path = None, None, rest
        scheme, absolute, after = rest.partition("://")
        if absolute and "/" not in scheme:
            authority, _, path = after.partition("/")
            host, port = _host_and_port(authority.rpartition("@")[2])
            port = _PORTS.get(scheme.lower()) if port is None else port
        return cls(None if method is None else method.upper(), host, port, _segments(path))


def _host_and_port(authority: str) -> tuple[str, int | None]:
    host, colon, port = authority.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or len(port) > 5:
        host, port = authority.removesuffix(":"), ""
    return host.lower().removesuffix("."), int(port) if port else None


def _segments(path: str) -> tuple[str, ...]:
    """Return the parts of a path, each in one spelling; a slash at its end says nothing."""
    inner = _SPELLED.sub(_one_spelling, path.removeprefix("/").removesuffix("/"))
    return tuple(inner.split("/")) if inner else ()


def _one_spelling(said: re.Match[str]) -> str:
    """Return a character as clients send it, for RFC 3986 lets them spell it in several ways."""
    if said[0][0] != "%":
        return "".join(f"%{byte:02X}" for byte in said[0].encode("utf-8", "surrogatepass"))
    meant = chr(int(said[0][1:], 16))
    return meant if _UNRESERVED.fullmatch(meant) else said[0].upper()


@attrs.frozen
class Pattern:
    """
    A set of requests: `[METHOD ][host]/path`, or `*`.

    In a path `{id}` is one segment or a part of one, and a `*` at the end is everything beneath. `text` is the pattern
    as it was written, `names` what the stars of each segment are called in it; two patterns are equal when they say the
    same.
    """

    method: str | None
    host: str | None
    port: int | None
    segments: tuple[str, ...]
    rest: bool
    text: str = attrs.field(eq=False)
    names: tuple[tuple[str, ...], ...] = attrs.field(eq=False)

    @classmethod
    def of(cls, text: str) -> Pattern:
        """
        Return the pattern that a text says.

        Raises:
            PolicyError: the text is no pattern.
        """
        if not isinstance(text, str) or not text.strip() or len(text) > _LONGEST:
            raise PolicyError(f"an endpoint is a text such as 'GET /search' or '*'; got {text!r:.40}")
        words = text.split()
        if len(words) > 2:
            raise PolicyError(f"an endpoint is a method and a path, such as 'GET /search'; got {text!r:.60}")
        method, target = (None, words[0]) if len(words) == 1 else (words[0], words[1])
        if method is not None and not _METHOD.fullmatch(method):
            raise PolicyError(f"{method!r:.40} is no HTTP method; write one, such as GET, or * for any")
        host, port, path = _target(target)
        segments = _segments(path)
        rest = bool(segments) and segments[-1] == "*"
        segments = segments[:-1] if rest else segments
        return cls(
            method=None if method in (None, "*") else str(method).upper(),
            host=host,
            port=port,
            segments=tuple(_segment(one) for one in segments),
            rest=rest,
            text=text,
            names=_names(segments),
        )

    @property
    def order(self) -> tuple[Any, ...]:
        """The more specific, the lower: by path, segment by segment, then by host, then by method."""
        path = (*map(_order, self.segments), *([(3, 0)] if self.rest else []))
        host = (2, 0) if self.host is None else _order(self.host)
        port = -1 if self.port is None else self.port
        return path, host, -port, self.method or "~", self.segments, self.host or ""

    @property
    def catches_all(self) -> bool:
        """Whether every request matches."""
        everywhere = self.host is None and self.port is None and self.method is None
        return everywhere and self.rest and not self.segments

    def matches(self, target: Target) -> bool:
        """Tell whether a request is one of these."""
        if self.method is not None and self.method != target.method:
            return False
        if self.host is not None and (target.host is None or not _fits(self.host, target.host)):
            return False
        if self.port is not None and self.port != target.port:
            return False
        asked, held = self.segments, target.segments
        if len(held) < len(asked) or (len(held) > len(asked) and not self.rest):
            return False
        return all(_fits(one, other) for one, other in zip(asked, held, strict=False))

    def params(self, target: Target) -> dict[str, str]:
        """Return what each `{name}` stands for in a request that matches, spelled as in a URL."""
        every = zip(self.names, self.segments, target.segments, strict=False)
        return {
            name: part
            for names, segment, held in every
            if names
            for name, part in zip(names, _parts(segment, held), strict=True)
            if name
        }

    def gives_way(self, other: Pattern) -> str:
        """Return why this pattern is less specific than another."""
        differs = (ours != theirs for ours, theirs in zip(self.order, other.order, strict=True))
        return next(said for said, yes in zip(_LESS, differs, strict=True) if yes)


def _target(target: str) -> tuple[str | None, int | None, str]:
    """Return host, port and path of a pattern."""
    if "://" in target:
        raise PolicyError(
            f"an endpoint is for any scheme; leave the scheme out: write {target.partition('://')[2][:60]!r}"
        )
    if "?" in target or "#" in target:
        raise PolicyError("an endpoint is matched by its path; leave out the query, from ? or # on")
    if target == "*":
        return None, None, "/*"
    authority, slash, path = target.partition("/")
    if not slash:
        raise PolicyError(_no_path(target[:40]))
    host, port = _host_and_port(authority)
    if authority and not _HOST.fullmatch(host):
        raise PolicyError(
            f"{authority!r:.60} is no host, such as api.example.com, *.example.com or host:8080"
        )
    if port is not None and not 0 < port <= _LAST_PORT:
        raise PolicyError(f"{authority!r:.60} has no port from 1 to {_LAST_PORT}")
    return None if host in ("", "*") else host, port, path


def _no_path(word: str) -> str:
    if word.upper() in _METHODS:
        return f"{word!r} is a method without a path; write '{word} /search', or '{word} *' for any path"
    return f"{word!r} has no path: write '/{word}' for a path, or '{word}/*' for a host"


def _segment(written: str) -> str:
    """Return a segment in which each `{name}` is a `*`."""
    segment = _PARAM.sub("*", written)
    if "{" in segment or "}" in segment:
        raise PolicyError(f"{written!r:.60}: a parameter is a name in braces, such as {{id}}")
    if "**" in segment:
        raise PolicyError(f"{written!r:.60}: write one * (at the end of a path it is everything beneath)")
    return segment


def _names(segments: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Return what the stars of each segment are called; a bare one has an empty name."""
    names = tuple(tuple(star[1] or "" for star in _STAR.finditer(one)) for one in segments)
    said = [name for some in names for name in some if name]
    twice = next((name for name in said if said.count(name) > 1), None)
    if twice is not None:
        path = "/".join(["", *segments])
        raise PolicyError(f"{path!r:.60} has {{{twice:.40}}} twice; give each parameter a name of its own")
    return names


def _parts(glob: str, text: str) -> list[str]:
    """Return what each star of a glob stands for in a text that fits it: as little as it can, the last one the rest."""
    first, *literals = glob.split("*")
    at, parts = len(first), list[str]()
    for literal in literals[:-1]:
        end = text.index(literal, at + 1)
        parts.append(text[at:end])
        at = end + len(literal)
    return [*parts, text[at : len(text) - len(literals[-1])]]


def _fits(pattern: str, text: str) -> bool:
    return glob_matches(pattern.replace("*", "?*"), text) if "*" in pattern else pattern == text


def _order(glob: str) -> tuple[int, int]:
    if "*" not in glob:
        return 0, 0
    literal = len(glob.replace("*", ""))
    return (1, -literal) if literal else (2, 0)


Rows = tuple[tuple[Pattern, Policy], ...]


@attrs.frozen
class Match:
    """
    Which endpoint a request is, and why.

    Attributes:
        pattern: The pattern that wins, as it was written.
        policy: Its policy.
        params: What each `{name}` of the pattern stands for in the request, spelled as in a URL: {"id": "7"}.
        also: The other patterns that match, the most specific first, and why each gives way: {"*": "its path says
            less"}.
    """

    pattern: str
    policy: Policy
    params: Mapping[str, str] = attrs.field(hash=False)
    also: Mapping[str, str] = attrs.field(hash=False)

    def __str__(self) -> str:
        """Return the pattern with its policy, the parameters, and what gives way, a line each."""
        lines = [f"{self.pattern}  {describe(self.policy)}"]
        lines += [f"  {{{name}}} is {part!r}" for name, part in self.params.items()]
        lines += [f"  {pattern} matches too: {why}" for pattern, why in self.also.items()]
        return "\n".join(lines)


def match_among(rows: Rows, method: str | None, url: str) -> Match:
    """Return which of these rows, the last of which takes every request, a request has."""
    target = Target.of(method, url)
    (pattern, policy), *others = (row for row in rows if row[0].matches(target))
    also = {other.text: other.gives_way(pattern) for other, _ in others}
    return Match(pattern.text, policy, pattern.params(target), also)


def rows_of(policies: Mapping[str, Policy]) -> Rows:
    """
    Return patterns and their policies, the most specific first, whatever the order in which they were given.

    Raises:
        PolicyError: a text is no pattern, a value no policy, or two patterns say the same.
    """
    rows = [(Pattern.of(text), policy) for text, policy in policies.items()]
    seen: dict[Pattern, str] = {}
    for pattern, policy in rows:
        if not isinstance(policy, Policy):
            raise PolicyError(
                f"{pattern.text!r:.60} takes a policy, such as retry_on(503); got {policy!r:.40}"
            )
        if pattern in seen:
            raise PolicyError(
                f"{pattern.text!r:.60} says the same as {seen[pattern]!r:.60}; leave one of them out"
            )
        seen[pattern] = pattern.text
    return tuple(sorted(rows, key=lambda row: row[0].order))


def _all_rows(policies: Any) -> Rows:
    if not isinstance(policies, Mapping):
        raise PolicyError('Routes takes a mapping, such as {"GET /search": p, "*": q}')
    rows = rows_of(cast("Mapping[str, Policy]", policies))
    if not rows or not rows[-1][0].catches_all:
        raise PolicyError(
            'Routes needs "*": what to do with every other request, such as {"*": give_up_on(anything)}'
        )
    return rows


@attrs.frozen(repr=False)
class Routes:
    """
    A policy for each endpoint: `Routes({"GET /search": p, "api.example.com/*": q, "*": r})`.

    The most specific pattern wins, whatever the order; policies are never merged. Immutable, hashable, picklable.

    Raises:
        PolicyError: a pattern is none, two say the same, a value is no policy, or "*" is missing.
    """

    rows: Rows = attrs.field(converter=_all_rows)

    def __reduce__(self) -> tuple[Any, ...]:
        return Routes, (self.policies,)

    @property
    def policies(self) -> dict[str, Policy]:
        """The policies by their patterns, the most specific first. A new dict each time."""
        return {pattern.text: policy for pattern, policy in self.rows}

    def policy_for(self, method: str, url: str) -> Policy:
        """Return the policy for a request; `url` may be absolute or a path."""
        target = Target.of(method, url)
        return next(policy for pattern, policy in self.rows if pattern.matches(target))

    def match(self, method: str, url: str) -> Match:
        """Return which pattern a request has, why, and what its parameters are."""
        return match_among(self.rows, method, url)

    def __str__(self) -> str:
        """Return one line for each pattern, the most specific first."""
        width = max(len(pattern.text) for pattern, _ in self.rows)
        return "\n".join(f"{pattern.text:<{width}}  {describe(policy)}" for pattern, policy in self.rows)

    def __repr__(self) -> str:
        inside = ", ".join(f"{pattern.text!r}: {_written(policy)}" for pattern, policy in self.rows)
        return f"Routes({{{inside}}})"


def _written(policy: Policy) -> str:
    """Return the Python that makes a policy; of one that no text can say, as much of it as there is."""
    try:
        return f"parse({format_policy(policy)!r})"
    except PolicyError:
        return repr(policy)
