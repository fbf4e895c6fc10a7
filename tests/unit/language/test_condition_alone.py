import pytest
from hypothesis import given
from hypothesis import strategies as st

from bide.language.diagnostics import PolicySyntaxError
from bide.language.parse import parse, parse_condition
from bide.policy.condition import AnyOf
from bide.policy.conditions import body, header, message, status


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("429,", status(429)),
        ("429,\n503, # and so on\n", AnyOf((status(429), status(503)))),
        ("429", status(429)),
        ('200 & body("ok", False)', status(200) & body("ok", False)),
        ("429, 503", AnyOf((status(429), status(503)))),
        (
            'header("X-Left", "0") | message("*limit*")  # of the hour',
            header("X-Left", "0") | message("*limit*"),
        ),
    ],
)
def test_a_text_says_a_condition_as_it_stands_in_a_head(text, condition):
    assert parse_condition(text) == condition


@pytest.mark.parametrize(
    ("text", "said", "line", "column", "width"),
    [
        ('200 & boddy("ok")', "unknown condition 'boddy': did you mean 'body'?", 1, 7, 5),
        ("429\n& é", "U+00E9 is no character of the language", 2, 3, 1),
        ("429,\n  'é', boddy", "'é' is no HTTP status", 2, 3, 3),
        ("message('é') & boddy", "unknown condition 'boddy'", 1, 16, 5),
        ("\n\n  200 & body('a..b')", "'a..b' is no place in a response", 3, 14, 6),
        ("retry_on(429)", "this is a policy; say the condition alone", 1, 1, 13),
        ("429, retry_on(429).fixed(1s)", "this is a policy; say the condition alone", 1, 6, 23),
        ("429).fixed(1s", "this is no condition: unmatched ')'", 1, 4, 1),
        ("429) | give_up_on(500", "this is no condition: unmatched ')'", 1, 4, 1),
        ("(429", "this is no condition: '(' was never closed", 1, 1, 1),
        ("429, None", "this is no condition; write 429, 5xx, code(...), timeout, network, ...", 1, 6, 4),
        ("(429, 503)", "write the conditions side by side, without brackets", 1, 1, 10),
        ("[429]", "write the conditions side by side, without brackets", 1, 1, 5),
        ("", "there is no condition here; write one, such as 429 or timeout", 1, 1, 1),
        (" ", "there is no condition here; write one, such as 429 or timeout", 1, 1, 1),
        ("# nothing", "there is no condition here; write one, such as 429 or timeout", 1, 1, 1),
        ("429 &", "something is missing after '&'", 1, 5, 1),
        (",", "something is missing after ','", 1, 1, 1),
        ("429,,", "something is missing after ','", 1, 5, 1),
    ],
)
def test_what_is_no_condition_is_refused_with_its_place_in_the_text(text, said, line, column, width):
    with pytest.raises(PolicySyntaxError) as caught:
        parse_condition(text)
    error = caught.value
    assert error.message.startswith(said)
    assert (error.text, error.line, error.column, error.width) == (text, line, column, width)


@given(st.text(st.sampled_from('429()",|&~ab.#\n\\x_'), max_size=24))
def test_whatever_the_text_it_is_a_condition_as_in_a_head_or_refused_with_a_place_in_it(text):
    try:
        condition = parse_condition(text)
    except PolicySyntaxError as error:
        place = (error.text, error.line <= text.count("\n") + 1)
        assert place == (text, True)
    else:
        assert condition == parse(f"retry_on({text}\n)").clause.condition


def test_a_condition_has_the_limits_of_a_policy():
    with pytest.raises(PolicySyntaxError, match="levels deep"):
        parse_condition("(" * 70 + "429" + ")" * 70)
    with pytest.raises(PolicySyntaxError, match="at most 500 may be chained"):
        parse_condition(" & ".join(["idempotent"] * 501))
