from __future__ import annotations

import attrs
import pytest

from bide.policy.hints import Hint, gate_of, header, read, reset, verdict

NOW = 1771452000.0  # 2026-02-18T22:00:00Z
SERVER = "Wed, 18 Feb 2026 22:00:00 GMT"


def found(*args, now=NOW, **kwargs):
    hint = read(*args, now=now, **kwargs)
    return None if hint is None else hint.delay


def google(*details):
    return {"error": {"code": 429, "message": "", "details": list(details)}}


def retry_info(delay):
    return {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}


CONVENTIONS = [
    ("Retry-After", "120", 120),
    ("Retry-After", "Wed, 18 Feb 2026 22:05:00 GMT", 300),
    ("retry-after-ms", "1500", 1.5),
    ("x-ms-retry-after-ms", "250", 0.25),
    ("x-amz-retry-after", "1500", 1.5),
    ("grpc-retry-pushback-ms", "1000", 1),
    ("grpc-retry-pushback-ms", "-1", None),
    ("grpc-retry-pushback-ms", "2147483648", None),
    ("X-RateLimit-Reset", "1771452060", 60),
    ("X-RateLimit-Reset", "1771452060000", 60),
    ("X-RateLimit-Reset", "1771452000.470", 0.47),
    ("X-RateLimit-Reset", "30", 30),
    ("X-RateLimit-Reset", "Wed Feb 18 2026 23:02:42 GMT+0100 (Central European Standard Time)", 162),
    ("X-Rate-Limit-Reset", "2026-02-18T22:05:00.0000000Z", 300),
    ("X-RateLimit-Reset-After", "64.57", 64.57),
    ("X-RateLimit-Requests-Reset", "1771452060000", 60),
    ("x-ratelimit-requests-reset", "2163603", 2163603),
    ("x-ratelimit-reset-requests", "6m0s", 360),
    ("x-ratelimit-reset-tokens", "1h2m3.5s", 3723.5),
    ("x-ratelimit-reset-tokens", "20ms", 0.02),
    ("anthropic-ratelimit-requests-reset", "2026-02-18T22:05:00Z", 300),
    ("anthropic-ratelimit-output-tokens-reset", "2026-02-18T22:05:00Z", 300),
    ("X-Beta-Ratelimit-Reset", "2026-02-18T22:05Z", 300),
    ("x-mws-quota-resetsOn", "Wed, 18 Feb 2026 22:05:00 GMT", 300),
    ("RateLimit-Reset", "50", 50),
    ("RateLimit", '"default";r=0;t=30', 30),
    ("RateLimit", "limit=100, remaining=0, reset=30", 30),
    ("Beta-RateLimit", '"default";r=0;t=30', 30),
    ("zendesk-ratelimit-tickets-index", "total=100; remaining=0; resets=41", 41),
    ("zendesk-ratelimit-tickets-index", "total=100; remaining=99; resets=41", None),
    ("X-Business-Use-Case-Usage", '{"1": [{"estimated_time_to_regain_access": 19}, {}]}', 1140),
    ("X-Business-Use-Case-Usage", '{"1": [{"estimated_time_to_regain_access": 0}]}', None),
    ("RateLimit-Policy", '"burst";q=100;w=60', None),
    ("RateLimit-Limit", "100;w=21600", None),
    ("X-Shopify-Shop-Api-Call-Limit", "40/40", None),
    ("X-RateLimit-Interval-Seconds", "1", None),
    ("x-should-retry", "true", None),
]


@pytest.mark.parametrize(("name", "text", "delay"), CONVENTIONS)
def test_a_header_is_read_by_its_convention(name, text, delay):
    assert found({name: text}) == delay
    assert found([(name.upper().encode(), text.encode())]) == delay
    alone = header(name, [text], now=NOW)
    assert (None if alone is None else alone.delay) == delay


