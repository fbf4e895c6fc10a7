"""
The scenarios: what a policy, written as text, makes of a script of outcomes. Data; `test_scenarios.py` drives them.

Every scenario runs through every driver. The outcomes of HTTP are the same for functions and for transports; plain
values and exceptions of Python's own are for functions alone, since a transport returns responses and raises its
client's exceptions; so is a status that no rule names, after a retry: a transport hands it back without asking. A
request's body is for transports alone, since a function's is out of sight.
"""

import attrs
import pytest

SENTENCE = 'retry_on(429).after_header("Retry-After") | retry_on(5xx).exponential(jitter=True, max=3)'
ALMOST_ONE = 1 - 2**-53
WALL = 1_767_225_600  # the virtual clock begins with the year 2026
JSON = {"Content-Type": "application/json"}


@attrs.frozen
class Step:
    """One outcome: a response, a fault of the transport by its name in httpx, or what a function may come to."""

    status: int | None = None
    headers: dict = attrs.field(factory=dict)
    body: bytes = b""
    fault: str | None = None
    error: type | None = None
    value: object = None
    took: float = 0.0

    @property
    def said(self):
        return self.fault or (
            self.error.__name__ if self.error else str(self.status) if self.status else "value"
        )


@attrs.frozen
class Scenario:
    """A policy, a script, and what must come of it. `ends`: the last outcome; `reason`: of the closed set, or None."""

    id: str
    policy: str
    script: list
    delays: list
    ends: str
    reason: str | None
    method: str = "GET"
    headers: dict = attrs.field(factory=dict)
    draws: tuple = (0.0,)
    retry_at: float | None = None
    content: str = "none"
    only: str | None = None

    @property
    def attempts(self):
        return len(self.delays) + 1


