"""
What a server answers and what must come of it, read from the TOML file of each strategy in this folder.

To add a strategy, write `strategies/NAME.toml` and, here, `NAME.toml` with a case for each documented error. README.md
beside this file says how.
"""

import copy
import json
import tomllib
from functools import cache
from pathlib import Path

import attrs

import bide
from bide.policy.outcome import IDEMPOTENT_METHODS

FOLDER = Path(__file__).parent
REASONS = {
    "give_up": "rule_gave_up",
    "retry": "retries_exhausted",
    "recover": "succeeded",
    "accept": "accepted",
    "return": None,
}
FAULTS = ("refused", "dropped", "timed out")


@attrs.frozen(kw_only=True)
class Case:
    """
    One answer that is played, and what must come of it.

    Attributes:
        strategy: The strategy's name: that of the file.
        code, category, status: What the answer says; the status is the catalogued one unless it is said.
        note: What sets this case apart from others of the same code.
        method, path, send, sends: The request; `send` is its JSON, `sends` are headers.
        keys: Whether the adapter is asked to send an idempotency key with each call that needs one.
        headers, body, message, insert: The answer. In `body` "{code}", "{category}", "{message}" and "{status}" stand
            for what the case says; `insert` is merged into the body.
        text: The answer's body as it is, instead.
        fault: No answer at all, instead: "refused", "dropped" or "timed out".
        answers: How often it is played before a 200; 0: for ever.
        calls: How many calls one client makes, one after another, when the answer is played to all of them.
        draw: The uniform draw behind each jitter and each spread.
        decision: "retry", "give_up", "accept", "recover", or "return" when no rule is about it.
        reason: Why there was no further retry.
        delays: The seconds waited, in order; they may be fewer than the attempts less one when a delay is none.
        attempts: How many requests are made.
        recoveries: The actions that are taken, in order.
        raises: The class that `raise_for` raises at the end; "" when it raises nothing.
        error: Further attributes of that exception.
    """

    strategy: str
    code: str | None = None
    category: str | None = None
    status: int | None = None
    note: str = ""
    method: str = "GET"
    path: str = "/"
    send: object = None
    sends: dict = attrs.field(factory=dict)
    keys: bool = False
    headers: dict = attrs.field(factory=dict)
    body: object = None
    message: str = "Something for people to read."
    insert: dict = attrs.field(factory=dict)
    text: str | None = None
    fault: str | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.in_(FAULTS))
    )
    answers: int = 0
    calls: int = 1
    draw: float = 0.5
    decision: str = attrs.field(validator=attrs.validators.in_(REASONS))
    reason: str | None = None
    delays: tuple = attrs.field(default=(), converter=tuple)
    attempts: int = 0
    recoveries: tuple = attrs.field(default=(), converter=tuple)
    raises: str | None = None
    error: dict = attrs.field(factory=dict)

    @property
    def id(self):
        """The case as pytest names it."""
        return f"{self.strategy}-{self.label}{f' ({self.note})' if self.note else ''}".replace(" ", "_")

    @property
    def label(self):
        """What the answer is, for people."""
        return self.fault or " ".join(map(str, filter(None, [self.status, self.code or self.category])))

    @property
    def keyed(self):
        """Whether the request carries an idempotency key."""
        named = any(name.lower() == "idempotency-key" for name in self.sends)
        return named or (self.keys and self.method not in IDEMPOTENT_METHODS)

    @property
    def told_reason(self):
        """The reason that is said, or the usual one of the decision."""
        if self.reason is None and self.answers and self.decision in ("retry", "recover"):
            return "succeeded"
        return self.reason or REASONS[self.decision]

    @property
    def all_attempts(self):
        """The attempts that are said, or one more than the delays."""
        return self.attempts or len(self.delays) + 1

    @property
    def content(self):
        """The answer's body, as it is sent."""
        if self.text is not None:
            return self.text
        said = {
            "{code}": self.code,
            "{category}": self.category,
            "{message}": self.message,
            "{status}": self.status,
        }
        return json.dumps(merged(filled(self.body, said), self.insert))


def filled(value, said):
    """A body in which each placeholder is what a case says; a key whose placeholder nobody says is left out."""
    if isinstance(value, dict):
        return {
            key: filled(one, said)
            for key, one in value.items()
            if not (isinstance(one, str) and one in said and said[one] is None)
        }
    if isinstance(value, list):
        return [filled(one, said) for one in value]
    return said.get(value, value) if isinstance(value, str) else value


def merged(left, right):
    """A table with what another adds to it or changes."""
    if not (isinstance(left, dict) and isinstance(right, dict)):
        return right
    both = copy.deepcopy(left)
    for key, value in right.items():
        both[key] = merged(both[key], value) if key in both else value
    return both


@cache
def strategy_of(name):
    """A shipped strategy, loaded once."""
    return bide.load(name)


def cases_of(path):
    """The cases of one file, what `[usual]` says put into each."""
    data = tomllib.loads(path.read_text("utf-8"))
    assert set(data) <= {"usual", "case"}, f"{path.name}: only [usual] and [[case]]"
    strategy = strategy_of(path.stem)
    return [_case(path, strategy, data.get("usual", {}) | said) for said in data["case"]]


def _case(path, strategy, said):
    unknown = set(said) - {field.name for field in attrs.fields(Case)}
    assert not unknown, f"{path.name}: no case has {', '.join(sorted(unknown))}"
    if "status" not in said and "fault" not in said:
        known = strategy.documented(said.get("code"), said.get("category"), 0)
        assert known is not None, f"{path.name}: {said} needs a status, or a code that is catalogued"
        said = said | {"status": known.status}
    try:
        return Case(strategy=path.stem, **said)
    except (TypeError, ValueError) as error:
        raise AssertionError(f"{path.name}: {said}: {error}") from error


FILES = sorted(FOLDER.glob("*.toml"))
CASES = [case for path in FILES for case in cases_of(path)]


def played(strategy, error):
    """The cases of a strategy that play a catalogued error."""
    if error.code is not None:
        return [case for case in CASES if case.strategy == strategy.name and is_of(case, error)]
    return [
        case
        for case in CASES
        if case.strategy == strategy.name
        and case.fault is None
        and strategy.documented(case.code, case.category, case.status) is error
    ]


def is_of(case, error):
    """Whether a case plays a catalogued code under its status."""
    return (case.code, case.status) == (error.code, error.status)
