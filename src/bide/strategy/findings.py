"""What is wrong in a strategy file: where, what, and what to write instead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import attrs

from bide.policy.errors import PolicyError

_LONGEST_EXCERPT: Final = 100


@attrs.frozen
class Finding:
    """
    One thing wrong in a strategy file.

    Attributes:
        code: One word for what kind of thing it is, such as "bad-policy" or "undecided-code".
        message: What is wrong.
        file: The file, as it was named.
        key: The key, dotted as it could be written, such as `rules.throttled`.
        advice: What to write instead.
        line, column: Where, both from 1; columns count characters. None: the file as a whole.
        width: How many characters it covers.
        excerpt: The whole line.
    """

    code: str
    message: str
    file: str
    key: str | None = None
    advice: str | None = None
    line: int | None = None
    column: int | None = None
    width: int = 1
    excerpt: str = ""

    def __str__(self) -> str:
        """Return the finding with the line that it is about and a caret under the span, as linters do."""
        place = self.file if self.line is None else f"{self.file}:{self.line}:{self.column}"
        key = "" if self.key is None else f"{self.key}: "
        lines = [f"{place}: {self.code}: {key}{self.message}"]
        if self.line is not None and self.column is not None:
            shown, shift = _window(self.excerpt, self.column - 1)
            width = max(1, min(self.width, len(shown) - shift))
            margin = " " * len(str(self.line))
            lines += [
                f"{margin} |",
                f"{self.line} | {shown}",
                f"{margin} | {' ' * shift}{'^' * width}",
            ]
        if self.advice is not None:
            lines.append(f"  = advice: {self.advice}")
        return "\n".join(lines)


def _window(line: str, column: int) -> tuple[str, int]:
    """Return the part of a line around a column, fit for a terminal, and where the column is in it."""
    first = max(0, min(column - _LONGEST_EXCERPT // 2, len(line) - _LONGEST_EXCERPT))
    part = line[first : first + _LONGEST_EXCERPT].replace("\t", " ")
    return "".join(
        char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in part
    ), column - first


class StrategyError(PolicyError):
    """
    A strategy that cannot be loaded: `findings` says all that is wrong, and the error itself the first of it.

    The first finding's `message`, `file`, `line`, `column`, `key` and `advice` are the error's own.
    """

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        first = self.findings[0]
        self.message = first.message
        self.file = first.file
        self.line = first.line
        self.column = first.column
        self.key = first.key
        self.advice = first.advice
        super().__init__(self.message)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.findings,), self.__dict__

    def __str__(self) -> str:
        more = len(self.findings) - 1
        return str(self.findings[0]) + (f"\n({more} more: `bide check` shows them all)" if more else "")
