import pytest

from bide import PolicyError, parse, retry_on


@pytest.mark.parametrize(
    ("rate", "most"),
    [
        ("60/minute", (60, 60.0)),
        ("1000/hour", (1000, 3600.0)),
        ("1/second", (1, 1.0)),
        ("50/day", (50, 86_400.0)),
        ("5/s", (5, 1.0)),
        ("5/10s", (5, 10.0)),
        ("9/1m30s", (9, 90.0)),
        ("3/250ms", (3, 0.25)),
    ],
)
def test_a_rate_is_calls_in_a_time(rate, most):
    assert retry_on(503).pace(rate).limits.pace.most == most


@pytest.mark.parametrize(
    "rate", ["60", "0/minute", "60/0s", "60/fortnight", "-1/s", "1.5/s", "60/", "/s", 60, None, ""]
)
def test_what_is_no_rate_is_refused_with_examples(rate):
    with pytest.raises(PolicyError, match='rate takes calls in a time, such as "60/minute"'):
        retry_on(503).pace(rate)


def test_both_ways_of_pacing_are_written_and_read_back():
    text = 'retry_on(503).pace("60/minute", per="agent_id").pace_by_headers("X-Left", per="endpoint")'
    policy = parse(text)
    assert str(policy) == text
    assert policy == retry_on(503).pace("60/minute", per="agent_id").pace_by_headers("X-Left", per="endpoint")
    assert policy.limits.pace_by_headers.reset == "X-RateLimit-Reset"


def test_what_is_no_header_is_refused():
    with pytest.raises(PolicyError, match="'a b' is no header name"):
        retry_on(503).pace_by_headers("a b")