BODIES = [
    (google(retry_info("34s")), 34),
    (google({"@type": "type.googleapis.com/google.rpc.Help"}, 5, retry_info("10.689924287s")), 10.689924287),
    ([google(retry_info("34s"))], 34),
    (google(retry_info("-1s")), None),
    ({"parameters": {"retry_after": 5}}, 5),
    ({"retry_after": 1.337}, 1.337),
    ({"details": {"retryAfterSeconds": 1}}, 1),
    ({"extensions": {"cost": {"requestedQueryCost": 101,
                              "throttleStatus": {"currentlyAvailable": 1, "restoreRate": 50}}}}, 2),
    ({"extensions": {"cost": {"requestedQueryCost": 101, "currentlyAvailable": 1, "restoreRate": 50}}}, 2),
    ({"extensions": {"cost": {"requestedQueryCost": 5, "currentlyAvailable": 9, "restoreRate": 50}}}, None),
    ({"extensions": {"cost": {"requestedQueryCost": 5, "currentlyAvailable": 1, "restoreRate": 0}}}, None),
    ({"extensions": {"cost": {"requestedQueryCost": 5, "restoreRate": 1}}}, None),
    ({"extensions": {"cost": {"currentlyAvailable": 5, "restoreRate": 1}}}, None),
    ({"error": {"message": "Quota exceeded. Please retry in 10.68s."}}, 10.68),
    ({"error": {"message": "Rate limit reached. Please try again in 6m0s. Visit us"}}, 360),
    ({"error": {"message": ["Please retry in 10s"]}}, None),
    ({"message": "You have exceeded a secondary rate limit. Please wait a few minutes."}, 60),
    ({"message": "Not found"}, None),
]  # fmt: skip


@pytest.mark.parametrize(("body", "delay"), BODIES)
def test_a_body_is_read_by_its_convention(body, delay):
    assert found({}, body) == delay


def test_a_body_may_be_bytes_or_text_and_its_source_is_a_path():
    for raw in (b'{"retry_after": 2}', bytearray(b'{"retry_after": 2}'), '{"retry_after": 2}'):
        assert read({}, raw) == Hint(2.0, "body retry_after")


def test_a_hint_is_immutable_and_compares_by_what_it_says():
    hint = Hint(1.0, "Retry-After")
    assert hint == Hint(1.0, "Retry-After")
    assert hash(hint) == hash(Hint(1.0, "Retry-After"))
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        hint.delay = 2.0  # type: ignore[misc]


PRECEDENCE = [
    ({"grpc-retry-pushback-ms": "1000", "retry-after-ms": "2000"}, None, 1),
    ({"retry-after-ms": "1500", "Retry-After": "2"}, None, 1.5),
    ({"retry-after-ms": "1500", "x-ms-retry-after-ms": "1600"}, None, 1.6),
    ({"Retry-After": "10", "RateLimit": '"default";r=0;t=30'}, None, 10),
    ({"Retry-After": "10"}, {"retry_after": 20}, 10),
    ({"X-RateLimit-Reset": "30", "X-RateLimit-Remaining": "0"}, {"retry_after": 20}, 20),
    ({"X-RateLimit-Reset": "30", "X-RateLimit-Remaining": "0", "RateLimit": '"a";r=0;t=5'}, None, 30),
    ({"X-RateLimit-Reset": "30", "RateLimit": '"a";r=0;t=5'}, None, 5),
    ({"X-RateLimit-Reset": "30"}, {"message": "secondary rate limit"}, 30),
    ({"Retry-After": "0", "X-RateLimit-Reset": "30"}, None, 30),
    ({"Retry-After": "0", "retry-after-ms": "0"}, None, 0),
    ({"Retry-After": "soon", "X-RateLimit-Reset": "30"}, None, 30),
    ({"Retry-After": "-1"}, {"retry_after": 20}, 20),
]


@pytest.mark.parametrize(("headers", "body", "delay"), PRECEDENCE)
def test_the_more_explicit_hint_wins_and_zero_only_alone(headers, body, delay):
    assert found(headers, body) == delay


GATES = [
    ("0", 30),
    ("0, 5", 30),
    ("0;w=60", 30),
    ("-3", 30),
    ("5", None),
    ("many", None),
    ("", None),
    ("-", None),
]


@pytest.mark.parametrize(("remaining", "delay"), GATES)
def test_a_reset_counts_only_when_nothing_is_left(remaining, delay):
    assert found({"X-RateLimit-Reset": "30", "X-RateLimit-Remaining": remaining}) == delay
    alone = reset("X-RateLimit-Reset", ["30"], remaining=[remaining], now=NOW)
    assert (None if alone is None else alone.delay) == delay


