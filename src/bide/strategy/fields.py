"""The values of a file's tables, each of the type that it should have, and all that is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Final, TypeVar, cast

from bide.language.diagnostics import PolicySyntaxError, did_you_mean
from bide.language.parse import parse_condition
from bide.policy.condition import Condition
from bide.policy.errors import PolicyError
from bide.strategy.findings import Finding
from bide.strategy.positions import Document, Path

T = TypeVar("T")
Table = dict[str, Any]

_KINDS: Final[dict[type, str]] = {
    str: "a text", bool: "true or false", int: "a whole number", float: "a number", list: "a list", dict: "a table",
}  # fmt: skip


class Fields:
    """Reads values out of a file's tables, and gathers what is wrong in `findings`."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.findings: list[Finding] = []
        self.wrong_keys: set[Path] = set()

    def has(self, path: Path) -> bool:
        """Tell whether a section is as it should be: one that is missing is not asked for its keys as well."""
        return path not in self.wrong_keys

    def table(self, path: Path, parent: Table, *, required: bool = False) -> Table:
        """Return a table, or an empty one if it is missing or none."""
        key = path[-1]
        if key not in parent:
            if required:
                self.wrong("missing-section", path, "is missing", advice=f"add a section [{key}]")
            return {}
        return self.as_table(path, parent[key])

    def as_table(self, path: Path, value: Any) -> Table:
        """Return a value that is a table, or an empty one."""
        if isinstance(value, dict):
            return cast("Table", value)
        self.wrong("wrong-type", path, f"takes a table; got {kind(value)}", advice=f"[{'.'.join(path)}]")
        return {}

    def text(self, path: Path, table: Table, *, required: bool = False, advice: str = '"..."') -> str | None:
        """Return a text that is not empty, or None if it is missing or none."""
        key = path[-1]
        if key not in table:
            if required and self.has(path[:1]):
                self.wrong("missing-key", path, "is missing", advice=f"{key} = {advice}")
            return None
        value = table[key]
        if isinstance(value, str) and value.strip():
            return value
        got = "an empty one" if isinstance(value, str) else kind(value)
        self.wrong("wrong-type", path, f"takes a text; got {got}", value=True)
        return None

    def one_of(self, path: Path, said: str | None, known: Collection[str]) -> None:
        """See that a text is one of those known."""
        if said is not None and said not in known:
            message = f"{said[:60]!r} is none of those known{did_you_mean(said, known)}"
            self.wrong("bad-value", path, message, value=True)

    def made(
        self, code: str, path: Path, make: Callable[[str], T], said: str, *, value: bool = True
    ) -> T | None:
        """Return what is made of a text, or None if it is refused."""
        try:
            return make(said)
        except PolicyError as error:
            self.wrong(code, path, str(error), value=value)
            return None

    def condition(self, path: Path, said: str | None) -> Condition | None:
        """Return the condition that a text says, or None if there is no text, or it says none."""
        try:
            return None if said is None else parse_condition(said)
        except PolicySyntaxError as error:
            self.wrong_keys.add(path)
            place = (error.start, error.width)
            self.findings.append(self.document.finding_within("bad-condition", path, error.message, *place))
            return None

    def unknown(self, path: Path, table: Table, known: Collection[str], what: str) -> None:
        """See that a table has no key but those known."""
        for key in table:
            if key not in known:
                message = f"unknown {what}{did_you_mean(key, known)}"
                self.wrong(f"unknown-{what}", (*path, key), message)

    def wrong(
        self, code: str, path: Path, message: str, advice: str | None = None, *, value: bool = False
    ) -> None:
        """Note what is wrong with a key, or with its value."""
        self.wrong_keys.add(path)
        self.findings.append(self.document.finding(code, path, message, advice, value=value))


def kind(value: Any) -> str:
    """Return what type of TOML value this is, for people."""
    return next((said for one, said in _KINDS.items() if isinstance(value, one)), "a date or time")
