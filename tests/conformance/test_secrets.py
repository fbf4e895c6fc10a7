"""Secrets planted wherever a call can hold one are in nothing that is told of it: logs, notes, events, reprs."""

import base64
import gc
import logging
from pathlib import Path

import pytest
from sending import SECRET, Ask
from variants import VARIANTS

import bide
from bide.engine.call import Call
from bide.testing import VirtualClock, steps

HOME = str(Path(bide.__file__).parent)
BASIC = base64.b64encode(b"user:passw0rd").decode()
SECRETS = (BASIC, "s3cret", "t0ken", "c00kie", "passw0rd", "b0dy", "k3y", "fr4gment", "r3sponse", "h3ader")
HEADERS = (
    ("Authorization", "Bearer t0ken"),
    ("Cookie", "session=c00kie"),
    ("X-Api-Key", "k3y-api"),
    ("Idempotency-Key", "k3y-idempotency"),
)
ANSWER = [("Set-Cookie", "id=c00kie"), ("X-Token", "h3ader\x1b[31m"), ("X-Request-Id", "h3ader-id")]
POLICY = 'give_up_on(503 & code("never")) | retry_on(503 & ~message("*s3cretive*"), network).fixed(1s).max(2)'
BUSY = steps.json(503, {"code": "r3sponse-code", "message": "r3sponse-message"}, ANSWER)
REFUSED = "refused"
CALLS = {
    "recovered": ("PUT", (BUSY, steps.drop(), steps.respond(200, ANSWER, "r3sponse"))),
    "given up on an answer": ("PUT", (BUSY,)),
    "given up on an exception": ("PUT", (steps.drop(),)),
    "given up on a cut off answer": ("PUT", (steps.truncate(b"r3sponse" * 9, status=503, headers=ANSWER),)),
    "sent once": ("POST", (BUSY,)),
    "refused": ("PUT", REFUSED),
}
SUCCEEDED = {"recovered"}
LEFT_OUT = {"sent once": "Idempotency-Key", "userinfo": "Authorization"}
BY = ("header", "userinfo")  # how the caller says who it is; aiohttp takes but one of them
ON_THE_WIRE = {"header": "Bearer t0ken", "userinfo": f"Basic {BASIC}"}


class Told:
    """Collects what is told of a call while it runs: events, and the reprs of all that there is."""

    def __init__(self):
        self.events = []
        self.texts = []
        self.calls = self.outcomes = 0

    def __call__(self, event):
        self.events.append(event)
        calls = [one for one in gc.get_objects() if isinstance(one, Call)]
        self.calls += len(calls)
        self.texts += [repr(event), str(event), *map(repr, calls), *(str(call.entries) for call in calls)]

    def outcome(self, outcome):
        """A condition that never matches, and looks at each outcome."""
        self.outcomes += 1
        self.texts += [repr(outcome), str(outcome)]
        return False


def leaks(texts):
    """The secrets in these texts, with the texts."""
    return [(secret, text) for text in texts for secret in SECRETS if secret in text]


@pytest.mark.parametrize("by", BY)
@pytest.mark.parametrize("kind", CALLS)
@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_no_secret_is_in_what_is_told_of_a_call(server, variant, kind, by, caplog):
    caplog.set_level(logging.DEBUG)
    told, answer = made(server, variant, kind, by)
    records = [
        record for record in caplog.records if record.name.split(".")[0] == "bide" or HOME in record.pathname
    ]
    assert {record.name for record in records} <= {"bide"}
    assert len(told.events) >= 1
    assert told.calls >= 1
    assert told.outcomes >= 1
    texts = told.texts + [f"{record.getMessage()} {record.args!r} {record.__dict__!r}" for record in records]
    history = answer.history
    if kind not in SUCCEEDED:
        assert history is not None
    texts += [repr(history), str(history), *map(repr, history or ()), *map(str, history or ())]
    texts += notes(answer.error)
    assert leaks(texts) == []


@pytest.mark.parametrize("by", BY)
@pytest.mark.parametrize("kind", CALLS)
@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_no_secret_is_logged_when_nobody_else_listens(server, variant, kind, by, caplog):
    caplog.set_level(logging.DEBUG)
    runtime = bide.parse(POLICY).bind(clock=VirtualClock())
    answer = sent(server, variant, kind, by, runtime)
    records = [record for record in caplog.records if record.name == "bide" or HOME in record.pathname]
    assert len(records) >= 1
    assert answer.status == 200 or records[-1].levelno == logging.WARNING
    assert leaks(logging.Formatter("%(name)s %(message)s").format(record) for record in records) == []


def made(server, variant, kind, by):
    """Make one call whose every fact is looked at."""
    told = Told()
    policy = bide.give_up_on(bide.when(told.outcome)) | bide.parse(POLICY)
    runtime = policy.bind(clock=VirtualClock(), listeners=[told, *bide.engine.events.default_listeners])
    told.texts += [repr(policy), repr(runtime), str(runtime)]
    gc.freeze()  # what there is already need not be looked through
    answer = sent(server, variant, kind, by, runtime)
    told.texts += [repr(policy), repr(runtime)]
    return told, answer


def sent(server, variant, kind, by, runtime):
    """Send a request that holds a secret wherever it can, by a policy."""
    method, script = CALLS[kind]
    headers = [pair for pair in HEADERS if not (pair[0] == LEFT_OUT.get(kind) or pair[0] == LEFT_OUT.get(by))]
    url = server.refused_url("/f") if script is REFUSED else server.on("/f", *script).url + "/f"
    url = url.replace("http://", "http://user:passw0rd@") if by == "userinfo" else url
    url += "?key=s3cret&b=s3cret#fr4gment"

    async def main():
        async with variant.client(runtime) as client:
            return await client.send(Ask(url, method, "secret", headers))

    answer = variant.run(main)
    for seen in server.requests:
        planted(seen, by)
    return answer


def planted(seen, by):
    """See that the secrets were there to be told, in a request that the server saw."""
    assert seen.path == "/f?key=s3cret&b=s3cret"
    assert seen.header("Authorization") == ON_THE_WIRE[by]
    assert "session=c00kie" in seen.header("Cookie").split("; ")  # what the answers set may be there, too
    assert seen.header("X-Api-Key") == "k3y-api"
    assert seen.body == SECRET


def notes(error):
    """What was added to an exception and to those behind it, and what those of our own say."""
    found = []
    while error is not None:
        found += getattr(error, "__notes__", [])
        if type(error).__module__.startswith("bide"):
            found += [str(error), repr(error)]
        error = error.__cause__
    return found
