"""The table of scenarios over every way to send: the same rows, whatever the client."""

from collections import Counter

import attrs
import pytest
import scenarios_answers
import scenarios_connections
import scenarios_contents
import scenarios_requests
from clients import FunctionClient
from deviations import DEVIATIONS, expected_of, warnings_of
from faults import fault_class, own_error, response_class
from sending import Ask, arrived, unmarked
from settling import SettlingClock
from variants import BODIES, VARIANTS, takes_turns, ways

import bide
from bide.adapters.aiohttp import RetriesExhausted
from bide.testing import Draws, VirtualClock

SCENARIOS = (
    scenarios_answers.SCENARIOS
    + scenarios_contents.SCENARIOS
    + scenarios_requests.SCENARIOS
    + scenarios_connections.SCENARIOS
)
NOT_OF_ONE_CALL = {"budget_denied", "breaker_open"}  # it takes many calls to come to these
PLANTED = "?token=s3cret-query"
START = VirtualClock().time()


def cases():
    for scenario in SCENARIOS:
        for variant in ways(scenario.name, scenario.body):
            name = f"{scenario.id}-{variant.name}"
            yield pytest.param(scenario, variant, id=name, marks=warnings_of(variant.name))


def perform(server, scenario, variant):
    clock = SettlingClock(server) if scenario.settles else VirtualClock()
    rng = Draws(*scenario.draws)
    runtime = bide.parse(scenario.policy).bind(clock=clock, rng=rng, recover=scenario.recover)
    outer = None if scenario.outer is None else bide.parse(scenario.outer).bind(clock=clock, rng=rng)
    for path, script in {"/f": scenario.script, **scenario.elsewhere}.items():
        if script:
            server.on(path, *script)
    url = server.refused_url("/f") if scenario.refused else server.url + "/f"
    ask = Ask(
        url + PLANTED,
        scenario.method,
        scenario.body,
        scenario.headers,
        scenario.streams,
        scenario.first_chunk_only,
    )

    async def main():
        setting = {
            "timeout": scenario.timeout,
            "count_header": scenario.count_header,
            "streams": scenario.streams,
        }
        async with variant.client(runtime, **setting) as client:
            return await client.send(ask, outer)

    return variant.run(main), clock


@pytest.mark.parametrize(("scenario", "variant"), list(cases()))
def test_scenario(server, scenario, variant):
    answer, clock = perform(server, scenario, variant)
    expected = expected_of(scenario, variant)
    server.wait_until_idle()  # so that a request that came late is seen, too
    requests = server.requests
    attempts_are(expected, requests, answer.history)
    assert clock.sleeps == pytest.approx(list(expected.delays))
    bodies_are(expected, requests, scenario)
    assert server.connections == expected.connections
    assert max((seen.connection for seen in requests), default=0) == min(expected.connections, len(requests))
    final_object_is(expected, answer, variant)
    assert answer.content == expected.content
    assert answer.reason == expected.told_reason
    if expected.retry_at is not None:
        assert answer.history.retry_at - START == pytest.approx(expected.retry_at)
    if expected.counts is not None:
        assert tuple(seen.header("X-Retry-Count") for seen in requests) == expected.counts
    if expected.cookies is not None:
        assert tuple(seen.header("Cookie") for seen in requests) == expected.cookies
    assert {seen.path.partition("?")[2] for seen in requests if seen.path.startswith("/f")} <= {PLANTED[1:]}
    assert {seen.header("Idempotency-Key") for seen in requests} <= {
        dict(scenario.headers).get("Idempotency-Key")
    }
    assert "s3cret" not in told_of(answer)


def attempts_are(expected, requests, history):
    """See that the server saw the attempts, and that the history of the last hop's call tells of them and their delays."""
    assert len(requests) == expected.attempts
    assert tuple(seen.path.partition("?")[0] for seen in requests) == expected.all_paths
    if history is not None and history.inner is None and expected.reason != "inner_exhausted":
        told = [record.delay for record in history if record.delay is not None]
        assert history.attempts == len(history) == len(told) + 1
        assert told == pytest.approx(list(expected.own_delays))


def bodies_are(expected, requests, scenario):
    """See what arrived of each request's body, and that it was the same bytes each time."""
    bodies = [seen.body for seen in requests]
    assert tuple(arrived(scenario.body, body) for body in bodies) == expected.all_bodies
    assert len({unmarked(scenario.body, body) for body in bodies if body}) <= 1
    assert [seen.complete for seen in requests if seen.body] == [True] * len(
        [body for body in bodies if body]
    )


def final_object_is(expected, answer, variant):
    """See that the caller got its client's own response, or its client's own exception for that fault."""
    assert answer.status == expected.status, repr(answer.error)
    if expected.fault is None:
        assert type(answer.final) is response_class(variant.family)
        return
    assert type(own_error(answer.error)) is fault_class(expected.fault, variant.family)
    assert isinstance(answer.error, RetriesExhausted) == expected.wrapped


def told_of(answer):
    """All that is told of a call: its history, and the notes on its exception."""
    notes = getattr(answer.error, "__notes__", [])
    return f"{answer.history!r}{answer.history}{notes}"


def test_scenarios_have_names_of_their_own():
    names = [scenario.name for scenario in SCENARIOS]
    assert len(names) == len(set(names))
    assert len(names) >= 80


@pytest.mark.parametrize("make", dict.fromkeys(variant.make for variant in VARIANTS))
def test_every_reason_ends_some_scenario_of_each_client(make):
    expected = [expected_of(*case.values) for case in cases() if case.values[1].make is make]
    told = {one.told_reason for one in expected} - {None}
    impossible = {"body_not_replayable"} if make is FunctionClient else set()  # it makes its body anew
    assert {str(reason) for reason in bide.Reason} - told == NOT_OF_ONE_CALL | impossible


@pytest.mark.parametrize("deviation", DEVIATIONS, ids=lambda deviation: deviation.name)
def test_a_deviation_is_about_scenarios_that_there_are_and_changes_them(deviation):
    by_name = {scenario.name: scenario for scenario in SCENARIOS}
    for name, changes in deviation.scenarios.items():
        expected = by_name[name].expected
        assert attrs.evolve(expected, **changes) != expected
    assert deviation.sentence.endswith(".")


def test_what_a_client_cannot_send_is_sent_by_another():
    for kind in BODIES:
        assert any(kind in variant.bodies for variant in VARIANTS)


def test_ways_that_take_turns_have_a_fair_share_of_the_table():
    taken = Counter(case.values[1].name for case in cases())
    for variant in filter(takes_turns, VARIANTS):
        assert len(SCENARIOS) / 3 < taken[variant.name] < len(SCENARIOS) * 2 / 3
