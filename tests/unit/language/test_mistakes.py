import pytest

from bide import PolicySyntaxError, parse

GRAMMAR = [
    # what somebody writes who does not know the language yet, what it says, and the characters under the caret
    ("retry_on 503", "conditions stand in parentheses, as in retry_on(503)", "retry_on 5"),
    ("retry_on: [429, 503]\nmax: 3", "conditions stand in parentheses", "retry_on:"),
    ("retry_on = 503", "conditions stand in parentheses", "retry_on ="),
    ("retry_on{503}", "conditions stand in parentheses", "retry_on{"),
    ("retry_on 503)", "conditions stand in parentheses", "retry_on 5"),
    ("policy = retry_on(503)", "write the policy alone, with nothing before it", "policy ="),
    ("import bide", "a text imports nothing", "import"),
    ("  from bide import *", "a text imports nothing", "from"),
    ("retry_on(503)\ngive_up_on(404)", "rules are joined by a single |", "give_up_on"),
    ("retry_on(503) | | give_up_on(404)", "rules are joined by a single |", "| |"),
    ("retry_on(503); give_up_on(404)", "rules are joined by |, and conditions by a comma", ";"),
    ("retry_on(503;504)", "rules are joined by |, and conditions by a comma", ";"),
    ("retry_on(503) exponential(1s)", "what follows a rule begins with a dot", "exponential"),
    ("retry_on(503) exponential", "what follows a rule begins with a dot", "exponential"),
    ("retry_on(503): exponential()", "what follows a rule begins with a dot", ":"),
    ("retry_on(503) -> exponential()", "what follows a rule begins with a dot", "->"),
    ("retry_on(503) then exponential()", "what follows a rule begins with a dot", "then"),
    ("retry_on(503)..exponential()", "one dot is enough", ".."),
    ("retry_on(503).fixed(60 seconds)", "a number and its unit stand together, as in 30s", "60 seconds"),
    ("retry_on(503).within(2 days)", "a number and its unit stand together", "2 days"),
    ("retry_on(503).fixed(1.5 min)", "a number and its unit stand together", "1.5 min"),
    ("retry_on(503).budget(20 %)", "a number and its unit stand together", "20 %"),
    ("retry_on(503).fixed(.5s)", "a fraction begins with a digit, as in 0.5s", ".5s"),
    ("retry_on(503).fixed(seconds=1,5s)", "a fraction is written with a dot, as in 1.5s", "1,5s"),
    ("retry_on(503).max(03)", "a number does not begin with 0", "03"),
    ("retry_on(500 to 504)", "a range is written 500-504, and a class 5xx", "500 to 504"),
    ("retry_on(500:504)", "a range is written 500-504", "500:504"),
    ("retry_on(500-)", "a range is written 500-504", "500-"),
    ("retry_on(5**)", "a range is written 500-504, and a class 5xx", "5**"),
    ("retry_on(>=500)", "a condition is not compared: write 503", ">="),
    ('retry_on(503 && code("a&&b"))', "conditions are combined with a single &, and not is written ~", "&&"),
    ("retry_on(503 & not timeout)", "conditions are combined with a single &, and not is written ~", "& not"),
    ("retry_on(!503)", "not is written ~, as in ~404", "!"),
    ("retry_on(503).exponential(base: 1s)", "an argument is named with =, as in cap=30s", ":"),
    ("retry_on(503).exponential(base => 1s)", "an argument is named with =, as in cap=30s", "=>"),
    ("retry_on(503).exponential(base 1s)", "an argument is named with =, as in cap=30s", "base 1"),
    ("retry_on(503).exponential(base=)", "something is missing beside =", "=)"),
    ("retry_on(503).exponential(=1s)", "something is missing beside =", "="),
    ("retry_on(503,, 504)", "something is missing before the comma", ","),
    ("retry_on(, 503)", "something is missing before the comma", ","),
    ('retry_on(header("X": "1"))', 'two values are separated by a comma, as in header("X-Busy", "yes")', ":"),
    ('retry_on(header("X" = "1"))', "two values are separated by a comma", "="),
    ("retry_on(message(*busy*))", 'a * must be in quotes, as in message("*busy*")', "*)"),
    ("retry_on(503).max = 3", "a value stands in parentheses, as in .max(3)", ".max ="),
    ("@retry_on(503)", "it is written like retry_on(503, timeout).exponential() | give_up_on(404)", "@"),
    (
        "retry_on(503).exponential(cap=30s, 1s)",
        "arguments without a name come first, as in exponential(1s, cap=30s)",
        None,
    ),
    ("retry_on(503 # the status\n", "'(' was never closed", "("),
]


