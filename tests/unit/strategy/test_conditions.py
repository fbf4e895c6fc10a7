import pytest
from hypothesis import given
from hypothesis import strategies as st

from bide.language.diagnostics import PolicySyntaxError
from bide.policy.condition import AnyOf, Condition
from bide.policy.conditions import body, header, message, status
from bide.strategy.conditions import read_condition


@pytest.mark.parametrize(
    ("text", "condition"),
    [
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
    assert read_condition(text) == condition


@pytest.mark.parametrize(
    ("text", "said", "column", "width"),
    [
        ('200 & boddy("ok")', "unknown condition 'boddy': did you mean 'body'?", 7, 5),
        ("429).fixed(1s", "this is a policy; say the condition alone", 1, 13),
        ("429).timeout(1s", "this is a policy; say the condition alone", 1, 15),
        ('429).named("a"', "this is a policy; say the condition alone", 1, 14),
        ("429) | give_up_on(500", "this is a policy; say the condition alone", 1, 21),
        ("retry_on(429)", "unknown condition 'retry_on'", 1, 8),
        (" ", "retry_on() says nothing", 1, 1),
        ("429 &", "this is no policy: invalid syntax", 6, 1),
    ],
)
def test_what_is_no_condition_is_refused_with_its_place_in_the_text(text, said, column, width):
    with pytest.raises(PolicySyntaxError) as caught:
        read_condition(text)
    error = caught.value
    assert error.message.startswith(said)
    assert (error.text, error.line, error.column, error.width) == (text, 1, column, width)


@given(st.text(st.sampled_from('429()",|&~ab.#\n\\x_'), max_size=24))
def test_whatever_the_text_it_is_a_condition_or_refused_with_a_place_in_it(text):
    try:
        condition = read_condition(text)
    except PolicySyntaxError as error:
        place = (error.text, error.line <= text.count("\n") + 1)
        assert place == (text, True)
    else:
        assert isinstance(condition, Condition)
