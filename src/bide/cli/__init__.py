"""The command line: it prints what policies, events and strategies say, and decides nothing."""

from bide.cli.main import main

__all__ = ["main"]
