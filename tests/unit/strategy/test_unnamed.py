"""A pace by a part of the path, where no pattern names that part."""

import pytest

from bide.policy.policy import retry_on
from bide.strategy.strategy import Strategy

RULES = "[rules]\nbusy = 'retry_on(429).fixed(1s)'\n[policies]\n"


def told(strategy):
    return [
        (one.code, one.key, one.line, one.column, one.width, one.message.partition(": ")[2])
        for one in strategy.check()
    ]


@pytest.mark.parametrize("per", ["host", "endpoint", "policy", "id"])
def test_a_pace_may_be_kept_by_these(make, per):
    some = make(
        RULES
        + f"default = 'busy'\npaced = 'busy.pace(\"9/second\", per=\"{per}\")'\n"
        + "[endpoints]\n'/things/{id}' = 'paced'\n"
        + f"'/others/{{id}}' = 'busy.pace_by_headers(per=\"{per}\")'\n"
    )
    assert told(some) == []


def test_an_endpoint_without_the_part_is_found_where_it_says_it(make):
    some = make(
        RULES
        + "default = 'busy'\n[endpoints]\n"
        + "'/a/{thing}' = 'busy.pace(\"9/second\", per=\"thin\")'\n"
        + '"/b" = "busy.pace_by_headers( per = \\"room\\" )"\n'
        + "'/c' = '''\n  busy\n    .pace(\"9/second\", per=\"hots\")'''\n"
    )
    assert told(some) == [
        ("unnamed-part", 'endpoints."/a/{thing}"', 10, 39, 10, "this endpoint's pattern has no part 'thin': did you mean 'thing'?"),
        ("unnamed-part", 'endpoints."/b"', 11, 31, 14, "this endpoint's pattern has no part 'room': there is endpoint, host, policy"),
        ("unnamed-part", 'endpoints."/c"', 14, 23, 10, "this endpoint's pattern has no part 'hots': did you mean 'host'?"),
    ]  # fmt: skip
    first = some.check()[0]
    assert first.message.startswith(".pace(per='thin'): ")
    assert first.advice == 'name it in the pattern, as in per="id" for "POST /items/{id}"; or say per="host"'


def test_an_endpoint_that_has_it_from_a_policy_is_found_at_the_policys_name(make):
    some = make(
        RULES
        + "default = 'busy'\npaced = 'busy.pace(\"9/second\", per=\"id\")'\n"
        + "[endpoints]\n'/a/{id}' = 'paced'\n'/b' = 'paced.timeout(3s)'\n"
    )
    assert [one[:5] for one in told(some)] == [("unnamed-part", 'endpoints."/b"', 12, 8, 19)]


def test_two_paces_of_one_policy_are_found_each_at_its_place(make):
    some = make(
        RULES
        + "default = 'busy'\n[endpoints]\n"
        + '\'/a\' = \'busy.pace_by_headers(per="id").pace("9/second", per="id")\'\n'
    )
    assert [one[3:5] for one in told(some)] == [(30, 8), (57, 8)]


def test_the_policy_of_requests_that_no_endpoint_is_about_can_have_no_part(make):
    default = "default = 'busy.pace(\"9/second\", per=\"id\")'\n[endpoints]\n'/a/{id}' = 'default'\n"
    said = "requests that no endpoint is about have no part 'id'"
    assert told(make(RULES + default)) == [("unnamed-part", "policies.default", 8, 34, 8, said)]
    assert told(make(RULES + default + "'*' = 'busy'\n")) == []


def test_a_policy_that_no_endpoint_with_the_part_has_is_found(make):
    some = make(
        RULES
        + "default = 'busy'\npaced = 'busy.pace(\"9/second\", per=\"id\")'\n"
        + "[endpoints]\n'/a/{id}' = 'busy.pace(\"8/second\", per=\"id\")'\n"
    )
    assert told(some) == [
        ("unnamed-part", "policies.paced", 9, 32, 8, "no endpoint with a part 'id' has this policy")
    ]


def test_a_strategy_made_in_python_is_told_by_its_name():
    paced = retry_on(429).pace("9/second", per="id")
    some = Strategy(name="mine", policies={"default": retry_on(429)}, endpoints={"/a": paced})
    [found] = some.check()
    assert (found.code, found.file, found.key, found.line) == ("unnamed-part", "mine", 'endpoints."/a"', None)
