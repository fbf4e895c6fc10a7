import asyncio
import copy
import pickle
from datetime import timedelta

import pytest

import bide
from bide import (
    Outcome,
    Policy,
    PolicyError,
    Rule,
    accept_on,
    code,
    forever,
    give_up_on,
    parse,
    retry_on,
    timeout,
    when,
)
from bide.policy.limits import Budget, Cooldown, Limits

A, B, C = retry_on(429), retry_on(503), retry_on(timeout)


def test_a_single_rule_is_a_policy_of_one():
    assert isinstance(A, Rule)
    assert isinstance(A, Policy)
    assert A.rules == (A,)
    assert Policy.of(A.clauses) == A
    assert type(Policy.of(A.clauses)) is Rule
    assert type(Policy.of(A.clauses, Limits(name="x"))) is Policy
    assert Policy(A) == A


def test_a_policy_of_nothing_is_refused():
    for make in (Policy, lambda: Policy.of(())):
        with pytest.raises(PolicyError, match="a policy needs at least one rule"):
            make()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        *[
            (value, r"Policy\(\) takes rules, such as retry_on\(503\)")
            for value in (503, None, "retry_on(503)")
        ],
        *[(value, "this is a policy already") for value in (A.within(3) | B.timeout(5), (A | B).attempts(3))],
    ],
)
def test_a_policy_is_made_of_rules(value, said):
    with pytest.raises(PolicyError, match=said):
        Policy(value)


def test_a_policy_of_rules_is_the_rules_joined():
    assert Policy(A, B | C) == A | B | C
    with pytest.raises(PolicyError, match="can never decide"):
        Policy(A, A)


def test_limits_bind_what_they_are_written_on():
    assert A.attempts(5).clause.retries == 4
    assert A.attempts(5).limits == Limits()
    assert Policy(A).attempts(5).limits.attempts == 5
    assert Policy(A).attempts(5).clauses == A.clauses
    shared = (A | B).attempts(5).within("30s").timeout(timedelta(seconds=5))
    assert shared.limits == Limits(attempts=5, within=30.0, timeout=5.0)
    assert A.within("30s").clause.within == 30.0
    assert A.at_most("2m").clause.at_most == 120.0
    assert type(A.named("search")) is Policy
    assert A.named("search").name == "search"
    assert A.name is None


def test_every_limit_is_kept_as_it_is_said():
    said = (A | B).budget(0.2, per="host").cooldown(per="key").breaker(3, "10s", per="key").hedge("1s", 2)
    assert said.limits.budget == Budget(0.2, "host")
    assert said.limits.cooldown == Cooldown("key")
    assert said.limits.not_available == ["budget", "cooldown", "breaker", "hedge"]
    assert (A | B).over_inner().limits.over_inner
    assert (A | B).over_inner().limits.said
    assert not (A | B).named("x").limits.said


def test_what_is_joined_keeps_the_limits_of_the_side_that_has_some():
    limited = (A | B).attempts(5)
    assert (C | limited).limits == limited.limits
    assert (limited | C).limits == limited.limits
    assert (C | limited).clauses == (*C.clauses, *limited.clauses)
    assert (limited | C.named("x")).limits == Limits(attempts=5, name="x")
    assert (A.named("a") | B.named("b")).name == "a"


def test_two_sides_that_both_limit_the_whole_call_are_an_error_with_advice():
    with pytest.raises(PolicyError, match=r"as in \(a \| b\)\.attempts\(5\)\.within\(30s\)") as caught:
        (A | B).attempts(5) | (C | retry_on(500)).within(30)
    assert caught.value.part == 1


def test_a_policy_joins_policies_only():
    for other in (503, None, "retry_on(503)"):
        with pytest.raises(TypeError):
            A | other
    with pytest.raises(PolicyError, match="is no condition"):
        A | code("x")


