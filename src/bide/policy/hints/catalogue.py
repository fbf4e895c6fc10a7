"""
List every convention known here by which a server says when, or whether, to come back: rows of data, no code.

A new convention is a new row. `kind` names the reader (see `readers.py`), `rank` says which row wins when
several give a delay; within a rank the longest wins. A `gate` is the header that must say that nothing is
left before a reset counts: with the gate absent the row sinks to `GENERIC`, with something left it says
nothing.
"""

from __future__ import annotations

import attrs

PUSHBACK, MILLISECONDS, RETRY_AFTER, BODY, GATED, FIELD, GENERIC, MESSAGE, NO_DELAY = range(1, 10)

UNITS = ("seconds", "ms", "epoch", "epoch_ms", "date", "duration", "reset")
"""Kinds that can be asked for, for a header whose name does not tell its unit."""


@attrs.frozen
class Row:
    """
    One convention: where it stands, how it is read, and who follows it.

    Attributes:
        where: "header", "body" (`name` is a path), or "message" (`name` is the path of a text for people).
        says: For a flag, what each of its values means: True = retry, False = stop; "*" is any value.
        pattern: For a message, its template; for a phrase, the words to look for.
    """

    name: str
    where: str
    kind: str
    rank: int
    gate: str = ""
    who: str = ""
    note: str = ""
    says: tuple[tuple[str, bool], ...] = ()
    pattern: str = ""


def _flag(name: str, *, says: dict[str, bool], who: str, where: str = "header", note: str = "") -> Row:
    return Row(name, where, "flag", NO_DELAY, who=who, note=note, says=tuple(says.items()))


def _reset(name: str, gate: str, who: str, note: str = "", *, kind: str = "reset") -> Row:
    return Row(name, "header", kind, GATED, gate, who, note)


_EITHER = {"true": True, "false": False}
_STOP = {"true": False}
_LIMITED = {"RATE_LIMITED": True, "RATELIMITED": True, "THROTTLED": True}
_AWS = {"Throttling": True, "ThrottlingException": True, "SlowDown": True}
_LEFT = "x-ratelimit-remaining"

