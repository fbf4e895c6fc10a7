"""Both sides of the tables that lead here from other libraries do the same, wherever both are code."""

import itertools
import re
import time
from contextlib import suppress
from pathlib import Path

import backoff
import pytest
import stamina
import tenacity
from urllib3.util import Retry

import bide
from bide.testing import VirtualClock

PAGE = Path(__file__).parents[2] / "docs/how-to/come-from-another-library.md"
FAILURES = [OSError(5), KeyError("k"), ValueError("busy now"), ValueError(5), RuntimeError("idle")]
VALUES = ["wait", "done", None]
RULE = bide.retry_on(OSError)


def rows(about):
    """The pairs of cells that are code, of the tables whose header begins so."""
    found, inside = [], False
    for line in PAGE.read_text("utf-8").splitlines():
        cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) != 2:
            inside = False
        elif re.fullmatch(r"-+", cells[0]) is None:
            code = [re.fullmatch(r"`([^`]+)`", cell) for cell in cells]
            inside = inside or cells[0].startswith(about)
            if inside and all(code) and not cells[0].startswith(about):
                found.append(tuple(match[1] for match in code))
    assert found
    return found


def said(text, **words):
    return eval(text, {**vars(bide), **words})


def ours(text):
    """What the right side makes of a rule, when it goes on from one."""
    return said("rule" + text, rule=RULE) if text.startswith(".") else said(text)


def delays(policy, count=3):
    """Each delay as a range, those of a rule without an end of its own."""
    return [
        policy.max(9).explain(bide.Outcome(error=OSError()), attempt=n).delay for n in range(1, count + 1)
    ]


def slept(retried):
    """The waits of a function that always fails, in virtual time."""
    clock = VirtualClock()

    def fail():
        raise OSError

    with pytest.MonkeyPatch.context() as patch, clock.freezegun():
        patch.setattr(time, "sleep", clock.sleep)
        with suppress(OSError):
            retried(fail)()
    return clock.sleeps


def agree(there, here, *, deadline):
    """As many waits; or as long ones, of which only theirs may pass the deadline."""
    if deadline:
        assert 27 <= sum(here) <= 30 <= sum(there)
    else:
        assert len(here) == len(there)


def state_of(outcome, attempt=1):
    state = tenacity.RetryCallState(None, None, (), {})
    state.attempt_number = attempt
    if isinstance(outcome, Exception):
        state.set_exception((type(outcome), outcome, None))
    else:
        state.set_result(outcome)
    return state


def of_tenacity(kind):
    return [row for row in rows("tenacity") if row[0].startswith(kind)]


@pytest.mark.parametrize(("theirs", "here"), of_tenacity("wait_"))
def test_a_wait_of_tenacity_is_a_delay_of_the_same_seconds(theirs, here):
    wait = said(theirs, **vars(tenacity))
    for attempt, (low, high) in enumerate(delays(ours(here)), 1):
        drawn = [wait(state_of(OSError(), attempt)) for _ in range(400)]
        assert low <= min(drawn) <= max(drawn) <= high
        assert max(drawn) - min(drawn) >= 0.9 * (high - low)


@pytest.mark.parametrize(("theirs", "here"), of_tenacity("stop_"))
def test_a_stop_of_tenacity_is_a_limit_of_the_same_size(theirs, here):
    stop = said(theirs, **vars(tenacity))
    there = slept(tenacity.retry(stop=stop, wait=tenacity.wait_fixed(4), reraise=True))
    agree(there, slept(said("rule.fixed(4)" + here, rule=RULE)), deadline="30" in theirs)


@pytest.mark.parametrize(("theirs", "here"), of_tenacity("retry_if_"))
@pytest.mark.parametrize("outcome", FAILURES + VALUES, ids=repr)
def test_a_condition_of_tenacity_holds_of_the_same_outcomes(theirs, here, outcome):
    asked = said(theirs, **vars(tenacity))(state_of(outcome))
    failed = isinstance(outcome, Exception)
    seen = bide.Outcome(method=None, **({"error": outcome} if failed else {"value": outcome}))
    assert (ours(here).explain(seen).action == "retry") is bool(asked)


@pytest.mark.parametrize(("theirs", "here"), [row for row in rows("stamina") if "attempts" in row[0]])
def test_a_limit_of_stamina_is_one_of_the_same_size(theirs, here):
    steady = "wait_initial=4, wait_jitter=0, wait_exp_base=1"
    there = slept(said(f"stamina.retry(on=OSError, {steady}, {theirs})", stamina=stamina))
    agree(there, slept(said("rule.fixed(4)" + here, rule=RULE)), deadline="timeout" in theirs)


@pytest.mark.parametrize(("theirs", "here"), [row for row in rows("stamina") if "wait_initial" in row[0]])
def test_waits_of_stamina_are_delays_of_the_same_seconds(theirs, here):
    there = slept(said(f"stamina.retry(on=OSError, {theirs})", stamina=stamina))
    assert delays(ours(here), 7) == [(wait, wait) for wait in there[:7]]


@pytest.mark.parametrize(("theirs", "here"), rows("backoff"))
def test_a_generator_of_backoff_is_a_schedule_of_the_same_seconds(theirs, here):
    waits = itertools.islice(said(theirs, **vars(backoff)), 1, 8)  # the first is a formality
    assert delays(ours(here), 7) == [(wait, wait) for wait in waits]


@pytest.mark.parametrize(("theirs", "here"), rows("`on_exception`"))
def test_a_limit_of_backoff_is_one_of_the_same_size(theirs, here):
    steady = "backoff.constant, OSError, interval=4, jitter=None"
    there = slept(said(f"backoff.on_exception({steady}, {theirs})", backoff=backoff))
    agree(there, slept(said("rule.fixed(4)" + here, rule=RULE)), deadline="max_time" in theirs)


@pytest.mark.parametrize(("theirs", "here"), [row for row in rows("`Retry`") if "(" in row[1]])
def test_an_option_of_urllib3_is_a_sentence_of_bide(theirs, here):
    option = theirs + "None" if theirs.endswith("=") else theirs
    assert isinstance(said(f"Retry({option})", Retry=Retry), Retry)
    assert isinstance(ours(here), bide.Policy)


def test_the_waits_of_backoff_factor_are_those_that_the_page_says():
    retries = Retry(backoff_factor=0.5, status_forcelist=[503])
    waits = []
    for _ in range(5):
        retries = retries.increment("GET", "/", response=None, error=None)
        waits.append(retries.get_backoff_time())
    assert waits == [0, 1, 2, 4, 8]
    assert "`backoff_factor=0.5` | `.delays(0, 1, 2, 4, 8)`" in PAGE.read_text("utf-8")
