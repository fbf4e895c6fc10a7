import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bide.strategy.positions import Document, locate, offsets, shown

TEXT = '''# a comment
title = "x" # another
"quoted key" = 'y'

[a]
b.c = 1
'd.e'."f\\"g" = [ "]", { x = 2 }, # ]
  3 ]
[ a . z ]
inline = { one = 1, two.three = "}", four = { five = 5 } }
multi = """
  a
"b\\
   c"""
literal = \'\'\'
it's\'\'\'\'\'
date = 1979-05-27 07:32:00
[[list]]
n = 1
[[list]]
n = 2
'''


def places(text):
    """Line, column and written value by path; the first of several."""
    found = {}
    for path, spot in locate(text):
        line = text.count("\n", 0, spot.start) + 1
        column = spot.start - text.rfind("\n", 0, spot.start)
        found.setdefault(path, (line, column, text[spot.value : spot.value_end]))
    return found


def test_every_kind_of_key_is_found_with_its_line_column_and_value():
    assert places(TEXT) == {
        ("title",): (2, 1, '"x"'),
        ("quoted key",): (3, 1, "'y'"),
        ("a",): (5, 2, ""),
        ("a", "b", "c"): (6, 1, "1"),
        ("a", "d.e", 'f"g'): (7, 1, '[ "]", { x = 2 }, # ]\n  3 ]'),
        ("a", "z"): (9, 3, ""),
        ("a", "z", "inline"): (10, 1, '{ one = 1, two.three = "}", four = { five = 5 } }'),
        ("a", "z", "inline", "one"): (10, 12, "1"),
        ("a", "z", "inline", "two", "three"): (10, 21, '"}"'),
        ("a", "z", "inline", "four"): (10, 38, "{ five = 5 }"),
        ("a", "z", "inline", "four", "five"): (10, 47, "5"),
        ("a", "z", "multi"): (11, 1, '"""\n  a\n"b\\\n   c"""'),
        ("a", "z", "literal"): (15, 1, "'''\nit's'''''"),
        ("a", "z", "date"): (17, 1, "1979-05-27 07:32:00"),
        ("list",): (18, 3, ""),
        ("list", "n"): (19, 1, "1"),
        ("list", "[1]"): (20, 3, ""),
        ("list", "[1]", "n"): (21, 1, "2"),
    }


KEYS = st.text(alphabet="ab-_.\"' é", max_size=3)
VALUES = st.one_of(
    st.integers(-99, 99).map(str),
    st.sampled_from(
        ["true", "1e3", "[]", "[1, [2]]", "{}", '"a"', "'b'", '"""c"""', "'''d'''", '"\\u0041\\n"']
    ),
)
NAMES = st.one_of(
    st.from_regex(r"[A-Za-z0-9_-]{1,4}", fullmatch=True),
    KEYS.map(lambda key: '"' + key.replace('"', '\\"') + '"'),
)


@given(st.lists(st.tuples(st.lists(NAMES, min_size=1, max_size=2), VALUES), max_size=5), NAMES)
def test_what_stands_at_a_located_value_is_the_value_that_tomllib_reads(pairs, table):
    lines = [f"{' . '.join(key)}={value}" for key, value in pairs]
    text = "\n".join([*lines[:2], f"[{table}]", *lines[2:]])
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    for path, spot in locate(text):
        value = data
        for part in path:
            value = value[part]
        if spot.value < spot.value_end:
            assert tomllib.loads(f"x = {text[spot.value : spot.value_end]}")["x"] == value


@given(st.text(alphabet="[]{}=.,#\"'\\\n ab1", max_size=40))
def test_a_text_that_is_no_toml_is_survived(text):
    for _path, spot in locate(text):
        assert 0 <= spot.start <= spot.end <= len(text)
        assert 0 <= spot.value <= spot.value_end <= len(text)


def test_inline_tables_are_looked_into_only_so_deep():
    assert max(len(path) for path, _ in locate("a = " + "{a = " * 50 + "1" + "}" * 50)) == 9


@pytest.mark.parametrize(
    "written",
    [
        "'plain'",
        '"plain"',
        r'"a\tb\u0041\U0001F600\x41\e\"c"',
        "'''\nfirst line gone\n'''",
        '"""\na\\\n   b\\n"""',
        '"""a"""',
    ],
)
def test_every_character_of_a_text_value_has_its_offset(written):
    known = written.replace(r"\x41", "A").replace(r"\e", "E")  # newer than the parser in Python
    text = tomllib.loads(f"x = {known}")["x"]
    found = offsets(written, 100)
    assert len(found) == len(text) + 1
    assert found == sorted(found)
    for char, at in zip(text, found, strict=False):
        assert written[at - 100] in (char, "\\")


def test_an_escape_that_is_none_stands_for_itself():
    assert offsets(r'"\uZZZZa"', 0) == [1, 7, 8]


def test_a_finding_about_a_missing_key_points_to_its_table():
    finding = Document("f", "\n[a]\nb = 1\n").finding("code", ("a", "c"), "is missing")
    assert (finding.line, finding.column, finding.width, finding.excerpt) == (2, 2, 1, "[a]")


def test_a_finding_about_what_is_nowhere_points_to_the_beginning():
    finding = Document("f", "").finding("code", ("a",), "is missing")
    assert (finding.line, finding.column, finding.width, finding.excerpt) == (1, 1, 1, "")


def test_a_span_over_several_lines_ends_with_its_first():
    finding = Document("f", "a = [\n1]\nb = 1").finding("code", ("a",), "wrong", value=True)
    assert (finding.line, finding.column, finding.width, finding.excerpt) == (1, 5, 1, "a = [")


def test_a_path_is_shown_as_toml_writes_it():
    assert shown(("endpoints", "GET /a")) == 'endpoints."GET /a"'
    assert shown(("errors", "a", "[1]", "status")) == "errors.a[1].status"


def test_a_path_is_shown_without_what_moves_a_cursor_or_turns_a_line_around():
    assert shown(("a\x1b[31m\u202eb",)) == r'"a\U0000001B[31m\U0000202Eb"'


def test_a_long_path_is_shown_in_part():
    assert len(shown(("k" * 5000,))) == 80
    assert len(shown(("a b" * 100, "c d" * 100))) == 80
