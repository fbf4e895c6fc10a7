import pytest

from bide import (
    Policy,
    PolicyError,
    code,
    forever,
    give_up_on,
    header,
    idempotent,
    message,
    network,
    parse,
    raises,
    retry_on,
    status,
    timeout,
    when,
)

A, B = retry_on(429), retry_on(503)


@pytest.mark.parametrize(
    ("policy", "text"),
    [
        (retry_on(429, "5xx", "500-504"), "retry_on(429, 5xx, 500-504)"),
        (retry_on(status(429, "5XX")), "retry_on(status(429, 5xx))"),
        (retry_on(status(429) | timeout), "retry_on(status(429) | timeout)"),
        (retry_on(~status(404) | timeout), "retry_on(~404 | timeout)"),
        (retry_on((429 | timeout) & network), "retry_on((status(429) | timeout) & network)"),
        (retry_on((429 & timeout) | network), "retry_on(429 & timeout | network)"),
        (retry_on(~(429 & timeout)), "retry_on(~(429 & timeout))"),
        (retry_on(~(network | timeout) & idempotent), "retry_on(~(network | timeout) & idempotent)"),
        (retry_on(timeout("read")), 'retry_on(timeout("read"))'),
        (retry_on(TimeoutError, raises("a.B"), raises("socket.timeout")), "retry_on(TimeoutError, a.B, raises(socket.timeout))"),
        (retry_on(raises(ValueError, "a.B")), "retry_on(raises(ValueError, a.B))"),
        (retry_on(raises("a.class.B")), 'retry_on(raises("a.class.B"))'),
        (retry_on(raises("_.B")), 'retry_on(raises("_.B"))'),
        (retry_on(code("a", at="b"), message("c", at="d")), 'retry_on(code("a", at="b"), message("c", at="d"))'),
        (retry_on(header("A", "b")), 'retry_on(header("A", "b"))'),
        (B.exponential(), "retry_on(503).exponential()"),
        (B.exponential(1, max=2), "retry_on(503).exponential(1s, max=2)"),
        (B.exponential(factor=2.5, jitter=False), "retry_on(503).exponential(factor=2.5, jitter=False)"),
        (B.exponential(factor=1e300), f"retry_on(503).exponential(factor={'1' + '0' * 300}.0)"),
        (B.fixed(90).at_most(300), "retry_on(503).fixed(90s).at_most(5m)"),
        (B.max(0), "retry_on(503).max(0)"),
        (B.max(forever).within(0.5), "retry_on(503).max(forever).within(500ms)"),
        (B.after_hint(max=forever).within(60), "retry_on(503).after_hint(max=forever).within(60s)"),
        (B.calling("a").any_method().max(1), 'retry_on(503).max(1).calling("a").any_method()'),
        ((A | B).within(30).attempts(5), "(retry_on(429) | retry_on(503)).attempts(5).within(30s)"),
        (Policy(B).attempts(5), "Policy(retry_on(503)).attempts(5)"),
        (Policy(B).within(5), "Policy(retry_on(503)).within(5s)"),
        (B.within(3).timeout(5), "retry_on(503).within(3s).timeout(5s)"),
        (B.budget(1 / 3), "retry_on(503).budget(0.3333333333333333)"),
        (B.budget(0.29), "retry_on(503).budget(29%)"),
        (B.budget(0.075, per="fleet"), 'retry_on(503).budget(7.5%, per="fleet")'),
        (B.budget(5e-324), f"retry_on(503).budget(0.{'0' * 323}5)"),
        (B.cooldown(), "retry_on(503).cooldown()"),
        (B.breaker(7, per="x").over_inner(), 'retry_on(503).breaker(7, per="x").over_inner()'),
        (B.named('a"b\\c\n\t\r\u202e\ud800é'), 'retry_on(503).named("a\\"b\\\\c\\n\\t\\r\\U0000202e\\U0000d800é")'),
    ],
)  # fmt: skip
def test_the_canonical_text(policy, text):
    assert str(policy) == text
    assert parse(text) == policy


def local_class():
    class Local(Exception):
        pass

    return Local


FAKED = type("Faked", (Exception,), {"__module__": "builtins"})
ACCENTED = type("Fehlér", (Exception,), {"__module__": "m"})


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        (retry_on(when(lambda outcome: True)), "it holds a Python callable"),
        (retry_on(503 & ~when(print)), "it holds a Python callable"),
        (retry_on(local_class()), "the class has no importable name"),
        (retry_on(FAKED), "the class has no importable name"),
        (retry_on(ACCENTED), "the class has no importable name"),
        (give_up_on(503) | retry_on(FAKED), "the class has no importable name"),
    ],
)
def test_what_no_text_can_say_is_told_and_repr_still_works(policy, why):
    with pytest.raises(PolicyError, match=f"no text can say .*{why}"):
        str(policy)
    assert f"{len(policy.clauses)} rules; no text" in repr(policy)


def test_a_repr_holds_the_text():
    assert repr(B) == "<Rule retry_on(503)>"
    assert repr((A | B).attempts(2)) == "<Policy (retry_on(429) | retry_on(503)).attempts(2)>"
