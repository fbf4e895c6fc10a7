"""The strategy of one API: which policy is for which request, and what its error responses mean."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, cast

import attrs

from bide.engine.clock import SYSTEM_CLOCK, Clock
from bide.engine.readers import outcome_of_error, outcome_of_value
from bide.policy.delay import Ask
from bide.policy.durations import Duration, seconds_of
from bide.policy.errors import PolicyError
from bide.policy.explanation import Explanation
from bide.policy.outcome import Outcome
from bide.policy.policy import Policy
from bide.strategy.contents import Contents
from bide.strategy.endpoints import Match, Target, match_among
from bide.strategy.errors import APIError, CataloguedError, checked_classes, class_for
from bide.strategy.prove import Coverage, coverage, prove, unfit
from bide.strategy.unread import read_ahead
from bide.strategy.watching import Watch

if TYPE_CHECKING:
    from bide.strategy.findings import Finding, StrategyError

_FIRST_ERROR = 400
_NOT_READ = "the response's body had not been read, so what it says is missing here: read it before raise_for"


@attrs.frozen(kw_only=True, slots=False)
class Strategy(Contents):
    """
    A named set of policies for one API: immutable, hashable, picklable. `bide.load` makes one from a file.

    Hand it to an adapter of `bide.adapters`, which asks it for the policy of each request, or decorate with
    `strategy.policy`.
    """

    reread: Callable[[str, str], tuple[Strategy | None, list[Finding]]] | None = attrs.field(
        default=None, eq=False, repr=False
    )
    """What makes a strategy of a file's text and name; None: it came from no file."""

    @property
    def policy(self) -> Policy:
        """The policy named `default`, which every request has that no endpoint is about."""
        return self.policies["default"]

    def policy_for(self, method: str | None, url: str | None) -> Policy:
        """Return the policy for a request: that of the most specific endpoint, else the default; never a merge."""
        if url is None:
            return self.policy
        target = Target.of(method, url)
        return next(policy for pattern, policy in self._rows if pattern.matches(target))

    def match(self, method: str | None, url: str) -> Match:
        """Return which endpoint a request is, why, and what its parameters are; "*" is the default policy's."""
        return match_among(self._rows, method, url)

    def explain(
        self, outcome: Outcome, *, attempt: int = 1, elapsed: float = 0.0, now: float | None = None
    ) -> Explanation:
        """Return what the policy for the outcome's method and url does about it, and why."""
        policy = self.policy_for(outcome.method, outcome.url)
        return policy.explain(outcome, attempt=attempt, elapsed=elapsed, now=now)

    def error_of(self, outcome: Outcome) -> APIError | None:
        """
        Return the error that a response means, or None when it is a success.

        A success is a status below 400 (unless `[read] failed` says that it is none, or the catalogue knows the code
        as an error of that very status), and what a rule or the catalogue accepts.
        """
        status = outcome.status
        if status is None:
            return None
        code = outcome.read_code(self.read.code)
        category = _text(outcome, self.read.category)
        known = self._documented(outcome, code, category)
        if known == "accepted":
            return None
        if code is None and known is not None:
            code = known.code
        # Of an exception only the response that it carries: its text may quote the URL, with what is secret there.
        message = attrs.evolve(outcome, error=None).read_message(self.read.message)
        places = (known.details if known else None, self.read.details)
        error = self._class_for(status, code, category, known)(
            status,
            code,
            message,
            details=_first(outcome, places),
            param=_text(outcome, self.read.param),
            request_id=_text(outcome, self.read.request_id),
            retry_after=self._retry_after(outcome),
            meaning=known.meaning if known else None,
            resolution=known.resolution if known else None,
            response=outcome.value,
            category=category,
        )
        if known:
            error.add_note(f"what to do: {known.resolution}")
        if outcome.body is None and (code is None or message is None):
            error.add_note(_NOT_READ)
        return error

    def raise_for(self, response: object, *, body: bytes | str | None = None) -> None:
        """
        Raise the `APIError` that a response means; do nothing for a success.

        Args:
            response: A response of any client that `bide.readers` knows, its body read; an exception that carries
                one; or an `Outcome`. Of a body that is still to come nothing is read: `code` and `message` are None,
                and a note on the error says why. (The `HTTPError` of urllib keeps no body that was read, so that its
                is read here, and put back.) An exception that carries no response is raised as it is.
            body: The body, where you have read it yourself and the response does not keep it.

        Raises:
            APIError: or the subclass for the status, the one that the catalogue names, or one of `with_errors`.
            TypeError: `response` is nothing that anybody can read, or `body` is no text.
        """
        said: object = body
        if said is not None and not isinstance(said, (bytes, bytearray, str)):
            what = "body takes what was read of the response, as a text or as bytes"
            raise TypeError(f"{what}; got {type(said).__name__}")
        if isinstance(response, BaseException):
            outcome = outcome_of_error(response, body=True)
            if outcome.status is None:
                raise response
            outcome = attrs.evolve(outcome, value=getattr(response, "response", None))
            body = read_ahead(response) if body is None else body
        else:
            outcome = response if isinstance(response, Outcome) else outcome_of_value(response, body=True)
            if outcome.status is None and not isinstance(response, Outcome):
                raise TypeError(
                    f"{type(response).__name__} is no response that can be read; bide.readers.register teaches how"
                )
        error = self.error_of(outcome if body is None else attrs.evolve(outcome, body=body))
        if error is not None:
            raise error from outcome.error

    def with_errors(self, classes: Mapping[str | int | type[APIError], type[APIError]]) -> Strategy:
        """
        Return this strategy with exception classes of your own, each a subclass of `APIError`.

        Args:
            classes: By a code or a category (`"quota_exceeded"`), by a status (`404`), or in place of one of our
                classes (`RateLimitError`). Where several fit, the first of these kinds wins. Said again, it adds.

        Raises:
            PolicyError: a key is none of these, or a value is no such class.
        """
        return attrs.evolve(self, classes={**self.classes, **checked_classes(classes)})

    def watch(self, *, every: Duration = 2.0, clock: Clock | None = None) -> Watched:
        """
        Return this strategy in a form that follows its file, for adapters and for you to ask.

        Args:
            every: How long what is in force may be taken for what the file says: a look at the file is due after
                that, and is made by whoever asks next. Seconds, >= 0.
            clock: Where time comes from; `bide.testing.VirtualClock()` in tests.

        Raises:
            PolicyError: it came from no file, and so there is nothing to watch; or `every` is no duration.
        """
        return Watched(self, every, clock)

    def check(self) -> list[Finding]:
        """Return what is wrong with it: codes decided otherwise than catalogued, rules that nothing reaches."""
        return prove(self)

    def coverage(self) -> Coverage:
        """Return how many codes are decided as catalogued, and how many rules are reached."""
        return coverage(self)

    def _documented(
        self, outcome: Outcome, code: str | None, category: str | None
    ) -> CataloguedError | Literal["accepted"] | None:
        """Return what is documented of an error, None if nothing is, or "accepted" when it is none."""
        status = cast("int", outcome.status)
        known = self.documented(code, category, status)
        if known is None or known.code is None:
            known = self._recognized(outcome) or known
        failed = self.read.failed is not None and self.read.failed.matches(outcome)
        success = status < _FIRST_ERROR and not failed
        if success and (known is None or known.status != status or known.code is None):
            return "accepted"
        if known is not None and known.code is not None:
            return "accepted" if known.decision == "accept" else known
        if self.explain(outcome).action == "accept":
            return "accepted"
        return None if known is not None and known.decision == "accept" else known

    def _retry_after(self, outcome: Outcome) -> float | None:
        """Return the seconds that the server asks for: where they usually stand, else where the rule looks for them."""
        said = self.read.retry_after(outcome)
        if said is not None:
            return said
        rules = self.policy_for(outcome.method, outcome.url).clauses
        rule = next((rule for rule in rules if rule.matches(outcome)), None)
        if rule is None or rule.verb != "retry_on":
            return None
        span = rule.span(Ask(outcome))  # however long, and whether or not it is waited for
        return span.low if span.source else None

    def _class_for(
        self, status: int, code: str | None, category: str | None, known: CataloguedError | None
    ) -> type[APIError]:
        ours = class_for(status, known.raises if known else None)
        named = known.code if known else None
        asked = (code or "", named or "", category or "", status, ours)
        return next((self.classes[key] for key in asked if key in self.classes), ours)


