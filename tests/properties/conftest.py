"""What properties are drawn from: every condition, delay, rule, policy, outcome and state that there is."""

import json
import string

import attrs
import pytest
from hypothesis import strategies as st

import bide
from bide import Outcome, Policy, PolicyError, State
from bide.policy import registry
from bide.policy.worst import longest_waiting

HOUR = 3600.0
TINY = 5e-324
ANY_CHARACTER = st.characters(exclude_categories=())  # surrogates, controls and private characters too

texts = st.text(ANY_CHARACTER, min_size=1, max_size=12) | st.sampled_from(
    ['"', "\\", "\\n", "'''", "{seconds}", "\x00", "\ud800", "\u202e", "ﬁ", "🙂", "a\nb\tc\rd"]
)
tokens = st.text(string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~", min_size=1, max_size=12)
numbers = st.integers(-(10**300), 10**300) | st.floats(allow_nan=False, allow_infinity=False)
places = st.sampled_from(
    ["a", "error.code", "errors[0].code", "errors.0", '[0].é "x"', "d[@type=a.B].c", "$.x", "header:x-error"]
)
json_values = st.none() | st.booleans() | numbers | texts
one_status = st.integers(100, 599)
statuses = st.one_of(
    one_status,
    st.sampled_from(["1xx", "2xx", "3xx", "4xx", "5xx", "5XX", "429"]),
    st.tuples(one_status, one_status).map(lambda ends: f"{min(ends)}-{max(ends)}"),
)
names = st.sampled_from(
    [
        "httpx.ReadTimeout",
        "socket.timeout",
        "a.class.B",
        "_.X",
        "__.Y.Z",
        "lower.case.name",
        "builtins.KeyError",
    ]
)
exceptions = st.sampled_from([ValueError, TimeoutError, ConnectionError, OSError, json.JSONDecodeError])
seconds = st.floats(0, HOUR) | st.sampled_from([0.0, TINY, 1e-9, 0.1, 0.25, 1 / 3, 90.0, 180.0, HOUR])
positive = seconds.filter(bool)
shares = st.floats(TINY, 1.0) | st.sampled_from([0.2, 1.0, 1 / 3, 0.07, 0.29])
jitters = st.sampled_from([True, False, "full", "equal", "decorrelated"])


def leaves():
    ask = st.sampled_from([bide.network, bide.unsent, bide.anything, bide.idempotent, bide.replayable])
    at = st.none() | places
    kinds = st.lists(st.sampled_from(["connect", "read", "write", "pool", "attempt"]), min_size=1, max_size=3)
    return st.one_of(
        ask,
        st.just(bide.timeout),
        kinds.map(lambda some: bide.timeout(*some)),
        st.lists(statuses, min_size=1, max_size=3).map(lambda some: bide.status(*some)),
        st.builds(lambda some, at: bide.code(*some, at=at), st.lists(texts, min_size=1, max_size=3), at),
        st.builds(bide.header, tokens, st.none() | texts),
        st.builds(bide.body, places, json_values),
        st.builds(lambda pattern, at: bide.message(pattern, at=at), texts, at),
        st.lists(tokens, min_size=1, max_size=3).map(lambda some: bide.method(*some)),
        st.lists(names | exceptions, min_size=1, max_size=3).map(lambda some: bide.raises(*some)),
    )


def combined(inner):
    return st.one_of(
        st.builds(lambda a, b: a & b, inner, inner),
        st.builds(lambda a, b: a | b, inner, inner),
        inner.map(lambda a: ~a),
    )


conditions = st.recursive(leaves(), combined, max_leaves=5)


@st.composite
def capped(draw, name):
    base, cap = sorted((draw(positive), draw(positive)))
    said = {"base": base, "cap": cap}
    if name != "decorrelated":
        said["jitter"] = draw(jitters)
    if name == "exponential":
        said["factor"] = draw(st.floats(1.0, 1e308))
    if name == "linear":
        said["step"] = draw(seconds)
    return name, (), said


templates = st.sampled_from(
    ["{seconds} s", "in {ms} ms", 'say "{duration}"', "until {date} \\ é", "{minutes}m"]
)
hints = st.one_of(
    st.tuples(st.just("after_header"), st.tuples(tokens), st.just({})),
    st.tuples(st.just("after_reset"), st.tuples(tokens), st.just({})),
    st.tuples(st.just("after_body"), st.tuples(places), st.just({})),
    st.tuples(
        st.just("after_message"), st.tuples(templates), st.fixed_dictionaries({"at": st.none() | places})
    ),
    st.tuples(st.just("after_attribute"), st.tuples(st.sampled_from(["retry_after", "a.b"])), st.just({})),
    st.just(("after_hint", (), {})),
)
schedules = st.one_of(
    capped("exponential"),
    capped("decorrelated"),
    capped("linear"),
    capped("fibonacci"),
    st.tuples(st.just("fixed"), st.tuples(seconds), st.fixed_dictionaries({"jitter": jitters})),
    st.tuples(st.just("delays"), st.lists(seconds, min_size=1, max_size=4).map(tuple), st.just({})),
    st.just(("immediately", (), {})),
)
DELAYS = {
    "after_header", "after_reset", "after_body", "after_message", "after_attribute", "after_hint", "exponential",
    "decorrelated", "linear", "fibonacci", "fixed", "delays", "immediately",
}  # fmt: skip
assert set(registry.names("delays")) == DELAYS, "a new delay is drawn from above too"

names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,20}", fullmatch=True)
on_rule = st.one_of(
    st.tuples(st.just("max"), st.tuples(st.integers(0, 99))),
    st.tuples(st.just("attempts"), st.tuples(st.integers(1, 100))),
    st.tuples(st.just("within"), st.tuples(positive)),
    st.tuples(st.just("at_most"), st.tuples(positive)),
    st.tuples(st.just("calling"), st.tuples(names)),
    st.just(("any_method", ())),
)
on_policy = st.one_of(
    st.tuples(st.just("attempts"), st.tuples(st.integers(1, 100)), st.just({})),
    st.tuples(st.just("within"), st.tuples(positive), st.just({})),
    st.tuples(st.just("timeout"), st.tuples(positive), st.just({})),
    st.tuples(
        st.just("budget"),
        st.tuples(shares),
        st.fixed_dictionaries({"per": st.sampled_from(["process", "host", "fleet"])}),
    ),
    st.tuples(st.just("cooldown"), st.just(()), st.fixed_dictionaries({"per": texts})),
    st.tuples(
        st.just("breaker"), st.tuples(st.integers(1, 10**6), positive), st.fixed_dictionaries({"per": texts})
    ),
    st.tuples(st.just("hedge"), st.tuples(positive, st.integers(1, 9)), st.just({})),
    st.tuples(
        st.just("pace"),
        st.tuples(st.sampled_from(["1/s", "60/minute", "1000/hour", "7/1.5s", "5/1m30s"])),
        st.fixed_dictionaries({"per": names}),
    ),
    st.tuples(
        st.just("pace_by_headers"),
        st.sampled_from([(), ("A",), ("X-Left", "X-Back")]),
        st.fixed_dictionaries({"per": names}),
    ),
    st.just(("over_inner", (), {})),
    st.tuples(st.just("named"), st.tuples(texts), st.just({})),
)


