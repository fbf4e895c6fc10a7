import json
import re
import time

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
from bide.policy.conditions import Fact, glob_matches
from bide.policy.statuses import Status


def answer(http_status=400, **held):
    return Outcome(http_status, {"X-Kind": "Busy"}, json.dumps(held))


@pytest.mark.parametrize(
    ("condition", "yes", "no"),
    [
        (status(429), 429, 428),
        (status("5xx"), 599, 499),
        (status("5XX"), 500, 600),
        (status("500-504"), 504, 505),
        (status("503"), 503, 504),
        (status(429, "5xx"), 503, 404),
        (status("500-500"), 500, 501),
    ],
)
def test_a_status_is_one_of_those_named(condition, yes, no):
    assert condition.matches(Outcome(yes))
    assert not condition.matches(Outcome(no))
    assert not condition.matches(Outcome())


@pytest.mark.parametrize(
    "value",
    [
        0,
        99,
        600,
        999,
        -1,
        True,
        4.5,
        None,
        "",
        "6xx",
        "0xx",
        "xxx",
        "5x",
        "504-500",
        "99-600",
        "500-",
        " 503",
        "5\u0445x",
        "\u0665xx",
        "500_504",
        "5xx ",
    ],
    ids=ascii,
)
def test_H11_what_is_no_status_is_refused(value):
    with pytest.raises(PolicyError, match=r"no HTTP status|no condition"):
        retry_on(value)
    with pytest.raises(PolicyError, match="no HTTP status"):
        status(value)


def test_statuses_that_mean_the_same_are_the_same():
    assert status("429") == status(429) == Status((429,))
    assert status("500-599") == status("5XX") == status("5xx")
    assert status(500, 501) != status(501, 500)
    assert hash(status("5xx")) == hash(status("500-599"))


def test_a_status_needs_one():
    with pytest.raises(PolicyError, match='status\\(\\) needs at least one; write 429, "5xx" or "500-504"'):
        status()


def test_a_code_is_one_of_those_named():
    asked = code("busy", "hot")
    assert asked.matches(answer(error={"code": "hot"}))
    assert not asked.matches(answer(error={"code": "cold"}))
    assert not asked.matches(Outcome(400))
    assert code("E7", at="details.0.kind").matches(answer(details=[{"kind": "E7"}]))
    assert not code("E7", at="details.1.kind").matches(answer(details=[{"kind": "E7"}]))


def test_a_header_is_there_or_has_a_value_whatever_the_case():
    assert header("x-kind").matches(answer())
    assert header("X-KIND", " busy ").matches(answer())
    assert not header("x-kind", "idle").matches(answer())
    assert not header("x-other").matches(answer())


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\r\nb", "é", "a" * 257, "\x00", "\u0445"], ids=ascii)
def test_L10_a_header_name_is_a_token_wherever_one_is_written(name):
    for say in (header, retry_on(429).after_header, retry_on(429).after_reset):
        with pytest.raises(PolicyError) as caught:
            say(name)
        assert caught.value.argument == "name"


def test_a_body_has_something_at_a_path():
    outcome = answer(a={"b": [0, {"c": 1}]}, t=True, z=None, s="x", f=1.0)
    assert body("a.b.1.c").matches(outcome)
    assert body("a.b.1.c", 1).matches(outcome)
    assert body("f", 1).matches(outcome)
    assert body("a.b.1.c", 1.0).matches(outcome)
    assert body("t", True).matches(outcome)
    assert not body("t", 1).matches(outcome)
    assert not body("a.b.1.c", True).matches(outcome)
    assert not body("z").matches(outcome)
    assert not body("a.x").matches(outcome)
    assert body("s", "x").matches(outcome)
    assert not body("s", "y").matches(outcome)


@pytest.mark.parametrize("path", ["__class__", "a.__class__.__mro__", "a.b.__len__"])
def test_L10_a_path_leads_through_data_only(path):
    assert not body(path).matches(answer(a={"b": "x"}))
    assert Outcome(429, body='{"a": 1}').at(path) is None


@pytest.mark.parametrize(
    ("pattern", "said", "fits"),
    [
        ("*overloaded*", "The server is OVERLOADED now", True),
        ("overloaded", "overloaded now", False),
        ("over?oaded", "overLoaded", True),
        ("a*c*e", "abcde", True),
        ("a*c*e", "abcd", False),
        ("*", "", True),
        ("**", "x", True),
        ("?", "", False),
        ("a*a", "a", False),
        ("a?", "a\n", True),
        ("*end", "the end\n", False),
        ("[a-z]+.*", "[a-z]+.", True),
        ("[a-z]*", "abc", False),
        ("*b*b*", "ab", False),
        ("*.?x*", "a.bxc", True),
    ],
)
def test_a_message_fits_a_glob(pattern, said, fits):
    assert message(pattern).matches(answer(message=said)) is fits


