"""Texts that break parsers, each refused with an error that has a place."""

import time
from contextlib import suppress

import pytest

from bide import PolicySyntaxError, parse

REFUSED = {
    # L01: nothing of Python but calls, names, literals and three operators
    "L01-import": '__import__("os").system("x")',
    "L01-import-as-condition": 'retry_on(__import__("os"))',
    "L01-class": "retry_on(503).__class__.__mro__",
    "L01-call-class": "retry_on(503).__class__()",
    "L01-globals": "retry_on(503).decide.__globals__()",
    "L01-method-of-policy": "retry_on(503).check()",
    "L01-private-method": "retry_on(503)._set()",
    "L01-waits": "retry_on(503).waits(1)",
    "L01-lambda": "retry_on(lambda: 1)",
    "L01-comprehension": "retry_on([x for x in y])",
    "L01-generator": "retry_on(x for x in y)",
    "L01-f-string": 'retry_on(code(f"{x}"))',
    "L01-f-string-apart": 'retry_on(code(f "{x}"))',
    "L01-bytes": 'retry_on(code(b"x"))',
    "L01-raw": 'retry_on(code(r"x"))',
    "L01-walrus": "retry_on(x := 503)",
    "L01-subscript": "retry_on(code[0])",
    "L01-slice": 'retry_on(code("x"[0:1]))',
    "L01-power": "retry_on(2**9)",
    "L01-arithmetic": "retry_on(500 + 3)",
    "L01-starred": "retry_on(*[503])",
    "L01-double-starred": "retry_on(503).fixed(**{})",
    "L01-semicolon": "retry_on(503); retry_on(429)",
    "L01-assignment": "x = retry_on(503)",
    "L01-comparison": "retry_on(503 == 503)",
    "L01-and": "retry_on(timeout and network)",
    "L01-not": "retry_on(not timeout)",
    "L01-if": "retry_on(503) if 1 else retry_on(429)",
    "L01-await": "await retry_on(503)",
    "L01-yield": "(yield)",
    "L01-eval": 'eval("1")',
    "L01-getattr": 'getattr(retry_on(503), "x")',
    "L01-list": "[retry_on(503)]",
    "L01-tuple": "retry_on(503), retry_on(429)",
    "L01-dict": "{retry_on(503): 1}",
    "L01-matmul": "retry_on(503) @ retry_on(429)",
    "L01-decorator": "@retry_on(503)",
    "L01-backtick": "`retry_on(503)`",
    "L01-dollar": "$retry_on",
    "L01-line-continuation": "retry_on(\\\n503)",
    "L01-placeholder": "retry_on(___)",
    "L01-placeholder-call": "___(503)",
    # L02: huge values
    "L02-tower": "retry_on(503).max(9**9**9**9)",
    "L02-repeat": 'retry_on(code("x"*999999999))',
    "L02-digits": f"retry_on(503).max({'9' * 5000})",
    "L02-status-digits": f"retry_on({'9' * 390})",
    "L02-exponent": "retry_on(503).fixed(1e400s)",
    "L02-exponent-number": "retry_on(503).exponential(factor=1e400)",
    "L02-huge-factor": f"retry_on(503).exponential(factor={'9' * 390})",
    "L02-huge-duration": f"retry_on(503).fixed({'9' * 390}s)",
    "L02-huge-share": "retry_on(503).budget(99999999999%)",
    # L04: unknown names
    "L04-function": "retri_on(503)",
    "L04-method": "retry_on(503).exponentially()",
    "L04-keyword": "retry_on(503).exponential(foo=1)",
    "L04-keyword-of-head": "retry_on(503, when=1)",
    "L04-condition": "retry_on(satus(503))",
    # L05: units
    "L05-no-unit": "retry_on(503).fixed(500)",
    "L05-capital-unit": "retry_on(503).fixed(1M)",
    "L05-unit-of-count": "retry_on(503).max(3s)",
    "L05-days": "retry_on(503).fixed(1d)",
    "L05-space-before-unit": "retry_on(503).fixed(30 s)",
    "L05-units-in-disorder": "retry_on(503).fixed(30s1m)",
    "L05-seconds-for-milliseconds": "retry_on(503).fixed(1500000s)",
    "L06-max-is-no-duration": "retry_on(503).exponential(max=30s)",
    # L07: shadowed, endless and empty rules
    "L07-duplicate": "retry_on(503) | retry_on(503)",
    "L07-shadowed": "retry_on(5xx) | retry_on(503)",
    "L07-no-limit": "retry_on(503).max(forever)",
    "L07-empty": "retry_on()",
    # L08: characters that look like others, or like nothing
    "L08-fullwidth-digit": "retry_on(50\uff13)",
    "L08-arabic-digit": "retry_on(50\u0663)",
    "L08-superscript-digit": "retry_on(50\u00b3)",
    "L08-cyrillic-name": "retry_\u043en(503)",
    "L08-fullwidth-name": "\uff52etry_on(503)",
    "L08-ligature": "retry_on(503).\ufb01xed(1s)",
    "L08-kelvin-sign": "retry_on(o\u212a)",
    "L08-zero-width-space": "retry_on\u200b(503)",
    "L08-no-break-space": "retry_on(429,\u00a0503)",
    "L08-right-to-left-override": "retry_on(503)\u202e",
    "L08-nul": "retry_on(503)\x00",
    "L08-form-feed": "retry_on(503)\x0c",
    "L08-typographic-quotes": "retry_on(code(\u201cx\u201d))",
    "L08-typographic-quote": "retry_on(code(\u2018x\u2019))",
    "L08-surrogate": "retry_on(\ud800)",
    "L08-surrogate-in-text": 'retry_on(code("\ud800"))',
    "L08-override-in-text": 'retry_on(code("\u202ex"))',
    "L08-nul-in-text": 'retry_on(code("\x00"))',
    "L08-minus-sign": "retry_on(503).max(\u22121)",
    "L08-en-dash-range": "retry_on(500\u2013504)",
    "L08-fullwidth-bracket": "retry_on\uff08503)",
    "L08-line-separator-in-text": 'retry_on(code("\u2028"))',
    # L10: names of headers
    "L10-header-line-end": 'retry_on(429).after_header("A\\r\\nB")',
    "L10-header-space": 'retry_on(header("a b"))',
    "L10-dunder-attribute": 'retry_on(429).after_attribute("__class__.x")',
    # L12: one type for another
    "L12-true-for-count": "retry_on(503).max(True)",
    "L12-text-for-count": 'retry_on(503).max("3")',
    "L12-nan": "retry_on(503).exponential(factor=nan)",
    "L12-inf": "retry_on(503).exponential(factor=inf)",
    "L12-count-for-text": "retry_on(code(3))",
    "L12-none-for-text": "retry_on(503).named(None)",
    "L12-status-for-duration": "retry_on(503).fixed(5xx)",
    "L12-count-for-flag": "retry_on(503).exponential(jitter=1)",
    "L12-float-for-count": "retry_on(503).max(3.0)",
    "L12-false-status": "retry_on(False)",
    # L20: encodings
    "L20-byte-order-mark": "\ufeffretry_on(503)",
    "L20-byte-order-mark-inside": "retry_on(\ufeff503)",
    "L20-two-texts": 'retry_on(code("a" "b"))',
    "L20-two-texts-and-a-comment": 'retry_on(code("a" # x\n "b"))',
    "L20-unclosed": 'retry_on(code("a))',
    "L20-line-end-in-text": 'retry_on(code("a\nb"))',
    "L20-triple-quotes": 'retry_on(code("""a"""))',
    "L20-octal-escape": 'retry_on(code("\\101"))',
    "L20-named-escape": 'retry_on(code("\\N{DASH}"))',
    "L20-bad-hex-escape": 'retry_on(code("\\xg0"))',
    "L20-escape-beyond-unicode": 'retry_on(code("\\U00110000"))',
    # the traps that the language knows
    "trap-or-of-statuses": "retry_on(429 | 503)",
    "trap-or-of-quoted-statuses": 'retry_on("429" | "503")',
    "trap-negative-max": "retry_on(503).exponential(max=-1)",
    "trap-no-cap": "retry_on(503).exponential(cap=0)",
    "trap-no-cap-in-seconds": "retry_on(503).exponential(cap=0s)",
    "trap-two-schedules": "retry_on(503).exponential().fixed(1s)",
    "trap-hint-after-schedule": 'retry_on(503).exponential().after_header("Retry-After")',
    "trap-two-limits": "(retry_on(429) | retry_on(503)).within(1s) | Policy(retry_on(500)).within(2s)",
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_it_is_refused_in_no_time_with_a_place(text):
    began = time.process_time()
    with pytest.raises(PolicySyntaxError) as caught:
        parse(text)
    assert time.process_time() - began < 0.5
    error = caught.value
    lines = text.split("\n")
    assert 1 <= error.line <= len(lines)
    assert 1 <= error.column <= len(lines[error.line - 1]) + 1
    assert error.width >= 1
    assert str(error).startswith(error.message)
    assert all(line.isprintable() for line in str(error).split("\n"))


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("L04-function", "did you mean 'retry_on'"),
        ("L04-method", "did you mean 'exponential'"),
        ("L04-condition", "did you mean 'status'"),
        ("L05-no-unit", "write 500s for seconds, or 500ms"),
        ("L05-capital-unit", "'1M' is no duration; write 1m (units are ms, s, m, h)"),
        ("L05-days", "'1d' is no number, duration (250ms, 30s, 1m30s)"),
        ("L06-max-is-no-duration", "it counts retries, and the longest delay is cap=30s"),
        ("L08-fullwidth-digit", "U+FF13 is no character of the language"),
        ("L08-cyrillic-name", "U+043E is no character of the language"),
        ("L08-zero-width-space", "U+200B is no character of the language"),
        ("L08-nul", "U+0000 is no character of the language"),
        ("L08-surrogate", "U+D800 is no character of the language"),
        ("L08-typographic-quotes", "U+201C is no character of the language; use plain quotes"),
        ("L08-override-in-text", "U+202E cannot be seen; write it as \\u202e"),
        ("L20-byte-order-mark", "save it as UTF-8 without"),
        ("L20-two-texts-and-a-comment", "two texts stand side by side; put a comma between them"),
        ("L20-unclosed", "this text is not closed; end it with the same quote on the same line"),
        ("L20-octal-escape", "is no escape; write a backslash twice"),
        ("L20-escape-beyond-unicode", "is no escape; write a backslash twice"),
        ("L01-bytes", "a text takes no prefix; write it in plain quotes"),
        ("L01-placeholder", "'___' is no word of the language"),
        ("L02-digits", "is too long for a number or a duration"),
        ("trap-or-of-statuses", "write retry_on(429, 503), not 429 | 503"),
        ("trap-or-of-quoted-statuses", "write retry_on(429, 503), not 429 | 503"),
        ("trap-negative-max", "max takes a whole number >= 0"),
        ("trap-no-cap", "no delay at all is written immediately()"),
        ("trap-no-cap-in-seconds", "no delay at all is written immediately()"),
        ("trap-two-schedules", "put hints first, and one schedule last"),
        ("trap-two-limits", "join the rules first and limit them together"),
        ("L07-empty", "name a status, an exception, or anything"),
        ("L07-no-limit", "add .within(10m)"),
        ("L07-shadowed", "can never decide"),
    ],
)
def test_its_error_says_what_to_write(name, advice):
    with pytest.raises(PolicySyntaxError) as caught:
        parse(REFUSED[name])
    assert advice in caught.value.message


