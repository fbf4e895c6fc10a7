"""Doing it: clock, events, readers, history, the two loops, wrappers and blocks."""
