"""Retry and backoff: the policy is a sentence that reads as you would say it."""

from bide import hints, readers
from bide.engine.blocks import retrying
from bide.engine.clock import Clock
from bide.engine.events import (
    AttemptFailed,
    ConditionFailed,
    Event,
    GaveUp,
    Listener,
    Paced,
    Recovered,
    RecoveryFailed,
    RetryScheduled,
    Succeeded,
)
from bide.engine.history import History, Record, history
from bide.engine.pacing import PaceTimeout
from bide.engine.recovery import Recoveries
from bide.engine.runtime import Runtime
from bide.engine.timeouts import AttemptTimeout
from bide.fleet.store import Store
from bide.fleet.stores.memory import MemoryStore
from bide.language.diagnostics import PolicySyntaxError
from bide.language.parse import parse
from bide.observe.logs import LogListener
from bide.policy.condition import Condition
from bide.policy.conditions import (
    anything,
    body,
    code,
    header,
    idempotent,
    message,
    method,
    network,
    raises,
    replayable,
    status,
    unsent,
    when,
)
from bide.policy.decision import Accept, Decision, GiveUp, Reason, Retry, State
from bide.policy.delay import Ask, Delay, Span
from bide.policy.errors import PolicyError
from bide.policy.explanation import Explanation
from bide.policy.outcome import Outcome
from bide.policy.params import FOREVER as forever  # noqa: N811  # as the sentence says it
from bide.policy.policy import Policy, Rule, accept_on, give_up_on, retry_on
from bide.policy.raised import timeout
from bide.policy.registry import condition, delay
from bide.policy.worst import WorstCase
from bide.strategy.endpoints import Match, Routes
from bide.strategy.errors import (
    APIError,
    AuthenticationError,
    CataloguedError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
)
from bide.strategy.findings import Finding, StrategyError
from bide.strategy.load import load
from bide.strategy.strategy import Strategy, Watched

__all__ = [
    "APIError",
    "Accept",
    "Ask",
    "AttemptFailed",
    "AttemptTimeout",
    "AuthenticationError",
    "CataloguedError",
    "Clock",
    "Condition",
    "ConditionFailed",
    "Decision",
    "Delay",
    "Event",
    "Explanation",
    "Finding",
    "GaveUp",
    "GiveUp",
    "History",
    "Listener",
    "LogListener",
    "NotFoundError",
    "Match",
    "MemoryStore",
    "Outcome",
    "PaceTimeout",
    "Paced",
    "PermissionDeniedError",
    "Policy",
    "PolicyError",
    "PolicySyntaxError",
    "RateLimitError",
    "Reason",
    "Record",
    "Recovered",
    "Recoveries",
    "RecoveryFailed",
    "Retry",
    "RetryScheduled",
    "Routes",
    "Rule",
    "Runtime",
    "Span",
    "State",
    "Store",
    "Strategy",
    "StrategyError",
    "Succeeded",
    "Watched",
    "WorstCase",
    "accept_on",
    "anything",
    "body",
    "code",
    "condition",
    "delay",
    "forever",
    "give_up_on",
    "header",
    "hints",
    "history",
    "idempotent",
    "load",
    "message",
    "method",
    "network",
    "parse",
    "raises",
    "readers",
    "replayable",
    "retry_on",
    "retrying",
    "status",
    "timeout",
    "unsent",
    "when",
]
