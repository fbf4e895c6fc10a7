"""What is worked out once by the type of an exception is what the full decision would be, draw by draw."""

import asyncio

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from bide import Policy, PolicyError, accept_on, give_up_on, history, method, raises, retry_on, status, when
from bide.engine.plan import Plan
from bide.testing import Draws, Scripted, VirtualClock


class Plain(Exception):
    pass


class Child(Plain):
    pass


class Other(Exception):
    pass


class Told(Plain):
    status_code = 503


class Answering(Plain):
    def __getattr__(self, name):
        if name == "status":
            return 503
        raise AttributeError(name)


class LookedUp(Plain):
    def __getattribute__(self, name):
        return 503 if name == "status" else super().__getattribute__(name)


KINDS = [Plain, Child, Other, Told, Answering, LookedUp, OSError, ConnectionError, TimeoutError, KeyError]

counts = st.none() | st.integers(0, 4)
seconds = st.sampled_from([0, 0.25, 1, 7])
jitters = st.sampled_from([True, "equal", "decorrelated", False])
schedules = st.one_of(
    st.just(lambda rule: rule),
    st.builds(lambda s, j: lambda rule: rule.fixed(s, jitter=j), seconds, jitters),
    st.builds(lambda j: lambda rule: rule.exponential(base=0.5, cap=3, jitter=j), jitters),
    st.builds(lambda j: lambda rule: rule.linear(jitter=j), jitters),
    st.builds(lambda j: lambda rule: rule.fibonacci(jitter=j), jitters),
    st.builds(lambda some: lambda rule: rule.delays(*some), st.lists(seconds, min_size=1, max_size=3)),
    st.just(lambda rule: rule.immediately()),
    st.just(lambda rule: rule.decorrelated()),
    st.just(lambda rule: rule.after_attribute("retry_after").fixed(2)),
)


@st.composite
def rules(draw):
    conditions = draw(st.lists(st.sampled_from([*KINDS, "5xx", 429]), min_size=1, max_size=3, unique=True))
    head = draw(st.sampled_from([retry_on, retry_on, retry_on, retry_on, give_up_on, accept_on]))
    rule = head(*conditions)
    if head is not retry_on:
        return rule
    rule = draw(schedules)(rule)
    most = draw(counts)
    return rule if most is None else rule.max(most)


@st.composite
def policies(draw):
    some = draw(st.lists(rules(), min_size=1, max_size=3))
    try:
        policy = Policy(*some)
    except PolicyError:  # a rule that could never decide
        reject()
    attempts = draw(st.none() | st.integers(1, 6))
    return policy if attempts is None else policy.attempts(attempts)


def chained(error):
    error.__cause__ = KeyError()
    return error


outcomes = st.lists(
    st.one_of(
        st.sampled_from(KINDS),
        st.sampled_from(KINDS).map(lambda cls: lambda: chained(cls())),
        st.just(lambda: "done"),
    ),
    max_size=12,
)
draws = st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=12)


class InFull(Plan):
    """A plan that foresees nothing."""

    def meet(self, cls):
        pass


def played(policy, script, numbers, way, *, foresee):
    """What a call comes to: its end, its delays, its history, and how much chance it took."""
    clock, source = VirtualClock(), Draws(*numbers)
    runtime = policy.bind(clock=clock, rng=source, listeners=[])
    if not foresee:
        runtime.settings.plan = InFull(policy.clauses, policy.limits)
    fake = Scripted(*[make() for make in script], "done")
    try:
        if way == "decorated":
            runtime(fake.function())()
        elif way == "coroutine":
            asyncio.run(runtime(fake.coroutine())())
        else:
            runtime.call(fake)
        ended = None
    except Exception as error:
        ended = error
    kept = history(ended)
    return fake.count, type(ended), clock.sleeps, kept, source.drawn if ended is None or kept else None


@given(policies(), outcomes, draws)
def test_what_the_plan_foresees_is_what_the_full_decision_would_be(policy, script, numbers):
    in_full = played(policy, script, numbers, "call", foresee=False)
    assert played(policy, script, numbers, "decorated", foresee=True) == in_full
    assert played(policy, script, numbers, "decorated", foresee=False) == in_full


@given(policies(), outcomes, draws)
def test_and_so_in_coroutines(policy, script, numbers):
    in_full = played(policy, script, numbers, "call", foresee=False)
    assert played(policy, script, numbers, "coroutine", foresee=True) == in_full


def row(policy, cls):
    plan = Plan(policy.clauses, policy.limits)
    plan.meet(cls)
    plan.meet(cls)
    return plan.rows.get(cls)


def test_a_plain_policy_is_foreseen():
    assert row(retry_on(raises(Plain) | status(503)).fixed(2, max=1), Plain).spans == ((2.0, 0.0, True),)
    found = row(retry_on(KeyError) | retry_on(Plain, "5xx").fixed(2, max=2), Child)
    assert (found.cls, found.rule, found.spans) == (Child, 1, ((2.0, 0.0, False), (2.0, 0.0, True)))
    assert row(retry_on(Plain).fixed(2).attempts(2), Plain).spans == ((2.0, 0.0, True),)
    assert row(retry_on(Plain).fixed(2).attempts(9), Plain).spans[-1] == (2.0, 0.0, True)


@pytest.mark.parametrize(
    ("policy", "cls"),
    [
        (retry_on(Plain), Other),
        (retry_on(Plain), Told),
        (retry_on(Plain), Answering),
        (retry_on(Plain), LookedUp),
        (retry_on(Plain).max(0), Plain),
        (give_up_on(Plain) | retry_on(Exception), Plain),
        (retry_on(Plain).after_hint(), Plain),
        (retry_on(Plain).decorrelated(), Plain),
        (retry_on(Plain).within(9), Plain),
        (retry_on(Plain).calling("refresh"), Plain),
        ((retry_on(Plain) | retry_on(Other)).within(9), Plain),
        (retry_on((raises(Plain) | when(bool)) | method("GET")), Plain),
        (retry_on(Plain).timeout(9), Plain),
        (retry_on(Plain).budget(0.2), Plain),
    ],
)
def test_whatever_else_can_matter_is_decided_in_full(policy, cls):
    assert row(policy, cls) is None


def test_types_that_are_made_as_one_goes_are_not_remembered_for_ever():
    plan = Plan(retry_on(Plain).clauses, retry_on(Plain).limits)
    for number in range(1100):
        plan.meet(type(f"Made{number}", (Plain,), {}))
    assert len(plan.rows) == 1000
