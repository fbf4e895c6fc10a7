"""What a caller gets back: the original exception or value, with the call's attempts beside it."""

import copy
import pickle
import traceback

import attrs
import pytest

from bide import (
    AttemptFailed,
    GaveUp,
    Outcome,
    PolicyError,
    Reason,
    RetryScheduled,
    Succeeded,
    accept_on,
    give_up_on,
    history,
    retry_on,
    when,
)
from bide.testing import Scripted


def raised(call, *args):
    with pytest.raises(Exception) as caught:
        call(*args)
    return caught.value


def test_the_original_exception_comes_out_with_notes_that_tell_attempts_delays_and_reason(bound):
    last = ConnectionResetError("third")
    run = Scripted(ConnectionError("first"), ConnectionError("second"), last)
    error = raised(bound(retry_on(ConnectionError).fixed(2, max=2)).call, run)
    assert error is last
    (note,) = error.__notes__
    assert note.splitlines() == [
        "bide: gave up after 3 attempts: retries_exhausted",
        "  attempt 1: ConnectionError, rule 1, then waited 2 s",
        "  attempt 2: ConnectionError, rule 1, then waited 2 s",
        "  attempt 3: ConnectionResetError, rule 1",
    ]
    assert note in "".join(traceback.format_exception(error))


def test_long_waits_are_told_without_an_exponent(bound):
    error = raised(bound(retry_on(OSError).fixed(5000, max=1)).call, Scripted(OSError(), OSError()))
    assert "attempt 1: OSError, rule 1, then waited 5000 s\n" in error.__notes__[0]


def test_history_gives_outcome_rule_delay_and_reason_of_each_attempt(bound):
    policy = retry_on(KeyError).fixed(9) | retry_on(OSError).delays(1, 2).max(2)
    kept = history(raised(bound(policy).call, Scripted(OSError(), KeyError(), OSError(), OSError())))
    assert [(r.attempt, r.outcome, r.rule, r.delay, r.reason) for r in kept] == [
        (1, "OSError", 1, 1.0, None),
        (2, "KeyError", 0, 9.0, None),
        (3, "OSError", 1, 2.0, None),
        (4, "OSError", 1, None, Reason.RETRIES_EXHAUSTED),
    ]
    assert (kept.reason, kept.attempts, len(kept), kept[-1].attempt) == (Reason.RETRIES_EXHAUSTED, 4, 4, 4)
    assert str(kept).startswith("gave up after 4 attempts: retries_exhausted\n")


def test_a_failure_that_no_rule_is_about_comes_out_as_it_was_raised(bound, told):
    error = raised(bound(retry_on(OSError)).call, Scripted(KeyError("mine")))
    assert not hasattr(error, "__notes__")
    assert history(error) is None
    assert told == []


def test_a_failure_that_no_rule_is_about_after_a_retry_says_so(bound):
    error = raised(bound(retry_on(OSError).immediately()).call, Scripted(OSError(), KeyError("mine")))
    assert [record.reason for record in history(error)] == [None, Reason.NO_RULE]
    assert history(error)[-1].rule is None
    assert "attempt 2: KeyError\n" in error.__notes__[0] + "\n"


def test_a_rule_that_gives_up_says_so_at_once(bound, told):
    policy = give_up_on(ConnectionRefusedError) | retry_on(ConnectionError)
    error = raised(bound(policy, name="search").call, Scripted(ConnectionRefusedError()))
    assert history(error).reason == Reason.RULE_GAVE_UP
    assert told == [GaveUp("search", 1, "ConnectionRefusedError", Reason.RULE_GAVE_UP, 0)]


def test_attempts_of_the_policy_and_retries_of_a_rule_have_reasons_of_their_own(bound):
    always = Scripted(OSError(), repeat_last=True)
    shared = raised(bound((retry_on(OSError).immediately() | retry_on(KeyError)).attempts(2)).call, always)
    assert (history(shared).reason, always.count) == (Reason.ATTEMPTS_EXHAUSTED, 2)
    own = raised(bound(retry_on(OSError).immediately(max=1)).call, Scripted(OSError(), OSError()))
    assert history(own).reason == Reason.RETRIES_EXHAUSTED


def test_a_response_that_was_given_up_has_a_history_too(bound, http):
    kept = bound(retry_on(503).fixed(1, max=1)).call(Scripted(http(503), last := http(503)))
    assert kept is last
    assert [(record.outcome, record.delay) for record in history(kept)] == [("503", 1.0), ("503", None)]


def test_a_response_that_came_after_retries_is_told_of_and_left_as_it_is(bound, http, told):
    response = bound(retry_on(503).fixed(1), name="n").call(Scripted(http(503), http(200)))
    assert [(record.outcome, record.delay, record.reason) for record in history(response)] == [
        ("503", 1.0, None),
        ("200", None, Reason.SUCCEEDED),
    ]
    assert str(history(response)).startswith("ended after 2 attempts: succeeded\n")
    assert told == [
        AttemptFailed("n", 1, "503", 0),
        RetryScheduled("n", 1, "503", 0, 1.0),
        Succeeded("n", 2, "200"),
    ]


def test_a_response_at_once_has_no_history(bound, http):
    assert history(bound(retry_on(503)).call(Scripted(http(200)))) is None
    assert history("no response at all") is None


