"""Scenarios of the wire: faults, connections kept and lost, bodies drained or dropped, redirects, nesting, streams."""

import gzip

import attrs
from scenario import NO_HISTORY, scenario
from sending import NOTHING, WHOLE

from bide.testing import steps

OK = steps.respond()
BUSY = steps.respond(503, body="busy")
BOMB = gzip.compress(bytes(2**24))  # 16 KiB
STOPS = attrs.evolve(steps.truncate(b"xy", keep=1, status=503), ending="keep")
POLICY = "retry_on(5xx, network).fixed(1s)"
TWICE = {"attempts": 2, "delays": (1.0,)}
BUSY_TO_THE_END = {"attempts": 4, "delays": (1.0, 1.0, 1.0), "reason": "retries_exhausted"}

FAULTS = (
    *(
        scenario(f"a GET is repeated after {fault}", POLICY, step, OK, **TWICE, connections=2, settles=True)
        for fault, step in (
            ("a connection that was closed", steps.drop()),
            ("a connection that was reset", steps.reset()),
            ("an answer that was no HTTP", steps.garbage()),
            ("a head that was cut off", steps.half_head()),
            ("a chunk that is none", steps.bad_chunk()),
            ("a body that was cut off", steps.truncate()),
            ("a chunked body that was cut off", steps.truncate(framing="chunked")),
            ("a body that was reset", steps.truncate(ending="reset")),
        )
    ),
    *(
        scenario(f"the exception after {fault} is the client's own", POLICY, step, fault=fault,
                 **BUSY_TO_THE_END, connections=4)
        for fault, step in (
            ("closed before the answer", steps.drop()),
            ("reset", steps.reset()),
            ("no HTTP", steps.garbage()),
            ("head cut off", steps.half_head()),
            ("bad chunk", steps.bad_chunk()),
            ("body cut off", steps.truncate()),
        )
    ),
    scenario("an answer that does not come in time is repeated", "retry_on(timeout).fixed(1s).max(1)", steps.stall(),
             timeout=0.1, fault="read timeout", **TWICE, connections=2, reason="retries_exhausted"),
    scenario("a timeout of reading is told from one of connecting", 'retry_on(timeout("connect")).fixed(1s)',
             steps.stall(), timeout=0.1, fault="read timeout"),
    scenario("a network rule takes nothing that was answered", "retry_on(network).fixed(1s)", BUSY, status=503,
             content=b"busy"),
    scenario("faults of all kinds in one call", POLICY + ".max(9)", steps.drop(), BUSY, steps.reset(),
             steps.garbage(), OK, attempts=5, delays=(1.0,) * 4, connections=4),
)  # fmt: skip


def rejected(name, step, connections, **said):
    """An error answer, then success: how many connections that takes."""
    return scenario(name, POLICY, step, OK, **TWICE, connections=connections, **said)