@st.composite
def a_rule(draw, *, eager=False):
    """A rule; an eager one retries whatever fails."""
    head = draw(
        st.sampled_from([bide.retry_on, bide.retry_on, bide.retry_on, bide.give_up_on, bide.accept_on])
    )
    if eager:
        head, rule = bide.retry_on, bide.retry_on(bide.anything).any_method()
    else:
        rule = head(*draw(st.lists(conditions | statuses | exceptions, min_size=1, max_size=3)))
    if head is not bide.retry_on:
        return rule
    for name, args, said in draw(st.lists(hints, max_size=2)) + draw(st.lists(schedules, max_size=1)):
        rule = getattr(rule, name)(*args, **said)
    if draw(st.integers(0, 9)) == 0:
        rule = rule.max(bide.forever).within(draw(positive))
    if draw(st.integers(0, 9)) == 0:
        rule = rule.polling().within(draw(positive))
    for name, args in draw(st.lists(on_rule, max_size=3)):
        rule = getattr(rule, name)(*args)
    return rule


@st.composite
def a_policy(draw):
    policy = draw(a_rule())
    for rule in draw(st.lists(a_rule(), max_size=3)):
        try:
            policy = policy | rule
        except PolicyError:  # it could never decide
            continue
    limits = draw(st.lists(on_policy, max_size=3))
    if limits:
        policy = Policy(policy)
    for name, args, said in limits:
        policy = getattr(policy, name)(*args, **said)
    if policy.limits.attempts is None and any(
        99 < (clause.retries or 0) < bide.forever for clause in policy.clauses
    ):
        policy = Policy.of(policy.clauses, attrs.evolve(policy.limits, attempts=100))
    if longest_waiting(policy.clauses, policy.limits) > HOUR:  # no text may say so much
        policy = Policy.of(policy.clauses, attrs.evolve(policy.limits, within=HOUR))
    return policy


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no text")