@pytest.mark.parametrize("head", [give_up_on(404), accept_on(409)])
def test_a_rule_that_never_retries_takes_nothing_about_retries(head):
    for say in (
        lambda: head.max(3),
        lambda: head.attempts(3),
        lambda: head.within(3),
        lambda: head.at_most(3),
        lambda: head.calling("x"),
        head.any_method,
        head.exponential,
        lambda: head.after_header("x"),
        lambda: head.fixed(1, max=2),
    ):
        with pytest.raises(PolicyError, match=r"never retries, so \.[a-z_]+\(\) says nothing; leave it out"):
            say()


@pytest.mark.parametrize("head", [retry_on, give_up_on, accept_on])
def test_a_head_needs_a_condition(head):
    with pytest.raises(PolicyError, match="says nothing: name a status, an exception, or anything"):
        head()


def test_forever_needs_a_deadline():
    endless = A.max(forever)
    for unbounded in (endless, endless | B, (endless | B).timeout(5), endless.named("x")):
        with pytest.raises(PolicyError, match=r"forever needs a deadline: add .within"):
            unbounded.check()
        with pytest.raises(PolicyError, match="forever needs a deadline"):
            unbounded.call(len, "x")
    for bounded in (endless.within(60), (endless | B).within(60), (endless | B).attempts(9), A):
        assert bounded.check() is bounded


def test_max_in_a_delay_is_max_on_the_rule():
    assert A.fixed(1, max=2) == A.fixed(1).max(2) == A.max(2).fixed(1)
    assert A.delays(1, 2, max=0).clause.retries == 0
    assert A.fixed(1, max=None).clause.retries is None


def test_a_policy_cannot_be_changed():
    policy = A | B
    for change in (
        lambda: setattr(policy, "limits", Limits()),
        lambda: setattr(policy, "new", 1),
        lambda: delattr(policy, "clauses"),
        lambda: setattr(policy.clauses[0], "retries", 9),
        lambda: setattr(policy.limits, "attempts", 9),
    ):
        with pytest.raises(AttributeError):
            change()


def test_a_copy_is_the_same_kind_of_policy():
    for policy in (A, A | B, Policy(A), Policy(A).within(3), A.named("x")):
        for same in (copy.copy(policy), copy.deepcopy(policy), pickle.loads(pickle.dumps(policy))):
            assert (same, type(same)) == (policy, type(policy))


def test_using_a_policy_changes_nothing_of_it():
    policy = retry_on(ValueError).immediately()
    before = pickle.dumps(policy)
    assert policy.call(len, "abc") == 3
    assert pickle.dumps(policy) == before
    assert policy == retry_on(ValueError).immediately()


def test_a_policy_is_used_as_a_decorator_a_call_or_an_awaited_call():
    attempts = []

    async def third_time():
        attempts.append(1)
        if len(attempts) % 3:
            raise ValueError
        return len(attempts)

    policy = retry_on(ValueError).immediately()
    assert asyncio.run(policy.acall(third_time)) == 3
    assert asyncio.run(policy(third_time)()) == 6


def test_a_policy_holds_whatever_callable_it_is_given():
    policy = retry_on(when(callable))
    assert pickle.loads(pickle.dumps(policy)) == policy
    with pytest.raises(PolicyError, match=r"no text can say When.*it holds a Python callable"):
        str(policy)
    assert "1 rules; no text: no text can say" in repr(policy)


def test_policies_are_compared_with_policies():
    assert A != "retry_on(429)"
    assert parse("retry_on(429)") == A
    assert A.named("x") != A
    assert len({A, parse("retry_on(429)"), Policy(A)}) == 1


def test_a_rule_knows_what_it_asks_for():
    clause = A.after_hint().max(2).clause
    assert clause.reads_body
    assert clause.asks_the_server
    assert not B.clause.reads_body
    assert retry_on(code("x")).clause.reads_body
    assert A.clause.longest_hint == 120.0
    assert bide.retry_on(429).decide(Outcome(429)).rule == 0
