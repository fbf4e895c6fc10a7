"""Where the keys of a TOML text stand, which `tomllib` does not tell."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Final

import attrs

from bide.strategy.findings import Finding

Path = tuple[str, ...]

_BLANK: Final = re.compile(r"(?:[ \t\n]++|\#[^\n]*+)*+")
_SPACE: Final = re.compile(r"[ \t]*+")
_KEY: Final = re.compile(r"""[A-Za-z0-9_-]++|"(?:\\.|[^"\\\n])*+"|'[^'\n]*+'""")
_STRING: Final = re.compile(
    r'''"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?'{3,5}|"(?:\\.|[^"\\\n])*+"|'[^'\n]*+\'''',
    re.DOTALL,
)
_SCALAR: Final = re.compile(r"""[^\n,\[\]{}\#"']*+""")
_NEXT_LINE: Final = re.compile(r"[^\n]*+\n?")
_ESCAPE: Final = re.compile(r"\\(?:u.{4}|U.{8}|x..|[ \t]*\n[ \t\n]*|.)", re.DOTALL)
_DEEPEST: Final = 8


@attrs.frozen
class Spot:
    """Offsets in the text: of a key or a table's header, and of its value (empty for a header)."""

    start: int
    end: int
    value: int
    value_end: int


class _Scanner:
    """
    Reads the keys of a text that is TOML; of one that is not, those that can be made out.

    Never fails and always moves on, whatever the text.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def statements(self) -> Iterator[tuple[Path, Spot]]:
        table: Path = ()
        repeats: dict[Path, int] = {}
        self.skip(_BLANK)
        while self.at < len(self.text):
            before = self.at
            if self.text[self.at] == "[":
                of_several = self.text.startswith("[[", self.at)
                self.at += 2 if of_several else 1
                table, spot = self.key()
                if of_several:
                    repeats[table] = repeats.get(table, -1) + 1
                    table = repeated(table, repeats[table])
                yield table, attrs.evolve(spot, value=spot.end, value_end=spot.end)
                self.skip(_NEXT_LINE)
            else:
                yield from self.pair(table, 0)
            if self.at == before:
                self.skip(_NEXT_LINE)
            self.skip(_BLANK)

    def skip(self, what: re.Pattern[str]) -> str:
        match = what.match(self.text, self.at)
        assert match is not None  # all that is skipped may be empty
        self.at = match.end()
        return match[0]

    def key(self) -> tuple[Path, Spot]:
        """Read a dotted key."""
        parts: list[str] = []
        self.skip(_SPACE)
        start = end = self.at
        while match := _KEY.match(self.text, self.at):
            parts.append(_plain(match[0]))
            end = self.at = match.end()
            self.skip(_SPACE)
            if not self.text.startswith(".", self.at):
                break
            self.at += 1
            self.skip(_SPACE)
        return tuple(parts), Spot(start, end, end, end)

    def pair(self, table: Path, depth: int) -> Iterator[tuple[Path, Spot]]:
        """Read `key = value`, and what is inside when that is an inline table."""
        path, spot = self.key()
        if not path or not self.text.startswith("=", self.at):
            return
        self.at += 1
        self.skip(_SPACE)
        path, start = table + path, self.at
        inside = list(self.inline(path, depth + 1)) if self.text.startswith("{", start) else []
        if not inside:
            self.at = start
            self.value()
        value_end = start + len(self.text[start : self.at].rstrip())
        yield path, attrs.evolve(spot, value=start, value_end=value_end)
        yield from inside

    def inline(self, table: Path, depth: int) -> Iterator[tuple[Path, Spot]]:
        if depth > _DEEPEST:
            return
        self.at += 1
        while True:
            self.skip(_BLANK)
            before = self.at
            yield from self.pair(table, depth)
            self.skip(_BLANK)
            if self.text.startswith(",", self.at):
                self.at += 1
            elif self.text.startswith("}", self.at):
                self.at += 1
                return
            elif self.at == before:
                return

    def value(self) -> None:
        """Skip a value."""
        level = 0
        while self.at < len(self.text):
            char = self.text[self.at]
            string = _STRING.match(self.text, self.at)
            if string is not None:
                self.at = string.end()
            elif char in "[{":
                level += 1
                self.at += 1
            elif level and char in "]}":
                level -= 1
                self.at += 1
            elif level and char in ",\n#":
                self.at += 1 if char != "#" else 0
                self.skip(_BLANK)
            elif not self.skip(_SCALAR):
                return
            if not level:
                return


def _plain(key: str) -> str:
    """Return a key without its quotes."""
    if key[0] == "'":
        return key[1:-1]
    return "".join(char for char, _ in _decoded(key[1:-1], 0)) if key[0] == '"' else key


def _decoded(body: str, start: int) -> Iterator[tuple[str, int]]:
    """Yield the characters that the inside of a quoted text stands for, and the offset of each."""
    at = 0
    while at < len(body):
        escape = _ESCAPE.match(body, at)
        if escape is None:
            yield body[at], start + at
            at += 1
            continue
        if not escape[0][1:].isspace():
            yield _meant(escape[0]), start + at
        at = escape.end()


def _meant(escape: str) -> str:
    simple = _ESCAPES.get(escape[1:])
    if simple is not None:
        return simple
    try:
        return chr(int(f"0x{escape[2:]}", 0))
    except (ValueError, OverflowError):
        return escape[1]


_ESCAPES: Final = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b", '"': '"', "\\": "\\"}


def repeated(path: Path, index: int) -> Path:
    """Return the path of one table of an array of tables: of the first that of the array."""
    return (*path, f"[{index}]") if index else path


def locate(text: str) -> list[tuple[Path, Spot]]:
    """
    Return every key and table header of a TOML text with its offsets, in the order in which they stand.

    A key has the path of its table before its own; for what an array of tables repeats see `repeated`.
    """
    return list(_Scanner(text).statements())


def offsets(written: str, start: int) -> list[int]:
    """
    Return where each character of a text value stands, and one more for its end.

    Args:
        written: The value with its quotes.
        start: Its offset.
    """
    fence = 3 if written[:3] in ('"""', "'''") else 1
    first = fence + written.startswith("\n", fence) * (fence == 3)
    body, at = written[first:-fence], start + first
    if written[0] == "'":
        return [*range(at, at + len(body) + 1)]
    return [*(offset for _, offset in _decoded(body, at)), at + len(body)]


