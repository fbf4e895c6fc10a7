"""The error that a policy which cannot be built, bound or used raises."""

from __future__ import annotations


class PolicyError(ValueError):
    """
    A policy that says something impossible: what was wrong, where, and what to write instead.

    A `ValueError`. Text that is not a policy raises its subclass `bide.PolicySyntaxError`, which adds line, column
    and a caret.
    """
