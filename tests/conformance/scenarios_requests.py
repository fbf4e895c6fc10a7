"""Scenarios of what may be sent again: methods, bodies, idempotency keys, and what the server saw of them."""

from scenario import scenario
from sending import NOTHING, WHOLE

from bide.testing import steps

OK = steps.respond()
BUSY = steps.respond(503, body="busy")
ERROR = steps.respond(500, body="broken")
POLICY = "retry_on(408, 421, 425, 429, 5xx, network).fixed(1s)"
TWICE = {"attempts": 2, "delays": (1.0,)}
REFUSED = {"fault": "refused", "refused": True, "attempts": 0, "connections": 0}
ALL_REFUSED = REFUSED | {"delays": (1.0, 1.0, 1.0), "reason": "retries_exhausted"}
KEY = (("Idempotency-Key", "k-1"),)
EXPIRED = 'retry_on(401).calling("refresh").fixed(1s)'
EXPIRED_STEP = steps.respond(401, body="expired")


def refresh():
    """Fail, as a server of tokens may."""
    raise RuntimeError("no new token")


METHODS = (
    *(
        scenario(f"{method} is repeated after {step.head[9:12].decode()}", POLICY, step, OK, method=method,
                 body=body, **TWICE, **({"content": b""} if method == "HEAD" else {}))
        for method, body, step in (
            ("PUT", "bytes", ERROR), ("PUT", "bytes", BUSY), ("DELETE", "none", BUSY), ("DELETE", "none", ERROR),
            ("HEAD", "none", BUSY), ("OPTIONS", "none", BUSY),
        )
    ),
    *(
        scenario(f"a {method} is not repeated after a {status}", POLICY, steps.respond(status, body="no"), OK,
                 method=method, body="bytes", status=status, content=b"no", reason="not_idempotent")
        for method, status in (("POST", 500), ("POST", 502), ("POST", 503), ("POST", 504), ("PATCH", 500), ("PATCH", 503))
    ),
    *(
        scenario(f"a {method} that is declined with {status} is repeated", POLICY, steps.respond(status, body="no"), OK,
                 method=method, body="bytes", **TWICE)
        for method, status in (("POST", 425), ("POST", 429), ("PATCH", 429))
    ),
    *(
        scenario(f"a POST that is declined with {status} is repeated on a new connection", POLICY,
                 steps.respond(status, body="no"), OK, method="POST", body="bytes", **TWICE, connections=2)
        for status in (408, 421)
    ),
    scenario("a method that HTTP does not know is not repeated", POLICY, BUSY, OK, method="BREW", status=503,
             content=b"busy", reason="not_idempotent"),
    scenario("a POST is repeated when its rule says any method", "retry_on(5xx, network).fixed(1s).any_method()",
             ERROR, BUSY, OK, method="POST", body="json", attempts=3, delays=(1.0, 1.0)),
    scenario("a POST with an idempotency key is repeated with the same key", POLICY, BUSY, steps.drop(), OK,
             method="POST", body="json", headers=KEY, attempts=3, delays=(1.0, 1.0), connections=2),
    scenario("a POST whose connection was closed before the answer is not repeated", POLICY, steps.drop(), OK,
             method="POST", body="bytes", fault="closed before the answer", reason="not_idempotent"),
    scenario("a POST whose connection was reset is not repeated", POLICY, steps.reset(), OK, method="POST",
             body="bytes", fault="reset", reason="not_idempotent"),
    scenario("a PUT whose connection was closed before the answer is repeated", POLICY, steps.drop(), OK,
             method="PUT", body="bytes", **TWICE, connections=2),
    scenario("a POST whose answer was cut off is not repeated", POLICY, steps.truncate(), OK, method="POST",
             body="bytes", fault="body cut off", reason="not_idempotent"),
    scenario("a POST whose answer did not come in time is not repeated", POLICY, steps.stall(), method="POST",
             body="bytes", timeout=0.1, fault="read timeout", reason="not_idempotent"),
    scenario("a POST that was declined and then failed is not repeated once more", POLICY,
             steps.respond(429, body="slow down"), ERROR, method="POST", body="bytes", **TWICE, status=500,
             content=b"broken", reason="not_idempotent"),
    scenario("a GET to where nobody listens is repeated", POLICY, **ALL_REFUSED),
    scenario("a POST to where nobody listens is repeated", POLICY, method="POST", body="bytes", **ALL_REFUSED),
    scenario("a POST to where nobody listens is repeated by a rule about the unsent", "retry_on(unsent).fixed(1s)",
             method="POST", body="form", **ALL_REFUSED),
    scenario("what was sent is not unsent", "retry_on(unsent).fixed(1s)", steps.drop(), OK,
             fault="closed before the answer"),
)  # fmt: skip

