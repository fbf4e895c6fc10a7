"""Many callers: what they share, so that together they stay within a limit."""