class Watched:
    """
    A strategy that follows its file: what is good of it is in force, from the next request on.

    A file that is bad, missing or half-written changes nothing: its error is logged once, and is never raised into a
    call. Calls in flight keep the policy that they began with. `with_errors` is said before `watch`, and stays.

    It has what a strategy has; each question is answered by what is in force then. For several questions that belong
    together take `strategy` once, and ask that.
    """

    __slots__ = ("_clock", "_every", "_watch")

    def __init__(self, strategy: Strategy, every: Duration, clock: Clock | None) -> None:
        document = strategy.document
        if document is None or strategy.reread is None:
            raise PolicyError(
                f"the strategy {strategy.name!r} was not read from a file, so there is nothing to watch; "
                'bide.load("./mine.toml") reads one'
            )
        path = os.path.abspath(document.file)  # noqa: PTH100  # as load; and the process may change its folder
        self._every = seconds_of(every, "every")
        self._clock = clock
        self._watch: Watch[Strategy] = Watch(
            strategy.name,
            path,
            document.text,
            strategy,
            lambda text: _read_again(strategy, text, path),
            self._every,
            SYSTEM_CLOCK if clock is None else clock,
        )

    def __repr__(self) -> str:
        return f"<Watched {self._watch.path}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.strategy, self._every, self._clock)

    @property
    def strategy(self) -> Strategy:
        """The strategy in force now, which stays as it is."""
        return self._watch.current()

    @property
    def error(self) -> StrategyError | None:
        """What is wrong with the file, as of the last look; None when what it says is in force."""
        return self._watch.error

    def reload(self) -> bool:
        """
        Look at the file now, whenever the next look is due, and return whether something else is in force since.

        Raises:
            StrategyError: the file is bad, or cannot be read; what was in force stays.
        """
        return self._watch.reload()

    @property
    def name(self) -> str:
        """What the strategy is called."""
        return self.strategy.name

    @property
    def policy(self) -> Policy:
        """The policy named `default`, as it is now; what it decorates keeps it."""
        return self.strategy.policy

    @property
    def policies(self) -> Mapping[str, Policy]:
        """The policies by name."""
        return self.strategy.policies

    @property
    def endpoints(self) -> Mapping[str, Policy]:
        """The policies by pattern of requests."""
        return self.strategy.endpoints

    @property
    def errors(self) -> Mapping[str, CataloguedError]:
        """What is documented of each code."""
        return self.strategy.errors

    def policy_for(self, method: str | None, url: str | None) -> Policy:
        """Return the policy for a request, as `Strategy.policy_for`."""
        return self.strategy.policy_for(method, url)

    def match(self, method: str | None, url: str) -> Match:
        """Return which endpoint a request is, and its policy, as `Strategy.match`."""
        return self.strategy.match(method, url)

    def explain(
        self, outcome: Outcome, *, attempt: int = 1, elapsed: float = 0.0, now: float | None = None
    ) -> Explanation:
        """Return what the policy for the outcome's method and url does about it, as `Strategy.explain`."""
        return self.strategy.explain(outcome, attempt=attempt, elapsed=elapsed, now=now)

    def error_of(self, outcome: Outcome) -> APIError | None:
        """Return the error that a response means, or None, as `Strategy.error_of`."""
        return self.strategy.error_of(outcome)

    def raise_for(self, response: object, *, body: bytes | str | None = None) -> None:
        """Raise the `APIError` that a response means, as `Strategy.raise_for`."""
        self.strategy.raise_for(response, body=body)


def _read_again(first: Strategy, text: str, path: str) -> tuple[Strategy | None, list[Finding]]:
    """Return the strategy that a text says, fit to be used at once: a policy that nobody can run is found here."""
    assert first.reread is not None
    found, findings = first.reread(text, path)
    if found is None:
        return None, findings
    findings = [*unfit(found)]
    return (None, findings) if findings else (attrs.evolve(found, classes=first.classes), [])


def _first(outcome: Outcome, places: tuple[str | None, ...]) -> object:
    """Return what stands at the first of some places that holds anything."""
    held = (outcome.at(place) for place in places if place is not None)
    return next((one for one in held if one is not None), None)


def _text(outcome: Outcome, place: str | None) -> str | None:
    found = None if place is None else outcome.at(place)
    return str(found) if isinstance(found, (str, int)) and not isinstance(found, bool) else None
