"""Make a strategy of a file's text, or say all that is wrong with it."""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, cast

import attrs

from bide.language.diagnostics import PolicySyntaxError
from bide.language.parse import parse
from bide.language.words import HEADS, WHOLE
from bide.policy.policy import Policy
from bide.policy.reachable import shadowed_by
from bide.strategy.cataloguing import SECTIONS, read_catalogue
from bide.strategy.contents import by_code
from bide.strategy.endpoints import Pattern
from bide.strategy.fields import Fields, Table
from bide.strategy.findings import Finding
from bide.strategy.places import FAILED, Places, checked_place
from bide.strategy.positions import Document, Path, Spot, locate, shown
from bide.strategy.strategy import Strategy

EVERY_SECTION: Final = ("api", "read", "rules", "policies", "endpoints", *SECTIONS)
API: Final = ("name", "title", "docs", "base_url")
_READ: Final = tuple(field.name for field in attrs.fields(Places))
NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
API_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_UNREACHABLE: Final = "can never decide"
_NARROW_FIRST: Final = "put the rule about fewer responses first, or leave the other one out"
_PLACE: Final = re.compile(r" \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")


class _Named(Mapping[str, Policy]):
    """The policies that a text may name, which remembers those that it was asked for."""

    def __init__(self, policies: Mapping[str, Policy]) -> None:
        self.policies = policies
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> Policy:
        self.asked.add(name)
        return self.policies[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.policies)

    def __len__(self) -> int:
        return len(self.policies)


def read(text: str, file: str) -> tuple[Strategy | None, list[Finding]]:
    """Return the strategy that a file's text says, or None and all that is wrong, in the order of the lines."""
    import tomllib  # loads datetime: only who loads a strategy pays for it

    document = Document(file, text.replace("\r\n", "\n"))
    try:
        data = tomllib.loads(document.text)
    except (ValueError, RecursionError) as error:
        return None, [_bad_toml(document, error)]
    reader = _Reader(document)
    strategy = reader.strategy(data)
    return strategy, sorted(reader.findings, key=lambda finding: (finding.line or 0, finding.column or 0))


def _bad_toml(document: Document, error: Exception) -> Finding:
    if isinstance(error, RecursionError):
        return document.finding_at("bad-toml", 0, 1, "this is nested too deeply to be read")
    said = str(error)
    at = _place_of(said, document.text)
    again = said.startswith(("Cannot declare", "Cannot overwrite", "Duplicate"))
    twice = _said_twice(document, at) if again else None
    if twice is not None:
        return twice
    advice = "a text stands in quotes, as in default = 'throttled'" if "Invalid value" in said else None
    what = f"this is no TOML: {_PLACE.sub('', said)[:200]}"
    return document.finding_at("bad-toml", at, at + 1, what, advice=advice)


def _place_of(said: str, text: str) -> int:
    """Return the offset that an error of `tomllib` tells, which has it in its text alone."""
    place = _PLACE.search(said)
    if place is None:
        return 0
    if place["line"] is None:
        return len(text)
    before = text.split("\n")[: int(place["line"]) - 1]
    return min(sum(len(line) + 1 for line in before) + int(place["column"]) - 1, len(text))


def _said_twice(document: Document, at: int) -> Finding | None:
    """Return the finding for the key before an offset, if it stood in the file already."""
    located = locate(document.text[:at])
    first: dict[Path, Spot] = {}
    for path, spot in located:
        first.setdefault(path, spot)
    last = located[-1][1].start if located else 0
    for path, spot in located:
        if first[path] is not spot and spot.start <= last <= max(spot.end, spot.value_end):
            line = document.text.count("\n", 0, first[path].start) + 1
            code = "duplicate-code" if path[0] == "errors" and len(path) == 2 else "duplicate-key"
            what = "is catalogued twice" if code == "duplicate-code" else "stands here twice"
            message = f"{path[-1][:60]!r} {what}; the first is on line {line}"
            advice = "leave one of them out"
            if code == "duplicate-code":
                advice += f"; if it has several statuses, write [[{shown(path)}]] for each"
            return document.finding_at(code, spot.start, spot.end, message, key=shown(path), advice=advice)
    return None


