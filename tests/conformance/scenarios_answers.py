"""Scenarios of statuses, hints, deadlines, limits and rules: an answer came, and the policy decides."""

from scenario import scenario

from bide.testing import steps

OK = steps.respond()
BUSY = steps.respond(503, body="busy")
SLOW = steps.respond(429, body="slow down")
PLAIN = "retry_on(408, 421, 425, 429, 5xx).fixed(1s)"


def throttled(**headers):
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return steps.respond(429, pairs, "slow down")


def hinted(name, *pairs, policy='retry_on(429).after_header("Retry-After").fixed(2s)', delay, **said):
    """A 429 with these headers, then success after this delay. The draw is 0: a hint's spread adds nothing."""
    step = steps.respond(429, pairs, "slow down")
    said = {"attempts": 2, "delays": (delay,), "draws": (0.0,)} | said
    return scenario(name, policy, step, OK, **said)


STATUSES = (
    scenario("a success is left alone", PLAIN, OK),
    scenario("a 404 that no rule is about is left alone", PLAIN, steps.respond(404, body="no"), status=404,
             content=b"no"),
    *(
        scenario(f"a GET that is answered {status} is repeated", PLAIN, steps.respond(status, body="e"), OK,
                 attempts=2, delays=(1.0,))
        for status in (425, 429, 500, 502, 503, 504, 507)
    ),
    *(
        scenario(f"a GET that is answered {status} is repeated on a new connection", PLAIN,
                 steps.respond(status, body="e"), OK, attempts=2, delays=(1.0,), connections=2)
        for status in (408, 421)
    ),
    scenario("a range of statuses is that range", "retry_on(500-502).fixed(1s)", steps.respond(502, body="e"),
             steps.respond(503, body="last"), attempts=2, delays=(1.0,), status=503, content=b"last",
             reason="no_rule"),
    scenario("a status that HTTP does not name is one of its class", PLAIN, steps.respond(599, body="e"), OK,
             attempts=2, delays=(1.0,)),
)  # fmt: skip

HINTS = (
    hinted("retry-after in seconds is obeyed", ("Retry-After", "7"), delay=7.0),
    hinted("retry-after is spread upwards only", ("Retry-After", "60"), delay=63.0, draws=(0.5,)),
    hinted("retry-after as a date is obeyed", ("Retry-After", "Thu, 01 Jan 2026 00:00:30 GMT"), delay=30.0),
    hinted("retry-after as a date is read against the response's own date",
           ("Date", "Thu, 01 Jan 2026 01:00:00 GMT"), ("Retry-After", "Thu, 01 Jan 2026 01:00:20 GMT"), delay=20.0),
    hinted("without retry-after the rule's own delay is waited", delay=2.0),
    hinted("retry-after of no meaning is no hint", ("Retry-After", "soon"), delay=2.0),
    hinted("retry-after below zero is no hint", ("Retry-After", "-5"), delay=2.0),
    hinted("retry-after that is no finite number is no hint", ("Retry-After", "inf"), delay=2.0),
    hinted("an empty retry-after is no hint", ("Retry-After", ""), delay=2.0),
    hinted("retry-after of zero leaves the rule's own delay as the floor", ("Retry-After", "0"), delay=2.0),
    hinted("a retry-after date that has passed leaves the rule's own delay",
           ("Retry-After", "Wed, 31 Dec 2025 23:59:00 GMT"), delay=2.0),
    hinted("of two retry-after lines the longer is obeyed", ("Retry-After", "5"), ("Retry-After", "10"),
           delay=10.0),
    hinted("of two retry-after lines the longer is obeyed in either order", ("Retry-After", "10"),
           ("Retry-After", "5"), delay=10.0),
    hinted("of two retry-after lines a malformed one is no hint", ("Retry-After", "soon"), ("Retry-After", "5"),
           delay=5.0),
    hinted("a hint header that another rule names is not read", ("Retry-After", "9"),
           policy='retry_on(429).after_header("X-Wait").fixed(2s)', delay=2.0),
    hinted("retry-after-ms is a known hint", ("retry-after-ms", "1500"), policy="retry_on(429).after_hint().fixed(2s)",
           delay=1.5),
    hinted("a rate limit's reset is a hint when nothing remains", ("x-ratelimit-remaining", "0"),
           ("x-ratelimit-reset", "1767225612"), policy="retry_on(429).after_hint().fixed(2s)", delay=12.0),
    hinted("a rate limit's reset is no hint while something remains", ("x-ratelimit-remaining", "4"),
           ("x-ratelimit-reset", "1767225612"), policy="retry_on(429).after_hint().fixed(2s)", delay=2.0),
    hinted("the ratelimit field is a known hint", ("RateLimit", '"default";r=0;t=30'),
           policy="retry_on(429).after_hint().fixed(2s)", delay=30.0),
    hinted("a reset header that the rule names is a hint", ("X-Reset-After", "6m0s"),
           policy='retry_on(429).after_reset("X-Reset-After").fixed(2s).at_most(10m)', delay=360.0),
    scenario("a hint that is too long ends the call now", 'retry_on(429).after_header("Retry-After")',
             throttled(Retry_After="3600"), OK, status=429, content=b"slow down", reason="hint_too_long",
             retry_at=3600.0),
    scenario("a hint of two days is not a hint of a day less", 'retry_on(429).after_header("Retry-After")',
             throttled(Retry_After="Sat, 03 Jan 2026 00:00:05 GMT"), OK, status=429, content=b"slow down",
             reason="hint_too_long", retry_at=172_805.0),
    scenario("a hint in a body is obeyed", 'retry_on(429).after_body("details.retry_after").fixed(2s)',
             steps.json(429, {"details": {"retry_after": 4.5}}), OK, attempts=2, delays=(4.5,), draws=(0.0,)),
    scenario("a hint in a message is obeyed", 'retry_on(429).after_message("try again in {seconds} seconds").fixed(2s)',
             steps.json(429, {"error": {"message": "Please try again in 11 seconds."}}), OK, attempts=2,
             delays=(11.0,), draws=(0.0,)),
    scenario("each attempt obeys its own hint", 'retry_on(429).after_header("Retry-After").fixed(2s)',
             throttled(Retry_After="3"), throttled(), throttled(Retry_After="5"), OK, attempts=4,
             delays=(3.0, 2.0, 5.0), draws=(0.0,)),
)  # fmt: skip

