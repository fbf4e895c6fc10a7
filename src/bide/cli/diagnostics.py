"""How a text that is no policy is shown: where, a caret under the span, and the advice on a line of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.cells import cell_len
from rich.text import Text

from bide.language.diagnostics import PolicySyntaxError
from bide.strategy.findings import Finding

if TYPE_CHECKING:
    from rich.console import Console

_ADVICE: Final = (
    ": did you mean ",
    "; write ",
    ": write ",
    ": use ",
    "; leave ",
    ": add ",
    "; put ",
    ": name ",
)


def show(
    console: Console,
    message: str,
    *,
    place: str | None = None,
    source: tuple[int, str, str] | None = None,
    kind: str = "error",
    advice: str | None = None,
) -> None:
    """
    Print one complaint: its kind and message, `--> place`, the line in its gutter with a caret, and its advice.

    `source` is a line's number, its text, and the carets below it.
    """
    what, advice = split(message) if advice is None else (message, advice)
    console.print(Text.assemble((kind, "bold red"), (f": {what}", "bold")), soft_wrap=True)
    gutter = " " * (len(str(source[0])) if source else 1)
    if place is not None:
        console.print(Text.assemble((f"{gutter}--> ", "blue"), place), soft_wrap=True)
    if source is not None:
        number, line, carets = source
        console.print(Text(f"{gutter} |", "blue"))
        console.print(Text.assemble((f"{number} | ", "blue"), line), soft_wrap=True)
        console.print(Text.assemble((f"{gutter} | ", "blue"), (_under(line, carets), "red")), soft_wrap=True)
    if advice is not None:
        console.print(Text.assemble(("help", "bold cyan"), f": {advice}"), soft_wrap=True)


def _under(line: str, carets: str) -> str:
    """Return carets that stand under the same characters on a terminal, where some fill two columns."""
    first = len(carets) - len(carets.lstrip())
    width = cell_len(line[first : len(carets)]) + max(0, len(carets) - max(first, len(line)))
    return " " * cell_len(line[:first]) + " " * max(0, first - len(line)) + "^" * width


def split(message: str) -> tuple[str, str | None]:
    """Return a message's two halves: what is wrong, and what to do, or None where it does not say."""
    found = [at for sign in _ADVICE if (at := message.find(sign)) > 0]
    if not found:
        return message, None
    at = min(found)
    return message[:at], message[at:].lstrip(":; ")


def show_syntax(console: Console, error: PolicySyntaxError, name: str = "policy") -> None:
    """Print a text's fault."""
    line, carets = str(error).split("\n")[-2:]
    source = (error.line, line[4:], carets[4:])
    show(console, error.message, place=f"{name}:{error.line}:{error.column}", source=source)


def show_finding(console: Console, finding: Finding) -> None:
    """Print one thing that is wrong in a strategy file."""
    place, source = finding.file, None
    if finding.line is not None:
        place = f"{place}:{finding.line}:{finding.column}"
        lines, number = str(finding).split("\n"), f"{finding.line} | "
        at = next(index for index, line in enumerate(lines) if line.startswith(number))
        source = (finding.line, lines[at][len(number) :], lines[at + 1][len(number) :])
    key = "" if finding.key is None else f"{finding.key}: "
    show(console, key + finding.message, kind=finding.code, place=place, source=source, advice=finding.advice)


def syntax_document(error: PolicySyntaxError) -> dict[str, Any]:
    """Return a text's fault for machines."""
    at = error.start
    return {
        "error": error.message,
        "line": error.line,
        "column": error.column,
        "span": error.text[at : at + error.width],
        "text": error.text,
    }
