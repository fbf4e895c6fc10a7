"""Text to policy and back: literals, parse, format, diagnostics."""