DEADLINES = (
    scenario("a hint longer than the time left ends the call now",
             '(retry_on(429).after_header("Retry-After")).within(100s)', throttled(Retry_After="101"), OK,
             status=429, content=b"slow down", reason="deadline", retry_at=101.0),
    scenario("a hint shorter than the time left is obeyed",
             '(retry_on(429).after_header("Retry-After")).within(100s)', throttled(Retry_After="60"), OK,
             attempts=2, delays=(60.0,), draws=(0.0,)),
    scenario("our own delay is shortened so that a last attempt fits",
             "(retry_on(503).fixed(40s).max(9)).within(100s)", BUSY, attempts=4, delays=(40.0, 40.0, 18.0),
             status=503, content=b"busy", reason="deadline"),
    scenario("the last attempt within a deadline may succeed",
             "(retry_on(503).fixed(40s).max(9)).within(100s)", BUSY, BUSY, BUSY, OK, attempts=4,
             delays=(40.0, 40.0, 18.0)),
    scenario("a deadline in parentheses is shared by all rules",
             "(retry_on(429).fixed(30s).max(9) | retry_on(503).fixed(60s)).within(100s)", SLOW, BUSY, SLOW, attempts=4,
             delays=(30.0, 60.0, 9.0), status=429, content=b"slow down", reason="deadline"),
    scenario("a rule's own deadline binds that rule only",
             "retry_on(429).fixed(30s).max(9).within(50s) | retry_on(503).fixed(100s)", SLOW, BUSY, SLOW, OK,
             attempts=4, delays=(30.0, 100.0, 18.0)),
)  # fmt: skip