def test_of_two_limits_the_exhausted_one_counts_and_of_two_exhausted_the_longer():
    headers = {"x-ratelimit-reset-requests": "6m0s", "x-ratelimit-remaining-requests": "7",
               "x-ratelimit-reset-tokens": "20s", "x-ratelimit-remaining-tokens": "0"}  # fmt: skip
    assert found(headers) == 20
    assert found(headers | {"x-ratelimit-remaining-requests": "0"}) == 360


def test_a_source_says_how_an_ambiguous_number_was_read():
    sources = {text: read({"x-ratelimit-reset": text}, now=NOW) for text in
               ("1771452060", "1771452060000", "30", "30s", "2026-02-18T22:05:00Z")}  # fmt: skip
    assert [hint.source if hint else None for hint in sources.values()] == [
        "X-RateLimit-Reset read as epoch seconds",
        "X-RateLimit-Reset read as epoch milliseconds",
        "X-RateLimit-Reset read as seconds",
        "X-RateLimit-Reset read as a duration",
        "X-RateLimit-Reset read as a date",
    ]
    assert read({"retry-after": "3"}) == Hint(3.0, "Retry-After")
    assert header("x-wait", "3", unit="ms") == Hint(0.003, "x-wait read as milliseconds")


def test_repeats_are_kept_in_pairs_and_in_mappings_of_lists():
    assert found([("Retry-After", "5"), ("retry-after", "10"), (b"Retry-After", b"7")]) == 10
    assert found({"Retry-After": ["5", b"10"]}) == 10
    assert found({"Retry-After": [], "Date": []}) is None
    assert found([]) is None


def test_dates_need_a_clock_ours_or_the_servers():
    late = {"Retry-After": "Wed, 18 Feb 2026 22:05:00 GMT"}
    assert found(late, now=None) is None
    assert found(late | {"Date": SERVER}, now=None) == 300
    assert found({"X-RateLimit-Reset": "1771452060"}, now=None) is None
    assert found({"X-RateLimit-Reset": "1771452060", "Date": SERVER}, now=None) == 60
    assert reset("X-Reset", "1771452060", date=SERVER.encode()) == Hint(60.0, "X-Reset read as epoch seconds")


@pytest.mark.parametrize("now", [float("nan"), float("inf"), -float("inf"), 1771452000000.0])
def test_a_clock_that_is_no_epoch_in_seconds_is_ignored(now):
    assert found({"Retry-After": "Wed, 18 Feb 2026 22:05:00 GMT"}, now=now) is None
    assert found({"Retry-After": "Wednesday, 18-Feb-26 22:05:00 GMT"}, now=now) is None
    assert found({"Retry-After": "Wednesday, 18-Feb-26 22:05:00 GMT", "Date": SERVER}, now=now) == 300
    assert found({"Retry-After": "5"}, now=now) == 5


def test_a_cached_response_keeps_its_retry_after_and_loses_its_limits():
    headers = {"Age": "30", "Date": SERVER, "RateLimit": '"a";r=0;t=5', "X-RateLimit-Reset": "9"}
    assert found(headers) is None
    assert found(headers | {"Age": "0"}) == 5
    assert found(headers | {"Age": "old"}) == 5
    assert found(headers | {"Retry-After": "Wed, 18 Feb 2026 22:05:00 GMT"}, now=None) == 270
    assert found(headers | {"Retry-After": "Wed, 18 Feb 2026 22:05:00 GMT", "Age": "9" * 400}) == 300


def test_kind_reads_one_convention_or_one_unit():
    headers = {"retry-after-ms": "1500", "Retry-After": "20", "X-RateLimit-Reset": "1771452060"}
    assert found(headers, kind="retry-AFTER") == 20
    assert found(headers, kind="X-RateLimit-Reset") == 60
    assert found(headers, kind="ms") == 1.5
    assert found(headers, kind="epoch") == 60
    assert found(headers, kind="epoch_ms") is None
    assert found(headers, kind="x-should-retry") is None
    assert found(headers, kind="RateLimit-Policy") is None
    assert found({}, {"retry_after": 3}, kind="retry_after") == 3
    assert found({}, {"code": "SlowDown"}, kind="code") is None
    assert read({"X-RateLimit-Reset": "1771452060000"}, kind="epoch_ms", now=NOW) == Hint(
        60.0, "X-RateLimit-Reset read as epoch milliseconds"
    )


