"""What a case is: one situation, a peer's way of meeting it, and bide's, each a function that tells what happened."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field

TOPICS = ("bodies", "repeats", "limits", "hints", "delays", "errors", "cancellation", "sharing", "functions")


@dataclass(frozen=True)
class Seen:
    """What happened, in a few words, and whether that is what nobody would want."""

    what: str
    wrong: bool


@dataclass(frozen=True)
class Case:
    """One situation: the peer (a distribution's name), what was tried, and the two functions to run."""

    topic: str
    peer: str
    tried: str
    theirs: Callable[[], Seen]
    ours: Callable[[], Seen]
    needs: tuple[str, ...] = ()
    """Other distributions that it takes."""

    @property
    def name(self) -> str:
        return f"{self.topic}.{self.theirs.__name__}"


@dataclass
class Register:
    """The cases of one topic, in the order in which they are written."""

    topic: str
    cases: list[Case] = field(default_factory=list)

    def case(self, peer: str, tried: str, *, ours: Callable[[], Seen], needs: tuple[str, ...] = ()):
        """Register the decorated function as what the peer does."""

        def keep(theirs: Callable[[], Seen]) -> Callable[[], Seen]:
            self.cases.append(Case(self.topic, peer, tried, theirs, ours, needs))
            return theirs

        return keep


def every_case() -> dict[str, Case]:
    """Return the cases of all topics by name. No peer is imported: each function imports what it needs."""
    cases = [case for topic in TOPICS for case in importlib.import_module(topic).here.cases]
    return {case.name: case for case in cases}
