"""The strategy of one API: which policy is for which request, and what its error responses mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from bide.engine.readers import outcome_of_error, outcome_of_value
from bide.policy.explanation import Explanation
from bide.policy.outcome import Outcome
from bide.policy.policy import Policy
from bide.strategy.contents import Contents
from bide.strategy.endpoints import Target
from bide.strategy.errors import APIError, CataloguedError, class_for
from bide.strategy.prove import Coverage, coverage, prove

if TYPE_CHECKING:
    from bide.strategy.findings import Finding

_FIRST_ERROR = 400
_NOT_READ = "the response's body had not been read, so what it says is missing here: read it before raise_for"


@attrs.frozen(kw_only=True, slots=False)
class Strategy(Contents):
    """
    A named set of policies for one API: immutable, hashable, picklable. `bide.load` makes one from a file.

    Hand it to an adapter of `bide.adapters`, which asks it for the policy of each request, or decorate with
    `strategy.policy`.
    """

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

    def explain(
        self, outcome: Outcome, *, attempt: int = 1, elapsed: float = 0.0, now: float | None = None
    ) -> Explanation:
        """Return what the policy for the outcome's method and url does about it, and why."""
        policy = self.policy_for(outcome.method, outcome.url)
        return policy.explain(outcome, attempt=attempt, elapsed=elapsed, now=now)

    def error_of(self, outcome: Outcome) -> APIError | None:
        """
        Return the error that a response means, or None when it is a success.

        A success is a status below 400 (unless the catalogue knows the code as an error of that very status), and
        what a rule or the catalogue accepts.
        """
        status = outcome.status
        if status is None:
            return None
        known = self._known(outcome, status)
        if self._accepted(outcome, status, known):
            return None
        code = outcome.read_code(self.read.code)
        # Of an exception only the response that it carries: its text may quote the URL, with what is secret there.
        message = attrs.evolve(outcome, error=None).read_message(self.read.message)
        error = class_for(status, known.raises if known else None)(
            status,
            code,
            message,
            details=None if self.read.details is None else outcome.at(self.read.details),
            param=_text(outcome, self.read.param),
            request_id=_text(outcome, self.read.request_id),
            retry_after=self.read.retry_after(outcome),
            meaning=known.meaning if known else None,
            resolution=known.resolution if known else None,
            response=outcome.value,
        )
        if known:
            error.add_note(f"what to do: {known.resolution}")
        if outcome.body is None and (code is None or message is None):
            error.add_note(_NOT_READ)
        return error

    def raise_for(self, response: object) -> None:
        """
        Raise the `APIError` that a response means; do nothing for a success.

        Args:
            response: A response of any client that `bide.readers` knows, its body read; an exception that carries
                one; or an `Outcome`. Of a body that is still to come nothing is read: `code` and `message` are None,
                and a note on the error says why. An exception that carries no response is raised as it is.

        Raises:
            APIError: or the subclass for the status, or the one that the catalogue names.
            TypeError: `response` is nothing that anybody can read.
        """
        if isinstance(response, BaseException):
            outcome = outcome_of_error(response, body=True)
            if outcome.status is None:
                raise response
            self._raise(attrs.evolve(outcome, value=getattr(response, "response", None)))
            return
        outcome = response if isinstance(response, Outcome) else outcome_of_value(response, body=True)
        if outcome.status is None and not isinstance(response, Outcome):
            raise TypeError(
                f"{type(response).__name__} is no response that can be read; bide.readers.register teaches how"
            )
        self._raise(outcome)

    def check(self) -> list[Finding]:
        """Return what is wrong with it: codes decided otherwise than catalogued, rules that nothing reaches."""
        return prove(self)

    def coverage(self) -> Coverage:
        """Return how many codes are decided as catalogued, and how many rules are reached."""
        return coverage(self)

    def _raise(self, outcome: Outcome) -> None:
        error = self.error_of(outcome)
        if error is not None:
            raise error from outcome.error

    def _known(self, outcome: Outcome, status: int) -> CataloguedError | None:
        """Return what is documented of a response's code; that of a success only if it is documented so."""
        if status < _FIRST_ERROR and all(known.status != status for known in self.errors.values()):
            return None
        known = self.errors.get(outcome.read_code(self.read.code) or "")
        return known if known is None or status >= _FIRST_ERROR or known.status == status else None

    def _accepted(self, outcome: Outcome, status: int, known: CataloguedError | None) -> bool:
        if known is not None:
            return known.decision == "accept"
        return status < _FIRST_ERROR or self.explain(outcome).action == "accept"


def _text(outcome: Outcome, place: str | None) -> str | None:
    found = None if place is None else outcome.at(place)
    return str(found) if isinstance(found, (str, int)) and not isinstance(found, bool) else None