def test_an_accepted_response_tells_the_attempts_before_it(bound, http):
    policy = accept_on(409) | retry_on(503).fixed(1)
    kept = history(bound(policy).call(Scripted(http(503), http(409))))
    assert [(record.outcome, record.rule, record.reason) for record in kept] == [
        ("503", 1, None),
        ("409", 0, Reason.ACCEPTED),
    ]
    assert history(bound(policy).call(Scripted(http(409)))) is None


def test_an_accepted_exception_is_raised_without_notes(bound):
    policy = accept_on(KeyError) | retry_on(Exception).immediately()
    error = raised(bound(policy).call, Scripted(OSError(), KeyError("found")))
    assert history(error).reason == Reason.ACCEPTED
    assert not hasattr(error, "__notes__")


def test_a_value_that_can_hold_nothing_is_handed_back_all_the_same(bound, told):
    empty = when(lambda outcome: outcome.error is None and outcome.value is None)
    assert bound(retry_on(empty).immediately(max=1), name="n").call(Scripted(None, None)) is None
    assert told[-1] == GaveUp("n", 2, "value", Reason.RETRIES_EXHAUSTED, 0)


def test_when_a_hint_is_too_long_the_history_says_when_to_come_back(bound, clock):
    policy = retry_on(429).after_attribute("retry_after")
    error = raised(
        bound(policy | retry_on(OSError).after_attribute("retry_after")).call, Scripted(Busy(3600))
    )
    assert history(error).reason == Reason.HINT_TOO_LONG
    assert history(error).retry_at == clock.time() + 3600
    assert f"welcome at {clock.time() + 3600:.0f} (epoch seconds)" in error.__notes__[0]


def test_the_source_of_a_hint_is_told(bound, told):
    runtime = bound(retry_on(OSError).after_attribute("retry_after"))
    assert runtime.call(Scripted(Busy(2), 1)) == 1
    assert told[1].source == "attribute retry_after"


def test_notes_of_the_same_instance_are_replaced_and_those_of_others_stay(bound):
    error = OSError("one for all")
    error.add_note("mine")
    for attempts in (2, 3):
        raised(bound(retry_on(OSError).immediately().attempts(attempts)).call, always_raising(error))
        assert [note.splitlines()[0] for note in error.__notes__] == [
            "mine",
            f"bide: gave up after {attempts} attempts: retries_exhausted",
        ]


def test_of_a_very_long_call_the_last_hundred_attempts_are_kept_and_ten_told(bound):
    runtime = bound(retry_on(OSError).immediately(max=250))
    error = raised(runtime.call, Scripted(OSError(), repeat_last=True))
    kept = history(error)
    assert (kept.attempts, len(kept), kept[0].attempt, kept[-1].attempt) == (251, 100, 152, 251)
    assert "(241 earlier attempts not shown)" in error.__notes__[0]


def test_the_exception_may_be_pickled_and_copied_with_its_history(bound):
    error = raised(bound(retry_on(OSError).immediately()).call, Scripted(OSError("x"), repeat_last=True))
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert history(twin) == history(error)
        assert twin.__notes__ == error.__notes__


def test_E14_frozen_slotted_and_hostile_exceptions_keep_their_history(bound):
    for hostile in (Frozen(1), Slotted(), Refusing(), NoEquals()):
        error = raised(bound(retry_on(Exception).immediately(max=1)).call, always_raising(hostile))
        assert error is hostile
        assert history(error).attempts == 2
        assert error.__notes__[0].startswith("bide: gave up after 2 attempts")


def test_E14_notes_that_are_no_list_are_left_alone(bound):
    error = OSError()
    error.__notes__ = "not a list"
    raised(bound(retry_on(OSError).immediately(max=1)).call, always_raising(error))
    assert error.__notes__ == "not a list"
    assert history(error).attempts == 2


def test_E15_what_an_exception_was_raised_from_stays_its_cause(bound):
    def run():
        try:
            raise KeyError("inner")
        except KeyError as cause:
            raise OSError("outer") from cause

    error = raised(bound(retry_on(OSError).immediately(max=1)).call, run)
    assert repr(error.__cause__) == "KeyError('inner')"


def test_an_exhausted_outcome_is_no_secret_keeper():
    assert repr(Outcome(error=OSError("token=abc"), method=None)) == "Outcome(error=OSError)"


def test_an_unbounded_policy_is_refused_when_it_is_bound():
    from bide import forever

    with pytest.raises(PolicyError, match="forever needs a deadline"):
        retry_on(OSError).max(forever).bind()


def always_raising(error):
    def run():
        raise error

    return run


class Busy(OSError):
    def __init__(self, seconds):
        super().__init__("busy")
        self.retry_after = seconds


@attrs.frozen(slots=False)
class Frozen(Exception):
    number: int


class Slotted(Exception):
    __slots__ = ("status_text",)


class Refusing(Exception):
    def __setattr__(self, name, value):
        raise RuntimeError("no attributes, please")

    def add_note(self, note):
        raise RuntimeError("no notes, please")

    def __str__(self):
        raise RuntimeError("no text, please")


class NoEquals(Exception):
    def __eq__(self, other):
        raise RuntimeError("incomparable")

    def __bool__(self):
        raise RuntimeError("neither true nor false")

    __hash__ = None


@pytest.fixture
def http():
    import httpx

    return httpx.Response
