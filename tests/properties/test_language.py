"""Laws of the language: what is printed reads back, and what is equal is the same sentence."""

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bide import PolicyError, parse


@given(st.data())
def test_what_is_printed_is_read_back(policies, data):
    policy = data.draw(policies)
    text = str(policy)
    assert parse(text) == policy
    assert str(parse(text)) == text


@given(st.data())
def test_blanks_and_comments_between_words_change_nothing(policies, data):
    text = str(data.draw(policies))
    spaced = text.replace(" | ", " # or\r\n\t|\n ").replace(" & ", "\n&\n")
    if '"' not in text:  # blanks inside a text are the text
        assert parse(f"\n {spaced}\n# the end") == parse(text)


@given(st.data())
def test_equal_policies_are_equal_to_python_too(policies, data):
    policy, other = data.draw(policies), data.draw(policies)
    assert (policy == other) == (str(policy) == str(other))
    if policy == other:
        assert hash(policy) == hash(other)


@given(st.data())
def test_a_policy_is_a_value(policies, data):
    policy = data.draw(policies)
    for same in (pickle.loads(pickle.dumps(policy)), copy.deepcopy(policy), copy.copy(policy)):
        assert same == policy
        assert type(same) is type(policy)
        assert hash(same) == hash(policy)
        assert str(same) == str(policy)
    for name in ("clauses", "limits", "anything_else"):
        with pytest.raises(AttributeError):
            setattr(policy, name, ())
        with pytest.raises(AttributeError):
            delattr(policy, name)
    with pytest.raises(AttributeError):
        policy.clauses[0].retries = 7


@given(st.data())
def test_every_part_says_itself_in_its_repr(policies, data):
    policy = data.draw(policies)
    assert str(policy) in repr(policy)
    for clause in policy.clauses:
        for part in clause.condition.parts():
            assert repr(part).startswith(type(part).__name__)


@given(st.data())
def test_a_rule_that_cannot_decide_is_refused_and_only_such_a_rule(rules, outcomes, data):
    first, second, outcome = data.draw(rules), data.draw(rules), data.draw(outcomes)
    try:
        first | second
    except PolicyError:
        assert first.clause.matches(outcome) or not second.clause.matches(outcome)