def test_L11_no_glob_is_slow_on_any_message():
    said = "a" * 65_536
    patterns = [
        "*" + "a*" * 100 + "b",
        "*" + "a" * 200 + "b",
        "a*" * 127 + "c",
        "?" * 256,
        "*?" * 100 + "b",
        "*a?" * 80 + "b",
    ]
    began = time.process_time()
    assert not any(glob_matches(pattern, said) for pattern in patterns)
    assert time.process_time() - began < 1


def test_a_glob_has_an_end():
    with pytest.raises(PolicyError, match="at most 256 characters") as caught:
        message("*" * 257)
    assert caught.value.argument == "pattern"


def test_the_globs_agree_with_a_plain_translation():
    for pattern in ("a*b", "*a", "a*", "?b*", "*", "a?b", "**a**b", ""):
        plain = re.compile("".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in pattern), re.DOTALL)
        for said in ("", "a", "b", "ab", "aab", "abb", "a\nb", "ba", "axbxa"):
            assert glob_matches(pattern, said) == bool(plain.fullmatch(said)), (pattern, said)


def test_a_message_is_also_what_an_exception_says():
    assert message("*in 3 s").matches(Outcome(error=ValueError("again in 3 s")))
    assert not message("*").matches(Outcome(503))
    assert message("b*", at="a").matches(answer(a="bc"))


def test_a_method_is_one_of_those_named():
    assert method("get", "put").matches(Outcome(503, method="PUT"))
    assert method("GET").matches(Outcome(503, method="get"))
    assert not method("GET").matches(Outcome(503, method="POST"))
    assert not method("GET").matches(Outcome(503, method=None))
    with pytest.raises(PolicyError, match=r"method\(\) takes HTTP methods"):
        method("GET", "DO IT")


class Vanished(ConnectionError):
    pass


def test_exceptions_match_by_class_and_by_dotted_name():
    gone = Outcome(error=Vanished())
    here = Vanished.__module__
    assert raises(ConnectionError).matches(gone)
    assert raises("OSError").matches(gone)
    assert raises("builtins.OSError").matches(gone)
    assert raises(f"{here}.Vanished").matches(gone)
    assert not raises(f"{here}.Vanish").matches(gone)
    assert not raises("elsewhere.Vanished").matches(gone)
    assert not raises(ValueError, "httpx.ReadTimeout").matches(gone)
    assert not raises(Vanished).matches(Outcome(503))
    assert retry_on(Vanished).clause.conditions == (raises(Vanished),)


def test_a_name_may_leave_out_the_modules_between():
    inner = type("ReadTimeout", (Exception,), {"__module__": "requests.exceptions.parts"})
    for name in (
        "requests.ReadTimeout",
        "requests.exceptions.ReadTimeout",
        "requests.exceptions.parts.ReadTimeout",
    ):
        assert raises(name).matches(Outcome(error=inner()))
    assert not raises("exceptions.ReadTimeout").matches(Outcome(error=inner()))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (KeyboardInterrupt, "never an outcome"),
        (SystemExit, "never an outcome"),
        (GeneratorExit, "never an outcome"),
        (BaseException, "never an outcome"),
        ("KeyboardInterrupt", "never an outcome"),
        (int, "takes exception classes"),
        (ValueError(), "takes exception classes"),
        (503, "takes exception classes"),
        ("ReadTimeout", "write its module too, such as httpx.ReadTimeout"),
        ("print", "no built-in exception"),
        ("", "no dotted exception name"),
        ("a..B", "no dotted exception name"),
        ("a.B()", "no dotted exception name"),
        ("httpx.Réad", "no dotted exception name"),
        ("os.system('x')", "no dotted exception name"),
    ],
    ids=ascii,
)
def test_what_can_be_no_outcome_is_refused(value, said):
    with pytest.raises(PolicyError, match=re.escape(said)):
        raises(value)


def test_raises_needs_one():
    with pytest.raises(PolicyError, match=r"raises\(\) needs at least one"):
        raises()


def test_what_it_covers_is_every_exception_of_a_class():
    assert raises(OSError, "m.X").covers(ConnectionError)
    assert not raises(ConnectionError).covers(OSError)
    assert raises(f"{Vanished.__module__}.Vanished").covers(Vanished)


