"""Each transport fault once: how to bring it about on a real socket, and the one name that it has in every client."""

import attrs
import places
from sending import Ask

import bide
from bide.testing import VirtualClock, steps

OK = steps.respond()
CONDITIONS = (
    *("unsent", "network", "timeout"),
    *(f'timeout("{kind}")' for kind in ("pool", "connect", "write", "read")),
)
READ_AHEAD = 'accept_on(200 & code("never"))'  # so that a body which breaks off breaks off within the attempt


@attrs.frozen(kw_only=True)
class TransportFault:
    """
    One way in which a request comes to grief.

    Attributes:
        name: Of its row in the documentation.
        phase: Where it is said to have happened; None: it is no fault but an answer, of this status.
        conditions: Those of `CONDITIONS` that hold for it.
        answer: The status, where it is an answer.
        place: Where the request goes: a context of `places`.
        script: Steps of the server.
        timeouts: The client's own, by kind. Real seconds.
        method, body: Of the request.
        before: What happened on this connection: nothing, "an answer", or "an answer, then its end".
        busy: Whether the pool's only connection is in use.
    """

    name: str
    phase: str | None = None
    conditions: tuple = ()
    answer: int | None = None
    place: object = places.an_answering_server
    script: tuple = ()
    timeouts: dict = attrs.field(factory=dict)
    method: str = "GET"
    body: str = "none"
    before: str = "nothing"
    busy: bool = False


def fault(name, phase, *conditions, **said):
    """Make a row."""
    return TransportFault(name=name, phase=phase, conditions=conditions, **said)


TIMEOUT = ("network", "timeout")
STOPS = attrs.evolve(steps.truncate(b"xy", keep=1), ending="keep")  # and says no more
FAULTS = (
    fault("connection refused", "connect", "unsent", "network", place=places.nobody),
    fault("no such host", "connect", "unsent", "network", place=places.no_such_host),
    fault("TLS handshake broken", "connect", "unsent", "network", place=places.no_tls),
    fault("certificate that nobody trusts", "connect", "unsent", place=places.a_stranger),
    fault("pool timeout", "pool", "unsent", *TIMEOUT, 'timeout("pool")', timeouts={"pool": 0.1}, busy=True),
    fault("connect timeout", "connect", "unsent", *TIMEOUT, 'timeout("connect")', place=places.a_full_house,
          timeouts={"connect": 0.1}),
    fault("write timeout", "write", *TIMEOUT, 'timeout("write")', place=places.a_deaf_ear,
          timeouts={"connect": 0.2, "write": 0.2}, method="PUT", body="huge"),
    fault("read timeout", "read", *TIMEOUT, 'timeout("read")', script=(steps.stall(),), timeouts={"read": 0.1}),
    fault("read timeout within the body", "read", *TIMEOUT, 'timeout("read")', script=(STOPS,),
          timeouts={"read": 0.1}),
    fault("closed before the answer", "read", "network", script=(steps.drop(),)),
    fault("reset before the answer", "read", "network", script=(steps.reset(),)),
    fault("kept connection that was closed", None, answer=200, script=(steps.close_after(), OK),
          before="an answer, then its end"),
    fault("kept connection that is closed on the request", "read", "network", script=(OK, steps.drop()),
          before="an answer"),
    fault("answer that is no HTTP", "read", "network", script=(steps.garbage(),)),
    fault("head cut off", "read", "network", script=(steps.half_head(),)),
    fault("body reset", "body", "network", script=(steps.truncate(ending="reset"),)),
    fault("body shorter than its length", "body", "network", script=(steps.truncate(),)),
    fault("chunked body cut off", "body", "network", script=(steps.truncate(framing="chunked"),)),
    fault("chunk that is none", "body", "network", script=(steps.bad_chunk(),)),
    fault("answer before the body was read", None, answer=413, script=(steps.early(413),), method="PUT", body="large"),
)  # fmt: skip


@attrs.frozen
class Happened:
    """What a client raised or returned for a fault, and what a policy made of it."""

    what: str
    phase: str | None
    conditions: tuple


class Looking:
    """A condition that never holds, and keeps the outcomes that it is asked about."""

    def __init__(self):
        self.outcomes = []

    def __call__(self, outcome):
        self.outcomes.append(outcome)
        return False


def brought_about(row, variant, server, monkeypatch):
    """Bring a fault about for a client, and say what happened."""
    looking = Looking()
    policy = bide.give_up_on(bide.when(looking)) | bide.parse(READ_AHEAD)
    runtime = policy.bind(clock=VirtualClock())
    if row.script:
        server.on("/f", *row.script)
    server.on("/held", steps.endless())
    with row.place(server, monkeypatch) as url:

        async def main():
            async with variant.client(runtime, timeouts=row.timeouts, streams=row.busy) as client:
                if row.busy:
                    held = await client.native(Ask(server.url + "/held", stream=True))
                await client.prepared(row.before, url + "/f", server)
                looking.outcomes.clear()
                await client.send(Ask(url + "/f", row.method, row.body))
                if row.busy:
                    await client.read(held, Ask("", stream=True, first_chunk_only=True))

        variant.run(main)
    return happened(looking.outcomes[0])


def happened(outcome):
    """Say in the words of the documentation what a policy was told."""
    what = str(outcome.status) if outcome.error is None else type(outcome.error).__name__
    holds = (name for name in CONDITIONS if bide.parse(f"retry_on({name})").explain(outcome).rule == 0)
    return Happened(what, outcome.fault.phase, tuple(holds))


@attrs.frozen
class Otherwise:
    """Faults that a client names in another way, or cannot have, with the sentence for the documentation."""

    client: str
    sentence: str
    faults: dict  # by the fault's name: the phase and the conditions that it has instead; None: the client has none


OTHERWISE = (
    Otherwise(
        "requests",
        "A session waits for a connection without end: it has no timeout for that.",
        {"pool timeout": None},
    ),
    Otherwise(
        "requests",
        "A head that is cut off is a complete, empty answer, as for http.client.",
        {"head cut off": (None, ())},
    ),
    Otherwise(
        "aiohttp",
        "Waiting for a connection and connecting have one timeout, `ClientTimeout(connect=...)`, and one exception.",
        {"pool timeout": ("connect", ("unsent", "network", "timeout", 'timeout("connect")'))},
    ),
    Otherwise(
        "aiohttp",
        "It has no timeout for sending: only `ClientTimeout(total=...)`, which ends the whole call, or `.timeout(...)` on "
        "the policy.",
        {"write timeout": None},
    ),
    Otherwise(
        "aiohttp",
        "Its parser says nothing of where it stopped, in the head or behind it.",
        {"chunk that is none": ("read", ("network",))},
    ),
)
CLIENTS = dict.fromkeys(("httpx", "httpx-client", "httpx2", "httpx2-client", "function"), "httpx, httpx2")


def named(row, family):
    """The phase and the conditions that a fault has in a client; None where the client cannot have it."""
    client = CLIENTS.get(family, family)
    for one in OTHERWISE:
        if one.client == client and row.name in one.faults:
            return one.faults[row.name]
    return row.phase, row.conditions


def cell(row, happened):
    """The documentation's cell: what a client raises or returns, and how that is named if not as the row says."""
    if (happened.phase, happened.conditions) == (row.phase, row.conditions):
        return f"`{happened.what}`"
    return f"`{happened.what}`: {in_words(happened.phase, happened.conditions)}"


def in_words(phase, conditions):
    """A phase and conditions, as the documentation writes them."""
    return f"{phase or 'no phase'}; {', '.join(f'`{name}`' for name in conditions) or 'nothing'}"
