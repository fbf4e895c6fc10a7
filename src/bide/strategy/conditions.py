"""A condition alone, which a strategy file says where no policy is wanted."""

from __future__ import annotations

from typing import Final

from bide.language.diagnostics import PolicySyntaxError
from bide.language.parse import parse
from bide.policy.clause import Clause
from bide.policy.condition import Condition
from bide.policy.limits import NO_LIMITS

_HEAD: Final = "retry_on("


def read_condition(text: str) -> Condition:
    """
    Return the condition that a text says: what stands between the parentheses of `retry_on(...)`; a comma is an or.

    Raises:
        PolicySyntaxError: the text is no condition. Its place is one in this text.
    """
    try:
        policy = parse(f"{_HEAD}{text}\n)")  # a comment may end the text
    except PolicySyntaxError as error:
        start = error.start - len(_HEAD)
        raise PolicySyntaxError(error.message, text, start, start + error.width) from None
    alone = Clause("retry_on", policy.clauses[0].conditions)
    if policy.clauses != (alone,) or policy.limits != NO_LIMITS:
        said = 'this is a policy; say the condition alone, such as 429 & header("Retry-After")'
        raise PolicySyntaxError(said, text, 0, len(text))
    return alone.condition
