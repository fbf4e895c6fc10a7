import math
from decimal import Decimal
from fractions import Fraction

import attrs
import pytest

import bide
from bide import Policy, PolicyError, forever, retry_on
from bide.policy import params
from bide.policy.limits import Breaker

RULE = retry_on(503)
NO_NUMBERS = [math.nan, math.inf, -math.inf, True, False, "1", None, Decimal(1), Fraction(1), [], 10**400]


@pytest.mark.parametrize("value", [*NO_NUMBERS, -1, 0, 0.5, 0.999], ids=repr)
def test_B01_B09_a_factor_is_a_finite_number_from_1(value):
    with pytest.raises(PolicyError, match="factor takes a finite number >= 1"):
        RULE.exponential(factor=value)


@pytest.mark.parametrize("name", ["base", "cap"])
@pytest.mark.parametrize("value", [*(v for v in NO_NUMBERS if v != "1"), "1", -1], ids=repr)
def test_B01_base_and_cap_are_durations(name, value):
    with pytest.raises(PolicyError, match=name):
        RULE.exponential(**{name: value})


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        *((none, "; write False for none") for none in (None, "none", "None", "off", 0, 0.0)),
        *((size, "; it has no size of its own") for size in (0.5, 1, "1s", "50%")),
        ("random", "got 'random'"),
        (b"half", "got b'half'"),
    ],
)
def test_what_is_easily_taken_for_a_jitter_is_answered_with_one(value, advice):
    with pytest.raises(PolicyError) as caught:
        RULE.exponential(jitter=value)
    said, _, instead = str(caught.value).partition("; got ")
    assert said == "jitter takes True, False, 'full', 'equal', 'decorrelated'"
    assert advice in f"got {instead}"
    assert (";" in instead) is (";" in advice)


@pytest.mark.parametrize("write", [RULE.max, lambda most: RULE.exponential(max=most)])
def test_a_time_in_the_place_of_a_count_of_retries_is_answered_with_cap(write):
    with pytest.raises(PolicyError, match="got '10s'; it counts retries, and the longest delay is cap="):
        write("10s")


@pytest.mark.parametrize("values", [[1, 2], (1, 2), {1, 2}, frozenset({1})], ids=repr)
@pytest.mark.parametrize("write", [RULE.delays, bide.code, bide.status, bide.method])
def test_several_values_in_one_are_answered_with_how_to_write_them(write, values):
    with pytest.raises(PolicyError, match="write the values side by side, without brackets; got "):
        write(values)


@pytest.mark.parametrize("value", [math.nan, 1, 0, "Full", "", None, "none", 0.5, ()], ids=repr)
def test_B01_a_jitter_is_one_of_a_closed_set(value):
    with pytest.raises(PolicyError, match="jitter takes True, False, 'full', 'equal', 'decorrelated'"):
        RULE.exponential(jitter=value)


@pytest.mark.parametrize(
    "value", [0, -1, 2.5, 3.0, "3", True, None, 10**30, math.inf, math.nan, forever], ids=repr
)
def test_B02_attempts_are_a_whole_number_from_1(value):
    for limit in (RULE.attempts, bide.Policy(RULE).attempts):
        with pytest.raises(PolicyError, match="attempts takes a whole number >= 1"):
            limit(value)


@pytest.mark.parametrize("value", [-1, 2.5, "3", True, None, 10**30, math.nan, -math.inf], ids=repr)
def test_B02_retries_are_a_whole_number_or_forever(value):
    with pytest.raises(PolicyError, match="max takes a whole number >= 0, or forever"):
        RULE.max(value)


def test_B02_a_huge_whole_number_is_a_number_and_not_forever():
    assert RULE.max(2**63 - 1).worst_case().attempts == 2**63


@pytest.mark.parametrize("value", [0, -0.1, 1.01, True, "20%", None, math.nan, 20], ids=repr)
def test_a_share_is_more_than_nothing_and_at_most_all(value):
    with pytest.raises(PolicyError, match="share takes a share in"):
        RULE.budget(value)
    assert RULE.budget(1).limits.budget == RULE.budget(1.0).limits.budget


@pytest.mark.parametrize("value", ["", None, 3, b"host", True], ids=repr)
def test_a_text_is_a_text_that_says_something(value):
    for say in (RULE.calling, RULE.named, RULE.after_body, bide.body, bide.code):
        with pytest.raises(PolicyError, match="takes a text in quotes"):
            say(value)