@pytest.mark.parametrize(("text", "said", "under"), GRAMMAR, ids=[text for text, *_ in GRAMMAR])
def test_what_is_no_grammar_of_ours_is_answered_with_what_is(text, said, under):
    with pytest.raises(PolicySyntaxError) as caught:
        parse(text)
    error = caught.value
    assert error.message.startswith(f"this is no policy: {said}")
    if under is not None:
        assert text[error.start : error.start + error.width] == under


def test_what_stands_in_quotes_and_comments_is_no_mistake():
    text = (
        "retry_on(code(\"a && b; c: 1 s\"), message('!x >= 3')) # && ; retry_on 503\n .exponential( cap=30s"
    )
    with pytest.raises(PolicySyntaxError) as caught:
        parse(text)
    assert caught.value.message == "this is no policy: '(' was never closed"
    assert caught.value.line == 2


WORDS = [
    ("retry_on(503).exponential(max_retries=3)", "write max=... (retries, the first attempt not counted)"),
    (
        "retry_on(503).exponential(max_attempts=3)",
        "write .attempts(...) after it (the first attempt included)",
    ),
    ("retry_on(503).exponential(multiplier=1)", "write base=... (the first delay) or factor=... ("),
    ("retry_on(503).exponential(initial=1s, maximum=9s)", "'initial': write base=... (the first delay)"),
    ("retry_on(503).exponential(max_delay=9s)", "write cap=... (the longest delay)"),
    ("retry_on(503).fixed(delay=9s)", "write seconds=... (the delay)"),
    ("retry_on(503).max(retries=3)", "write n=... (or a number alone)"),
    ("retry_on(503).exponential(max=9s)", "it counts retries, and the longest delay is cap=9s"),
    ("retry_on(503).hedge(1s, max=9s)", "write 9 without a unit"),
    (
        "retry_on(503).exponential(jitter=1s)",
        "; it has no size of its own: True draws from 0 to the whole delay",
    ),
    ("retry_on(503).exponential(jitter=0.5)", "; it has no size of its own"),
    ("retry_on(503).exponential(jitter=10%)", "; it has no size of its own"),
    *(
        (f"retry_on(503).exponential(jitter={no})", "; write False for none")
        for no in ("none", "None", "off", 0)
    ),
    ('retry_on(503).exponential(jitter="none")', "; got 'none'; write False for none"),
    ("retry_on(503).timeout(connect=5s)", "it is one limit for all phases; the client limits each, as in "),
    ("retry_on(503).hedge(read=5s)", "hedge() has no argument 'read': there is "),
    ("retry_on(503).timeout(total=5s)", "timeout() has no argument 'total': there is seconds"),
    ("retry_on(503).delays([1s, 2s])", "; write the values side by side, without brackets"),
    ("retry_on(503).pace(60/m)", '; write "60/m" in quotes'),
    ("retry_on(503).reraise(True)", "unknown method 'reraise': it is not needed"),
    ("retry_on(503).exponential(jitter=full)", '; write "full" in quotes'),
    ("retry_on(503).stop_after_attempt(3)", "write .attempts(...) (the first attempt included)"),
    ("retry_on(503).retries(3)", "write .max(...) (retries, the first attempt not counted)"),
    ("retry_on(503).stop_after_delay(30s)", "write .within(...) (the whole time, waits included)"),
    ("retry_on(503).wait(1s)", "write .fixed(...) or .exponential(...)"),
    ("retry_on(503).jitter(1s)", "write .exponential(jitter=...)"),
    ("retry_on(503).retry_after()", 'write .after_header("Retry-After")'),
    ("retry_on(503).Fixed(1s)", "did you mean 'fixed'?"),
    (
        "retry_on(503).give_up_on(404)",
        "another rule is joined with |, as in retry_on(503) | give_up_on(404)",
    ),
    (
        'retry_on(503).header("X")',
        "it is a condition, and belongs in the head, as in retry_on(503 & header(...))",
    ),
    ("retry_on(503, max=3)", "retry_on() takes conditions only: write .max(...) after it"),
    (
        "retry_on(503, stop=3)",
        "write .attempts(...) after it (the first attempt included) or .within(...) after it",
    ),
    ("retry_on(status_forcelist=[503])", "write the statuses alone, as in retry_on(429, 503)"),
    ("retry_on(503, foo=1)", "retry_on() takes conditions only; write delays after it"),
    ("retry_on(server_error)", "unknown condition 'server_error': write 5xx"),
    ("retry_on(always)", "write anything"),
    ("retry_on(TimeoutError())", "TimeoutError takes no parentheses"),
    ("retry_on(GET)", "unknown condition 'GET': write method(\"GET\")"),
    ("retry_on(put)", "unknown condition 'put': write method(\"PUT\")"),
    ("retry_on(read_timeout)", "unknown condition 'read_timeout': write timeout(\"read\")"),
    ("retry_on(service_unavailable)", "unknown condition 'service_unavailable': write 503"),
    ("retry_on(503, timeout=5s)", "retry_on() takes conditions only: write .timeout(...) after it"),
    ("retry_on(TIMEOUT)", "unknown condition 'TIMEOUT': did you mean 'timeout'?"),
    ("retry_on(503, exponential())", "it follows the head, as in retry_on(503).exponential(...)"),
    ("retry_on(503, attempts)", "it follows the head, as in retry_on(503).attempts(...)"),
    ("RETRY_ON(503)", "'RETRY_ON' begins no rule: did you mean 'retry_on'?"),
    ("retry_on(503) | stop_on(404)", "'stop_on' begins no rule: write give_up_on(...)"),
    (
        "exponential()",
        "'exponential' begins no rule: it follows a rule, as in retry_on(503).exponential(...)",
    ),
    ('code("x")', "'code' begins no rule: a condition stands in a head, as in retry_on(code(...))"),
    ("retry_on(503).5xx()", "unknown method '5xx': there is after_attribute, "),
    ("retry_on(httpx.5xx)", "this is no condition; a head takes 429"),
    ("retry_on(raises(httpx.5s))", "takes dotted exception names, such as httpx.ReadTimeout; got 'httpx.5s'"),
    ("429", "a condition stands in a head, as in retry_on(503)"),
    ("retry_on(503) | 5xx", "a condition stands in a head, as in retry_on(503)"),
    ('"retry_on(503)"', "write the policy without quotes around it"),
    ("[retry_on(503), retry_on(429)]", "rules are joined by |"),
    ("retry_on(asyncio.CancelledError)", "asyncio.CancelledError is never an outcome: cancellation"),
    ('retry_on(raises("trio.Cancelled"))', "trio.Cancelled is never an outcome"),
]


