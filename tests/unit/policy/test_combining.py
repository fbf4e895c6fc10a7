import pytest

import bide
from bide import (
    Outcome,
    PolicyError,
    anything,
    body,
    code,
    give_up_on,
    header,
    idempotent,
    message,
    method,
    network,
    raises,
    replayable,
    retry_on,
    status,
    timeout,
    unsent,
    when,
)


class Odd:
    def __call__(self, outcome):
        return 1


def test_conditions_combine_with_one_another_and_with_plain_values():
    busy = "5xx" & code("busy")
    assert busy == status("5xx") & code("busy")
    assert (503 | timeout) == (status(503) | timeout)
    assert (timeout | TimeoutError) == (timeout | raises(TimeoutError))
    assert (ValueError & anything).matches(Outcome(error=ValueError()))
    assert ~~timeout is timeout
    assert busy.matches(Outcome(503, body='{"code": "busy"}'))
    assert not busy.matches(Outcome(429, body='{"code": "busy"}'))
    assert (~busy).matches(Outcome(429, body='{"code": "busy"}'))


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("second", [True, False])
def test_they_mean_what_logic_says(first, second):
    a, b, outcome = when(lambda _: first), when(lambda _: second), Outcome(503)
    assert (a & b).matches(outcome) is (first and second)
    assert (a | b).matches(outcome) is (first or second)
    assert (~a).matches(outcome) is not first
    assert (a & (b | ~a)).matches(outcome) is (first and second)
    assert (~(a | b)).matches(outcome) is (not first and not second)


@pytest.mark.parametrize(
    ("say", "named"),
    [
        (lambda: retry_on(timeout and network), "timeout"),
        (lambda: retry_on(network or timeout), "network"),
        (lambda: retry_on(not network), "network"),
        (lambda: retry_on(503) if code("busy") else None, "code"),
        (lambda: retry_on((timeout & ~network) or unsent), "(timeout & ~network)"),
        (lambda: bool(when(lambda _: True)), "when"),
    ],
)
def test_and_or_not_drop_no_condition_unseen(say, named):
    with pytest.raises(PolicyError) as caught:
        say()
    said = str(caught.value)
    assert said.startswith(f"{named} is neither true nor false before there is an outcome; ")
    assert "conditions are combined by &, | and ~, not by and, or, not" in said
    assert "write `is not None`" in said


def test_a_condition_is_found_in_a_list_and_compared_without_its_truth():
    assert timeout in [network, timeout]
    assert network not in (timeout, code("x"))
    assert [code("x"), timeout].index(timeout) == 1
    assert {timeout: 1}[timeout] == 1
    assert timeout != network


def test_joins_are_flat_so_that_brackets_do_not_matter():
    assert (timeout & network) & unsent == timeout & (network & unsent)
    assert (timeout | network) | unsent == timeout | (network | unsent)
    assert (timeout & network) | unsent != timeout & (network | unsent)


USUAL = "write a status, an exception class, or code"


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        (None, USUAL),
        (3.5, USUAL),
        (object, USUAL),
        ([503], "write them side by side, without brackets, as in retry_on"),
        (TimeoutError("x"), "write its class, TimeoutError"),
        (lambda outcome: True, "wrap a function of your own in when"),
        (
            bide.code,
            "wrap a function of your own in when(...), and call one of bide's, as in code",
        ),
        (bide.retry_on(503), "it is a rule, and rules are joined by |"),
    ],
)
def test_what_is_no_condition_is_refused_with_what_to_write(value, advice):
    for say in (retry_on, lambda value: timeout & value):
        with pytest.raises(PolicyError) as caught:
            say(value)
        assert f" is no condition; {advice}" in str(caught.value)


@pytest.mark.parametrize("word", ["timeout", "network", "unsent", "idempotent", "replayable", "anything"])
def test_a_bare_word_in_quotes_is_told_from_a_status(word):
    with pytest.raises(PolicyError, match=f"write {word} without quotes"):
        retry_on(word)


def test_conditions_are_equal_by_what_they_say():
    assert code("a") != code("b")
    assert code("a") != message("a")
    assert code("a") != "a"
    assert body("x", 1) != body("x", True)
    assert body("x", 1) == body("x", 1.0)
    assert len({code("a"), code("a"), message("a")}) == 2


def test_a_condition_cannot_be_changed():
    with pytest.raises(AttributeError):
        code("a").at = "b"


# -- successes, failures and plain values


@pytest.mark.parametrize(
    ("condition", "asked", "not_asked"),
    [
        (code("x"), [400, 599], [200, 399]),
        (200 & code("x"), [200], [201, 400]),
        (message("x") | status(204), [204, 404], [200, 205]),
        (~status(404), [403, 500], [404, 200, 302]),
        ("2xx" & ~status(204), [200, 206], [204, 404]),
        (~(status(404) | timeout), [400, 404], [200]),
        (~timeout, [400, 500], [200, 302]),
        (~raises(ValueError), [400], [200]),
        (anything, [400, 599], [399]),
        (unsent, [421], [420, 200]),
        (method("GET"), [404], [200]),
        (idempotent & header("x"), [500], [200]),
        (header("x"), [200, 503], []),
        (when(lambda _: True), [200, 503], []),
        (when(lambda _: True) & method("GET"), [200, 503], []),
        (when(lambda _: True) & ~status(200), [201, 503], [200]),
        ((status(200) | status(202)) & code("x"), [200, 202], [201, 400]),
        ((status(200) | timeout) & code("x"), [200], [201, 400]),
        ((status(200) | header("y")) & code("x"), [400], [200]),
        (raises(ValueError), [], [200, 500]),
        (timeout, [], [200, 504]),
    ],
)
def test_a_success_is_asked_only_where_the_condition_says_so(condition, asked, not_asked):
    reach = retry_on(condition).clause.reach
    assert set(asked) <= reach
    assert not reach & set(not_asked)


