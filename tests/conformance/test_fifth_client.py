"""The adapter of docs/how-to/write-an-adapter.md keeps the table, for a client that bide has no adapter of its own for."""

import gc
import importlib.util
import re
from pathlib import Path

import attrs
import pytest
import scenarios_answers
import scenarios_connections
import scenarios_contents
import scenarios_requests
from deviations import DEVIATIONS
from sending import BYTES, FORM, LARGE, OBJECT, PART, TEXT, arrived, generated, opened
from settling import SettlingClock

import bide
from bide.testing import Draws, FaultServer, VirtualClock, steps

ROOT = Path(__file__).parents[2]
FILE = ROOT / "examples/urllib3_retries.py"
PAGE = ROOT / "docs/how-to/write-an-adapter.md"
SCENARIOS = [
    scenario
    for part in (scenarios_answers, scenarios_contents, scenarios_requests, scenarios_connections)
    for scenario in part.SCENARIOS
    if scenario.body != "multipart of a pipe"  # urllib3 takes the bytes of a part, and no file
]
FAULTS = {
    "closed before the answer": "ProtocolError",
    "reset": "ProtocolError",
    "no HTTP": "ProtocolError",
    "body cut off": "ProtocolError",
    "body reset": "ProtocolError",
    "bad chunk": "ProtocolError",
    "refused": "NewConnectionError",
    "no gzip": "DecodeError",
    "read timeout": "ReadTimeoutError",
}
BODIES = {
    "none": dict,
    "bytes": lambda: {"body": BYTES},
    "text": lambda: {"body": TEXT.encode()},
    "json": lambda: {"json": OBJECT},
    "form": lambda: {"fields": FORM, "encode_multipart": False},
    "large": lambda: {"body": LARGE},
    "generator": lambda: {"body": generated()},
    "file": lambda: {"body": opened("file")},
    "file at an offset": lambda: {"body": opened("file at an offset")},
    "multipart": lambda: {"fields": {"file": ("f.txt", PART, "text/plain"), "note": "the note"}},
}


def written_as_requests_has_it(scenario):
    """What must come of a scenario: urllib3 falls short where requests does, which stands on it, and nowhere else."""
    changes = {}
    for deviation in DEVIATIONS:
        if "requests" in deviation.families:
            changes |= deviation.scenarios.get(scenario.name, {})
    return attrs.evolve(scenario.expected, **changes)


@pytest.fixture(scope="session")
def adapter():
    """The example's module."""
    spec = importlib.util.spec_from_file_location(FILE.stem, FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def pools(adapter):
    """Makes a pool manager with one connection, which a leak would leave waiting for ever."""
    made = []

    def make(policy, **options):
        made.append(adapter.RetryPools(policy, maxsize=1, block=True, **options))
        return made[-1]

    yield make
    for one in made:
        for key in one.pools.keys():  # noqa: SIM118  # it cannot be iterated over
            one.pools[
                key
            ].close()  # a log record may hold it, and `clear` leaves closing to the garbage collector
    made.clear()
    gc.collect()  # an exception of urllib3 is in a circle with the pool that it came from


def content_of(response, scenario):
    if not scenario.streams:
        return response.data
    try:
        chunks = response.stream()
        return next(chunks)[:1] if scenario.first_chunk_only else b"".join(chunks)
    finally:
        response.close()
        response.release_conn()


def perform(server, scenario, pools):
    """Return the status, the content, the exception and the history of a call, and its clock."""
    clock = SettlingClock(server) if scenario.settles else VirtualClock()
    rng = Draws(*scenario.draws)
    for path, script in {"/f": scenario.script, **scenario.elsewhere}.items():
        if script:
            server.on(path, *script)
    url = server.refused_url("/f") if scenario.refused else server.url + "/f"
    runtime = bide.parse(scenario.policy).bind(clock=clock, rng=rng, recover=scenario.recover)
    own = pools(runtime, count_header=scenario.count_header)

    def send():
        return own.request(
            scenario.method,
            url + "?token=s3cret-query",
            headers=dict(scenario.headers),
            preload_content=not scenario.streams,
            timeout=scenario.timeout,
            **BODIES[scenario.body](),
        )

    outer = bide.parse(scenario.outer).bind(clock=clock, rng=rng).call if scenario.outer else None
    try:
        response = send() if outer is None else outer(send)
        content = content_of(response, scenario)
    except Exception as error:
        return None, b"", error, bide.history(error), clock
    return response.status, content, None, bide.history(response), clock


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.id)
def test_the_adapter_of_the_page_keeps_the_table(server, scenario, pools):
    status, content, error, history, clock = perform(server, scenario, pools)
    expected = written_as_requests_has_it(scenario)
    requests = server.wait_for_requests(expected.attempts)
    assert status == expected.status, repr(error)
    if expected.fault is not None:
        assert type(error).__name__ == FAULTS[expected.fault]
    assert content == expected.content
    assert clock.sleeps == pytest.approx(list(expected.delays))
    assert tuple(seen.path.partition("?")[0] for seen in requests) == expected.all_paths
    assert tuple(arrived(scenario.body, seen.body) for seen in requests) == expected.all_bodies
    assert server.connections == expected.connections
    assert (None if history is None else str(history.reason)) == expected.told_reason
    if expected.counts is not None:
        assert tuple(seen.header("X-Retry-Count") for seen in requests) == expected.counts
    assert "s3cret" not in f"{history!r}{history}{getattr(error, '__notes__', [])}"