class Locked(Exception):
    @property
    def reason(self):
        raise RuntimeError("no reason")


class Telling(Exception):
    retry_after = 7


errors = st.sampled_from(
    [
        ValueError("x"),
        TimeoutError(),
        ConnectionRefusedError(),
        Mute(),
        Locked(),
        Telling("in 3 s"),
        OSError(),
    ]
)
amounts = st.integers(0, 10**6).map(str) | st.sampled_from(
    ["", "-1", "nan", "inf", "1e309", "soon", "9" * 400, "Wed, 21 Oct 2065 07:28:00 GMT", "0", "٣"]
)
header_pairs = st.tuples(
    tokens | st.sampled_from(["Retry-After", "retry-after-ms", "X-RateLimit-Reset", "Date"]), amounts
)
bodies = st.one_of(
    st.none(),
    st.binary(max_size=20),
    st.text(max_size=20),
    st.dictionaries(
        st.sampled_from(["error", "code", "message", "retry_after"]), json_values, max_size=3
    ).map(json.dumps),
)
some_outcomes = st.builds(
    Outcome,
    st.none() | st.integers(100, 599) | st.sampled_from([0, 99, 600, 999, -1, "200", True, 200.0]),
    st.lists(header_pairs, max_size=3),
    bodies,
    st.none() | errors,
    st.none() | tokens | st.sampled_from(["GET", "POST", "get", ""]),
    elapsed=st.floats() | st.floats(0, 100),
    phase=st.none() | st.sampled_from(["pool", "connect", "write", "read", "body", "attempt"]),
    replayable=st.booleans(),
    idempotency_key=st.booleans(),
    timed_out=st.none() | st.booleans(),
    unsent=st.none() | st.booleans(),
    network=st.none() | st.booleans(),
    code=st.none() | texts,
    exhausted=st.booleans(),
)
draws = st.floats(0, 1, exclude_max=True) | st.sampled_from([0.0, 1 - 2**-53])
some_states = st.builds(
    State,
    attempt=st.integers(1, 200) | st.just(10**6),
    elapsed=st.floats(0, 2 * HOUR),
    draw=draws,
    now=st.none() | st.floats(0, 4e9),
    used=st.lists(st.integers(0, 200) | st.just(10**6), max_size=4).map(tuple),
    spent=st.lists(st.floats(0, 2 * HOUR), max_size=4).map(tuple),
    previous=st.floats(0, 1e9),
    last=st.booleans(),
)


@pytest.fixture(scope="session")
def policies():
    return a_policy()


@pytest.fixture(scope="session")
def rules():
    return a_rule()


@pytest.fixture(scope="session")
def eager_rules():
    return a_rule(eager=True)


@pytest.fixture(scope="session")
def outcomes():
    return some_outcomes


@pytest.fixture(scope="session")
def states():
    return some_states
