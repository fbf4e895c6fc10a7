"""Where a client does not do what the table says, and why: each row with its sentence for the documentation."""

import re
from importlib.metadata import version

import attrs
import pytest

HTTPX = ("httpx", "httpx2")
AT_THE_CLIENT = ("httpx-client", "httpx2-client")
ONCE = {"attempts": 1, "delays": (), "connections": 1, "reason": None}
CUT_OFF = {"status": None, "content": b"", **ONCE}
GET_GIVEN_UP = {
    "attempts": 2,
    "delays": (),
    "paths": ("/f", "/g"),
    "bodies": ("whole", "nothing"),
    "reason": "not_idempotent",
}
AGAIN = {"attempts": 2, "delays": (1.0,), "status": 200, "content": b"ok", "reason": None}


@attrs.frozen
class Deviation:
    """
    What is otherwise for some clients.

    Attributes:
        name: Of its row in the documentation.
        families: The clients.
        sentence: What the documentation says, with the reason.
        scenarios: By a scenario's name, the fields of `Expected` that differ.
    """

    name: str
    families: tuple
    sentence: str
    scenarios: dict

    @property
    def clients(self):
        """The clients, as the documentation writes them."""
        return ", ".join(self.families)


@attrs.frozen
class NotTaken:
    """Kinds of request body that some ways to send cannot have, with the sentence for the documentation."""

    name: str
    variants: tuple
    kinds: frozenset
    sentence: str

    @property
    def clients(self):
        """The ways to send, as the documentation writes them."""
        return ", ".join(self.variants)


@attrs.frozen
class OfItsOwn:
    """
    What a client does wrong without us too, and what our loops over every step of a call therefore allow it.

    `loses_a_place`: how that happens, for a client that then needs a pool of two connections to go on; `warning`: the
    one that it leaves to the collector.
    """

    name: str
    variants: tuple
    sentence: str
    loses_a_place: str | None = None
    warning: str | None = None

    @property
    def clients(self):
        """The ways to send, as the documentation writes them."""
        return ", ".join(self.variants)


@attrs.frozen
class Formerly:
    """
    What is otherwise until a version of a library, with the sentence for the documentation.

    `kinds`, `scenarios` and `warning` as above; `takes_in`: what `test_nothing_hangs` finds that it takes into memory.
    """

    library: str
    until: str
    variants: tuple
    sentence: str
    kinds: frozenset = frozenset()
    scenarios: dict = attrs.field(factory=dict)
    warning: str | None = None
    takes_in: tuple = ()

    @property
    def is_so(self):
        """Whether the library is older than that."""
        return _numbers(version(self.library)) < _numbers(self.until)


def _numbers(of):
    return [int(number) for number in re.findall("[0-9]+", of)[:3]]


NOT_TAKEN = (
    NotTaken(
        "no file",
        tuple(
            f"{family}-{backend}"
            for family in (*HTTPX, *AT_THE_CLIENT, "function")
            for backend in ("asyncio", "trio")
        ),
        frozenset({"file", "file at an offset"}),
        "Asynchronous clients of httpx and httpx2 take no file as `content`, other than in the parts of `files`.",
    ),
    NotTaken(
        "length of a file",
        ("httpx-sync", "httpx-client-sync", "function"),
        frozenset({"file at an offset"}),
        "httpx 0.28 announces the length of a whole file, and fails to send one that does not stand at its start.",
    ),
)