DRAINING = (
    rejected("an error of a few bytes leaves its connection open", BUSY, 1),
    rejected("an error of 64 KiB leaves its connection open", steps.respond(503, body=b"x" * 65_536), 1),
    rejected("an error of 5 MB is not read", steps.respond(503, body=b"x" * 5_000_000), 2),
    rejected("an endless error is not read", steps.endless(status=503, limit=2**21), 2),
    rejected("an error in chunks leaves its connection open", steps.respond(503, body="busy" * 99, framing="chunked"),
             1),
    rejected("a long error in chunks is not read to its end",
             steps.respond(503, body=b"x" * 300_000, framing="chunked"), 2),
    rejected("an error without a body leaves its connection open", steps.respond(503, body=b""), 1),
    rejected("an error that ends with its connection takes another",
             steps.respond(503, body="busy", framing="close"), 2, settles=True),
    rejected("an error that announces the end of its connection takes another",
             steps.close_after(503, {"Connection": "close"}, "busy"), 2),
    rejected("a connection that was closed unannounced is not used again", steps.close_after(503, body="busy"), 2,
             settles=True),
    rejected("an error in answer to HEAD leaves its connection open",
             steps.respond(503, {"Content-Length": "100"}, b""), 1, method="HEAD", content=b""),
    rejected("interim answers are not the answer",
             steps.raw(b"HTTP/1.1 100 Continue\r\n\r\n" + BUSY.head + BUSY.body, ending="keep"), 1),
    rejected("early hints are not the answer",
             steps.raw(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + BUSY.head + BUSY.body, ending="keep"), 1),
    rejected("bytes after an answer are not the next answer",
             steps.raw(BUSY.head + BUSY.body + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL", ending="keep"), 2),
    rejected("an error in gzip is not unpacked",
             steps.respond(503, {"Content-Encoding": "gzip"}, b"no gzip at all"), 1),
    rejected("an error that unpacks to 16 MB is not unpacked", steps.respond(503, {"Content-Encoding": "gzip"}, BOMB), 1),
    rejected("an error that comes byte by byte is not awaited", steps.trickle(b"x" * 60, pause=0.02, status=503), 2),
    rejected("an error that stops in its middle is not awaited", STOPS, 2, timeout=0.5),
    scenario("an error that unpacks to 16 MB is not looked into", 'retry_on(503 & code("later")).fixed(1s)',
             steps.respond(503, {"Content-Encoding": "gzip"}, BOMB), status=503, content=bytes(2**24)),
    scenario("a 204 may be repeated on the same connection", "retry_on(204).fixed(1s)", steps.respond(204), OK,
             **TWICE),
    scenario("a 304 may be repeated on the same connection", "retry_on(304).fixed(1s)", steps.respond(304), OK,
             **TWICE),
    scenario("an answer that is given up on is whole", POLICY, steps.respond(503, body=b"y" * 300_000), **BUSY_TO_THE_END,
             status=503, content=b"y" * 300_000, connections=4),
    scenario("an endless answer that is given up on is not awaited", "retry_on(503).fixed(1s).max(0)",
             steps.endless(status=503, limit=2**24), status=503, content=b".", streams=True,
             first_chunk_only=True, reason="retries_exhausted"),
)  # fmt: skip

ELSEWHERE = {"/g": (BUSY, OK)}


def moved(status):
    return steps.respond(status, {"Location": "/g"}, "moved")


REDIRECTS = (
    scenario("a redirect is followed, and only its target repeated", POLICY, moved(302), elsewhere=ELSEWHERE,
             attempts=3, delays=(1.0,), paths=("/f", "/g", "/g")),
    scenario("a redirect itself may be repeated", "retry_on(5xx).fixed(1s)", BUSY, moved(307),
             elsewhere={"/g": (OK,)}, attempts=3, delays=(1.0,), paths=("/f", "/f", "/g"),
             reason=NO_HISTORY),
    scenario("a redirect takes the body along to each attempt", POLICY, moved(307), elsewhere=ELSEWHERE,
             method="PUT", body="bytes", attempts=3, delays=(1.0,), paths=("/f", "/g", "/g")),
    scenario("a POST that was redirected to a GET is done, and only the GET is repeated", POLICY, moved(303),
             elsewhere=ELSEWHERE, method="POST", body="bytes", attempts=3, delays=(1.0,), paths=("/f", "/g", "/g"),
             bodies=(WHOLE, NOTHING, NOTHING)),
    scenario("a POST that was redirected to a GET is not sent again because that was declined", "retry_on(429).fixed(1s)",
             moved(303), elsewhere={"/g": (steps.respond(429, body="slow down"), OK)}, method="POST", body="bytes",
             attempts=3, delays=(1.0,), paths=("/f", "/g", "/g"), bodies=(WHOLE, NOTHING, NOTHING)),
    scenario("a redirected POST that may have been processed is not repeated", POLICY, moved(307),
             elsewhere=ELSEWHERE, method="POST", body="bytes", attempts=2, paths=("/f", "/g"), status=503,
             content=b"busy", reason="not_idempotent"),
)  # fmt: skip

NESTING = (
    scenario("an outer policy does not repeat what an inner one has exhausted", "retry_on(5xx, network).fixed(1s).max(1)",
             BUSY, outer="retry_on(5xx, network).fixed(5s)", **TWICE, status=503, content=b"busy",
             reason="inner_exhausted"),
    scenario("an outer policy does not repeat a fault that an inner one has exhausted",
             "retry_on(5xx, network).fixed(1s).max(1)", steps.drop(), outer="retry_on(5xx, network).fixed(5s)", **TWICE,
             fault="closed before the answer", connections=2, reason="inner_exhausted"),
    scenario("an outer policy that says over inner multiplies", "retry_on(503).fixed(1s).max(1)", BUSY,
             outer="(retry_on(503).fixed(5s).max(1)).over_inner()", attempts=4, delays=(1.0, 5.0, 1.0),
             last_delays=(5.0,), status=503, content=b"busy", reason="retries_exhausted"),
    scenario("an outer policy repeats what the inner one is not about", "retry_on(503).fixed(1s)",
             steps.respond(429, body="slow down"), OK, outer="retry_on(429).fixed(5s)", attempts=2, delays=(5.0,)),
)  # fmt: skip

LONG = bytes(range(256)) * 800

STREAMS = (
    scenario("a stream that is answered well is the caller's to read", POLICY, steps.respond(body=LONG, framing="chunked"),
             streams=True, content=LONG),
    scenario("a stream that is answered with an error is repeated", POLICY, BUSY, steps.respond(body=LONG), streams=True,
             content=LONG, **TWICE),
    scenario("an endless stream is handed over before its end", POLICY, BUSY, steps.endless(limit=2**24), streams=True,
             first_chunk_only=True, content=b".", **TWICE),
    scenario("a stream whose rules ask about its body is readable again",
             'retry_on(503 & code("later")).fixed(1s)', steps.json(503, {"code": "other"}), streams=True,
             status=503, content=b'{"code": "other"}'),
    scenario("a stream beyond what rules look into is readable from its start",
             'retry_on(503 & code("later")).fixed(1s)', steps.respond(503, body=LONG, framing="chunked"),
             streams=True, status=503, content=LONG),
    scenario("a stream that is cut off while the caller reads is not begun again", POLICY, steps.truncate(LONG), OK,
             streams=True, fault="body cut off"),
)  # fmt: skip

SCENARIOS = FAULTS + DRAINING + REDIRECTS + NESTING + STREAMS