class _Reader(Fields):
    """Reads one file's tables, and gathers what is wrong."""

    def __init__(self, document: Document) -> None:
        super().__init__(document)
        self.raw: dict[str, Policy] = {}  # rules and policies so far, as they were written
        self.broken: set[str] = set()  # names of those that could not be read
        self.later: set[str] = set()  # names of policies further down
        self.used: set[str] = set()
        self.patterns: dict[str, Pattern | None] = {}  # of the endpoints; None: the text is none

    def strategy(self, data: Table) -> Strategy | None:
        self.unknown((), data, EVERY_SECTION, "section")
        api = self.table(("api",), data, required=True)
        places = self.places(self.table(("read",), data))
        rules = self.rules(self.table(("rules",), data), places)
        policies = self.policies(self.table(("policies",), data, required=True), places, rules)
        endpoints = self.endpoints(self.table(("endpoints",), data), places)
        documented = read_catalogue(self, data, places, self.patterns)
        texts = {key: self.text(("api", key), api, required=key != "base_url") for key in API}
        self.unknown(("api",), api, API, "key")
        name = texts["name"]
        if name is not None and not API_NAME.fullmatch(name):
            self.wrong("bad-name", ("api", "name"), "takes letters, digits, -, _ and . only")
        if self.findings:
            return None
        return Strategy(
            name=cast("str", name),
            title=cast("str", texts["title"]),
            docs=cast("str", texts["docs"]),
            base_url=texts["base_url"],
            read=places,
            rules=rules,
            policies=policies,
            endpoints=endpoints,
            **by_code(documented),
            document=self.document,
            used=frozenset(self.used),
            reread=read,
        )

    # -- sections

    def places(self, table: Table) -> Places:
        self.unknown(("read",), table, _READ, "key")
        found: dict[str, Any] = {}
        for key in _READ:
            if key == FAILED:
                continue
            place = self.text(("read", key), table)
            good = None if place is None else self.made("bad-place", ("read", key), checked_place, place)
            if good is not None:
                found[key] = good
        places = Places(**found)
        path = ("read", FAILED)
        failed = self.condition(path, self.text(path, table))
        return places if failed is None else attrs.evolve(places, failed=places.asked(failed))

    def rules(self, table: Table, places: Places) -> dict[str, Policy]:
        found: dict[str, Policy] = {}
        for name in table:
            path = ("rules", name)
            policy = self.policy(path, table, places, {}) if self.named_well(path) else None
            self.keep(name, policy, found, places)
        return found

    def policies(self, table: Table, places: Places, rules: Collection[str]) -> dict[str, Policy]:
        found: dict[str, Policy] = {}
        self.later = set(table)
        for name in table:
            path = ("policies", name)
            twice = name in rules
            if twice:
                self.wrong("bad-name", path, "is the name of a rule too; give one of them another name")
            good = self.named_well(path) and not twice
            policy = self.policy(path, table, places, self.raw) if good else None
            self.keep(name, policy, found, places)
            self.later.discard(name)
        if "default" not in table and self.has(("policies",)):
            example = " | ".join(rules) or "retry_on(5xx)"
            self.wrong(
                "missing-key", ("policies", "default"), "is missing: what every request has",
                advice=f"default = '{example[:200]}'",
            )  # fmt: skip
        return found

    def endpoints(self, table: Table, places: Places) -> dict[str, Policy]:
        found: dict[str, Policy] = {}
        seen: dict[Pattern, str] = {}
        for text in table:
            path = ("endpoints", text)
            pattern = self.made("bad-endpoint", path, Pattern.of, text, value=False)
            self.patterns[text] = pattern
            if pattern is not None and seen.setdefault(pattern, text) != text:
                self.wrong("bad-endpoint", path, f"says the same as {seen[pattern][:60]!r}")
            policy = self.policy(path, table, places, self.raw)
            if policy is not None:
                found[text] = places.applied(policy)
        return found

    # -- policy texts

    def policy(self, path: Path, table: Table, places: Places, known: Mapping[str, Policy]) -> Policy | None:
        """Return the policy of a text as it is written, without what `[read]` adds."""
        text = self.text(path, table, required=True)
        if text is None:
            return None
        named = _Named(known)
        try:
            policy = parse(text, rules=named)
        except PolicySyntaxError as error:
            self.refused(path, error, named)
            return None
        finally:
            self.used |= named.asked
        clauses = places.applied(policy).clauses
        for index, clause in enumerate(clauses):
            if shadowed_by(clause, clauses[:index]) is not None:
                what = f"rule {index + 1} {_UNREACHABLE}: those before it answer all of it"
                self.wrong("bad-policy", path, what, _NARROW_FIRST, value=True)
                return None
        return policy

    def refused(self, path: Path, error: PolicySyntaxError, named: _Named) -> None:
        """Say what is wrong with a policy's text, unless it names another that is wrong itself."""
        if named.asked & self.broken:
            return
        message = error.message
        later = sorted(named.asked & self.later)
        if later and path[0] == "policies":
            message = f"{later[0]!r} stands here or further down; a policy names only those above it"
        advice = _NARROW_FIRST if _UNREACHABLE in message else None
        self.findings.append(
            self.document.finding_within("bad-policy", path, message, error.start, error.width, advice)
        )

    def keep(self, name: str, policy: Policy | None, found: dict[str, Policy], places: Places) -> None:
        if policy is None:
            self.broken.add(name)
        else:
            self.raw[name] = policy
            found[name] = places.applied(policy)

    def named_well(self, path: Path) -> bool:
        name = path[-1]
        reserved = name in (*HEADS, WHOLE, "forever") or keyword.iskeyword(name) or not name.strip("_")
        if NAME.fullmatch(name) and not reserved:
            return True
        if reserved:
            self.wrong("bad-name", path, "is a word of the language; choose another name")
        else:
            better = re.sub(r"\W", "_", name, flags=re.ASCII)[:60]
            advice = better if NAME.fullmatch(better) else f"rule_{better}"
            self.wrong("bad-name", path, "is no name: write letters, digits and _ only", advice=advice)
        return False
