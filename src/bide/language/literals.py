"""The literals that Python lacks (5xx, 500-504, 30s, 20%), rewritten to the same length so that columns stay exact."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import attrs

from bide.language.diagnostics import PolicySyntaxError, quoted
from bide.policy.durations import LONGEST_NUMBER, parse_duration

LONGEST_TEXT: Final = 65_536
DEEPEST: Final = 64
_MOST_WORDS: Final = 20_000


@attrs.frozen(eq=False, repr=False)
class Duration:
    """Seconds, as `30s` writes them."""

    seconds: float


@attrs.frozen(eq=False, repr=False)
class Share:
    """A share, as `20%` writes it."""

    share: float


@attrs.frozen(eq=False, repr=False)
class Range:
    """Statuses, as `5xx` or `500-504` writes them."""

    statuses: str


Literal = Duration | Share | Range

_TOKEN: Final = re.compile(
    r"""
      (?P<space>[ \t\r\n]+)
    | (?P<comment>\#[^\n]*)
    | (?P<string>"(?:\\.|[^"\\\r\n])*"|'(?:\\.|[^'\\\r\n])*')
    | (?P<number>[0-9][0-9A-Za-z_.]*(?:-[0-9][0-9A-Za-z_.]*|%)?)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<sign>[()\[\]{}.,=|&~:+*/%<>!@^;\-])
    """,
    re.VERBOSE,
)
_STATUS_CLASS: Final = re.compile(r"[1-5][xX]{2}")
_STATUS_RANGE: Final = re.compile(r"[0-9]{3}-[0-9]{3}")
_SHARE: Final = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,9})?)%")
_NUMBER: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_LIKE_A_CLASS: Final = re.compile(r"[1-5](?:[xX]+|[0-9][xX])(?![0-9])")
_LIKE_A_DURATION: Final = re.compile(
    r"([0-9][0-9_.]*)(milli(?:second)?s?|ms(?:ecs?)?|s(?:ec(?:ond)?s?)?|m(?:in(?:ute)?s?)?|h(?:(?:ou)?rs?)?)",
    re.IGNORECASE,
)
_QUOTES: Final = "\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb\u2039\u203a\u2032\u2033\u00b4`"
_DASHES: Final = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
_WIDE: Final = range(0xFF01, 0xFF5F)
"""The full-width forms of ASCII's characters, each as far from its own."""
_PLACEHOLDER: Final = "_"
_BLANK: Final = ("space", "comment")
_OPENING: Final = ("(", "[", "{")
_CLOSING: Final = (")", "]", "}")
_ESCAPE: Final = re.compile(
    r"""\\(?:[\\'"nrt]|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U00(?:0[0-9A-Fa-f]|10)[0-9A-Fa-f]{4})|\\.""", re.DOTALL
)


@attrs.frozen(eq=False, repr=False)
class Rewritten:
    """Text that Python's grammar can read, as long as the original, and the literals by their offset."""

    text: str
    literals: dict[int, Literal]


def rewrite(text: str) -> Rewritten:
    """
    Replace literals by names of the same length, comments and line ends by blanks.

    Raises:
        PolicySyntaxError: a character that is no part of the language, an unknown literal, too long, too deep.
    """
    if len(text) > LONGEST_TEXT:
        raise PolicySyntaxError(
            f"a policy is at most {LONGEST_TEXT} characters long; this is {len(text)}", "", 0, 1
        )
    parts: list[str] = []
    literals: dict[int, Literal] = {}
    depth = run = words = 0
    before = ""
    for at, kind, token in _tokens(text):
        parts.append(_replaced(text, at, kind, token, literals))
        if kind in _BLANK:
            before = before if before == "string" else ""
            continue
        if kind == "string":
            _check_string(text, at, token, before)
        depth, run = _nesting(text, at, token, depth, run)
        before = kind
        words += 1
        if words > _MOST_WORDS:
            raise PolicySyntaxError(f"a policy has at most {_MOST_WORDS} words and signs", text, at, at + 1)
    return Rewritten("".join(parts), literals)


def masked(text: str) -> str:
    """Return a text as long, with blanks for its comments and line ends, and nothing of what stands in quotes."""
    return "".join(
        f'"{"_" * (len(token) - 2)}"' if kind == "string" else " " * len(token) if kind in _BLANK else token
        for _, kind, token in _tokens(text)
    )