LIMITS = (
    scenario("retries of a rule are exhausted after its maximum", "retry_on(503).fixed(1s).max(2)", BUSY, attempts=3,
             delays=(1.0, 1.0), status=503, content=b"busy", reason="retries_exhausted"),
    scenario("a rule repeats three times when not said otherwise", "retry_on(503).fixed(1s)", BUSY, attempts=4,
             delays=(1.0, 1.0, 1.0), status=503, content=b"busy", reason="retries_exhausted"),
    scenario("each rule counts its own retries",
             "retry_on(429).fixed(2s).max(1) | retry_on(503).fixed(1s).max(1)", SLOW, BUSY, SLOW, attempts=3,
             delays=(2.0, 1.0), status=429, content=b"slow down", reason="retries_exhausted"),
    scenario("attempts in parentheses are shared by all rules",
             "(retry_on(429).fixed(2s) | retry_on(503).fixed(1s)).attempts(3)", SLOW, BUSY, SLOW, attempts=3,
             delays=(2.0, 1.0), status=429, content=b"slow down", reason="attempts_exhausted"),
    scenario("attempts on a rule are that rule's", "retry_on(503).fixed(1s).attempts(2)", BUSY, attempts=2,
             delays=(1.0,), status=503, content=b"busy", reason="retries_exhausted"),
    scenario("a maximum of none repeats nothing", "retry_on(503).fixed(1s).max(0)", BUSY, status=503,
             content=b"busy", reason="retries_exhausted"),
    scenario("exponential ceilings double and are drawn below", "retry_on(503).exponential().max(4)", BUSY,
             attempts=5, delays=(0.25, 0.5, 1.0, 2.0), status=503, content=b"busy", reason="retries_exhausted"),
    scenario("a list of delays is taken in turn", "retry_on(503).delays(1s, 5s, 30s).max(4)", BUSY, attempts=5,
             delays=(1.0, 5.0, 30.0, 30.0), status=503, content=b"busy", reason="retries_exhausted"),
    scenario("immediately is no delay", "retry_on(503).immediately()", BUSY, OK, attempts=2, delays=(0.0,)),
)  # fmt: skip

RULES = (
    scenario("the first rule that matches decides", "retry_on(503).fixed(7s) | retry_on(5xx).fixed(1s)", BUSY,
             steps.respond(500, body="e"), OK, attempts=3, delays=(7.0, 1.0)),
    scenario("a rule put before a policy overrides it", "give_up_on(503) | retry_on(5xx, 429).fixed(1s)", BUSY,
             status=503, content=b"busy", reason="rule_gave_up"),
    scenario("what a rule gives up on is given up after retries too",
             "give_up_on(403) | retry_on(503).fixed(1s)", BUSY, steps.respond(403, body="no"), attempts=2,
             delays=(1.0,), status=403, content=b"no", reason="rule_gave_up"),
    scenario("what a rule accepts is the answer", "accept_on(409) | retry_on(4xx).fixed(1s)",
             steps.respond(409, body="there already"), status=409, content=b"there already"),
    scenario("what a rule accepts after a retry says so", "accept_on(409) | retry_on(503).fixed(1s)", BUSY,
             steps.respond(409, body="there already"), attempts=2, delays=(1.0,), status=409,
             content=b"there already", reason="accepted"),
    scenario("an answer that no rule is about ends a call with its history", "retry_on(503).fixed(1s)", BUSY,
             steps.respond(404, body="no"), attempts=2, delays=(1.0,), status=404, content=b"no", reason="no_rule"),
    scenario("a method that a rule names is that method", 'retry_on(503 & method("PUT")).fixed(1s)', BUSY, status=503,
             content=b"busy"),
    scenario("a header with its value is a condition", 'retry_on(header("X-Should-Retry", "true")).fixed(1s)',
             steps.respond(400, {"X-Should-Retry": "TRUE"}, "e"), OK, attempts=2, delays=(1.0,)),
    scenario("a header with another value is no match", 'retry_on(header("X-Should-Retry", "true")).fixed(1s)',
             steps.respond(400, {"X-Should-Retry": "false"}, "e"), status=400, content=b"e"),
    scenario("a header by its name alone is a condition", 'give_up_on(header("X-Overloaded")) | retry_on(5xx).fixed(1s)',
             BUSY, steps.respond(503, {"x-overloaded": "1"}, "over"), attempts=2, delays=(1.0,), status=503,
             content=b"over", reason="rule_gave_up"),
    scenario("a condition that is denied is denied", 'retry_on(5xx & ~header("X-Final")).fixed(1s)', BUSY,
             steps.respond(503, {"X-Final": "1"}, "final"), attempts=2, delays=(1.0,), status=503,
             content=b"final", reason="no_rule"),
)  # fmt: skip

SCENARIOS = STATUSES + HINTS + DEADLINES + LIMITS + RULES
