"""Every documented error of every strategy, played by a real server: each client comes to what is documented."""

import json

import pytest
from strategy_cases import CASES, FILES, played, strategy_of
from strategy_clients import CLIENTS
from table import PAGE, page

from bide import Outcome
from bide.testing import Draws, FaultServer, VirtualClock, steps

STRATEGIES = [path.stem for path in FILES]
ON_EVERY_CLIENT = ("agent-query", "knowledge-base", "prompt-library", "site-vault", "workspace-agents")
"""Each case of these is played to all three clients; of the others to one each, the clients taking turns."""
ALL_WELL = steps.json(200, {"ok": True})


def actions(strategy, taken):
    """An action for each recovery that the strategy asks for; it writes down that it was taken."""
    names = {clause.recovery for policy in policies(strategy) for clause in policy.clauses if clause.recovery}
    return {name: (lambda name=name: taken.append(name)) for name in names}


def policies(strategy):
    return [*strategy.policies.values(), *strategy.endpoints.values()]


def script(case):
    if case.fault is not None:
        step = {"dropped": steps.drop(), "timed out": steps.stall(), "refused": steps.drop()}[case.fault]
    else:
        step = steps.respond(case.status, {"Content-Type": "application/json"} | case.headers, case.content)
    return [step] * case.answers + [ALL_WELL] if case.answers else [step]


def perform(server, player, case):
    """Play a case to a client: what came of its calls, the seconds waited, the requests, the actions taken."""
    strategy = strategy_of(case.strategy)
    clock, taken = VirtualClock(), []
    options = {"clock": clock, "rng": Draws(case.draw), "listeners": [], "idempotency_key": case.keys}
    if made := actions(strategy, taken):
        options["recover"] = made
    server.on(case.path, *script(case))
    url = server.refused_url(case.path) if case.fault == "refused" else server.url + case.path
    before = len(server.requests)
    came = player.play(strategy, case, url, options)
    return came, [seconds for seconds in clock.sleeps if seconds], server.requests[before:], taken


def on_client(client, name):
    """The cases that a client plays: all of the strategies that every client plays, of the others every third."""
    cases = [case for case in CASES if case.strategy == name]
    return cases if name in ON_EVERY_CLIENT else cases[[*CLIENTS].index(client) :: len(CLIENTS)]


def wrong(cases, play):
    """What is wrong with each case, named by it, so that one test may play many."""
    found = []
    for case in cases:
        try:
            play(case)
        except Exception as error:  # whatever it is, the cases after it are played too
            found.append(f"{case.id}: {type(error).__name__}: {error}")
    return found


def report(found):
    if found:
        pytest.fail("\n\n".join(found), pytrace=False)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("name", STRATEGIES)
def test_a_client_comes_to_the_decisions_that_are_documented(name, client):
    with FaultServer() as server, CLIENTS[client]() as player:
        report(
            wrong(on_client(client, name), lambda case: assert_played(case, *perform(server, player, case)))
        )


def assert_played(case, came, slept, requests, taken):
    """What came of a case is what it says."""
    last = came[-1]
    assert len(requests) == (0 if case.fault == "refused" else case.all_attempts)
    assert slept == pytest.approx(list(case.delays))
    assert taken == list(case.recoveries)
    if last.history is not None:
        assert (last.history.reason, last.history.attempts) == (case.told_reason, case.all_attempts)
    else:
        assert case.all_attempts == case.calls  # there was nothing to tell
    if case.fault is None:
        assert last.status == (200 if case.answers else case.status)
    if case.keyed:
        keys = {seen.header("Idempotency-Key") for seen in requests}
        assert len(keys) == 1
        assert None not in keys
    if case.raises is not None:
        assert_raised_as_documented(case, last.raised)


def assert_raised_as_documented(case, raised):
    """What `raise_for` raised for a client's response is of the class documented, and says what the answer says."""
    assert ("" if raised is None else type(raised).__name__) == case.raises
    if raised is not None:
        known = strategy_of(case.strategy).documented(case.code, case.category, case.status)
        meaning = None if known is None or known.decision == "accept" else known.meaning
        assert (raised.status, raised.meaning) == (case.status, meaning)
        said = {"code": case.code, "category": case.category} | case.error
        assert {name: getattr(raised, name) for name in said} == said


@pytest.mark.parametrize("name", STRATEGIES)
def test_explain_tells_the_decisions_that_a_client_takes(name):
    report(wrong([case for case in CASES if case.strategy == name and case.fault is None], assert_explained))


def assert_explained(case):
    """What is told of the answer, without any client, is what the case says."""
    strategy = strategy_of(case.strategy)
    outcome = Outcome(
        case.status,
        case.headers,
        case.content,
        method=case.method,
        url=case.path,
        idempotency_key=case.keyed,
    )
    explained = strategy.explain(outcome)
    assert explained.action == case.decision
    if case.decision in ("give_up", "accept"):
        assert explained.reason == case.told_reason
    if case.raises is not None and not case.answers:
        assert_raised_as_documented(case, strategy.error_of(outcome))


def test_each_client_plays_each_strategy_and_every_case_is_played():
    for name in STRATEGIES:
        each = [on_client(client, name) for client in CLIENTS]
        assert all(each)
        assert {case.id for cases in each for case in cases} == {
            case.id for case in CASES if case.strategy == name
        }


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_documented_error_is_played(name):
    strategy = strategy_of(name)
    missing = [error.label for error in strategy.catalogue if not played(strategy, error)]
    assert missing == []
    for error in strategy.catalogue:
        assert error.decision in {case.decision for case in played(strategy, error)}, error.label


@pytest.mark.parametrize("name", STRATEGIES)
def test_no_case_is_written_twice(name):
    ids = [case.id for case in CASES if case.strategy == name]
    assert sorted(ids) == sorted(set(ids))


def test_every_shipped_strategy_is_played(request):
    shipped = {path.stem for path in (request.config.rootpath / "strategies").glob("*.toml")}
    assert shipped == set(STRATEGIES)


def test_an_answer_is_json_as_the_api_writes_it():
    for case in CASES:
        if case.fault is None and case.text is None:
            assert isinstance(json.loads(case.content), dict)


def test_the_page_of_the_docs_tells_what_is_tested_here():
    written = PAGE.read_text("utf-8") if PAGE.exists() else ""
    assert page() == written, "if this change is meant: python tests/conformance/strategies/table.py --write"
