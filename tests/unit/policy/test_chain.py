import pytest

from bide.policy.policy import retry_on


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda rule: rule.exponential(bogus=1), r"^retry_on\(\.\.\.\)\.exponential\(\) got an unexpected"),
        (lambda rule: rule.fixed(), r"^retry_on\(\.\.\.\)\.fixed\(\) missing 1 required"),
        (
            lambda rule: rule.after_header("A", "B"),
            r"^retry_on\(\.\.\.\)\.after_header\(\) takes 2 positional",
        ),
    ],
)
def test_a_wrong_argument_is_told_with_the_method_as_it_is_written(call, said):
    with pytest.raises(TypeError, match=said):
        call(retry_on(503))