DEVIATIONS = (
    Deviation(
        "retries exhausted",
        ("aiohttp",),
        "A lost connection on which a policy gave up comes as RetriesExhausted, a ClientConnectionError, with aiohttp's "
        "own exception as its cause: at its own, aiohttp would begin the whole call again.",
        {
            name: {"wrapped": True}
            for name in (
                "a generator whose connection was lost is not sent again",
                "the exception after closed before the answer is the client's own",
                "the exception after reset is the client's own",
                "the exception after head cut off is the client's own",
                "an outer policy does not repeat a fault that an inner one has exhausted",
                "a fault that no rule is about ends a call with its history",
                "a fault that a rule gives up on is given up",
                "attempts are exhausted by faults as by answers",
                "a deadline ends a call of faults",
            )
        },
    ),
    Deviation(
        "body after the head",
        HTTPX,
        "The transports of httpx and httpx2 hand a response over before its body is read, so that a body which is cut "
        "off is the client's exception and no outcome, unless a rule asks about the body.",
        {
            "a GET is repeated after a chunk that is none": CUT_OFF | {"fault": "bad chunk"},
            "a GET is repeated after a body that was cut off": CUT_OFF | {"fault": "body cut off"},
            "a GET is repeated after a chunked body that was cut off": CUT_OFF | {"fault": "body cut off"},
            "a GET is repeated after a body that was reset": CUT_OFF | {"fault": "body reset"},
            "the exception after bad chunk is the client's own": ONCE,
            "the exception after body cut off is the client's own": ONCE,
            "a POST whose answer was cut off is not repeated": {"reason": None},
        },
    ),
    Deviation(
        "cut-off head",
        ("requests",),
        "requests takes a head that is cut off for a whole one, as http.client does, and returns what came of it: "
        "nothing that an adapter can see tells the two apart.",
        {
            "a GET is repeated after a head that was cut off": ONCE | {"content": b""},
            "the exception after head cut off is the client's own": ONCE | {"fault": None, "status": 200},
        },
    ),
    Deviation(
        "early hints",
        ("requests",),
        "requests takes 103 (Early Hints) for the answer, as http.client does.",
        {"early hints are not the answer": ONCE | {"status": 103, "content": b""}},
    ),
    Deviation(
        "multipart in memory",
        ("requests",),
        "requests reads the parts of a multipart body into memory before it sends anything, so that even a pipe in it "
        "can be sent again.",
        {"a part that is read from a pipe is sent once": AGAIN},
    ),
    Deviation(
        "extra bytes believed",
        (*HTTPX, *AT_THE_CLIENT, "function"),
        "httpx and httpx2 take bytes that came behind one answer for the next one on that connection: against a server "
        "that sends too much, only a connection for each request helps.",
        {"bytes after an answer are not the next answer": {"content": b"EVIL", "connections": 1}},
    ),
    Deviation(
        "extra bytes dropped",
        ("requests",),
        "requests drops bytes that came behind an answer, and goes on with the connection.",
        {"bytes after an answer are not the next answer": {"connections": 1}},
    ),
    Deviation(
        "gzip on the way",
        ("aiohttp",),
        "aiohttp unpacks each body while it is read: what is no gzip, or unpacks to more than 64 KiB, is not drained, and "
        "its connection is closed.",
        {
            "an error in gzip is not unpacked": {"connections": 2},
            "an error that unpacks to 16 MB is not unpacked": {"connections": 2},
        },
    ),
    Deviation(
        "its own repeat",
        ("aiohttp",),
        "aiohttp by itself repeats an idempotent request once whose connection was lost; a policy that has no rule "
        "about it leaves that as it is.",
        {
            "what was sent is not unsent": {
                "status": 200,
                "fault": None,
                "content": b"ok",
                "attempts": 2,
                "connections": 2,
            }
        },
    ),
    Deviation(
        "request made anew",
        ("function",),
        "A decorated function makes its request, and the body with it, anew for each attempt: a generator that it "
        "calls for is whole each time.",
        {
            "a generator is sent once and its answer handed back": AGAIN,
            "a generator is not sent again by any method": AGAIN,
            "a generator that was declined is not sent again": AGAIN,
            "a generator is not sent again with an idempotency key": AGAIN,
            "a generator whose connection was lost is not sent again": AGAIN
            | {"fault": None, "connections": 2},
            "a part that is read from a pipe is sent once": AGAIN,
        },
    ),
    Deviation(
        "redirects in one call",
        (*AT_THE_CLIENT, "function"),
        "A decorated function repeats all that it does, and so does a client that retries around its `send`: a chain of "
        "redirects is followed from its beginning, and has one history, where other adapters make a call of each hop. A POST "
        "that was redirected to a GET is done, and no answer to the GET is a reason to send it again.",
        {
            "a redirect itself may be repeated": {"reason": "succeeded"},
            "a POST that was redirected to a GET is done, and only the GET is repeated": GET_GIVEN_UP
            | {"status": 503, "content": b"busy"},
            "a POST that was redirected to a GET is not sent again because that was declined": GET_GIVEN_UP
            | {"status": 429, "content": b"slow down"},
            "a redirect is followed, and only its target repeated": {
                "attempts": 4,
                "paths": ("/f", "/g", "/f", "/g"),
            },
            "a redirect takes the body along to each attempt": {
                "attempts": 4,
                "paths": ("/f", "/g", "/f", "/g"),
            },
        },
    ),
    Deviation(
        "cookies at once",
        (*AT_THE_CLIENT, "function"),
        "A cookie that a rejected answer sets goes with the next attempt already, as with a call made anew; other adapters "
        "are handed a request that has its cookies.",
        {"a cookie that a rejected answer sets is not sent with the retry": {"cookies": (None, "id=1")}},
    ),
    Deviation(
        "read to the end",
        ("function",),
        "A client inside a decorated function has read the whole answer before the policy sees it, however long it is "
        "and whatever its coding, and keeps the connection.",
        {
            "an error of 5 MB is not read": {"connections": 1},
            "an error that comes byte by byte is not awaited": {"connections": 1},
            "a long error in chunks is not read to its end": {"connections": 1},
            "an answer that is given up on is whole": {"connections": 1},
            "an error in gzip is not unpacked": CUT_OFF | {"fault": "no gzip"},
        },
    ),
    Deviation(
        "no connection of its own",
        ("function",),
        "A decorated function has no connection of its own to close after 408 and 421; that is its client's business.",
        {
            f"a {method} that is {answered} {status} is repeated on a new connection": {"connections": 1}
            for method, answered in (("GET", "answered"), ("POST", "declined with"))
            for status in (408, 421)
        },
    ),
    Deviation(
        "stream closed",
        ("function",),
        "A streaming response that a decorated function returned is closed before a retry, and not drained.",
        {
            "a stream that is answered with an error is repeated": {"connections": 2},
            "an endless stream is handed over before its end": {"connections": 2},
        },
    ),
    Deviation(
        "no count header",
        ("function",),
        "Retries are counted in a header by adapters only.",
        {"retries are counted in a header": {"counts": (None, None, None)}},
    ),
)