@pytest.mark.parametrize(("text", "said"), WORDS, ids=[text for text, _ in WORDS])
def test_a_word_of_another_library_is_answered_with_ours(text, said):
    with pytest.raises(PolicySyntaxError) as caught:
        parse(text)
    assert said in caught.value.message


CHARACTERS = [
    ("retry_on(503).after_header(“Retry-After”)", "U+201C is no character of the language; use plain quotes"),
    ("`retry_on(503)`", "use plain quotes"),
    ("retry_on(500\u2013504)", "write a plain -"),
    ("retry_on(503,\u00a0504)", "U+00A0 is no character of the language; write a plain blank"),
    ("retry_on(503)\u2028", "write a plain blank"),
    ("retry_on(503\uff09", "U+FF09 is no character of the language; write a plain )"),
    ("retry_on(\uff15\uff10\uff13)", "write a plain 5"),
    ("retry_on(503)\u200b", "it cannot be seen: leave it out"),
    ("r\u0435try_on(503)", "it is written in plain ASCII"),
    ("retry_on(503) \\\n| give_up_on(404)", "a policy continues on the next line without it"),
    ('retry_on(code("a\u00a0b"))', "U+00A0 cannot be seen; write it as \\xa0"),
    ('retry_on(code("a\tb"))', "U+0009 cannot be seen; write it as \\t"),
]


@pytest.mark.parametrize(("text", "said"), CHARACTERS, ids=[ascii(text) for text, _ in CHARACTERS])
def test_a_character_that_looks_like_ours_is_answered_with_ours(text, said):
    with pytest.raises(PolicySyntaxError) as caught:
        parse(text)
    assert said in caught.value.message
    assert caught.value.width == 1


def test_a_character_of_no_use_is_named():
    with pytest.raises(PolicySyntaxError) as caught:
        parse("$retry_on(503)")
    assert caught.value.message == "U+0024 is no character of the language"


@pytest.mark.parametrize(
    ("written", "advice"),
    [
        ("60sec", "is no duration; write 60s (units are ms, s, m, h)"),
        ("60seconds", "write 60s"),
        ("1min", "write 1m"),
        ("2Minutes", "write 2m"),
        ("1hr", "write 1h"),
        ("5S", "write 5s"),
        ("5Ms", "write 5ms"),
        ("500millis", "write 500ms"),
        ("1_000ms", "write 1000ms"),
        ("1.2.3s", "is no number, duration (250ms, 30s, 1m30s)"),
        ("1d", "is no number, duration (250ms, 30s, 1m30s)"),
        ("5x", "is no status; a class is written 5xx, a range 500-504, and both stand in a head"),
        ("50x", "a class is written 5xx"),
        ("5xxx", "a class is written 5xx"),
        ("5xx.max", "both stand in a head"),
    ],
)
def test_a_number_that_is_none_of_ours_is_answered_with_one(written, advice):
    with pytest.raises(PolicySyntaxError) as caught:
        parse(f"retry_on(503).within({written})")
    assert f"'{written}' " in caught.value.message
    assert advice in caught.value.message
    assert (caught.value.column, caught.value.width) == (22, len(written))
