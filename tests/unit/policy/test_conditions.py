import json
import re
import time

import pytest

from bide import (
    Outcome,
    PolicyError,
    anything,
    body,
    code,
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
