"""Read when a server asks to be called again: from headers, bodies, messages and attributes."""

from bide.policy.hints.amounts import EXCESSIVE, duration, seconds, value
from bide.policy.hints.body import MISSING, parse_body, path
from bide.policy.hints.catalogue import ROWS, Row, gate_of
from bide.policy.hints.reading import Hint, header, read, reset, verdict
from bide.policy.hints.templates import check_template, message

__all__ = [
    "EXCESSIVE",
    "MISSING",
    "ROWS",
    "Hint",
    "Row",
    "check_template",
    "duration",
    "gate_of",
    "header",
    "message",
    "parse_body",
    "path",
    "read",
    "reset",
    "seconds",
    "value",
    "verdict",
]