@pytest.mark.parametrize("value", ["fleets", "", None, ["host"], 1], ids=repr)
def test_a_budget_is_shared_by_what_there_is(value):
    with pytest.raises(PolicyError, match="per takes one of 'process', 'host', 'fleet'"):
        RULE.budget(0.1, per=value)


@pytest.mark.parametrize("value", [math.nan, math.inf, 10**400, [], {}, b"x", object], ids=repr)
def test_a_body_is_compared_with_what_json_may_hold(value):
    with pytest.raises(PolicyError, match="value takes a text, a number, True, False or None"):
        bide.body("state", value)


def test_a_value_whose_repr_fails_is_named_by_its_type():
    with pytest.raises(PolicyError, match="a value of type int"):
        RULE.max(-(10**5000))


def test_zero_seconds_are_refused_where_they_would_mean_nothing():
    for say in (RULE.within, RULE.at_most, RULE.timeout, RULE.hedge, bide.Policy(RULE).within):
        with pytest.raises(PolicyError, match="must be more than 0 seconds"):
            say(0)
    with pytest.raises(PolicyError, match="cooldown must be more than 0 seconds"):
        RULE.breaker(cooldown=0)


def test_no_delay_at_all_has_a_word_of_its_own():
    for say in ({"base": 0}, {"cap": 0}):
        with pytest.raises(PolicyError, match="immediately\\(\\)"):
            RULE.exponential(**say)


@pytest.mark.parametrize("name", ["exponential", "decorrelated", "linear", "fibonacci"])
def test_B05_a_cap_below_the_base_is_refused(name):
    with pytest.raises(PolicyError, match="cap \\(1s\\) is less than base \\(2s\\)") as caught:
        getattr(RULE, name)(base=2, cap=1)
    assert caught.value.argument == "cap"


@attrs.frozen
class Every:
    """Every kind of argument that an extension may declare, with a default as people write one."""

    duration: float = params.seconds("1m30s")
    factor: float = params.number(2)
    part: float = params.share(1)
    times: float = params.count(3)
    nothing: float | None = params.count(None)
    jitter: str | bool = params.jitter(True)
    loud: bool = params.flag(False)
    where: str = params.choice("a", "a", "b")
    label: str = params.text("x")
    held: object = params.json_value(None)


def test_a_default_is_converted_like_a_value():
    every = Every()
    assert every.duration == 90.0
    assert every.jitter == "full"
    assert [param.default for param in params.params_of(Every)] == [
        90.0, 2.0, 1.0, 3, None, "full", False, "a", "x", None,
    ]  # fmt: skip


def test_a_default_that_is_none_of_its_kind_is_refused_at_once():
    with pytest.raises(PolicyError, match="the default takes True or False"):
        params.flag("yes")


def test_a_flag_is_true_or_false():
    assert Every(loud=True).loud is True
    with pytest.raises(PolicyError, match="loud takes True or False; got 1"):
        Every(loud=1)


def test_limits_that_many_callers_share_have_sound_defaults():
    assert Breaker() == Breaker(5, 30.0, "host")
    with pytest.raises(PolicyError, match="failures takes a whole number >= 1"):
        Breaker(0)


@pytest.mark.parametrize("name", ["refresh_token", "open-session", "v2.refresh", "_", "a" * 100])
def test_an_action_and_a_part_of_a_path_have_names(name):
    assert retry_on(401).calling(name).clause.recovery == name
    assert retry_on(503).pace("1/s", per=name).limits.pace.per == name


@pytest.mark.parametrize("name", ["a b", "", "1st", "naïve", "a" * 101, "a,b", "{a b}"])
def test_what_is_no_name_is_refused(name):
    with pytest.raises(PolicyError, match="calling takes a"):
        retry_on(401).calling(name)
    with pytest.raises(PolicyError, match="per takes a"):
        retry_on(503).pace_by_headers(per=name)


def test_a_name_in_braces_is_written_without_them():
    with pytest.raises(PolicyError, match=r"per takes a name, and '\{agent_id\}' is none; write 'agent_id'"):
        retry_on(503).pace("1/s", per="{agent_id}")


@pytest.mark.parametrize("name", ["ConnectionError", "httpx.ReadTimeout"])
def test_an_exceptions_name_in_quotes_gets_advice(name):
    with pytest.raises(PolicyError, match=rf'an exception is its class, or raises\("{name}"\)'):
        retry_on(name)


def test_a_policy_is_not_made_a_policy_once_more():
    with pytest.raises(PolicyError, match="this is a policy already, and limits the whole call"):
        Policy((retry_on(503) | retry_on(500)).within(3))
