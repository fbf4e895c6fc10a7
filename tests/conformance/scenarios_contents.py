"""Scenarios of what stands in a response's body: codes, messages, codings, and bodies that are none of it."""

import gzip
import json
import zlib

from scenario import scenario

from bide.testing import steps

OK = steps.respond()
LATER = {"error": {"code": "try_later", "message": "The model is OVERLOADED, come back"}}
TEXT = json.dumps(LATER).encode()
POLICY = 'retry_on(503 & code("try_later")).fixed(1s)'
MATCHED = {"attempts": 2, "delays": (1.0,)}
JSON = ("Content-Type", "application/json")


def passes(name, step, content, **said):
    """A body in which no code is found: the answer is the caller's, to its last byte."""
    return scenario(name, POLICY, step, OK, status=503, content=content, **said)


BIG = json.dumps({"padding": "x" * 70_000, **LATER}).encode()

SCENARIOS = (
    scenario("a code in the body is a condition", POLICY, steps.json(503, LATER), OK, **MATCHED),
    scenario("a code at a place of its own is a condition",
             'retry_on(503 & code("E7", at="meta.errors.0.id")).fixed(1s)',
             steps.json(503, {"meta": {"errors": [{"id": "E7"}]}}), OK, **MATCHED),
    scenario("a code that is a number is a condition", 'retry_on(503 & code("1234")).fixed(1s)',
             steps.json(503, {"error": {"code": 1234}}), OK, **MATCHED),
    scenario("a code that the policy gives up on ends the call",
             'give_up_on(429 & code("insufficient_quota")) | retry_on(429).fixed(1s)',
             steps.json(429, {"error": {"code": "rate_limited"}}),
             steps.json(429, {"error": {"code": "insufficient_quota"}}), **MATCHED, status=429,
             content=b'{"error": {"code": "insufficient_quota"}}', reason="rule_gave_up"),
    scenario("a body that says it is accepted is accepted",
             'accept_on(409 & code("exists")) | retry_on(409).fixed(1s)', steps.json(409, {"code": "other"}),
             steps.json(409, {"code": "exists"}), **MATCHED, status=409, content=b'{"code": "exists"}',
             reason="accepted"),
    scenario("a value at a path of the body is a condition", 'retry_on(503 & body("error.retryable", True)).fixed(1s)',
             steps.json(503, {"error": {"retryable": True}}), OK, **MATCHED),
    scenario("a number at a path of the body is no truth", 'retry_on(503 & body("error.retryable", True)).fixed(1s)',
             steps.json(503, {"error": {"retryable": 1}}), OK, status=503, content=b'{"error": {"retryable": 1}}'),
    scenario("a message that fits a glob is a condition", 'retry_on(503 & message("*overloaded*")).fixed(1s)',
             steps.json(503, LATER), OK, **MATCHED),
    scenario("a message that does not fit is no match", 'retry_on(503 & message("overloaded*")).fixed(1s)',
             steps.json(503, LATER), OK, status=503, content=TEXT),
    scenario("a code in gzip is read", POLICY,
             steps.respond(503, [JSON, ("Content-Encoding", "gzip")], gzip.compress(TEXT)), OK, **MATCHED),
    scenario("a code in deflate is read", POLICY,
             steps.respond(503, [JSON, ("Content-Encoding", "deflate")], zlib.compress(TEXT)), OK, **MATCHED),
    scenario("a code in chunks is read", POLICY, steps.respond(503, [JSON], TEXT, framing="chunked"), OK,
             **MATCHED),
    scenario("a code in a body that ends with its connection is read", POLICY,
             steps.respond(503, [JSON], TEXT, framing="close"), OK, **MATCHED, connections=2, settles=True),
    scenario("a code in UTF-8 with a byte order mark is read", POLICY,
             steps.respond(503, [JSON], b"\xef\xbb\xbf" + TEXT), OK, **MATCHED),
    scenario("a code under no content type is read", POLICY, steps.respond(503, (), TEXT), OK, **MATCHED),
    passes("a body beyond 64 KiB is not looked into", steps.respond(503, [JSON], BIG), BIG),
    passes("a chunked body beyond 64 KiB is not looked into",
           steps.respond(503, [JSON], BIG, framing="chunked"), BIG),
    passes("a body that is no JSON has no code", steps.respond(503, [JSON], "<html>busy</html>"),
           b"<html>busy</html>"),
    passes("an empty body has no code", steps.respond(503, [JSON], b""), b""),
    passes("JSON that is cut off has no code", steps.respond(503, [JSON], TEXT[:-9]), TEXT[:-9]),
    passes("JSON of another shape has no code", steps.respond(503, [JSON], '["error", {"code": 1}]'),
           b'["error", {"code": 1}]'),
    passes("gzip that is none has no code, and stays readable as the client can",
           steps.respond(503, [JSON, ("Content-Encoding", "identity")], b"\x1f\x8bnone"), b"\x1f\x8bnone"),
    passes("a code in gzip that no rule names leaves the body readable",
           steps.respond(503, [JSON, ("Content-Encoding", "gzip")], gzip.compress(b'{"code": "other"}')),
           b'{"code": "other"}'),
    scenario("a code in UTF-16 is no match and no error", POLICY,
             steps.respond(503, [JSON], json.dumps({"code": "other"}).encode("utf-16")), OK, status=503,
             content=json.dumps({"code": "other"}).encode("utf-16")),
    scenario("a body that a rule asks about and that is cut off is a lost connection",
             'retry_on(503 & code("try_later")).fixed(1s) | retry_on(network).fixed(3s)',
             steps.truncate(TEXT, status=503, headers=[JSON]), OK, attempts=2, delays=(3.0,), connections=2),
    scenario("a success is not looked into by rules about errors", POLICY, steps.json(200, LATER), content=TEXT),
    scenario("a success with an error in its body is looked into when a rule says so",
             'retry_on(200 & code("try_later")).fixed(1s)', steps.json(200, LATER), OK, **MATCHED),
)  # fmt: skip