def test_L06_max_counts_retries_and_the_canonical_text_shows_it():
    assert str(parse("retry_on(503).exponential(max=3)")) == "retry_on(503).exponential(max=3)"
    assert parse("retry_on(503).exponential(max=3)").worst_case().attempts == 4


# -- in no time


MEGABYTE = 2**20


@pytest.mark.parametrize(
    "unit",
    ["a", "(", "|", "~", "9", '"', "'", "\n", "é", "\u202e", "\\", "retry_on(503)|", "#", ")", " ", "-"],
)
def test_L03_a_megabyte_of_anything_is_refused_in_50_ms(unit):
    text = unit * (MEGABYTE // len(unit))
    assert any(reading_takes(text) < 0.05 for _ in range(3))


def reading_takes(text):
    """The seconds that a reading takes, which may be refused."""
    began = time.process_time()
    with suppress(PolicySyntaxError):
        parse(text)
    return time.process_time() - began


FULL = 65_536
SHAPES = {
    "rules": lambda: " | ".join(f"retry_on(code('c{n}'))" for n in range(3000)),
    "256-rules": lambda: " | ".join(f"retry_on(code('c{n}', 'd', 'e'), a.B{n}, c.D{n}).exponential(max=99)" for n in range(256)),
    "rules-of-statuses": lambda: " | ".join(f"retry_on({', '.join('5xx' for _ in range(30))}, {100 + n})" for n in range(250)),
    "statuses": lambda: f"retry_on({'503, ' * 9000})",
    "classes": lambda: f"retry_on({'5xx,' * 9990}) | retry_on(404)",
    "names": lambda: f"retry_on({','.join(f'a.B{n}' for n in range(4000))}) | retry_on({','.join(f'a.C{n}' for n in range(2000))})",
    "raises": lambda: f"retry_on(raises({','.join(f'a.B{n}' for n in range(4000))})) | retry_on({'OSError,' * 2000})",
    "exceptions": lambda: f"retry_on({'ValueError,' * 5500})",
    "codes": lambda: f"retry_on(code({','.join(f'{n!r}' for n in map(str, range(6000)))}))",
    "conditions": lambda: f"retry_on({','.join(f'code({n!r})' for n in map(str, range(3900)))})",
    "alternatives": lambda: f"retry_on({'|'.join(f'code({n!r})' for n in map(str, range(900)))})",
    "conjunctions": lambda: f"retry_on({'&'.join(f'code({n!r})' for n in map(str, range(900)))})",
    "methods": lambda: f"retry_on({'503,' * 2000})" + ".any_method()" * 700,
    "hints": lambda: "retry_on(503)" + ".after_hint()" * 900,
    "limits": lambda: "retry_on(503)" + ".over_inner()" * 900,
    "calls": lambda: "retry_on(503)" + ".a()" * 4900,
    "attributes": lambda: "retry_on(" + ".a" * 9000,
    "keywords": lambda: f"retry_on(503).exponential({','.join(f'a{n}=1' for n in range(6000))})",
    "unknown-keywords": lambda: "retry_on(503).exponential(" + "base=1s," * 6000 + ")",
    "long-name": lambda: "a" * FULL,
    "long-number": lambda: "9" * FULL,
    "long-text": lambda: f"retry_on(code('{'a' * 65_000}'))",
    "long-glob": lambda: f"retry_on(message('{'*a' * 32_000}'))",
    "long-comment": lambda: "#" * FULL,
    "long-dotted-name": lambda: "retry_on(" + "a." * 9990 + "b)",
    "escapes": lambda: "retry_on(code('" + "\\n" * 32_000 + "'))",
    "backslashes": lambda: "retry_on(code('" + "\\" * 65_000,
    "unclosed-texts": lambda: "'" * FULL,
    "unclosed-text": lambda: '"' + "\\a" * 32_000,
    "short-texts": lambda: "''," * 21_000,
    "line-ends": lambda: "\n" * FULL,
    "line-ends-and-a-fault": lambda: "\n" * (FULL - 1) + "x",
    "comments": lambda: "#\n" * (FULL // 2),
    "comments-between": lambda: "~#\n" * (FULL // 3),
    "opening": lambda: "(" * FULL,
    "closing": lambda: ")" * FULL,
    "brackets": lambda: "()" * (FULL // 2),
    "lists": lambda: "[" * 60 + "1," * 9000,
    "tildes": lambda: "~" * FULL,
    "bars": lambda: "|" * FULL,
    "signs": lambda: "-+" * (FULL // 2),
    "dots": lambda: "." * FULL,
    "commas": lambda: "," * FULL,
    "durations": lambda: "1h1m1s1ms," * 6000,
    "digits-and-units": lambda: "1s" * (FULL // 2),
    "ranges": lambda: "500-504," * 8000,
    "letters-beyond-ascii": lambda: "é" * FULL,
    "texts-beyond-ascii": lambda: "retry_on(code('" + "é" * 65_000 + "'))",
    "misspelled": lambda: f"retry_on({','.join(f'tim{n}' for n in range(5000))})",
    "blanks-and-a-fault": lambda: "retry_on(503)" + " " * 65_000 + "x y",
    "blanks-before-a-fault": lambda: "retry_on" + " " * 65_000 + "x",
    "numbers-and-blanks": lambda: "1 " * 9_000 + " " * 40_000 + "x",
    "brackets-and-blanks": lambda: ") " * 9_000 + " " * 40_000 + "x",
    "dots-and-blanks": lambda: "a. " * 6_000 + " " * 40_000 + "x y",
    "nested": lambda: "retry_on(" + "(" * 60 + "|".join("timeout" for _ in range(900)) + ")" * 60 + ")",
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_L03_no_shape_of_64_kib_takes_more_than_moments(shape):
    text = SHAPES[shape]()[:FULL]
    assert any(reading_takes(text) < 1.5 for _ in range(2))
