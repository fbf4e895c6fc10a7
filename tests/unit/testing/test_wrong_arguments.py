"""What is wrong in a test's own set-up is said at the line that is wrong, and says what to write."""

import asyncio
import datetime as dt
import math

import httpx
import pytest

from bide.testing import Draws, FaultServer, Scripted, Step, VirtualClock, steps


def refused(said, kind, call):
    """The error with which a call is refused, at once, by us."""
    with pytest.raises(kind, match="^" + said) as caught:
        call()
    assert caught.traceback[-1].path.match("bide/testing/*.py")


@pytest.fixture(scope="module")
def idle():
    with FaultServer() as server:
        yield server


EPOCH = "wall time is a finite number of seconds since 1970, not "
FINITE = [
    (lambda clock, wrong: VirtualClock(wrong), "start takes a finite number of seconds, not "),
    (lambda clock, wrong: VirtualClock(wall=wrong), EPOCH),
    (lambda clock, wrong: clock.set_wall(wrong), EPOCH),
    (lambda clock, wrong: clock.step_wall(wrong), "wall time is moved by a finite number of seconds, not "),
    (lambda clock, wrong: clock.sleep(wrong), "a sleep takes a finite number of seconds, not "),
    (lambda clock, wrong: asyncio.run(clock.asleep(wrong)), "a sleep takes a finite number of seconds, not "),
    (lambda clock, wrong: clock.advance(wrong), "time goes forward by a finite number of seconds, not "),
]
BOUND = (lambda clock, wrong: clock.fail_after(wrong), "a timeout needs a number of seconds, not ")
DAY = dt.datetime(2026, 1, 1)  # noqa: DTZ001  # without a time zone, as people write it


@pytest.mark.parametrize(("call", "said"), [*FINITE, BOUND])
@pytest.mark.parametrize("wrong", ["1", "1s", None, [1], dt.timedelta(seconds=1), DAY], ids=repr)
def test_time_is_a_number_of_seconds(call, said, wrong):
    clock = VirtualClock()
    refused(said, TypeError, lambda: call(clock, wrong))
    assert (clock.monotonic(), clock.time(), clock.trace) == (0.0, 1_767_225_600.0, [])


@pytest.mark.parametrize(("call", "said"), FINITE)
@pytest.mark.parametrize(
    "wrong", [math.inf, -math.inf, math.nan, 10**400], ids=["inf", "-inf", "nan", "large"]
)
def test_time_is_finite(call, said, wrong):
    clock = VirtualClock()
    refused(said, ValueError, lambda: call(clock, wrong))
    assert (clock.monotonic(), clock.time(), clock.trace) == (0.0, 1_767_225_600.0, [])


def test_flags_are_true_or_false():
    refused("auto is True or False, not 'no'", TypeError, lambda: VirtualClock(auto="no"))
    refused("repeat_last is True or False, not 'no'", TypeError, lambda: Scripted(1, repeat_last="no"))


@pytest.mark.parametrize("wrong", ["1", None, 1.0, True], ids=repr)
def test_what_is_counted_is_a_whole_number(idle, wrong):
    takes = "count takes a whole number of "
    refused(takes + "sleeps >= 0, not ", TypeError, lambda: VirtualClock().wait_for_sleepers(wrong))
    refused(takes + "requests >= 0, not ", TypeError, lambda: idle.wait_for_requests(wrong))


def test_no_less_than_nothing_is_waited_for(idle):
    refused("count takes .* not -1", ValueError, lambda: VirtualClock().wait_for_sleepers(-1))
    refused("count takes .* not -1", ValueError, lambda: idle.wait_for_requests(-1))


@pytest.mark.parametrize(("wrong", "kind"), [("1", TypeError), (None, TypeError), (-1, ValueError)], ids=repr)
def test_patience_is_a_number_of_seconds(idle, wrong, kind):
    takes = "timeout takes a finite number of real seconds >= 0, not "
    refused(takes, kind, lambda: VirtualClock().wait_for_sleepers(timeout=wrong))
    refused(takes, kind, lambda: idle.wait_for_requests(0, timeout=wrong))
    refused(takes, kind, lambda: idle.wait_until_idle(timeout=wrong))