def test_an_exception_named_twice_is_named_once():
    assert raises(ValueError, "ValueError", ValueError).names == ("ValueError",)


def test_timeouts_are_told_apart_by_kind():
    read = Outcome(timed_out=True, phase="read")
    assert timeout.matches(read)
    assert timeout("connect", "read").matches(read)
    assert not timeout("connect").matches(read)
    assert not timeout.matches(Outcome(503))
    assert timeout() == timeout
    with pytest.raises(PolicyError, match="'connect', 'read', 'write', 'pool', 'attempt'; got 'dns'"):
        timeout("dns")


def test_the_bare_words():
    refused = Outcome(error=ConnectionRefusedError(), method="POST")
    assert network.matches(refused)
    assert unsent.matches(refused)
    assert anything.matches(refused)
    assert not idempotent.matches(refused)
    assert replayable.matches(refused)
    assert not network.matches(Outcome(503))
    assert not anything.matches(Outcome(200))
    assert unsent.matches(Outcome(421))
    assert not replayable.matches(Outcome(503, replayable=False))
    assert Fact("network") == network


def test_what_is_told_of_the_transport_alone_is_asked_about():
    for outcome, condition in [
        (Outcome(network=True), network),
        (Outcome(unsent=True), unsent),
        (Outcome(timed_out=True, phase="pool"), timeout("pool")),
        (Outcome(phase="connect"), anything),
        (Outcome(200, network=True), network),
    ]:
        assert retry_on(condition).clause.matches(outcome)


def test_a_callable_of_ones_own_is_asked_with_the_outcome():
    slow = when(lambda outcome: outcome.elapsed > 1)
    assert slow.matches(Outcome(200, elapsed=2))
    assert not slow.matches(Outcome(200))
    with pytest.raises(PolicyError, match=r"when\(\) takes a callable of one outcome; got 7"):
        when(7)


class Odd:
    def __call__(self, outcome):
        return 1


def test_a_callable_that_does_not_answer_yes_or_no_is_a_fault():
    with pytest.raises(TypeError, match=r"when\(Odd\) must answer True or False; it answered int"):
        when(Odd()).matches(Outcome(503))


# -- how they combine


def test_conditions_combine_with_one_another_and_with_plain_values():
    busy = "5xx" & code("busy")
    assert busy == status("5xx") & code("busy")
    assert (503 | timeout) == (status(503) | timeout)
    assert (timeout | TimeoutError) == (timeout | raises(TimeoutError))
    assert (ValueError & anything).matches(Outcome(error=ValueError()))
    assert ~~timeout is timeout
    assert busy.matches(answer(503, code="busy"))
    assert not busy.matches(answer(429, code="busy"))
    assert (~busy).matches(answer(429, code="busy"))


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("second", [True, False])
def test_they_mean_what_logic_says(first, second):
    a, b, outcome = when(lambda _: first), when(lambda _: second), Outcome(503)
    assert (a & b).matches(outcome) is (first and second)
    assert (a | b).matches(outcome) is (first or second)
    assert (~a).matches(outcome) is not first
    assert (a & (b | ~a)).matches(outcome) is (first and second)
    assert (~(a | b)).matches(outcome) is (not first and not second)


def test_joins_are_flat_so_that_brackets_do_not_matter():
    assert (timeout & network) & unsent == timeout & (network & unsent)
    assert (timeout | network) | unsent == timeout | (network | unsent)
    assert (timeout & network) | unsent != timeout & (network | unsent)


@pytest.mark.parametrize("value", [None, 3.5, [503], object, lambda outcome: True, bide.retry_on(503)])
def test_what_is_no_condition_is_refused_with_what_to_write(value):
    with pytest.raises(PolicyError, match="is no condition; write a status, an exception class, or code"):
        retry_on(value)
    with pytest.raises(PolicyError, match="is no condition"):
        timeout & value


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
        (code("a", "b"), answer(code="c"), "code is 'c', not 'a' or 'b'"),
        (code("a"), Outcome(404), "no code in the body, wanted 'a'"),
        (header("X-Kind", "idle"), answer(), "header X-Kind is not 'idle'"),
        (header("X-Other"), answer(), "no header X-Other"),
        (body("a"), answer(), "body has no a"),
        (body("a", 1), answer(a=2), "body's a is another"),
        (message("x"), answer(message="y"), "message does not fit 'x'"),
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
