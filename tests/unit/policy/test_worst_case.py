import math

import pytest

from bide import Policy, forever, give_up_on, retry_on


@pytest.mark.parametrize(
    ("policy", "attempts", "seconds"),
    [
        (retry_on(503), 4, 0.5 + 1 + 2),
        (retry_on(503).immediately(), 4, 0),
        (retry_on(503).fixed(10).max(2), 3, 20),
        (retry_on(503).fixed(10).attempts(2), 2, 10),
        (retry_on(503).delays(5, 1).max(3), 4, 7),
        (retry_on(503).fixed(10) | retry_on(500).fixed(1), 7, 33),
        ((retry_on(503).fixed(10) | retry_on(500).fixed(1)).attempts(5), 5, 40),
        ((retry_on(503).fixed(10).max(1) | retry_on(500).fixed(1)).attempts(4), 4, 12),
        (Policy(retry_on(503).fixed(10)).within(15), 4, 15),
        (retry_on(503).fixed(10).within(15), 4, 15),
        (retry_on(503).fixed(10).within(15) | retry_on(500).fixed(1), 7, 18),
        (retry_on(429).after_header("Retry-After"), 4, 3 * 132),
        (retry_on(429).after_header("Retry-After").at_most(5), 4, 3 * 6),
        (retry_on(429).after_header("Retry-After").at_most(5).fixed(60), 4, 180),
        (retry_on(503).fixed(10).timeout(3), 4, 30 + 12),
        (retry_on(503).fixed(10).timeout(3).within(20), 4, 20),
        (retry_on(503).decorrelated(base=1, cap=5), 4, 3 + 5 + 5),
        (retry_on(503).exponential(base=1, cap=5, jitter="decorrelated"), 4, 3 + 5 + 5),
        (retry_on(503).fixed(2, jitter="decorrelated"), 4, 18),
        (give_up_on(404), 1, 0),
        (retry_on(503).fixed(1).max(5000), 5001, 5000),
        (retry_on(503).linear(base=1, step=0.001, cap=9).max(1002), 1003, None),
        (retry_on(503).immediately().max(forever), math.inf, 0),
        (retry_on(503).fixed(1).max(forever), math.inf, math.inf),
        (retry_on(503).delays(0, 1).max(forever), math.inf, math.inf),
        (retry_on(503).max(forever).within(60), math.inf, 60),
        (retry_on(503).max(forever).within(60) | retry_on(500).fixed(5), math.inf, 75),
        (Policy(retry_on(503).max(forever).fixed(1)).attempts(5), 5, 4),
    ],
)
def test_the_worst_case_bounds_every_call(policy, attempts, seconds):
    worst = policy.worst_case()
    assert worst.attempts == attempts
    if seconds is not None:
        assert worst.seconds == pytest.approx(seconds)
    else:
        assert 1000 < worst.seconds < math.inf


def test_the_worst_case_is_told():
    assert str(retry_on(503).fixed(10).worst_case()) == "at most 4 attempts, at most 30 s of waiting"
    endless = retry_on(503).fixed(1).max(forever).worst_case()
    assert str(endless) == "at most no bound attempts, at most no bound of waiting"