def test_what_one_alternative_names_opens_no_success_to_another():
    rule = retry_on(200 & code("x"), method("POST")).clause
    assert rule.matches(Outcome(200, body='{"code": "x"}'))
    assert not rule.matches(Outcome(200, method="POST"))
    assert rule.matches(Outcome(503, method="POST"))


def test_a_plain_value_is_shown_to_callables_only():
    value = Outcome(value=7, method=None)
    sevens = when(lambda outcome: outcome.value == 7)
    assert retry_on(sevens).clause.matches(value)
    assert not retry_on(when(lambda outcome: False), idempotent).clause.matches(value)
    assert not retry_on(idempotent, replayable, ~network, ~header("x")).clause.matches(value)
    assert retry_on(sevens & idempotent).clause.matches(value)
    assert retry_on(sevens).clause.sees_values
    assert not retry_on(idempotent).clause.sees_values


def test_an_answer_of_an_unknown_status_is_asked_like_a_failure():
    assert retry_on(code("x")).clause.matches(Outcome(999, body='{"code": "x"}'))
    assert not retry_on(code("x")).clause.matches(Outcome(999))


# -- told to people


@pytest.mark.parametrize(
    ("condition", "outcome", "said"),
    [
        (status(429, "5xx"), Outcome(404), "status is 404, not 429 or 5xx"),
        (status(429), Outcome(), "no status, wanted 429"),
        (code("a", "b"), Outcome(400, body='{"code": "c"}'), "code is 'c', not 'a' or 'b'"),
        (code("a"), Outcome(404), "no code in the body, wanted 'a'"),
        (header("X-Kind", "idle"), Outcome(400, {"X-Kind": "Busy"}), "header X-Kind is not 'idle'"),
        (header("X-Other"), Outcome(400), "no header X-Other"),
        (body("a"), Outcome(400), "body has no a"),
        (body("a", 1), Outcome(400, body='{"a": 2}'), "body's a is another"),
        (message("x"), Outcome(400, body='{"message": "y"}'), "message does not fit 'x'"),
        (message("x"), Outcome(404), "no message"),
        (method("GET"), Outcome(404, method="PUT"), "method is PUT, not GET"),
        (raises(ValueError, "a.B"), Outcome(error=KeyError()), "KeyError is not ValueError or a.B"),
        (raises(ValueError), Outcome(404), "nothing raised, wanted ValueError"),
        (timeout, Outcome(404), "no timeout"),
        (
            timeout("read", "pool"),
            Outcome(timed_out=True, phase="write"),
            "timeout was write, not read or pool",
        ),
        (network, Outcome(404), "not network"),
        (~network, Outcome(network=True), "network holds"),
        (~(network & ~timeout), Outcome(network=True), "(network & ~timeout) holds"),
        (~(network | code("x")), Outcome(network=True), "(network | code) holds"),
        (network & timeout, Outcome(network=True), "no timeout"),
        (network | timeout, Outcome(404), "not network, no timeout"),
        (when(Odd()), Outcome(404), "when(Odd) said no"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_miss_is_told(condition, outcome, said):
    assert condition.miss(outcome) == said


def test_a_rule_tells_why_it_does_not_match():
    assert retry_on(429, timeout).clause.miss(Outcome(404)) == "status is 404, not 429, no timeout"
    assert give_up_on(~status(404)).clause.miss(Outcome(200)) == "status 200 is no failure"
    assert retry_on(~timeout & ~unsent).clause.miss(Outcome(200)) == "status 200 is no failure"
    assert retry_on(idempotent).clause.miss(Outcome(method=None, value=1)) == "nothing failed"


def test_every_part_of_all_held_is_no_miss():
    assert (~timeout & ~unsent).miss(Outcome(503)) == "not (~timeout & ~unsent)"


def test_every_part_can_be_rewritten():
    def louder(condition):
        return code("LOUD") if condition == code("x") else condition

    changed = ((code("x") & timeout) | ~code("x") | code("y")).rewritten(louder)
    assert changed == (code("LOUD") & timeout) | ~code("LOUD") | code("y")


def test_a_rule_is_rewritten_with_all_that_follows_from_its_conditions():
    clause = retry_on(503).fixed(1).max(2).clause
    changed = clause.rewritten(
        lambda condition: status(200), lambda delay: retry_on(500).fixed(9).clause.delays[0]
    )
    assert changed == retry_on(200).fixed(9).max(2).clause
    assert changed.matches(Outcome(200))
    assert changed.reach == {200}
