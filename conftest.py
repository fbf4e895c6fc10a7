"""Runs the examples of README.md and docs/, each page from top to bottom in a folder of its own, so that none goes stale."""

import os
import re
import shlex
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser

SECTION = re.compile(r"\n\n(?=(?:#.*\n)*\[)")


class Console(CodeBlockParser):
    """A block of commands after `$`, each with what it prints."""

    language = "console"

    def evaluate(self, example: Example) -> None:
        for said in re.split(r"(?m)^\$ ", example.parsed)[1:]:
            command, _, expected = said.partition("\n")
            printed = lines(run(shlex.split(command)))
            assert printed == lines(expected), "\n".join([f"$ {command}", *printed])


class Sections(CodeBlockParser):
    """A block of TOML whose first line names a file, `# mine.toml`: its sections stand in that file from then on."""

    language = "toml"

    def evaluate(self, example: Example) -> None:
        name, _, block = example.parsed.partition("\n")
        if re.fullmatch(r"# [\w-]+\.toml", name):
            path = Path(name[2:])
            path.write_text(filled(path.read_text("utf-8"), block.strip() + "\n"), "utf-8")


def run(command: list[str]) -> str:
    """What a command prints on a hundred columns, stderr included."""
    from click.testing import CliRunner

    from bide.cli.commands import commands

    program, *args = command
    assert program == "bide"
    env = {"COLUMNS": "100", "NO_PROXY": "*"}
    return CliRunner(env=env).invoke(commands, args, prog_name=program, catch_exceptions=False).output


def lines(text: str) -> list[str]:
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n").split("\n")


def filled(text: str, block: str) -> str:
    """A file with the sections of a block instead of its own of that name, whose comments stay."""
    given: dict[str, list[str]] = {}
    for section in SECTION.split(block):
        given.setdefault(name_of(section), []).append(section.rstrip())
    sections: list[str] = []
    for section in SECTION.split(text):
        name = name_of(section)
        if name not in given:
            sections.append(section.rstrip())
        elif given[name]:
            comments = section[: section.index("[" + name)]
            sections.append(comments + "\n\n".join(given[name]))
            given[name] = []
    sections += ["\n\n".join(new) for new in given.values() if new]
    return "\n\n".join(sections) + "\n"


def name_of(section: str) -> str:
    header = re.search(r"(?m)^\[(\w+)", section)
    return header[1] if header else ""


def enter(namespace: dict[str, Any]) -> None:
    namespace["_folder"], namespace["_back"] = TemporaryDirectory(), Path.cwd()
    os.chdir(namespace["_folder"].name)


def leave(namespace: dict[str, Any]) -> None:
    os.chdir(namespace["_back"])
    namespace["_folder"].cleanup()


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), Console(), Sections(), SkipParser()],
    patterns=["README.md", "docs/**/*.md"],
    setup=enter,
    teardown=leave,
).pytest()