def test_an_unknown_kind_or_unit_is_an_error_that_names_the_known_ones():
    with pytest.raises(ValueError, match=r"unknown kind of hint 'fortnights'; .*epoch_ms"):
        read({}, kind="fortnights")
    with pytest.raises(ValueError, match=r"unknown unit 'weeks'; .*epoch_ms"):
        header("Retry-After", "1", unit="weeks")


def test_an_unknown_header_is_read_like_retry_after_and_an_unknown_reset_by_size():
    assert header("X-Come-Back", ["5", "Wed, 18 Feb 2026 22:05:00 GMT"], now=NOW) == Hint(
        300.0, "X-Come-Back"
    )
    assert reset("X-Quota-Reset", "1771452060", now=NOW) == Hint(60.0, "X-Quota-Reset read as epoch seconds")
    assert reset("X-Quota-Reset", "never", now=NOW) is None
    assert reset("X-RateLimit-Reset-After", "64.57", now=NOW) == Hint(64.57, "X-RateLimit-Reset-After")
    assert header("X-Come-Back", []) is None
    assert header("x-should-retry", ["5"]) is None


def test_a_reset_without_word_of_what_is_left_counts():
    assert reset("X-RateLimit-Reset", "30", remaining=None) == Hint(30.0, "X-RateLimit-Reset read as seconds")
    assert reset("X-RateLimit-Reset", "30", remaining=[]) == Hint(30.0, "X-RateLimit-Reset read as seconds")


def test_the_gate_of_a_reset_is_known_or_guessed():
    assert gate_of("X-RateLimit-Reset-After") == "x-ratelimit-remaining"
    assert gate_of("x-ratelimit-reset-TOKENS") == "x-ratelimit-remaining-tokens"
    assert gate_of("X-Quota-Reset") == "x-quota-remaining"
    assert gate_of("Retry-After") == ""
    assert gate_of("X-Come-Back") == ""


VERDICTS = [
    ({}, None, None),
    ({"Retry-After": "5"}, None, None),
    ({"x-should-retry": "true"}, None, True),
    ({"X-Should-Retry": " FALSE "}, None, False),
    ({"x-should-retry": "perhaps"}, None, None),
    ({"x-should-retry": ["true", "false"]}, None, False),
    ({"Stripe-Should-Retry": "true"}, None, True),
    ({"Stripe-Should-Retry": "false", "x-should-retry": "true"}, None, False),
    ({"x-envoy-overloaded": "true"}, None, False),
    ({"x-envoy-ratelimited": "true"}, None, False),
    ({"x-envoy-overloaded": "false"}, None, None),
    ({"finagle-http-nack": "Retryable-Request"}, None, True),
    ({"finagle-http-nonretryable-nack": ""}, None, False),
    ({"finagle-http-retryable-request": ""}, None, None),
    ({"l5d-retryable": "true"}, None, True),
    ({"l5d-retryable": "false"}, None, None),
    ({"grpc-retry-pushback-ms": "1000"}, None, None),
    ({"grpc-retry-pushback-ms": "-1"}, None, False),
    ({"grpc-retry-pushback-ms": "soon"}, None, False),
    ({"grpc-retry-pushback-ms": "99999999999"}, None, False),
    ({"grpc-retry-pushback-ms": ["1000", "1000"]}, None, False),
    ({"grpc-retry-pushback-ms": "1000, 1000"}, None, False),
    ({}, {"errors": [{"type": "RATE_LIMITED"}]}, True),
    ({}, {"errors": [{"extensions": {"code": "THROTTLED"}}]}, True),
    ({}, b'{"code": "SlowDown"}', True),
    ({}, {"__type": "ThrottlingException"}, True),
    ({}, {"code": 429}, None),
    ({}, google({"@type": "type.googleapis.com/google.rpc.QuotaFailure",
                 "violations": [{"quotaId": "GenerateRequestsPerDayPerProject"}]}), False),
    ({}, google({"@type": "type.googleapis.com/google.rpc.QuotaFailure",
                 "violations": [{"quotaId": "GenerateRequestsPerMinute"}, 5]}), None),
]  # fmt: skip


@pytest.mark.parametrize(("headers", "body", "said"), VERDICTS)
def test_a_stop_beats_a_retry_and_silence_is_none(headers, body, said):
    assert verdict(headers, body) is said
