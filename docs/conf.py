"""`nox -s docs` builds these pages into docs/_build. They also read well where they stand."""

project = "bide"
extensions = ["myst_parser"]
exclude_patterns = ["_build"]
html_theme = "furo"
myst_heading_anchors = 3
suppress_warnings = [
    "toc.not_included",
    "myst.xref_missing",
]  # pages link one another, and files of the repository