@pytest.mark.parametrize("wrong", ["x", None, [0.1, 0.2]], ids=repr)
def test_a_draw_is_a_number(wrong):
    refused(r"a draw is a number in \[0, 1\), not ", TypeError, lambda: Draws(0.5, wrong))


def test_a_status_may_stand_for_a_step():
    answers = [503, lambda seen: 429 if seen.ordinal == 1 else steps.respond(200, body=b"done")]
    with FaultServer() as server, httpx.Client(trust_env=False) as client:
        server.on("/x", *answers).on("/y", steps.stall(then=418))
        seen = [client.get(server.url + "/x") for _ in range(3)]
    assert [(one.status_code, one.text) for one in seen] == [(503, "ok"), (429, "ok"), (200, "done")]
    assert steps.stall(then=418) == steps.stall(then=steps.respond(418))


NO_STEP = " is no step; write one, such as steps.respond\\(503\\), or a status"
STEPS = [
    ("503", f"'503'{NO_STEP}", TypeError),
    (None, f"None{NO_STEP}", TypeError),
    (True, f"True{NO_STEP}", TypeError),
    (b"HTTP/1.1 200 OK", f"b'HTTP/1.1 200 OK'{NO_STEP}", TypeError),
    (ConnectionError, f"<class 'ConnectionError'>{NO_STEP}", TypeError),
    (ConnectionError("x"), rf"ConnectionError\('x'\){NO_STEP}", TypeError),
    ([steps.drop()], rf"\[Step\(.*{NO_STEP}", TypeError),
    (steps.drop, r"steps.drop makes a step when it is called; write steps.drop\(\)", TypeError),
    (1000, "a status has three digits, as in 503, not 1000", ValueError),
]


@pytest.mark.parametrize(("wrong", "said", "kind"), STEPS)
def test_what_is_no_step_is_refused_when_it_is_scripted(idle, wrong, said, kind):
    refused(said, kind, lambda: idle.on("/x", 200, wrong))


@pytest.mark.parametrize("wrong", ["503", None, ConnectionError("x")], ids=repr)
def test_the_test_hears_of_a_function_that_makes_no_step(wrong):
    with pytest.raises(TypeError, match="is no step; write one"), FaultServer() as server:
        server.on("/x", lambda _: wrong)
        with httpx.Client(trust_env=False) as client, pytest.raises(httpx.RemoteProtocolError):
            client.get(server.url + "/x")


@pytest.mark.parametrize(
    ("wrong", "said", "kind"),
    [
        (5, "a path is a text, such as '/jobs', not 5", TypeError),
        (steps.drop(), r"a path is a text, such as '/jobs', not Step\(", TypeError),
        ("jobs", "a path is such as '/jobs', without method and host, not 'jobs'", ValueError),
        ("GET /jobs", "a path is such as '/jobs', without method and host, not 'GET /jobs'", ValueError),
        ("http://x/y", "a path is such as '/jobs', without method and host, not 'http://x/y'", ValueError),
        ("/jobs?page=2", "a script is for a path without its query: '/jobs'", ValueError),
    ],
)
def test_a_path_is_one_that_a_request_may_have(idle, wrong, said, kind):
    refused(said, kind, lambda: idle.on(wrong, steps.drop()))


def test_an_address_where_nobody_listens_may_have_a_query_and_no_path(idle):
    assert idle.refused_url("/jobs?page=2").endswith("/jobs?page=2")
    assert idle.refused_url("").rpartition(":")[2].isdigit()
    refused("a path is such as '/jobs'", ValueError, lambda: idle.refused_url("jobs"))
    refused("a path is a text", TypeError, lambda: idle.refused_url(5))


