"""Each reason of the closed set, said in a sentence for people."""

from __future__ import annotations

from typing import Final

from bide.policy.decision import Reason

MEANINGS: Final[dict[Reason, str]] = {
    Reason.SUCCEEDED: "no rule is about it, and it is no failure",
    Reason.ACCEPTED: "a rule takes it for an answer",
    Reason.NO_RULE: "no rule is about it",
    Reason.RULE_GAVE_UP: "a rule says that repeating it is no use",
    Reason.RETRIES_EXHAUSTED: "the rule has used up its retries",
    Reason.ATTEMPTS_EXHAUSTED: "the policy has used up its attempts",
    Reason.DEADLINE: "the time left does not hold another attempt",
    Reason.HINT_TOO_LONG: "the server asks for longer than .at_most(...) of the rule, 2 m when not said",
    Reason.NOT_IDEMPOTENT: "the server may have done it already; .any_method() repeats it all the same",
    Reason.BODY_NOT_REPLAYABLE: "the request's body cannot be sent a second time",
    Reason.BUDGET_DENIED: "the budget of retries is spent",
    Reason.BREAKER_OPEN: "the breaker is open",
    Reason.INNER_EXHAUSTED: "a policy inside this one has given up already",
    Reason.RECOVERY_FAILED: "the recovery before the retry failed",
}