# What the table does not ask


def test_a_post_carries_one_key_over_its_attempts_and_redirects(server, pools):
    server.on("/f", steps.respond(503), steps.respond(307, {"Location": "/g"}))
    server.on("/g", steps.drop(), steps.respond(body="done"))
    policy = bide.retry_on(503, bide.network).fixed(2).bind(clock=VirtualClock())
    own = pools(policy, idempotency_key=True)
    headers = {"X-Mine": "1"}
    assert own.request("POST", server.url + "/f", body=b"abc", headers=headers).data == b"done"
    (key,) = {seen.header("Idempotency-Key") for seen in server.requests}
    assert [seen.body for seen in server.requests] == [b"abc"] * 4
    assert own.request("POST", server.url + "/g", headers=headers).data == b"done"
    assert server.requests[-1].header("Idempotency-Key") not in (None, key)
    assert headers == {"X-Mine": "1"}


def test_a_key_goes_to_no_other_origin(server, pools):
    with FaultServer() as other:
        elsewhere = other.url.replace("127.0.0.1", "localhost")
        server.on("/f", steps.respond(503), steps.respond(307, {"Location": elsewhere + "/g"}))
        other.on("/g", steps.respond(503))
        policy = bide.retry_on(503).fixed(2).bind(clock=VirtualClock())
        response = pools(policy, idempotency_key=True).request("POST", server.url + "/f", body=b"abc")
        assert bide.history(response).reason is bide.Reason.NOT_IDEMPOTENT
        assert [seen.header("Idempotency-Key") for seen in other.requests] == [None]
    first, again = [seen.header("Idempotency-Key") for seen in server.requests]
    assert first == again
    assert first is not None


def test_what_a_pool_manager_calls_knows_the_deadline(server, pools):
    server.on("/f", steps.respond(503), steps.respond(body="done"))
    clock = VirtualClock()
    own = pools(bide.Policy(bide.retry_on(503).fixed(4)).within(10).bind(clock=clock))
    pool = own.connection_from_url(server.url)
    send = pool._make_request

    @bide.retry_on(ValueError).fixed(4).max(9).bind(clock=clock)
    def obtain():
        if clock.sleeps:
            raise ValueError("no secret")

    def asking(*args, **options):
        obtain()
        return send(*args, **options)

    pool._make_request = asking
    with pytest.raises(ValueError, match="no secret"):
        own.request("GET", server.url + "/f")
    assert clock.sleeps[:2] == [4, 4]
    assert sum(clock.sleeps) <= 10


def test_an_endpoint_without_a_policy_is_sent_to_once_and_without_a_key(server, pools):
    server.on("/f", steps.respond(503))

    class OnlyGets:
        def policy_for(self, method, url):
            return bide.retry_on(503) if method == "GET" else None

    own = pools(OnlyGets(), idempotency_key=True)
    assert own.request("POST", server.url + "/f").status == 503
    assert [seen.header("Idempotency-Key") for seen in server.requests] == [None]


@pytest.mark.parametrize("status", [408, 503])
def test_a_long_error_that_a_rule_asked_about_is_handed_over_whole(server, pools, status):
    body = b'{"code": "odd"}' + b" " * 100_000
    server.on("/f", steps.respond(status, body=body))
    policy = bide.retry_on(bide.status(status) & bide.code("busy")).fixed(2).bind(clock=VirtualClock())
    assert pools(policy).request("GET", server.url + "/f").data == body
    assert len(server.requests) == 1


def test_deadlines_shorten_the_clients_timeout(server, pools):
    server.on("/f", steps.stall(), steps.respond(body="done"))
    policy = bide.retry_on(bide.timeout).immediately().timeout(0.1).bind(clock=VirtualClock())
    assert pools(policy).request("GET", server.url + "/f", timeout=60).data == b"done"
    assert len(server.requests) == 2


# The page


def test_the_page_shows_the_file():
    shown = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert FILE.read_text("utf-8") in shown


def test_an_adapter_is_written_in_fewer_than_150_lines():
    assert FILE.read_text("utf-8").count("\n") < 150
