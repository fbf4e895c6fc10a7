"""The commands as one program, and the one way in which all of them fail."""

from __future__ import annotations

import errno
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import attrs
import click

from bide.cli.check import check
from bide.cli.diagnostics import show, show_finding, show_syntax, syntax_document
from bide.cli.explain import explain
from bide.cli.new import new
from bide.cli.schema import schema
from bide.cli.screen import err, print_json
from bide.language.diagnostics import PolicySyntaxError
from bide.policy.errors import PolicyError
from bide.strategy.findings import StrategyError

_JSON: Final = "bide.json"
_INTERRUPTED: Final = 130
_NEEDS_HTTPX: Final = 'this command needs httpx: pip install "bide[cli,httpx]"'

try:
    from bide.cli.demo import demo
    from bide.cli.get import get
except ModuleNotFoundError as missing:
    if (missing.name or "").partition(".")[0] != "httpx":
        raise

    def _without_httpx(name: str, does: str) -> click.Command:
        """Return a command that says what to install, whatever is asked of it."""

        def say() -> None:
            raise click.UsageError(_NEEDS_HTTPX)

        settings = {"ignore_unknown_options": True, "allow_extra_args": True}
        return click.Command(name, settings, say, help=f"{does} Needs httpx.", add_help_option=False)

    demo = _without_httpx("demo", "Watch a strategy against a server that fails.")
    get = _without_httpx("get", "Fetch a URL, retried by a policy.")


class Commands(click.Group):
    """Commands that exit alike: 2 for what cannot be understood, 130 after Ctrl-C, and in JSON when that was asked."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Note whether machines are listening, then parse as ever."""
        ctx.meta[_JSON] = "--json" in (args[: args.index("--")] if "--" in args else args)
        with _complaining(ctx):
            if args[:1] == ["--json"]:
                raise click.UsageError(
                    "--json stands after the command, as in `bide check --json mine.toml`", ctx
                )
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; its complaint is printed, and no traceback ever is."""
        with _complaining(ctx):
            return super().invoke(ctx)


@contextmanager
def _complaining(ctx: click.Context) -> Generator[None]:
    """Print what is wrong, for people or for machines, and exit."""
    try:
        yield
    except KeyboardInterrupt:
        raise click.exceptions.Exit(_INTERRUPTED) from None
    except (PolicyError, click.UsageError) as error:
        if ctx.meta[_JSON]:
            print_json(_document(error))
        elif isinstance(error, click.UsageError):
            raise
        else:
            _complain(error)
        raise click.exceptions.Exit(2) from None
    except OSError as error:
        if error.errno == errno.EPIPE:  # the reader has seen enough: click ends without a word
            raise
        with suppress(OSError):
            show(err(), f"the system says: {error.strerror or error}")
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):
                stream.close()  # or Python would try once more to write what is left, and complain of it
        raise click.exceptions.Exit(2) from None


def _complain(error: PolicyError) -> None:
    if isinstance(error, PolicySyntaxError):
        show_syntax(err(), error)
    elif isinstance(error, StrategyError):
        for finding in error.findings:
            show_finding(err(), finding)
    else:
        show(err(), str(error))


def _document(error: PolicyError | click.UsageError) -> dict[str, Any]:
    if isinstance(error, PolicySyntaxError):
        return syntax_document(error)
    if isinstance(error, StrategyError):
        return {"error": error.message, "findings": [attrs.asdict(finding) for finding in error.findings]}
    return {"error": error.format_message() if isinstance(error, click.UsageError) else str(error)}


def _version() -> str:
    try:
        return version("bide")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0+unknown"


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(_version(), prog_name="bide")
def commands() -> None:
    """Retry and backoff, as one readable sentence: try policies out, check them, and watch them work."""


for command in (explain, check, new, schema, get, demo):
    commands.add_command(command)
