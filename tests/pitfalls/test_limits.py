"""Limits hold: attempts are counted, deadlines kept, and what is empty or unknown is refused."""

import pytest

from bide import (
    Outcome,
    PolicyError,
    PolicySyntaxError,
    Reason,
    forever,
    give_up_on,
    history,
    parse,
    raises,
    retry_on,
)
from bide.testing import Scripted, VirtualClock

DOWN = retry_on(ConnectionError)
DEADLINES = {
    "of the rule": lambda rule, seconds: rule.within(seconds),
    "of the whole call": lambda rule, seconds: (rule | retry_on(503)).within(seconds),
}


@pytest.fixture(params=DEADLINES.values(), ids=DEADLINES)
def within(request):
    """Return what gives a rule a deadline, or the whole call that it is the only rule of."""
    return request.param


def failing():
    return Scripted(ConnectionError, repeat_last=True)


@pytest.mark.parametrize("n", [0, -1])
def test_zero_attempts_is_refused(n):
    with pytest.raises(PolicyError, match="attempts"):
        DOWN.attempts(n)
    with pytest.raises(PolicyError, match="attempts"):
        (DOWN | retry_on(503)).attempts(n)
    with pytest.raises(PolicySyntaxError, match="attempts"):
        parse(f"retry_on(503).attempts({n})")


@pytest.mark.parametrize("n", [True, 1.5, "3", None, float("nan"), lambda: 3])
def test_a_number_of_attempts_that_is_none_is_refused(n):
    with pytest.raises(PolicyError):
        DOWN.attempts(n)


def test_one_attempt_is_one_call_and_its_own_error(clock):
    fails = failing()
    with pytest.raises(ConnectionError):
        DOWN.attempts(1).bind(clock=clock).call(fails)
    assert (fails.count, clock.sleeps) == (1, [])


@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_attempts_count_the_first_and_retries_do_not(n, clock):
    for policy, calls in [(DOWN.attempts(n), n), (DOWN.max(n), n + 1)]:
        fails = failing()
        with pytest.raises(ConnectionError):
            policy.bind(clock=clock).call(fails)
        assert fails.count == calls


def test_no_condition_does_not_mean_every_condition():
    for head in (retry_on, give_up_on):
        with pytest.raises(PolicyError, match="says nothing"):
            head()
    with pytest.raises(PolicyError):
        retry_on([])
    with pytest.raises(PolicyError):
        retry_on(raises())


def test_an_unknown_argument_is_refused_in_python_and_in_text():
    with pytest.raises(TypeError, match="bogus"):
        DOWN.exponential(bogus=1)
    with pytest.raises(PolicySyntaxError, match="bogus"):
        parse("retry_on(503).exponential(bogus=1)")


def test_a_policy_without_end_is_refused():
    with pytest.raises(PolicyError):
        DOWN.max(forever).bind()


def test_a_deadline_is_not_overrun_by_the_last_wait(clock, within):
    with pytest.raises(ConnectionError):
        within(DOWN.fixed(30), 10).bind(clock=clock).call(failing())
    assert clock.monotonic() <= 10


@pytest.mark.parametrize("took", [0, 0.1, 1, 4, 9.9])
def test_a_deadline_leaves_room_for_an_attempt_as_long_as_the_last(took, clock, within):
    def slow():
        clock.advance(took)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        within(DOWN.exponential(base=1).max(100), 10).bind(clock=clock).call(slow)
    assert clock.monotonic() <= 10


def test_a_deadline_counts_the_attempts_and_not_only_the_waits(clock, within):
    fails = failing()

    def slow():
        clock.advance(60)
        fails()

    with pytest.raises(ConnectionError) as caught:
        within(DOWN.fixed(1).max(10), 10).bind(clock=clock).call(slow)
    assert (fails.count, clock.monotonic()) == (1, 60)
    assert history(caught.value).reason is Reason.DEADLINE


@pytest.mark.parametrize("step", [-3600, 3600, -86_400 * 365])
def test_a_wall_clock_that_is_set_changes_no_deadline(step, clock, within):
    fails = failing()

    def work():
        clock.step_wall(step)
        fails()

    with pytest.raises(ConnectionError):
        within(DOWN.fixed(1).max(1000), 10).bind(clock=clock).call(work)
    assert fails.count == 11  # one each second, and a last one for which the delay was shortened
    assert clock.monotonic() <= 10


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
def test_no_status_is_beyond_being_retried(status):
    assert retry_on(status).max(1).explain(Outcome(status=status)).action == "retry"


def test_the_class_name_of_an_error_decides_nothing(clock):
    class AuthorServiceTimeout(TimeoutError):
        """Its name begins like authentication."""

    fails = Scripted(AuthorServiceTimeout, "done")
    assert retry_on(TimeoutError).fixed(1).bind(clock=clock).call(fails) == "done"


def test_a_clock_that_stands_still_does_not_lift_the_limit_of_attempts():
    class Frozen(VirtualClock):
        def sleep(self, seconds):
            """Let no time pass."""

    bounded = (DOWN.immediately().max(50) | retry_on(503)).within(10)
    waiting = DOWN.fixed(1).max(50).within(10)  # a rule's own deadline counts the delays that it asked for
    for policy, calls in [(bounded, 51), (waiting, 11)]:
        fails = failing()
        with pytest.raises(ConnectionError):
            policy.bind(clock=Frozen()).call(fails)
        assert fails.count == calls