BODIES = (
    *(
        scenario(f"a body of the kind {kind} is sent again as it was", POLICY, BUSY, BUSY, OK, method="PUT", body=kind,
                 attempts=3, delays=(1.0, 1.0))
        for kind in ("bytes", "text", "json", "form", "file", "file at an offset", "multipart", "large")
    ),
    scenario("a generator is sent once and its answer handed back", POLICY, BUSY, OK, method="PUT", body="generator",
             status=503, content=b"busy", reason="body_not_replayable"),
    scenario("a generator is not sent again by any method", POLICY + ".any_method()", BUSY, OK, method="POST",
             body="generator", status=503, content=b"busy", reason="body_not_replayable"),
    scenario("a generator is not sent again with an idempotency key", POLICY, BUSY, OK, method="POST",
             body="generator", headers=KEY, status=503, content=b"busy", reason="body_not_replayable"),
    scenario("a generator whose connection was lost is not sent again", POLICY, steps.drop(), OK, method="PUT",
             body="generator", fault="closed before the answer", reason="body_not_replayable"),
    scenario("a generator that was declined is not sent again", POLICY, steps.respond(429, body="slow down"), OK,
             method="POST", body="generator", status=429, content=b"slow down", reason="body_not_replayable"),
    scenario("a generator in a POST that failed is not sent again", POLICY, ERROR, OK, method="POST", body="generator",
             status=500, content=b"broken", reason="not_idempotent"),
    scenario("a generator that nobody has read may wait for who listens", POLICY, method="PUT", body="generator",
             **ALL_REFUSED),
    scenario("a part that is read from a pipe is sent once", POLICY, BUSY, OK, method="PUT", body="multipart of a pipe",
             status=503, content=b"busy", reason="body_not_replayable"),
    scenario("a body is sent again after a lost connection", POLICY, steps.drop(), steps.reset(), OK, method="PUT",
             body="file", attempts=3, delays=(1.0, 1.0), connections=3),
    scenario("an answer that comes before the body was read is the answer", POLICY, steps.early(413), method="PUT",
             body="large", status=413, content=b"too large", bodies=(NOTHING,)),
    scenario("an answer that comes before the body was read may be followed by another", POLICY,
             steps.early(503, {"Connection": "close"}), OK, method="PUT", body="large", **TWICE,
             bodies=(NOTHING, WHOLE), connections=2),
    scenario("the query is sent again as it was", POLICY, BUSY, OK, **TWICE),
    scenario("retries are counted in a header", POLICY, BUSY, BUSY, OK, count_header="X-Retry-Count", attempts=3,
             delays=(1.0, 1.0), counts=(None, "1", "2")),
    scenario("retries are counted in no header unless asked", POLICY, BUSY, OK, **TWICE, counts=(None, None)),
    scenario("a cookie that a rejected answer sets is not sent with the retry", POLICY,
             steps.respond(503, {"Set-Cookie": "id=1"}, "busy"), OK, **TWICE, cookies=(None, None)),
)  # fmt: skip

ENDS = (
    scenario("a fault that no rule is about ends a call with its history", "retry_on(503).fixed(1s)", BUSY, steps.drop(),
             **TWICE, fault="closed before the answer", reason="no_rule"),
    scenario("a fault that a rule gives up on is given up", "give_up_on(network) | retry_on(503).fixed(1s)", steps.drop(),
             fault="closed before the answer", reason="rule_gave_up"),
    scenario("attempts are exhausted by faults as by answers", "(retry_on(network).fixed(1s) | retry_on(503)).attempts(2)",
             steps.drop(),
             **TWICE, fault="closed before the answer", connections=2, reason="attempts_exhausted"),
    scenario("a deadline ends a call of faults", "(retry_on(network).fixed(40s).max(9)).within(100s)", steps.drop(),
             attempts=4, delays=(40.0, 40.0, 18.0), fault="closed before the answer", connections=4,
             reason="deadline"),
    scenario("an action is taken before the retry of a rule that calls it", EXPIRED, EXPIRED_STEP, OK, **TWICE,
             recover={"refresh": lambda: None}),
    scenario("an action that fails ends the call with the answer", EXPIRED, EXPIRED_STEP, OK, status=401, content=b"expired",
             recover={"refresh": refresh}, reason="recovery_failed"),
    scenario("an action that nobody bound ends the call with the answer", EXPIRED, EXPIRED_STEP, OK, status=401,
             content=b"expired", reason="recovery_failed"),
)  # fmt: skip

SCENARIOS = METHODS + BODIES + ENDS
