import inspect

import pytest

from bide import accept_on, give_up_on, retry_on
from bide.policy import loanwords
from bide.policy.policy import Rule

RULE = retry_on(503)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: retry_on(503, max=3), "retry_on() has no argument 'max': write .max(...) after it"),
        (
            lambda: retry_on(503, max_retries=3),
            "retry_on() has no argument 'max_retries': write .max(...) after it (retries, the first attempt not counted)",
        ),
        (
            lambda: retry_on(503, status_forcelist=[429]),
            "retry_on() has no argument 'status_forcelist': write the statuses alone, as in retry_on(429, 503)",
        ),
        (
            lambda: give_up_on(exceptions=ValueError),
            "give_up_on() has no argument 'exceptions': write the exceptions alone, as in retry_on(TimeoutError)",
        ),
        (
            lambda: accept_on(404, wait=3),
            "accept_on() has no argument 'wait': write .fixed(...) after it or .exponential(...) after it",
        ),
        (lambda: retry_on(503, foo=3), "retry_on() got an unexpected keyword argument 'foo'"),
        (
            lambda: RULE.exponential(min=4, max=10),
            "retry_on(...).exponential() has no argument 'min': write base=... (the first delay)",
        ),
        (
            lambda: RULE.exponential(initial=1, maximum=3),
            "retry_on(...).exponential() has no argument 'initial': write base=... (the first delay)",
        ),
        (
            lambda: RULE.after_header("Retry-After", max_delay=3),
            "retry_on(...).after_header() got an unexpected keyword argument 'max_delay'",
        ),
        (
            lambda: RULE.delays(1, 2, max_attempts=3),
            "retry_on(...).delays() has no argument 'max_attempts': write .attempts(...) after it (the first attempt included)",
        ),
        (  # a schedule ends the chain, so that no other may be advised
            lambda: RULE.delays(1, 2, jitter=True),
            "retry_on(...).delays() got an unexpected keyword argument 'jitter'",
        ),
        (
            lambda: RULE.timeout(connect=5),
            (
                "Policy.timeout() has no argument 'connect': it is one limit for all phases; the client limits each, "
                "as in httpx.Timeout(30, connect=5)"
            ),
        ),
        (lambda: retry_on(status=503), "retry_on() has no argument 'status': write status(...)"),
        (
            lambda: retry_on(503, timeout=5),
            "retry_on() has no argument 'timeout': write .timeout(...) after it",
        ),
        (
            lambda: retry_on(503, wait_initial=5),
            "retry_on() has no argument 'wait_initial': write .exponential(base=...) after it",
        ),
        (lambda: retry_on(503, name="x"), "retry_on() has no argument 'name': write .named(...) after it"),
        (
            lambda: RULE.fixed(1, foo=3),
            "retry_on(...).fixed() got an unexpected keyword argument 'foo'",
        ),
    ],
)
def test_a_keyword_of_another_library_is_answered_with_what_to_write(call, said):
    with pytest.raises(TypeError) as caught:
        call()
    assert str(caught.value) == said


def test_a_keyword_that_a_function_takes_is_never_advised_against():
    add = loanwords.advising(lambda name: f": write no {name}")(lambda own, *, named: own + named)
    assert add(own=1, named=2) == 3
    with pytest.raises(TypeError, match="has no argument 'other': write no other"):
        add(own=1, other=2)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("stop_after_attempt", "write .attempts(...) (the first attempt included)"),
        ("retries", "write .max(...) (retries, the first attempt not counted)"),
        ("jitter", "write .exponential(jitter=...)"),
        ("max_delay", "write .exponential(cap=...)"),
        ("give_up_on", "another rule is joined with |, as in retry_on(503) | give_up_on(404)"),
        ("on_backoff", "listeners are told of it, in Python: policy.bind(listeners=[...])"),
        (
            "reraise",
            "it is not needed, since the last exception or response always comes back as it is",
        ),
        ("wait_none", "write .immediately()"),
    ],
)
def test_a_method_of_another_library_is_answered_with_what_to_write(name, advice):
    for policy, cls in ((RULE, "Rule"), (RULE | give_up_on(404), "Policy")):
        with pytest.raises(AttributeError) as caught:
            getattr(policy, name)
        assert str(caught.value) == f"{cls!r} object has no attribute {name!r}: {advice}"


@pytest.mark.parametrize("name", ["exponential", "after_header", "max", "any_method"])
def test_what_is_about_a_rule_and_said_of_a_whole_policy_is_answered_with_where_to_write_it(name):
    for policy in (RULE | give_up_on(404), RULE.timeout("5s")):
        with pytest.raises(AttributeError) as caught:
            getattr(policy, name)
        advice = "it is about one rule; write it on the rule, before what is about the whole call"
        assert str(caught.value) == f"'Policy' object has no attribute {name!r}: {advice}"


def test_a_misspelled_method_has_pythons_own_error_by_which_it_finds_the_nearest_name():
    with pytest.raises(AttributeError, match=r"'Rule' object has no attribute 'exponental'$") as caught:
        RULE.exponental()  # ty: ignore
    assert (caught.value.name, caught.value.obj) == ("exponental", RULE)
    assert getattr(RULE, "exponental", None) is None


def test_the_advice_names_what_is_there():
    for own in loanwords._METHODS:
        assert hasattr(Rule, own.partition("(")[0])


def test_no_word_of_ours_is_taken_for_one_of_another_library():
    ours = {name for name in dir(Rule) if not name.startswith("_")}
    assert not [
        name for name in ours if loanwords.method(name) and name not in {"attempts", "timeout", "name"}
    ]


def test_signatures_stay_what_they_are():
    assert str(inspect.signature(Rule.fixed)).startswith("(self, seconds: ")
    assert str(inspect.signature(retry_on)).startswith("(*conditions: ")
    assert retry_on.__name__ == "retry_on"
    assert retry_on.__doc__.startswith("Return a rule that retries")
