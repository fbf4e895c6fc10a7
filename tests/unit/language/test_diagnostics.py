import pickle

import pytest

from bide import PolicyError, PolicySyntaxError, parse

ERRORS = [
    # text, message, columns from and to (the first is 1)
    ("retry_on(5xx).exponental()", "unknown method 'exponental': did you mean 'exponential'?", 15, 24),
    ("retry_on(5xx).foo()", "unknown method 'foo': there is after_attribute, ", 15, 17),
    ("retri_on(5xx)", "'retri_on' begins no rule: did you mean 'retry_on'?", 1, 8),
    (
        "retry_on(5xx).exponential(bas=1s)",
        "exponential() has no argument 'bas': did you mean 'base'?",
        27,
        32,
    ),
    ("retry_on(cod('x'))", "unknown condition 'cod': did you mean 'code'?", 10, 12),
    ("retry_on", "retry_on needs its conditions, as in retry_on(503)", 1, 8),
    ("retry_on | retry_on(503)", "retry_on needs its conditions, as in retry_on(503)", 1, 8),
    ("retry_on(503).fixed", "fixed needs its parentheses: write .fixed(...)", 1, 19),
    ("bide.retry_on(503)", "write retry_on(...) alone, with nothing before it", 1, 4),
    ("retry_on(503).retry_on(429)", "unknown method 'retry_on'", 15, 22),
    ("retry_on(503) or retry_on(429)", "rules are joined by |, and by nothing else", 1, 30),
    ("retry_on(503), retry_on(429)", "rules are joined by |, and by nothing else", 1, 28),
    ("retry_on(503) retry_on(429)", "this is no policy: rules are joined by a single |", 15, 22),
    ("retry_on(503) || retry_on(429)", "this is no policy: rules are joined by a single |", 15, 16),
    ("retry_on(503 429)", "this is no policy: perhaps a comma is missing", 10, 10),
    ("retry_on(503).fixed(1 s)", "this is no policy: a number and its unit stand together", 21, 23),
    ("retry_on(503 or 429)", "conditions are combined with a comma or |, with & and with ~", 10, 19),
    ("retry_on(not 503)", "conditions are combined with a comma or |, with & and with ~", 10, 16),
    ("retry_on(status == 503)", "a condition is not compared: write 503, code(", 10, 22),
    ("retry_on([429, 503])", "write the conditions side by side, without brackets", 10, 19),
    ("retry_on((429, 503))", "write the conditions side by side, without brackets", 10, 19),
    ("retry_on(500 - 504)", "a range is written without blanks, as in 500-504", 10, 18),
    ("retry_on(httpx.ReadTimeout())", "an exception is named without parentheses", 10, 28),
    ("retry_on(status=503)", "retry_on() takes conditions only: write status(...)", 10, 19),
    ("retry_on(~retry_on(503))", "retry_on(...) is a rule, and no condition", 11, 23),
    ("retry_on(code(x.y))", 'codes of code() takes a text in quotes; write "x.y" in quotes', 15, 17),
    (
        "retry_on(header(Retry-After))",
        'name of header() takes a text in quotes; write "Retry-After" in',
        17,
        27,
    ),
    ("retry_on(code(5xx))", "codes of code() takes a text in quotes; got '5xx'", 15, 17),
    ('retry_on(503).max("3")', "n of max() takes a whole number, or forever; write 3 without quotes", 19, 21),
    ("retry_on(503).fixed(1s, jitter=true)", "jitter of fixed() takes True, False, ", 32, 35),
    (
        "retry_on(503).within(forever)",
        "seconds of within() takes a duration with its unit, such as 250ms",
        22,
        28,
    ),
    ("retry_on(503).fixed()", "fixed() needs seconds: a duration with its unit, such as 250ms, 30s", 1, 21),
    ('retry_on(503).cooldown("host")', "cooldown() takes named arguments only; write per=...", 24, 29),
    ("retry_on(503).any_method(True)", "any_method() takes no arguments", 26, 29),
    (
        "(retry_on(503) | retry_on(429)).max(3)",
        ".max() is about one rule, and this is a policy of several; write it",
        33,
        35,
    ),
    ("retry_on(5xx) | retry_on(503)", "retry_on(503) can never decide: the rules before it answer", 17, 29),
    ("retry_on(netwrk)", "unknown condition 'netwrk': did you mean 'network'?", 10, 15),
    ("retry_on(ReadTimeout)", "'ReadTimeout' is no built-in exception: write its module too", 10, 20),
    ("retry_on(KeyboardInterrupt)", "KeyboardInterrupt is never an outcome", 10, 26),
    ("retry_on(network())", "network takes no parentheses", 10, 18),
    ("retry_on(code)", "code needs its arguments, as in code(...)", 10, 13),
    ("retry_on(when(f))", "when() takes a callable, which no text can hold", 10, 16),
    ("retry_on(30s)", "'30s' is no condition; a status is 429, 5xx or 500-504", 10, 12),
    ("retry_on(20%)", "'20%' is no condition; a status is 429, 5xx or 500-504", 10, 12),
    ('retry_on("timeout")', "timeout is written without quotes", 10, 18),
    ('retry_on("code")', "code is written without quotes", 10, 15),
    ('retry_on("Retry-After")', "'Retry-After' is no HTTP status (100 to 599)", 10, 22),
    ("retry_on(777)", "777 is no HTTP status (100 to 599)", 10, 12),
    ("retry_on(-5)", "-5 is no HTTP status (100 to 599)", 10, 11),
    ("retry_on(504-500)", "'504-500' is no HTTP status", 10, 16),
    ("retry_on(status(503, 777))", "777 is no HTTP status", 17, 24),
    ("retry_on(status())", "status() needs codes", 10, 17),
    ("retry_on(True)", "this is no condition; a head takes 429, 5xx", 10, 13),
    ("retry_on(4.5)", "this is no condition; a head takes 429, 5xx", 10, 12),
    ("retry_on(...)", "this is no condition; a head takes 429, 5xx", 10, 12),
    ("retry_on(timeout & None)", "this is no condition; a combination takes 429, 5xx", 20, 23),
    ("retry_on(forever)", "unknown condition 'forever'", 10, 16),
    ("retry_on(*x)", "there is no unpacking in the language; write the conditions out", 10, 11),
    ("retry_on(**x)", "retry_on() takes conditions only; write delays after it", 10, 12),
    ("retry_on(503, max=3)", "retry_on() takes conditions only: write .max(...) after it", 15, 19),
    ("retry_on(retry_on(503))", "retry_on(...) is a rule, and no condition", 10, 22),
    ("retry_on(code(*x))", "there is no unpacking in the language; write the arguments out", 15, 16),
    ("retry_on(code(**x))", "there is no unpacking in the language; write the arguments out", 15, 17),
    ("retry_on(code('x', at='a', at='b'))", "code() got at twice", 28, 33),
    ("retry_on(body('x', 1, 2))", "body() takes at most 2: path, value", 23, 23),
    ("retry_on(body('x', path='y'))", "body() got path twice", 20, 27),
    ("retry_on(body())", "body() needs path", 10, 15),
    ("retry_on(body(x))", 'path of body() takes a text in quotes; write "x" in quotes', 15, 15),
    ("retry_on(code(5))", "codes of code() takes a text in quotes; got '5'", 15, 15),
    ("retry_on(header('a b'))", "'a b' is no header name", 17, 21),
    ("retry_on(message('a', 'b'))", "message() takes at most 1: pattern", 23, 25),
    (
        "retry_on(raises(1))",
        "names of raises() takes dotted exception names, such as httpx.ReadTimeout; got '1'",
        17,
        17,
    ),
    ("retry_on(raises('a b'))", "'a b' is no dotted exception name", 17, 21),
    (
        "retry_on(timeout('dns'))",
        "kinds takes 'connect', 'read', 'write', 'pool', 'attempt'; got 'dns'",
        18,
        22,
    ),
    (
        "retry_on(503).fixed(500)",
        "takes a duration with its unit, such as 250ms, 30s or 1m30s; write 500s for seconds, or 500ms",
        21,
        23,
    ),
    ("retry_on(503).fixed('soon')", "seconds: 'soon' is not a duration", 21, 26),
    ("retry_on(503).fixed(forever)", "seconds of fixed() takes a duration with its unit", 21, 27),
    (
        "retry_on(503).within(0)",
        "takes a duration with its unit, such as 250ms, 30s or 1m30s; write 0s for seconds, or 0ms",
        22,
        22,
    ),
    ("retry_on(503).exponential(cap=0)", "; no delay at all is written immediately()", 31, 31),
    (
        "retry_on(503).exponential(cap=0s)",
        "cap must be more than 0 seconds; no delay at all is written immediately()",
        27,
        32,
    ),
    ("retry_on(503).exponential(1s, cap=250ms)", "exponential: cap (0.25s) is less than base (1s)", 31, 39),
    (
        "retry_on(503).exponential(1s, 2, 3s, True, 5)",
        "exponential() takes at most 4: base, factor, cap, jitter",
        44,
        44,
    ),
    ("retry_on(503).exponential(factor=0.5)", "factor takes a finite number >= 1; got 0.5", 27, 36),
    (
        "retry_on(503).exponential(factor=2s)",
        "factor of exponential() takes a number; write 2 without a unit",
        34,
        35,
    ),
    (
        "retry_on(503).exponential(factor=forever)",
        "factor of exponential() takes a number; got 'forever'",
        34,
        40,
    ),
    ("retry_on(503).exponential(jitter=1)", 'jitter of exponential() takes True, False, "full"', 34, 34),
    ("retry_on(503).exponential(jitter='some')", "jitter takes True, False, 'full'", 27, 39),
    ("retry_on(503).immediately(5)", "immediately() takes named arguments only", 27, 27),
    ("retry_on(503).delays()", "delays() needs seconds", 1, 22),
    ("retry_on(503).max(-1)", "max takes a whole number >= 0, or forever; got -1", 19, 20),
    ("retry_on(503).max(2.5)", "n of max() takes a whole number, or forever; got '2.5'", 19, 21),
    ("retry_on(503).max('many')", "n of max() takes a whole number, or forever; got \"'many'\"", 19, 24),
    ("retry_on(503).max(True)", "n of max() takes a whole number, or forever; got 'True'", 19, 22),
    ("retry_on(503).max(3s)", "n of max() takes a whole number, or forever; write 3 without a unit", 19, 20),
    ("retry_on(503).fixed(1s, max=-1)", "max takes a whole number >= 0, or forever; got -1", 25, 30),
    ("retry_on(503).attempts(forever)", "n of attempts() takes a whole number; got 'forever'", 24, 30),
    ("retry_on(503).attempts(0)", "attempts takes a whole number >= 1; got 0", 24, 24),
    ("retry_on(503).budget(20)", "share of budget() takes a share, such as 20%; write 20%", 22, 23),
    ("retry_on(503).budget(120%)", "share takes a share in (0, 1]", 22, 25),
    ("retry_on(503).budget(20%, per='x')", "per takes one of 'process', 'host', 'fleet'; got 'x'", 27, 33),
    ("retry_on(503).named(x)", 'name of named() takes a text in quotes; write "x" in quotes', 21, 21),
    ("retry_on(503).named(5xx)", "name of named() takes a text in quotes; got '5xx'", 21, 23),
    ("retry_on(503).named('')", "named takes a text in quotes; got ''", 21, 22),
    ("retry_on(503).calling(None)", "recovery of calling() takes a text in quotes; got 'None'", 23, 26),
    (
        "retry_on(503).after_attribute('__class__')",
        "takes a public attribute's name; got '__class__'",
        31,
        41,
    ),
    ("retry_on(503).after_message('soon')", "after_message: ", 29, 34),
    ("retry_on(body('x', f()))", "value of body() takes a text, a number, True, False or None", 20, 22),
    ("retry_on(body('x', forever))", "value of body() takes a text, a number, True, False or None", 20, 26),
    ("retry_on(body('x', -True))", "value of body() takes a text, a number, True, False or None", 20, 24),
    ("retry_on(503).fixed(-5s)", "seconds of fixed() takes a duration with its unit", 21, 23),
    ("give_up_on(404).max(3)", "give_up_on(...) never retries, so .max() says nothing; leave it out", 17, 22),
    ("retry_on(503).exponential().fixed(1s)", ".fixed() after .exponential() can never be reached", 29, 37),
    (
        "(retry_on(429) | retry_on(503)).max(3)",
        ".max() is about one rule, and this is a policy of several",
        33,
        35,
    ),
    (
        "(retry_on(429) | retry_on(503)).fixed(1s)",
        ".fixed() is about one rule, and this is a policy of several",
        33,
        37,
    ),
    (
        "retry_on(503).timeout(5s).max(3)",
        ".max() is about the rule; write it before what limits the whole call",
        27,
        29,
    ),
    (
        "retry_on(429 | 503)",
        "statuses are joined by a comma: write retry_on(429, 503), not 429 | 503",
        10,
        18,
    ),
    ("retry_on(timeout | 5xx)", "statuses are joined by a comma", 10, 22),
    ("retry_on()", "retry_on() says nothing: name a status, an exception, or anything", 1, 10),
    (
        "retry_on(503) | retry_on(503)",
        "can never decide: the rules before it answer all that it is about",
        17,
        29,
    ),
    ("retry_on(anything) | retry_on(5xx) | retry_on(timeout)", "can never decide", 22, 34),
    (
        "Policy(retry_on(429)).within(1s) | Policy(retry_on(503)).within(2s)",
        "both sides of | limit the whole call",
        36,
        67,
    ),
    ("retry_on(503).max(forever)", "forever needs a deadline: add .within(10m)", 1, 26),
    ("Policy()", "Policy() takes one policy", 1, 8),
    ("Policy(x=1)", "Policy() takes one policy", 1, 11),
    ("Policy(retry_on(503).within(1s).timeout(5s))", "this is a policy already", 1, 44),
    ("foo", "'foo' is no policy", 1, 3),
    ("5xx", "a condition stands in a head, as in retry_on(503)", 1, 3),
    ("5xx .max(3)", "a condition stands in a head, as in retry_on(503)", 1, 3),
    ("5xx (3)", "'5xx' begins no rule", 1, 3),
    ("retry_on(5xx (3))", "unknown condition '5xx'", 10, 12),
    ("retry_on(5xx .Foo)", "this is no condition", 10, 17),
    ("retry_on(raises(5xx .Foo))", "names of raises() takes dotted exception names", 17, 24),
    ("retry_on(503).max", "max needs its parentheses: write .max(...)", 1, 17),
    ("retry_on(503) & retry_on(429)", "rules are joined by |, and by nothing else", 1, 29),
    ("", "there is no policy here; write one, such as retry_on(503)", 1, 1),
    ("  # nothing", "there is no policy here", 1, 1),
    ("retry_on(503) |", "something is missing after '|'", 15, 15),
    ("retry_on(503).", "something is missing after '.'", 14, 14),
    ("| retry_on(503)", "something is missing before '|'", 1, 1),
    ("  | retry_on(503)", "something is missing before '|'", 3, 3),
    ("retry_on(503))", "this is no policy: unmatched ')'", 14, 14),
    ("((retry_on(503)", "this is no policy: '(' was never closed", 2, 2),
    ("retry_on(503", "this is no policy: '(' was never closed", 9, 9),
    (
        "retry_on(code(at='x', 'y'))",
        "this is no policy: arguments without a name come first, as in ",
        None,
        None,
    ),
]


