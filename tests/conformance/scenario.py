"""One row of the table: what is sent, what the server does, and what must come of it; all of it data."""

import attrs
from sending import WHOLE

NO_HISTORY = "no history"


@attrs.frozen(kw_only=True)
class Expected:
    """
    What must come of a scenario.

    Attributes:
        status: Of the answer that the caller gets; None if it gets an exception.
        fault: The family of that exception, a row of `faults.FAMILIES`.
        content: What the caller reads.
        attempts: Requests that the server saw.
        delays: Virtual seconds waited, in order.
        bodies: What arrived of each request's body; None: each arrived whole.
        connections: How many the client opened.
        reason: Why there was no further retry, in the history of what the caller got; None: it has no history,
            or after retries that of a success; `NO_HISTORY`: it has none although there were retries.
        retry_at: Seconds after the start when a retry would be welcome, in that history.
        counts: The values of `X-Retry-Count` in the requests; None: not looked at.
        cookies: The values of `Cookie` in the requests, None for none; None: not looked at.
        paths: The paths of the requests; None: all "/f".
        wrapped: Whether that exception is the cause of aiohttp's `RetriesExhausted`, which comes out.
        last_delays: Of the delays, those that the last history tells of; None: all. Each hop has a history of its own.
    """

    status: int | None = 200
    fault: str | None = None
    content: bytes = b"ok"
    attempts: int = 1
    delays: tuple = ()
    bodies: tuple | None = None
    connections: int = 1
    reason: str | None = None
    retry_at: float | None = None
    counts: tuple | None = None
    cookies: tuple | None = None
    paths: tuple | None = None
    wrapped: bool = False
    last_delays: tuple | None = None

    @property
    def own_delays(self):
        return self.delays if self.last_delays is None else self.last_delays

    @property
    def all_bodies(self):
        return (WHOLE,) * self.attempts if self.bodies is None else self.bodies

    @property
    def told_reason(self):
        """The reason; after retries it is that the last answer was a success, if nothing else is said."""
        if self.reason == NO_HISTORY:
            return None
        recovered = self.status is not None and self.status < 400 and self.delays
        return "succeeded" if recovered and self.reason is None else self.reason

    @property
    def all_paths(self):
        return ("/f",) * self.attempts if self.paths is None else self.paths


@attrs.frozen(kw_only=True)
class Scenario:
    """
    One thing that must be so, whatever the client.

    Attributes:
        name: The claim.
        policy: In text.
        script: Steps for the path "/f", or a function of the request each.
        elsewhere: Steps for other paths.
        method, body, headers: Of the request; `body` is a kind that `sending` knows.
        outer: The text of another policy, around the client.
        refused: Whether the request goes where nobody listens.
        timeout: The client's own, for reading. Real seconds.
        streams: Whether the caller reads the body itself, in pieces.
        first_chunk_only: Whether it stops after the first.
        count_header: The name of the header that counts retries.
        settles: Whether each wait lasts until the server has closed what it closes: else it would be a race.
        draws: The uniform draws.
        recover: Actions by name, for rules that call them.
        expected: What must come of it.
    """

    name: str
    policy: str
    script: tuple = ()
    elsewhere: dict = attrs.field(factory=dict)
    method: str = "GET"
    body: str = "none"
    headers: tuple = ()
    outer: str | None = None
    refused: bool = False
    timeout: float = 5.0
    streams: bool = False
    first_chunk_only: bool = False
    count_header: str | None = None
    settles: bool = False
    draws: tuple = (0.5,)
    recover: dict | None = None
    expected: Expected

    @property
    def id(self):
        return self.name.replace(" ", "_")


FIELDS = {field.name for field in attrs.fields(Expected)}


def scenario(name, policy, *script, **said):
    """Make a row; what is said of the fields of `Expected` goes there."""
    expected = {key: said.pop(key) for key in list(said) if key in FIELDS}
    if "fault" in expected:
        expected = {"status": None, "content": b""} | expected
    return Scenario(name=name, policy=policy, script=script, expected=Expected(**expected), **said)
