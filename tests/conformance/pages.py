"""Reads the tables of the clients' page, which tests hold against what clients do."""

from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "clients.md"


def table(heading):
    """The rows of the first table under a heading, each a list of cells."""
    _, found, section = PAGE.read_text().partition(f"## {heading}\n")
    assert found, f"{PAGE.name} has no section {heading!r}"
    lines = section.splitlines()
    first = next(at for at, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[first + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([one.strip().replace("\\|", "|") for one in line.strip("|").split(" | ")])
    return rows
