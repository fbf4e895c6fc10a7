"""Read a file's catalogue of errors: by code, by category, and by status where there is no code."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from bide.strategy.endpoints import Pattern
from bide.strategy.errors import CLASSES, EXPECTED, CataloguedError
from bide.strategy.fields import Fields, Table, kind
from bide.strategy.places import Places, checked_place
from bide.strategy.positions import Path, repeated

SECTIONS: Final = ("errors", "categories", "statuses")
REQUIRED: Final = ("decision", "meaning", "resolution")
TEXTS: Final = (*REQUIRED, "raises", "method", "example", "endpoint", "category", "details", "when")
"""What may be said of a documented error as a text."""
_SHARED: Final = (*TEXTS[:7], "headers")
KEYS: Final = {
    "errors": ("status", *_SHARED, *TEXTS[7:]),
    "categories": ("status", *_SHARED),
    "statuses": _SHARED,
}
METHOD: Final = re.compile(r"[A-Z]{1,32}")
STATUS: Final = re.compile(r"[1-5][0-9]{2}")
_EXAMPLES: Final = {"decision": '"give_up"'}


def read_catalogue(
    fields: Fields, data: Table, places: Places, endpoints: Mapping[str, Pattern | None]
) -> tuple[CataloguedError, ...]:
    """
    Return every documented error of a file, in its order; what is wrong with them goes to `fields`.

    Args:
        fields: What reads the file.
        data: The file.
        places: What its `[read]` says.
        endpoints: Its endpoints; None where the text is no pattern.
    """
    found = [
        error
        for section in SECTIONS
        for name in fields.table((section,), data)
        for error in _Named(fields, section, name, places, endpoints).errors(data[section][name])
    ]
    _see_that_none_stands_twice(fields, found)
    _see_that_categories_are_known(fields, found, places)
    return tuple(found)


class _Named:
    """Reads what is said under one name: a table, or an array of tables, one for each status of a code."""

    def __init__(
        self,
        fields: Fields,
        section: str,
        name: str,
        places: Places,
        endpoints: Mapping[str, Pattern | None],
    ) -> None:
        self.fields = fields
        self.section = section
        self.name = name
        self.places = places
        self.endpoints = endpoints

    def errors(self, said: Any) -> Iterator[CataloguedError]:
        path: Path = (self.section, self.name)
        if self.section == "statuses" and not STATUS.fullmatch(self.name):
            self.fields.wrong("bad-name", path, "is no HTTP status, 100 to 599", advice="[statuses.503]")
            return
        tables = _listed(said) if self.section == "errors" else [said]
        for index, table in enumerate(tables):
            yield from self.entry(repeated(path, index), self.fields.as_table(path, table))

    def entry(self, path: Path, table: Table) -> Iterator[CataloguedError]:
        """Yield what one table says: as many errors as it names statuses."""
        fields = self.fields
        before = len(fields.findings)
        if not fields.has(path[:2]) and not table:
            return
        fields.unknown(path, table, KEYS[self.section], "key")
        statuses = [int(self.name)] if self.section == "statuses" else self.statuses((*path, "status"), table)
        texts = {key: self.text((*path, key), table) for key in TEXTS}
        self.values(path, texts)
        when = fields.condition((*path, "when"), texts.pop("when"))
        headers = self.headers((*path, "headers"), table)
        if len(fields.findings) == before:
            said: dict[str, Any] = {key: text for key, text in texts.items() if text is not None}
            said["headers"] = headers
            said["when"] = None if when is None else self.places.asked(when)
            said.setdefault("method", self.method(texts["endpoint"]) or "GET")
            if self.section == "categories":
                said["category"] = self.name
            code = self.name if self.section == "errors" else None
            yield from (CataloguedError(code=code, status=status, at=path, **said) for status in statuses)

    def text(self, path: Path, table: Table) -> str | None:
        key = path[-1]
        return self.fields.text(path, table, required=key in REQUIRED, advice=_EXAMPLES.get(key, '"..."'))

    def values(self, path: Path, said: Mapping[str, str | None]) -> None:
        """See that what is said has a meaning."""
        fields = self.fields
        fields.one_of((*path, "decision"), said["decision"], EXPECTED)
        fields.one_of((*path, "raises"), said["raises"], CLASSES)
        if said["decision"] == "accept" and said["raises"] is not None:
            what = "says nothing: what is accepted is never raised"
            fields.wrong("bad-value", (*path, "raises"), what, advice="leave it out")
        if not METHOD.fullmatch(said["method"] or "GET"):
            what = "takes an HTTP method in capitals, such as POST"
            fields.wrong("bad-value", (*path, "method"), what, value=True)
        fields.one_of((*path, "endpoint"), said["endpoint"], self.endpoints)
        if said["method"] not in (None, self.method(said["endpoint"]) or said["method"]):
            what = f"is not the method of the endpoint {said['endpoint']!r:.60}"
            fields.wrong("bad-value", (*path, "method"), what, advice="leave it out", value=True)
        if said["details"] is not None:
            fields.made("bad-place", (*path, "details"), checked_place, said["details"])

    def method(self, endpoint: str | None) -> str | None:
        """Return the method that an endpoint's pattern names, or None."""
        pattern = self.endpoints.get(endpoint or "")
        return None if pattern is None else pattern.method

    def headers(self, path: Path, table: Table) -> tuple[tuple[str, str], ...]:
        """Return the headers that a table says, as pairs."""
        said = self.fields.table(path, table)
        for name in said:
            self.fields.made("bad-place", (*path, name), checked_place, f"header:{name}", value=False)
        values = {name: self.fields.text((*path, name), said) for name in said}
        return tuple((name, value) for name, value in values.items() if value is not None)

    def statuses(self, path: Path, table: Table) -> list[int]:
        """Return the status that a table says, or each of several."""
        if "status" not in table:
            self.fields.wrong("missing-key", path, "is missing", advice="status = 429")
            return []
        statuses: list[int] = []
        for status in _listed(table["status"]):
            if type(status) is not int or status not in range(100, 600):
                got = "another number" if type(status) is int else kind(status)
                self.fields.wrong(
                    "wrong-type", path, f"takes an HTTP status, 100 to 599, or a list of them; got {got}", value=True
                )  # fmt: skip
                return []
            statuses.append(status)
        return statuses


