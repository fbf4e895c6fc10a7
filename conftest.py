"""Runs the Python examples of README.md and docs/, each page from top to bottom, so that none of them goes stale."""

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), SkipParser()],
    patterns=["README.md", "docs/**/*.md"],
).pytest()


def pytest_collection_modifyitems(config, items):
    """Keep the examples of a page together: each goes on from the one before, so one worker runs them all."""
    if config.pluginmanager.hasplugin("xdist"):
        for item in items:
            if item.path.suffix == ".md":
                item.add_marker(pytest.mark.xdist_group(item.path.name))