ROWS = (
    # Whether to come back. A stop beats a retry, and either beats the status.
    _flag("x-should-retry", says=_EITHER, who="OpenAI, Anthropic"),
    _flag("Stripe-Should-Retry", says=_EITHER, who="Stripe"),
    _flag("x-envoy-overloaded", says=_STOP, who="Envoy"),
    _flag("x-envoy-ratelimited", says=_STOP, who="Envoy"),
    _flag("finagle-http-nack", says={"*": True}, who="Finagle", note="the request was not processed"),
    _flag("finagle-http-nonretryable-nack", says={"*": False}, who="Finagle"),
    _flag("l5d-retryable", says={"true": True}, who="Linkerd 1", note="the request never arrived"),
    _flag("error.details[@type=google.rpc.QuotaFailure].violations", says={"PerDay": False}, where="body",
          who="Gemini", note="a day's quota is used up: read from each quotaId"),
    _flag("errors.0.type", says=_LIMITED, where="body", who="GitHub GraphQL", note="with status 200"),
    _flag("errors.0.extensions.code", says=_LIMITED, where="body", who="Shopify, Linear",
          note="with status 200 or 400"),
    _flag("__type", says=_AWS, where="body", who="AWS JSON services", note="with status 400"),
    _flag("code", says=_AWS, where="body", who="AWS", note="with status 400, 403 or 503"),
    # When to come back: asked for exactly.
    Row("grpc-retry-pushback-ms", "header", "pushback", PUSHBACK, who="gRPC A6",
        note="negative, malformed or repeated: stop"),
    Row("retry-after-ms", "header", "ms", MILLISECONDS, who="OpenAI, Azure OpenAI"),
    Row("x-ms-retry-after-ms", "header", "ms", MILLISECONDS, who="Azure Storage, Cosmos DB"),
    Row("x-amz-retry-after", "header", "ms", MILLISECONDS, who="AWS",
        note="AWS clients keep it between their own backoff t and t + 5 s"),
    Row("Retry-After", "header", "retry_after", RETRY_AFTER, who="RFC 9110",
        note="seconds or a date; fractions, durations and RFC 3339 are read too"),
    # In the body.
    Row("error.details[@type=google.rpc.RetryInfo].retryDelay", "body", "value", BODY, who="Google APIs"),
    Row("retry_after", "body", "value", BODY, who="Discord"),
    Row("parameters.retry_after", "body", "value", BODY, who="Telegram"),
    Row("details.retryAfterSeconds", "body", "value", BODY, who="Kubernetes"),
    Row("extensions.cost", "body", "bucket", BODY, who="Shopify GraphQL",
        note="(requestedQueryCost - currentlyAvailable) / restoreRate"),
    Row("X-Business-Use-Case-Usage", "header", "usage", BODY, who="Meta",
        note="JSON with minutes in estimated_time_to_regain_access"),
    # When a limit is reset: it counts if nothing is left.
    _reset("X-RateLimit-Reset", _LEFT, "GitHub, Okta, Auth0, Discord, Gravitee, Zalando, lemlist",
           "epoch seconds or milliseconds, seconds to go, or a JavaScript date"),
    _reset("X-RateLimit-Reset-After", _LEFT, "Discord", kind="seconds"),
    _reset("X-Rate-Limit-Reset", "x-rate-limit-remaining", "X (Twitter), Okta, ASP.NET"),
    _reset("X-RateLimit-Requests-Reset", "x-ratelimit-requests-remaining", "Linear, RapidAPI",
           "epoch milliseconds, or seconds to go, which may be weeks"),
    _reset("X-Beta-RateLimit-Reset", "x-beta-ratelimit-remaining", "Atlassian", "RFC 3339 without seconds"),
    _reset("x-ratelimit-reset-requests", "x-ratelimit-remaining-requests", "OpenAI, Groq"),
    _reset("x-ratelimit-reset-tokens", "x-ratelimit-remaining-tokens", "OpenAI, Groq"),
    *(_reset(f"anthropic-ratelimit-{what}-reset", f"anthropic-ratelimit-{what}-remaining", "Anthropic")
      for what in ("requests", "tokens", "input-tokens", "output-tokens")),
    _reset("RateLimit-Reset", "ratelimit-remaining", "IETF draft 07 and before",
           "seconds to go, though some send an epoch"),
    _reset("x-mws-quota-resetsOn", "x-mws-quota-remaining", "Amazon MWS", kind="date"),
    Row("zendesk-ratelimit-tickets-index", "header", "counted", GATED, who="Zendesk"),
    Row("RateLimit", "header", "policies", FIELD, who="IETF draft 10",
        note="the longest t among policies with r=0"),
    Row("Beta-RateLimit", "header", "policies", FIELD, who="Atlassian"),
    # Said in words only.
    Row("error.message", "message", "message", MESSAGE, who="Gemini",
        pattern="Please retry in {duration}"),
    Row("error.message", "message", "message", MESSAGE, who="OpenAI",
        pattern="Please try again in {duration}"),
    Row("message", "message", "phrase", MESSAGE, who="GitHub", pattern="secondary rate limit",
        note="no header: at least a minute"),
    # Known, and no delay: a pace or an upper bound is not a time to come back.
    Row("finagle-http-retryable-request", "header", "none", NO_DELAY, who="Finagle",
        note="on requests: the body may be sent again"),
    Row("RateLimit-Policy", "header", "none", NO_DELAY, who="IETF draft 10",
        note="pace: a window w for q requests"),
    Row("RateLimit-Limit", "header", "none", NO_DELAY, who="Docker Hub",
        note="100;w=21600: the window bounds the wait"),
    Row("X-Shopify-Shop-Api-Call-Limit", "header", "none", NO_DELAY, who="Shopify REST",
        note="32/40: how full the bucket is; it leaks 2/s, or more by plan"),
    *(Row(f"X-RateLimit-{what}", "header", "none", NO_DELAY, who="Atlassian", note="pace")
      for what in ("NearLimit", "Interval-Seconds", "FillRate")),
)  # fmt: skip

HEADERS = {row.name.lower(): row for row in ROWS if row.where == "header"}
"""The rows of headers, by name in lower case."""

GATES = frozenset(row.gate for row in ROWS if row.gate)


def gate_of(name: str) -> str:
    """
    Name the header that says how much is left of the limit that `name` resets.

    Args:
        name: A reset header, known here or not, in any case.

    Returns:
        A name in lower case: from the catalogue, else with the last "reset" replaced; "" when there is none.
    """
    lower = name.lower()
    row = HEADERS.get(lower)
    if row is not None:
        return row.gate
    before, found, after = lower.rpartition("reset")
    return f"{before}remaining{after}" if found else ""
