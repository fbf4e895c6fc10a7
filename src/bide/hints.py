"""When a server asks to be called again, by every convention known: `bide.hints.read(headers, body)`."""

from bide.policy.hints import EXCESSIVE, ROWS, Hint, Row, header, read, reset, value, verdict

__all__ = ["EXCESSIVE", "ROWS", "Hint", "Row", "header", "read", "reset", "value", "verdict"]