@attrs.frozen(eq=False)
class Document:
    """A strategy file's text, and where its keys stand."""

    file: str
    text: str
    _spots: dict[Path, Spot] = attrs.field(init=False, repr=False)
    _lines: list[int] = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        spots: dict[Path, Spot] = {}
        located = locate(self.text)
        for path, spot in located:
            spots.setdefault(path, spot)
        for path, spot in located:  # tables that no header names: where their first key stands
            for size in range(1, len(path)):
                spots.setdefault(path[:size], attrs.evolve(spot, value=spot.end, value_end=spot.end))
        object.__setattr__(self, "_spots", spots)
        breaks = (at + 1 for at, char in enumerate(self.text) if char == "\n")
        object.__setattr__(self, "_lines", [0, *breaks])

    def finding(
        self, code: str, path: Path, message: str, advice: str | None = None, *, value: bool = False
    ) -> Finding:
        """Return a finding about a key, or about its value; where the key is missing, about its table."""
        spot = self._nearest(path)
        asked = value and path in self._spots and spot.value < spot.value_end
        start, end = (spot.value, spot.value_end) if asked else (spot.start, spot.end)
        return self.finding_at(code, start, end, message, key=shown(path), advice=advice)

    def finding_within(
        self, code: str, path: Path, message: str, start: int, width: int, advice: str | None = None
    ) -> Finding:
        """Return a finding about some characters of a text value, counted from 0 in the text that it stands for."""
        spot = self._nearest(path)
        places = offsets(self.text[spot.value : spot.value_end], spot.value)
        first = places[min(start, len(places) - 1)]
        last = places[min(start + width, len(places) - 1)]
        return self.finding_at(code, first, last, message, key=shown(path), advice=advice)

    def finding_on(
        self, code: str, path: Path, said: re.Pattern[str], message: str, advice: str | None = None
    ) -> Finding:
        """Return a finding about the group of a match in a value as it is written; without one, about the value."""
        spot = self._nearest(path)
        match = said.search(self.text, spot.value, spot.value_end)
        if match is None:
            return self.finding(code, path, message, advice, value=True)
        return self.finding_at(code, *match.span(1), message, key=shown(path), advice=advice)

    def finding_at(
        self,
        code: str,
        start: int,
        end: int,
        message: str,
        *,
        key: str | None = None,
        advice: str | None = None,
    ) -> Finding:
        """Return a finding about the characters between two offsets."""
        line = bisect_right(self._lines, start)
        first = self._lines[line - 1]
        following = self._lines[line] - 1 if line < len(self._lines) else len(self.text)
        return Finding(
            code=code,
            message=message,
            file=self.file,
            key=key or None,
            advice=advice,
            line=line,
            column=start - first + 1,
            width=max(1, min(end, following) - start),
            excerpt=self.text[first:following],
        )

    def _nearest(self, path: Path) -> Spot:
        known = (path[:size] for size in range(len(path), 0, -1))
        return next((self._spots[one] for one in known if one in self._spots), Spot(0, 0, 0, 0))


_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_LONGEST_SHOWN: Final = 80
_INDEX: Final = re.compile(r'\."(\[[0-9]+\])"')


def shown(path: Path) -> str:
    """Return a path as a dotted key, at most 80 characters of it: parts in quotes where TOML wants them, nothing raw."""
    parts = (part if _BARE.fullmatch(part) else f'"{_printable(part[:60])}"' for part in path)
    return _INDEX.sub(r"\1", ".".join(parts))[:_LONGEST_SHOWN]


def _printable(part: str) -> str:
    """Return a key with what would move a cursor, or turn a line around, written as TOML escapes it."""
    return "".join(sign if sign.isprintable() else f"\\U{ord(sign):08X}" for sign in part)
