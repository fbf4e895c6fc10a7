"""The table of scenarios over every way to send: the same rows, whatever the client."""

import attrs
import pytest
import scenarios_answers
import scenarios_connections
import scenarios_contents
import scenarios_requests
from deviations import DEVIATIONS, expected_of
from faults import fault_class, own_error
from sending import Ask, arrived
from variants import BODIES, VARIANTS

import bide
from bide.testing import Draws, VirtualClock

SCENARIOS = (
    scenarios_answers.SCENARIOS
    + scenarios_contents.SCENARIOS
    + scenarios_requests.SCENARIOS
    + scenarios_connections.SCENARIOS
)
PLANTED = "?token=s3cret-query"
START = VirtualClock().time()
ANEW = frozenset({"multipart", "multipart of a pipe"})  # each writing has a boundary of its own


class SettlingClock(VirtualClock):
    """A clock on which each wait lasts, for real, until the server has closed its connections."""

    def __init__(self, server):
        super().__init__()
        self._server = server

    def sleep(self, seconds):
        self._server.wait_until_idle()
        super().sleep(seconds)

    async def asleep(self, seconds):
        self._server.wait_until_idle()
        await super().asleep(seconds)


def cases():
    for scenario in SCENARIOS:
        for variant in VARIANTS:
            if scenario.body in variant.bodies and variant.family not in scenario.not_for:
                yield pytest.param(scenario, variant, id=f"{scenario.id}-{variant.name}")


def perform(server, scenario, variant):
    clock = SettlingClock(server) if scenario.settles else VirtualClock()
    rng = Draws(*scenario.draws)
    runtime = bide.parse(scenario.policy).bind(clock=clock, rng=rng)
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
    requests = server.wait_for_requests(
        expected.attempts
    )  # an answer may be quicker than the book of requests
    assert answer.status == expected.status, repr(answer.error)
    if expected.fault is not None:
        assert type(own_error(answer.error)).__name__ == fault_class(expected.fault, variant.family)
    assert answer.content == expected.content
    assert clock.sleeps == pytest.approx(list(expected.delays))
    assert tuple(seen.path.partition("?")[0] for seen in requests) == expected.all_paths
    assert tuple(arrived(scenario.body, seen.body) for seen in requests) == expected.all_bodies
    assert server.connections == expected.connections
    assert answer.reason == expected.told_reason
    if expected.retry_at is not None:
        assert answer.history.retry_at == pytest.approx(START + expected.retry_at)
    if expected.counts is not None:
        assert tuple(seen.header("X-Retry-Count") for seen in requests) == expected.counts
    if scenario.body not in ANEW:
        assert len({seen.body for seen in requests if seen.body}) <= 1
    assert {seen.path.partition("?")[2] for seen in requests if seen.path.startswith("/f")} <= {PLANTED[1:]}
    assert {seen.header("Idempotency-Key") for seen in requests} <= {
        dict(scenario.headers).get("Idempotency-Key")
    }
    assert "s3cret" not in told_of(answer)


def told_of(answer):
    """All that is told of a call: its history, and the notes on its exception."""
    notes = getattr(answer.error, "__notes__", [])
    return f"{answer.history!r}{answer.history}{notes}"


def test_scenarios_have_names_of_their_own():
    names = [scenario.name for scenario in SCENARIOS]
    assert len(names) == len(set(names))
    assert len(names) >= 80


@pytest.mark.parametrize("deviation", DEVIATIONS, ids=lambda deviation: deviation.sentence[:40])
def test_a_deviation_is_about_scenarios_that_there_are_and_changes_them(deviation):
    by_name = {scenario.name: scenario for scenario in SCENARIOS}
    for name, changes in deviation.scenarios.items():
        expected = by_name[name].expected
        assert attrs.evolve(expected, **changes) != expected
    assert deviation.sentence.endswith(".")


def test_what_a_client_cannot_send_is_sent_by_another():
    for kind in BODIES:
        assert any(kind in variant.bodies for variant in VARIANTS)