@pytest.mark.parametrize(
    ("text", "said", "first", "last"), ERRORS, ids=[text[:48] or "nothing" for text, *_ in ERRORS]
)
def test_an_error_says_what_is_wrong_where_and_what_to_write(text, said, first, last):
    with pytest.raises(PolicySyntaxError) as caught:
        parse(text)
    error = caught.value
    assert said in error.message
    assert error.line == 1
    if first is not None:
        assert (error.column, error.column + error.width - 1) == (first, last)
    assert isinstance(error, PolicyError)
    assert isinstance(error, ValueError)


def test_an_error_shows_the_line_with_a_caret_under_the_span():
    with pytest.raises(PolicySyntaxError) as caught:
        parse("retry_on(429) # first\n  | retry_on(5xx).exponental() # second\n  | retry_on(404)")
    assert str(caught.value) == (
        "unknown method 'exponental': did you mean 'exponential'?\n"
        "  line 2, column 19\n"
        "      | retry_on(5xx).exponental() # second\n"
        "                      ^^^^^^^^^^"
    )
    assert (caught.value.line, caught.value.column, caught.value.width) == (2, 19, 10)


def test_columns_are_counted_in_characters():
    with pytest.raises(PolicySyntaxError) as caught:
        parse('retry_on(code("é🙂"),\n   code("ﬁ🙂") & foo())')
    assert (caught.value.line, caught.value.column, caught.value.width) == (2, 17, 3)


