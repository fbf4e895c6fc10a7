"""Errors in policy text: where, what, and what to write instead, with a caret under the span."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, Final

from bide.policy.errors import PolicyError

_LONGEST_LINE: Final = 80
_LONGEST_WORD: Final = 40


class PolicySyntaxError(PolicyError):
    """
    A text that is no policy.

    Attributes:
        message: What is wrong, and what to write instead.
        line, column: Where, both from 1; columns count characters.
        width: How many characters the span has, at least 1.
        text: The whole text.
    """

    def __init__(self, message: str, text: str, start: int, end: int) -> None:
        start = min(max(start, 0), len(text))
        before = text[:start]
        self.message = message
        self.text = text
        self.start = start
        self.line = before.count("\n") + 1
        self.column = start - (before.rfind("\n") + 1) + 1
        rest = text[start : max(end, start + 1)].partition("\n")[0]
        self.width = max(1, len(rest))
        super().__init__(message)

    def __str__(self) -> str:
        shown, shift = _window(self.text.split("\n")[self.line - 1].rstrip("\r"), self.column - 1)
        width = max(1, min(self.width, len(shown) - shift))
        return f"{self.message}\n  line {self.line}, column {self.column}\n    {shown}\n    {' ' * shift}{'^' * width}"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.message, self.text, self.start, self.start + self.width)


def _window(line: str, column: int) -> tuple[str, int]:
    """Return at most 80 characters around a column, control characters made visible, and where the column is."""
    first = max(0, min(column - _LONGEST_LINE // 2, len(line) - _LONGEST_LINE))
    part = line[first : first + _LONGEST_LINE]
    return "".join(
        char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in part
    ), column - first


def quoted(word: str) -> str:
    """Return a word in quotes, cut and escaped, fit for a message."""
    return ascii(word[:_LONGEST_WORD]) if not word.isascii() else repr(word[:_LONGEST_WORD])


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ": did you mean 'x'?" for the nearest known word, else the known words."""
    options = sorted(known)
    near = get_close_matches(word[:_LONGEST_WORD], options, n=1, cutoff=0.6) or get_close_matches(
        word[:_LONGEST_WORD].lower(), options, n=1, cutoff=0.8
    )
    if near:
        return f": did you mean {near[0]!r}?"
    return f": there is {', '.join(options)}" if options else ""
