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
            "retry_on(...).after_header() has no argument 'max_delay': write .exponential(cap=...) after it",
        ),
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


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("stop_after_attempt", "write .attempts(...) (the first attempt included)"),
        ("retries", "write .max(...) (retries, the first attempt not counted)"),
        ("jitter", "write .exponential(jitter=True)"),
        ("wait_none", "write .immediately()"),
    ],
)
def test_a_method_of_another_library_is_answered_with_what_to_write(name, advice):
    for policy, cls in ((RULE, "Rule"), (RULE | give_up_on(404), "Policy")):
        with pytest.raises(AttributeError) as caught:
            getattr(policy, name)
        assert str(caught.value) == f"{cls!r} object has no attribute {name!r}: {advice}"


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