def answer(status, body="", took=0.0, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    kind = JSON if body.startswith("{") else {}
    return Step(status, {**kind, **named}, body.encode(), took=took)


def fault(name, took=0.0):
    return Step(fault=name, took=took)


ok = answer(200)
busy = answer(503)
slow_down = answer(429)


def after(text):
    return answer(429, Retry_After=text)


def code(status, code):
    return answer(status, f'{{"error": {{"code": "{code}", "message": "Model is Overloaded, sorry"}}}}')


def raising(error):
    return Step(error=error)


def giving(value):
    return Step(value=value)


def jitter(name, kind, *delays):
    """A kind of jitter at draws 0, one half, and almost one."""
    text = f"retry_on(503).{kind}"
    return [
        Scenario(
            f"jitter-{name}-at-{draw:.1f}",
            text,
            [busy, busy, busy, ok],
            list(wanted),
            "200",
            "succeeded",
            draws=(draw,),
        )
        for draw, wanted in zip((0.0, 0.5, ALMOST_ONE), delays, strict=True)
    ]


SENTENCES = [
    Scenario("sentence-success-at-once", SENTENCE, [ok], [], "200", None),
    Scenario("sentence-429-asks", SENTENCE, [after("7"), ok], [7], "200", "succeeded"),
    Scenario("sentence-429-spreads", SENTENCE, [after("30"), ok], [31.5], "200", "succeeded", draws=(0.5,)),
    Scenario("sentence-503-backs-off", SENTENCE, [busy, busy, ok], [0.25, 0.5], "200", "succeeded", draws=(0.5,)),
    Scenario("sentence-503-for-ever", SENTENCE, [busy] * 4, [0.25, 0.5, 1], "503", "retries_exhausted", draws=(0.5,)),
    Scenario("sentence-each-rule-counts-its-own", SENTENCE, [busy, after("2"), busy, after("2"), busy, after("2"), busy],
             [0.25, 2.5, 0.5, 2.5, 1, 2.5], "503", "retries_exhausted", draws=(0.5,)),
    Scenario("sentence-no-rule", SENTENCE, [answer(404)], [], "404", None),
    Scenario("sentence-no-rule-after-a-retry", SENTENCE, [busy, answer(404)], [0], "404", "no_rule"),
    Scenario("sentence-no-rule-for-a-fault", SENTENCE, [fault("ReadError")], [], "ReadError", None),
    Scenario("sentence-no-rule-for-a-fault-after-a-retry", SENTENCE, [busy, fault("ReadError")], [0], "ReadError", "no_rule"),
]  # fmt: skip

HINTS = [
    Scenario("hint-seconds", SENTENCE, [after("120"), ok], [120], "200", "succeeded"),
    Scenario("hint-date", SENTENCE, [after("Thu, 01 Jan 2026 00:00:40 GMT"), ok], [40], "200", "succeeded"),
    Scenario("hint-date-against-the-servers-own", SENTENCE,
             [answer(429, Retry_After="Thu, 01 Jan 2026 00:01:20 GMT", Date="Thu, 01 Jan 2026 00:01:00 GMT"), ok],
             [20], "200", "succeeded"),
    Scenario("hint-date-gone-by", SENTENCE, [after("Wed, 31 Dec 2025 00:00:00 GMT"), ok], [0.25], "200", "succeeded", draws=(0.5,)),
    Scenario("hint-absent", SENTENCE, [slow_down, slow_down, ok], [0.25, 0.5], "200", "succeeded", draws=(0.5,)),
    Scenario("hint-zero", SENTENCE, [after("0"), ok], [0.25], "200", "succeeded", draws=(0.5,)),
    Scenario("hint-malformed", SENTENCE, [after("soon"), ok], [0.25], "200", "succeeded", draws=(0.5,)),
    Scenario("hint-too-long", SENTENCE, [after("121")], [], "429", "hint_too_long", retry_at=WALL + 121),
    Scenario("hint-as-long-as-allowed", 'retry_on(429).after_header("Retry-After").at_most(2m)', [after("120"), ok], [120], "200", "succeeded"),
    Scenario("hint-longer-allowed", 'retry_on(429).after_header("Retry-After", max=1).at_most(30m)', [after("1800"), ok], [1800], "200", "succeeded"),
    Scenario("hint-then-fixed", 'retry_on(429).after_header("Retry-After").fixed(9s)', [after("3"), slow_down, ok], [3, 9], "200", "succeeded"),
    Scenario("hint-in-the-body", 'retry_on(429).after_body("retry.seconds")', [answer(429, '{"retry": {"seconds": 4}}'), ok], [4], "200", "succeeded"),
    Scenario("hint-in-the-message", 'retry_on(429).after_message("try again in {seconds} seconds")',
             [answer(429, '{"error": {"message": "Please try again in 6 seconds."}}'), ok], [6], "200", "succeeded"),
    Scenario("hint-rate-limit-reset", 'retry_on(429).after_reset("X-RateLimit-Reset")',
             [answer(429, X_RateLimit_Remaining="0", X_RateLimit_Reset=str(WALL + 50)), ok], [50], "200", "succeeded"),
    Scenario("hint-by-any-convention", "retry_on(429).after_hint()", [answer(429, Retry_After_Ms="2500"), ok], [2.5], "200", "succeeded"),
    Scenario("hint-past-the-deadline", f"({SENTENCE}).within(30s)", [after("60")], [], "429", "deadline", retry_at=WALL + 60),
    Scenario("hint-on-a-success-is-nothing", SENTENCE, [answer(200, Retry_After="60")], [], "200", None),
]  # fmt: skip

TWO = "retry_on(503).fixed(4s, max=9) | retry_on(502).fixed(1s)"
LIMITS = [
    Scenario("deadline-shortens-for-a-last-attempt", f"({TWO}).within(10s)", [busy] * 4, [4, 4, 1.8], "503", "deadline"),
    Scenario("deadline-that-a-last-attempt-meets", f"({TWO}).within(10s)", [busy, busy, busy, ok], [4, 4, 1.8], "200", "succeeded"),
    Scenario("deadline-counts-attempts-too", f"({TWO}).within(10s)", [answer(503, took=2)] * 2, [4], "503", "deadline"),
    Scenario("deadline-leaves-room-for-an-attempt-as-long", f"({TWO}).within(11s)", [answer(503, took=1.5)] * 3, [4, 2.5], "503", "deadline"),
    Scenario("deadline-of-a-rule", "retry_on(503).fixed(4s, max=9).within(10s) | retry_on(502).fixed(60s)",
             [busy, answer(502), busy, busy, busy], [4, 60, 4, 1.8], "503", "deadline"),
    Scenario("attempts-shared", f"({TWO}).attempts(3)", [busy, answer(502), busy], [4, 1], "503", "attempts_exhausted"),
    Scenario("attempts-of-one", f"({TWO}).attempts(1)", [busy], [], "503", "attempts_exhausted"),
    Scenario("attempts-of-each-rule", "retry_on(503).fixed(1s).attempts(2) | retry_on(502).fixed(2s).attempts(3)",
             [busy, answer(502), answer(502), busy], [1, 2, 2], "503", "retries_exhausted"),
    Scenario("three-retries-when-nothing-is-said", "retry_on(503).fixed(1s)", [busy] * 4, [1, 1, 1], "503", "retries_exhausted"),
    Scenario("no-retry-at-all", "retry_on(503).max(0)", [busy], [], "503", "retries_exhausted"),
    Scenario("forever-within-a-deadline", "(retry_on(503).fixed(1s, max=forever) | retry_on(502)).within(3500ms).attempts(100)",
             [busy] * 5, [1, 1, 1, 0.45], "503", "deadline"),
]  # fmt: skip

RULES = [
    Scenario("first-match-wins", "retry_on(503).fixed(1s) | retry_on(5xx).fixed(9s)", [busy, answer(500), ok], [1, 9], "200", "succeeded"),
    Scenario("give-up-before", "give_up_on(501) | retry_on(5xx).fixed(1s)", [busy, answer(501)], [1], "501", "rule_gave_up"),
    Scenario("give-up-at-once", 'give_up_on(429 & code("quota_exceeded")) | retry_on(429).fixed(1s)', [code(429, "quota_exceeded")], [], "429", "rule_gave_up"),
    Scenario("give-up-on-another-code", 'give_up_on(429 & code("quota_exceeded")) | retry_on(429).fixed(1s)', [code(429, "rate_limited"), ok], [1], "200", "succeeded"),
    Scenario("accept-what-looks-like-an-error", "accept_on(409) | retry_on(409, 503).fixed(1s)", [busy, answer(409)], [1], "409", "accepted"),
    Scenario("accept-at-once", "accept_on(409) | retry_on(4xx).fixed(1s)", [answer(409)], [], "409", None),
    Scenario("code-in-the-body", 'retry_on(code("overloaded", "busy")).fixed(1s)', [code(400, "overloaded"), code(500, "busy"), code(400, "other")], [1, 1], "400", "no_rule"),
    Scenario("code-elsewhere", 'retry_on(code("b", at="error.type")).fixed(1s)', [answer(400, '{"error": {"type": "b", "code": "a"}}'), ok], [1], "200", "succeeded"),
    Scenario("message-glob", 'retry_on(message("*overloaded*")).fixed(1s)', [code(500, "x"), answer(500, '{"message": "broken"}')], [1], "500", "no_rule"),
    Scenario("body-value", 'retry_on(body("error.retryable", True)).fixed(1s)', [answer(400, '{"error": {"retryable": true}}'), answer(400, '{"error": {"retryable": 1}}')], [1], "400", "no_rule"),
    Scenario("body-that-is-no-json", 'retry_on(code("x")).fixed(1s)', [answer(500, "{broken")], [], "500", None),
    Scenario("header-value", 'retry_on(header("X-Retry", "yes") & 4xx).fixed(1s)', [answer(400, X_Retry="YES"), answer(400, X_Retry="no")], [1], "400", "no_rule"),
    Scenario("a-success-that-says-it-failed", 'retry_on(200 & code("throttled")).fixed(1s)', [code(200, "throttled"), ok], [1], "200", "succeeded"),
    Scenario("status-range-and-negation", "retry_on(500-504 & ~501).fixed(1s)", [answer(504), answer(501)], [1], "501", "no_rule"),
    Scenario("anything", "retry_on(anything).fixed(1s, max=4)", [busy, answer(404), fault("ReadError"), answer(302)], [1, 1, 1], "302", "succeeded"),
    Scenario("named-in-text", '(retry_on(503).fixed(1s) | retry_on(502)).named("search")', [busy, ok], [1], "200", "succeeded"),
]  # fmt: skip

ANY = "retry_on(4xx, 5xx, network).fixed(1s, max=1)"
SAFETY = [
    Scenario("post-500-may-have-been-processed", ANY, [answer(500)], [], "500", "not_idempotent", method="POST"),
    Scenario("post-503-may-have-been-processed", ANY, [busy], [], "503", "not_idempotent", method="POST"),
    Scenario("patch-502", ANY, [answer(502)], [], "502", "not_idempotent", method="PATCH"),
    *[
        Scenario(f"post-{status}-was-declined", ANY, [answer(status), ok], [1], "200", "succeeded", method="POST")
        for status in (408, 421, 425, 429)
    ],
    *[
        Scenario(f"{method.lower()}-500-may-be-repeated", ANY, [answer(500), ok], [1], "200", "succeeded", method=method)
        for method in ("PUT", "DELETE", "OPTIONS", "HEAD")
    ],
    Scenario("post-with-a-key", ANY, [answer(500), ok], [1], "200", "succeeded", method="POST", headers={"Idempotency-Key": "k-1"}),
    Scenario("post-when-the-rule-says-any-method", "retry_on(500).fixed(1s).any_method()", [answer(500), ok], [1], "200", "succeeded", method="POST"),
    *[
        Scenario(f"post-{name}-was-never-sent", ANY, [fault(name), ok], [1], "200", "succeeded", method="POST")
        for name in ("ConnectError", "ConnectTimeout", "PoolTimeout")
    ],
    *[
        Scenario(f"post-{name}-may-have-been-processed", ANY, [fault(name)], [], name, "not_idempotent", method="POST")
        for name in ("ReadTimeout", "WriteTimeout", "ReadError", "RemoteProtocolError")
    ],
    Scenario("post-body-of-bytes-is-sent-again", ANY, [slow_down, ok], [1], "200", "succeeded", method="POST", content="bytes"),
    Scenario("put-body-of-a-generator-is-sent-once", ANY, [busy], [], "503", "body_not_replayable", method="PUT", content="generator", only="transport"),
]  # fmt: skip

FAULTS = [
    Scenario("fault-network", "retry_on(network).fixed(1s)", [fault("ReadError"), fault("ConnectError"), ok], [1, 1], "200", "succeeded"),
    Scenario("fault-given-up", "retry_on(network).fixed(1s, max=1)", [fault("ReadError"), fault("ConnectTimeout")], [1], "ConnectTimeout", "retries_exhausted"),
    Scenario("fault-any-timeout", "retry_on(timeout).fixed(1s)", [fault("ReadTimeout"), fault("PoolTimeout"), fault("ReadError")], [1, 1], "ReadError", "no_rule"),
    Scenario("fault-one-timeout", 'retry_on(timeout("connect")).fixed(1s)', [fault("ConnectTimeout"), fault("ReadTimeout")], [1], "ReadTimeout", "no_rule"),
    Scenario("fault-unsent", "retry_on(unsent).fixed(1s)", [fault("ConnectError"), answer(421), fault("ReadError")], [1, 1], "ReadError", "no_rule", method="POST"),
    Scenario("fault-then-status", "retry_on(network, 503).fixed(1s)", [fault("ReadError"), busy, ok], [1, 1], "200", "succeeded"),
]  # fmt: skip

JITTERS = [
    *jitter("full", "exponential()", [0, 0, 0], [0.25, 0.5, 1], [0.5, 1, 2]),
    *jitter("equal", 'exponential(jitter="equal")', [0.25, 0.5, 1], [0.375, 0.75, 1.5], [0.5, 1, 2]),
    *jitter("none", "exponential(jitter=False)", *[[0.5, 1, 2]] * 3),
    *jitter("decorrelated", "decorrelated(base=1s)", [1, 1, 1], [2, 3.5, 5.75], [3, 9, 27]),
    *jitter("capped", "exponential(base=2s, cap=3s)", [0, 0, 0], [1, 1.5, 1.5], [2, 3, 3]),
    *jitter("linear", "linear(base=1s, step=2s)", [0, 0, 0], [0.5, 1.5, 2.5], [1, 3, 5]),
    *jitter("fibonacci", "fibonacci(base=1s)", [0, 0, 0], [0.5, 0.5, 1], [1, 1, 2]),
    *jitter("fixed", "fixed(4s, jitter=True)", [0, 0, 0], [2, 2, 2], [4, 4, 4]),
    *jitter("fixed-without", "fixed(4s)", *[[4, 4, 4]] * 3),
    *jitter("a-list", "delays(1s, 5s)", *[[1, 5, 5]] * 3),
    *jitter("immediately", "immediately()", *[[0, 0, 0]] * 3),
]

PYTHON = [
    Scenario("python-exception", "retry_on(KeyError).fixed(1s)", [raising(KeyError), giving(5)], [1], "value", "succeeded", only="function"),
    Scenario("python-exception-given-up", "retry_on(LookupError).fixed(1s, max=1)", [raising(KeyError), raising(IndexError)], [1], "IndexError", "retries_exhausted", only="function"),
    Scenario("python-no-rule", "retry_on(KeyError)", [raising(ValueError)], [], "ValueError", None, only="function"),
    Scenario("python-mixed", "(retry_on(KeyError).fixed(1s) | retry_on(503).fixed(2s)).attempts(3)", [raising(KeyError), busy, raising(KeyError)], [1, 2], "KeyError", "attempts_exhausted", only="function"),
    Scenario("python-value", "retry_on(KeyError)", [giving("at once")], [], "value", None, only="function"),
    Scenario("python-accept", "accept_on(KeyError) | retry_on(LookupError).fixed(1s)", [raising(IndexError), raising(KeyError)], [1], "KeyError", "accepted", only="function"),
]  # fmt: skip

SCENARIOS = [*SENTENCES, *HINTS, *LIMITS, *RULES, *SAFETY, *FAULTS, *JITTERS, *PYTHON]


def pytest_generate_tests(metafunc):
    if "scenario" in metafunc.fixturenames:
        wanted = getattr(metafunc.function, "drives", None)
        chosen = [one for one in SCENARIOS if one.only in (None, wanted)]
        metafunc.parametrize("scenario", chosen, ids=[one.id for one in chosen])


@pytest.fixture(scope="session")
def scenarios():
    return SCENARIOS
