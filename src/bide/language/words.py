"""The words that are no conditions and no delays: heads, and what limits a rule or a whole policy."""

from __future__ import annotations

from typing import Final

import attrs

from bide.policy.clause import Verb
from bide.policy.limits import Breaker, Budget, Cooldown, Hedge, Pace, PaceByHeaders
from bide.policy.params import Param, params_of

HEADS: Final[dict[str, Verb]] = {
    "retry_on": "retry_on",
    "give_up_on": "give_up_on",
    "accept_on": "accept_on",
}
WHOLE: Final = "Policy"
"""`Policy(rule).within(30s)` limits the whole call where the policy is a single rule."""


@attrs.frozen(eq=False, repr=False)
class Word:
    """A method of the language: its name, its arguments, where it may stand, and the limit that holds it."""

    name: str
    params: tuple[Param, ...] = ()
    on_rule: bool = False
    on_policy: bool = False

    @property
    def limit(self) -> str:
        """The field of a policy's limits that holds what this says."""
        return "name" if self.name == "named" else self.name


_TABLE: Final = (
    Word("max", (Param("n", "forever"),), on_rule=True),
    Word("attempts", (Param("n", "count"),), on_rule=True, on_policy=True),
    Word("within", (Param("seconds", "seconds"),), on_rule=True, on_policy=True),
    Word("at_most", (Param("seconds", "seconds"),), on_rule=True),
    Word("calling", (Param("recovery", "text"),), on_rule=True),
    Word("any_method", on_rule=True),
    Word("polling", on_rule=True),
    Word("timeout", (Param("seconds", "seconds"),), on_policy=True),
    Word("budget", params_of(Budget), on_policy=True),
    Word("cooldown", params_of(Cooldown), on_policy=True),
    Word("breaker", params_of(Breaker), on_policy=True),
    Word("hedge", params_of(Hedge), on_policy=True),
    Word("pace", params_of(Pace), on_policy=True),
    Word("pace_by_headers", params_of(PaceByHeaders), on_policy=True),
    Word("over_inner", on_policy=True),
    Word("named", (Param("name", "text"),), on_policy=True),
)
WORDS: Final = {word.name: word for word in _TABLE}
MAX: Final = Param("max", "forever", None, keyword=True)
"""Every delay takes it, by name, beside its own arguments: the retries of its rule."""