OF_THEIR_OWN = (
    OfItsOwn(
        "place lost by cancelling",
        ("httpx-asyncio", "httpx-client-asyncio", "function-asyncio"),
        "httpcore 1 loses a place in its pool when a task of asyncio is cancelled in some of its awaits, with or without "
        "a policy.",
        loses_a_place="cancelled",
    ),
    OfItsOwn(
        "place lost by closing",
        ("requests",),
        "urllib3 loses a place in its pool when closing a socket fails.",
        loses_a_place="closing failed",
    ),
    OfItsOwn(
        "generators left behind",
        ("httpx-trio", "httpx-client-trio", "function-trio"),
        "When writing a request's body fails on trio, or decoding a response's, httpx 0.28 leaves the generator of that "
        "body to the collector, and trio warns of it.",
        warning="ignore:Async generator 'httpx:ResourceWarning",
    ),
)

FORMERLY = (
    Formerly(
        "httpx2",
        "2.13.1",
        ("httpx2-sync", "httpx2-client-sync"),
        "httpx2 announces the length of a whole file, and fails to send one that does not stand at its start, as httpx "
        "0.28 does.",
        kinds=frozenset({"file at an offset"}),
    ),
    Formerly(
        "aiohttp",
        "3.14.1",
        ("aiohttp",),
        "aiohttp unpacks a whole body in gzip into memory before anybody can look at its beginning.",
        scenarios={"an error that unpacks to 16 MB is not unpacked": {"connections": 1}},
        takes_in=("an error that is a gzip bomb",),
    ),
    Formerly(
        "anyio",
        "4.16",
        tuple(f"{family}-asyncio" for family in (*HTTPX, *AT_THE_CLIENT, "function")),
        "A connection on asyncio whose making is cancelled at its last step is left to the garbage collector.",
        warning="ignore:unclosed:ResourceWarning",
    ),
)

ALL = DEVIATIONS + NOT_TAKEN + OF_THEIR_OWN


def formerly(variant_name):
    """What is otherwise for a way to send with the versions that are installed."""
    return [row for row in FORMERLY if variant_name in row.variants and row.is_so]


def connections_of(variant_name, event):
    """The connections that a client needs in its pool to go on after an event, which may cost it one."""
    return (
        2 if any(variant_name in row.variants and row.loses_a_place == event for row in OF_THEIR_OWN) else 1
    )


def warnings_of(variant_name):
    """Marks that have a test pass over the warnings that a client leaves to the collector."""
    rows = [row for row in OF_THEIR_OWN if variant_name in row.variants] + formerly(variant_name)
    return [pytest.mark.filterwarnings(row.warning) for row in rows if row.warning]


def expected_of(scenario, variant):
    """What must come of a scenario for one way to send."""
    expected = scenario.expected
    for deviation in [*deviations_of(variant.family), *formerly(variant.name)]:
        expected = attrs.evolve(expected, **deviation.scenarios.get(scenario.name, {}))
    return expected


def not_taken(variant_name):
    """The kinds of request body that a way to send cannot have."""
    rows = [row for row in NOT_TAKEN if variant_name in row.variants] + formerly(variant_name)
    return frozenset().union(*(row.kinds for row in rows))


def deviations_of(family):
    """The rows about a client."""
    return [deviation for deviation in DEVIATIONS if family in deviation.families]