def _listed(said: object) -> list[object]:
    """Return the values of a list, or what is none as the only one."""
    return cast("list[object]", said) if isinstance(said, list) and said else [said]


def _see_that_none_stands_twice(fields: Fields, found: list[CataloguedError]) -> None:
    seen: dict[tuple[str | None, str | None, int], CataloguedError] = {}
    for error in found:
        key = (error.code, None if error.code else error.category, error.status)
        first = seen.setdefault(key, error)
        if first is not error:
            line = fields.document.finding("", first.path, "").line
            what = f"{error.label!r:.80} is catalogued twice; the first is on line {line}"
            fields.wrong("duplicate-code", error.path, what, advice="leave one of them out")


def _see_that_categories_are_known(fields: Fields, found: list[CataloguedError], places: Places) -> None:
    categories: dict[str, set[int]] = {}
    for error in found:
        if error.code is None and error.category is not None:
            categories.setdefault(error.category, set()).add(error.status)
    if categories and places.category is None:
        fields.wrong(
            "missing-key", ("read", "category"), "is missing: where a response says its category",
            advice='category = "error.type"',
        )  # fmt: skip
    for error in found:
        if error.code is None or error.category is None:
            continue
        path = (*error.path, "category")
        fields.one_of(path, error.category, categories)
        if error.status not in categories.get(error.category, {error.status}):
            what = f"{error.category!r:.60} is documented with another status than {error.status}"
            fields.wrong("bad-value", path, what, advice="correct one of the two statuses", value=True)