@pytest.mark.parametrize(("wrong", "kind"), [(5, TypeError), ("", ValueError), ("GET POST", ValueError)])
def test_a_script_is_for_one_method(idle, wrong, kind):
    said = "method takes one HTTP method, such as 'POST', not "
    refused(said, kind, lambda: idle.on("/x", 200, method=wrong))


def test_a_tunnel_is_scripted_by_its_host(idle):
    assert idle.on("example.com:443", 502, method="connect") is idle


def test_a_server_serves_one_block():
    with FaultServer() as server:
        refused("a FaultServer serves one `with` block; make another", RuntimeError, server.__enter__)


MAKERS = [steps.respond, steps.json, steps.half_head, steps.bad_chunk, steps.close_after, steps.early]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        ("200", TypeError),
        (None, TypeError),
        (200.0, TypeError),
        (True, TypeError),
        ({"a": 1}, TypeError),
        (1000, ValueError),
        (-1, ValueError),
    ],
)
def test_a_status_has_three_digits(make, wrong, kind):
    refused("a status has three digits, as in 503, not ", kind, lambda: make(wrong))


BODY = r"body takes bytes or a text \(for JSON, write steps.json\), not "
EVENT = "hold takes a threading.Event or None, not 5"
CALLS = [
    (lambda: steps.respond(200, "body"), "headers takes a mapping or pairs of texts, not 'body'", TypeError),
    (lambda: steps.respond(200, b"body"), "headers takes a mapping or pairs of texts", TypeError),
    (lambda: steps.respond(200, None), "headers takes a mapping or pairs of texts, not None", TypeError),
    (lambda: steps.respond(200, ["a: b"]), "headers takes a mapping or pairs of texts", TypeError),
    (lambda: steps.respond(200, {1: "a"}), "a header's name is a text, not 1", TypeError),
    (lambda: steps.respond(200, {"a": "€"}), "'€' in a header is not Latin-1; send it with", ValueError),
    (lambda: steps.respond(body={"a": 1}), BODY + "{'a': 1}", TypeError),
    (lambda: steps.respond(body=None), BODY + "None", TypeError),
    (
        lambda: steps.respond(framing="chunk"),
        "framing is one of 'length', 'chunked', 'close', not",
        ValueError,
    ),
    (lambda: steps.raw("text"), "payload takes bytes, not 'text'", TypeError),
    (
        lambda: steps.raw(b"", ending="rst"),
        "ending is one of 'keep', 'close', 'reset', not 'rst'",
        ValueError,
    ),
    (lambda: steps.truncate(keep="1"), "keep takes a whole number of bytes >= 0, not '1'", TypeError),
    (lambda: steps.truncate(keep=-1), "keep takes a whole number of bytes >= 0, not -1", ValueError),
    (lambda: steps.trickle(pause="1"), "pause takes a finite number of real seconds >= 0", TypeError),
    (lambda: steps.trickle(pause=-1), "pause takes a finite number of real seconds >= 0", ValueError),
    (lambda: steps.stall(5), EVENT, TypeError),
    (lambda: steps.stall(then="200"), "'200'" + NO_STEP, TypeError),
    (lambda: steps.endless("x"), "chunk takes bytes, not 'x'", TypeError),
    (lambda: steps.endless(limit="x"), "limit takes a whole number of bytes >= 0, not 'x'", TypeError),
    (lambda: steps.endless(limit=-1), "limit takes a whole number of bytes >= 0, not -1", ValueError),
    (lambda: Step("x"), "head takes bytes, not 'x'", TypeError),
    (lambda: Step(b"", "x"), "body takes bytes, not 'x'", TypeError),
    (lambda: Step(b"", repeats=-1), "repeats takes a whole number >= 0, not -1", ValueError),
]


@pytest.mark.parametrize(("call", "said", "kind"), CALLS)
def test_what_cannot_be_sent_is_refused_when_the_step_is_made(call, said, kind):
    refused(said, kind, call)