def _tokens(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield where each word, sign or blank begins, its kind, and itself."""
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _stray(text, at)
        yield at, str(match.lastgroup), match[0]
        at = match.end()


def _nesting(text: str, at: int, sign: str, depth: int, run: int) -> tuple[int, int]:
    """Count brackets, and signs that stand before what they change (`~~~a`): each is a level."""
    depth += (sign in _OPENING) - (sign in _CLOSING)
    run = run + 1 if sign in ("~", "-", "+") else 0
    if depth > DEEPEST or run > DEEPEST:
        raise PolicySyntaxError(f"a policy is at most {DEEPEST} levels deep", text, at, at + 1)
    return depth, run


def _check_string(text: str, at: int, token: str, before: str) -> None:
    """Refuse what cannot be seen in a text, escapes that are none, and what Python would glue to it."""
    if before == "string":
        raise PolicySyntaxError(
            "two texts stand side by side; put a comma between them", text, at, at + len(token)
        )
    if before == "name":
        raise PolicySyntaxError(
            "a text takes no prefix; write it in plain quotes", text, at - 1, at + len(token)
        )
    for offset, char in enumerate(token):
        if not char.isprintable():
            raise PolicySyntaxError(
                f"U+{ord(char):04X} cannot be seen; write it as {ascii(char)[1:-1]}", text, at + offset, 0
            )
    for escape in _ESCAPE.finditer(token):
        if len(escape[0]) == 2 and escape[0][1] not in "\\'\"nrt":  # a backslash and a character
            what = f"{quoted(escape[0])} is no escape; write a backslash twice"
            raise PolicySyntaxError(what, text, at + escape.start(), at + escape.end())


def _replaced(text: str, at: int, kind: str, token: str, literals: dict[int, Literal]) -> str:
    if kind in _BLANK:
        return " " * len(token)
    if kind != "number" or (_NUMBER.fullmatch(token) and len(token) <= LONGEST_NUMBER):
        if kind == "name" and not token.strip(_PLACEHOLDER):
            raise PolicySyntaxError(f"{quoted(token)} is no word of the language", text, at, at + len(token))
        return token
    literal = _literal(token)
    if literal is None:
        raise PolicySyntaxError(_what_instead(token), text, at, at + len(token))
    literals[at] = literal
    return _PLACEHOLDER * len(token)


def _literal(token: str) -> Literal | None:
    if _STATUS_CLASS.fullmatch(token) or _STATUS_RANGE.fullmatch(token):
        return Range(token.lower())
    if match := _SHARE.fullmatch(token):
        return Share(float(match[1]) / 100)
    seconds = parse_duration(token)
    return None if seconds is None else Duration(seconds)


def _what_instead(token: str) -> str:
    shown = quoted(token)
    if len(token) > LONGEST_NUMBER:
        return f"{shown}... is too long for a number or a duration"
    if _LIKE_A_CLASS.match(token):
        return f"{shown} is no status; a class is written 5xx, a range 500-504, and both stand in a head"
    if match := _LIKE_A_DURATION.fullmatch(token):
        unit = match[2].lower()
        written = match[1].replace("_", "") + ("ms" if unit.startswith(("ms", "mil")) else unit[0])
        if parse_duration(written) is not None:
            return f"{shown} is no duration; write {written} (units are ms, s, m, h)"
    return f"{shown} is no number, duration (250ms, 30s, 1m30s), status (429, 5xx, 500-504) or share (20%)"


def _stray(text: str, at: int) -> PolicySyntaxError:
    char = text[at]
    if char in "\"'":
        return PolicySyntaxError(
            "this text is not closed; end it with the same quote on the same line", text, at, at + 1
        )
    if char == "\N{BYTE ORDER MARK}":
        return PolicySyntaxError(
            "the text begins with a byte order mark (U+FEFF); save it as UTF-8 without", text, at, at + 1
        )
    return PolicySyntaxError(
        f"U+{ord(char):04X} is no character of the language{_plain(char)}", text, at, at + 1
    )


def _plain(char: str) -> str:
    """Return what to write instead of a character, where that can be told."""
    if char in _QUOTES:
        return "; use plain quotes"
    if char in _DASHES:
        return "; write a plain -"
    if ord(char) in _WIDE:
        return f"; write a plain {chr(ord(char) - _WIDE.start + ord('!'))}"
    if char.isspace():
        return "; write a plain blank"
    if char == "\\":
        return "; a policy continues on the next line without it"
    if char.isascii():
        return ""
    return "; it is written in plain ASCII" if char.isprintable() else "; it cannot be seen: leave it out"
