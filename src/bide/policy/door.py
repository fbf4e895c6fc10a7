"""The one door upwards: a policy is data that people want to use, and using it is the business of storeys above."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what checkers are to know of what is behind it
    from bide.engine.runtime import Options as Options  # noqa: PLC0414  # handed on
    from bide.engine.runtime import Runtime as Runtime  # noqa: PLC0414  # as above

_ABOVE = {"engine": "bide.engine.runtime", "language": "bide.language.format"}


def above(storey: str) -> ModuleType:
    """Return the module of a storey above that a policy is used with: "engine" runs it, "language" writes it out."""
    return importlib.import_module(_ABOVE[storey])