def test_L20_a_span_over_several_lines_is_shown_on_its_first():
    with pytest.raises(PolicySyntaxError) as caught:
        parse("retry_on(503)\r\n | retry_on(\r\n503)")
    assert str(caught.value).splitlines()[1:] == [
        "  line 2, column 4",
        "     | retry_on(",
        "       ^^^^^^^^^",
    ]


def test_L18_a_long_line_is_cut_around_the_span():
    text = "retry_on(" + "503, " * 400 + "nonsense, " + "503, " * 400 + ")"
    with pytest.raises(PolicySyntaxError) as caught:
        parse(text)
    _, place, shown, carets = str(caught.value).splitlines()
    assert place == "  line 1, column 2010"
    assert len(shown) <= 84
    assert shown[carets.index("^") : carets.rindex("^") + 1] == "nonsense"


@pytest.mark.parametrize("char", ["\x1b", "\u202e", "\x00", "\ud800", "\u200b", "\r"], ids=ascii)
def test_L18_what_is_shown_can_be_shown(char):
    for text in (
        f"retry_on({char})",
        f'retry_on(code("{char}"))',
        f"retry_on(503) # {char}\n .foo()",
        f"# {char}\nx",
    ):
        with pytest.raises(PolicySyntaxError) as caught:
            parse(text)
        assert all(part.isprintable() for part in str(caught.value).split("\n"))


def test_L18_a_message_quotes_little_of_the_text():
    for text in (
        "x" * 5000,
        f"retry_on({'x' * 5000})",
        f"retry_on(code({'9' * 390}))",
        f"retry_on(503).{'x' * 5000}()",
    ):
        with pytest.raises(PolicySyntaxError) as caught:
            parse(text)
        assert len(caught.value.message) < 400
        assert "x" * 81 not in caught.value.message


def test_an_error_is_pickled_with_its_place():
    with pytest.raises(PolicySyntaxError) as caught:
        parse("retry_on(429)\n | retry_on(5xx).exponental()")
    same = pickle.loads(pickle.dumps(caught.value))
    assert str(same) == str(caught.value)
    assert (same.line, same.column, same.width) == (
        caught.value.line,
        caught.value.column,
        caught.value.width,
    )


@pytest.mark.parametrize("value", [None, 503, b"retry_on(503)", ["retry_on(503)"], object()])
def test_L20_what_is_no_text_is_told(value):
    with pytest.raises(PolicySyntaxError, match=f"a policy is a text; got {type(value).__name__}") as caught:
        parse(value)
    assert (caught.value.line, caught.value.column) == (1, 1)
