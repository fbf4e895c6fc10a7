"""Policies and rules: immutable sentences that say which outcomes are worth another attempt, and how long to wait."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

import attrs

from bide.policy import limits as limit
from bide.policy import params, registry
from bide.policy.chain import Chain
from bide.policy.clause import Clause, Verb
from bide.policy.condition import Condition, coerced
from bide.policy.decide import decide
from bide.policy.decision import Decision, State
from bide.policy.delay import Delay
from bide.policy.door import above
from bide.policy.durations import Duration, seconds_of
from bide.policy.errors import PolicyError, shown
from bide.policy.explanation import Explanation, explain, state_at
from bide.policy.limits import NO_LIMITS, Limits
from bide.policy.loanwords import advising, argument, in_a_head, methods_of, no_such_attribute
from bide.policy.outcome import Outcome
from bide.policy.reachable import Answered
from bide.policy.worst import WorstCase, worst_case

if TYPE_CHECKING:
    from typing import Self, Unpack

    from bide.policy.door import Options, Runtime

P = ParamSpec("P")
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


class Policy:
    """
    Ordered rules and the limits of the whole call: immutable, hashable, picklable, shared freely by threads and tasks.

    The first rule that matches an outcome decides. `special | default` is an override: rules of the right side that
    the left side answers entirely are left out, and the limits of the side that has some are kept.

    Use it as a decorator, call through it (`policy.call(fn, ...)`, `await policy.acall(fn, ...)`), block by block
    (`bide.retrying(policy)`), or hand it to an adapter of `bide.adapters`.
    """

    __slots__ = ("_bound", "clauses", "limits")
    clauses: tuple[Clause, ...]
    limits: Limits
    _bound: Runtime

    def __init__(self, *rules: Policy, limits: Limits = NO_LIMITS) -> None:
        for rule in rules:
            if isinstance(rule, Policy) and rule.limits != NO_LIMITS:
                raise PolicyError(f"this is a policy already, and limits the whole call: {shown(rule, 60)}")
            if not isinstance(rule, Policy):
                raise PolicyError(f"Policy() takes rules, such as retry_on(503); got {shown(rule, 60)}")
        if not rules:
            raise PolicyError("a policy needs at least one rule, such as retry_on(503)")
        self._set(joined(rules).clauses, limits)

    def _set(self, clauses: tuple[Clause, ...], limits: Limits) -> None:
        object.__setattr__(self, "clauses", clauses)
        object.__setattr__(self, "limits", limits)

    @classmethod
    def of(cls, clauses: tuple[Clause, ...], limits: Limits = NO_LIMITS) -> Policy:
        """Return the policy of these rules' data: a `Rule` when it is one rule and nothing is said of the whole."""
        if not clauses:
            raise PolicyError("a policy needs at least one rule, such as retry_on(503)")
        return _made(Rule if len(clauses) == 1 and limits == NO_LIMITS else Policy, clauses, limits)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(
            f"a policy cannot be changed; build another one, such as policy.within(30) ({name})"
        )

    def __delattr__(self, name: str) -> None:
        self.__setattr__(name, None)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules, in the order in which they are asked."""
        return tuple(cast("Rule", Policy.of((clause,))) for clause in self.clauses)

    @property
    def name(self) -> str | None:
        """What `.named(...)` said."""
        return self.limits.name

    def __or__(self, other: Policy) -> Policy:
        if not isinstance(other, Policy):
            return NotImplemented
        return joined((self, other))

    # -- limits of the whole call

    def _limited(self, **said: Any) -> Policy:
        return Policy.of(self.clauses, attrs.evolve(self.limits, **said))

    def attempts(self, n: int) -> Policy:
        """Allow n attempts in all, the first included."""
        return self._limited(attempts=params.whole(n, "attempts", least=1))

    def within(self, seconds: Duration) -> Policy:
        """End the whole call, waits included, within these seconds."""
        return self._limited(within=params.positive_seconds(seconds, "within"))

    @advising(lambda name: argument(name, ("seconds",)))
    def timeout(self, seconds: Duration) -> Policy:
        """Bound each attempt: clients' own timeouts shrink to it, coroutines are cancelled; a plain function cannot."""
        return self._limited(timeout=params.positive_seconds(seconds, "timeout"))

    def budget(self, share: float, *, per: str = "process") -> Policy:
        """Allow retries as a share of all calls (0.2; 20% in text). Not available yet: refused when used."""
        return self._limited(budget=limit.Budget(share, per))

    def cooldown(self, *, per: str = "host") -> Policy:
        """Let one caller's hint hold back every caller with the same key. Not available yet: refused when used."""
        return self._limited(cooldown=limit.Cooldown(per))

    def breaker(self, failures: int = 5, cooldown: Duration = 30.0, *, per: str = "host") -> Policy:
        """Refuse calls for a while after so many failures. Not available yet: refused when used."""
        return self._limited(breaker=limit.Breaker(failures, seconds_of(cooldown, "cooldown"), per))

    def hedge(self, after: Duration, max: int = 1) -> Policy:  # noqa: A002  # the language's word
        """Begin another attempt when the first has not ended in time. Not available yet: refused when used."""
        return self._limited(hedge=limit.Hedge(seconds_of(after, "after"), max))

    def pace(self, rate: str, *, per: str = "host") -> Policy:
        """
        Send at most so many calls in a time, first attempts included: `.pace("60/minute")`; what is too many waits.

        `per`: "host", "endpoint", "policy", or the name of a part of the endpoint's path, such as "agent_id".
        """
        return self._limited(pace=limit.Pace(rate, per))

    def pace_by_headers(
        self, remaining: str = "X-RateLimit-Remaining", reset: str = "X-RateLimit-Reset", *, per: str = "host"
    ) -> Policy:
        """
        Wait for the reset as soon as a response, a success too, says that nothing remains of the server's limit.

        `per`: "host", "endpoint", "policy", or the name of a part of the endpoint's path, such as "agent_id".
        """
        return self._limited(pace_by_headers=limit.PaceByHeaders(remaining, reset, per))

    def over_inner(self) -> Policy:
        """Repeat even what another policy, inside this one, has already retried and given up."""
        return self._limited(over_inner=True)

    def named(self, name: str) -> Policy:
        """Give this policy a name for logs and metrics."""
        return self._limited(name=params.one_text(name, "named"))

    # -- what it would do

    def decide(self, outcome: Outcome, state: State | None = None) -> Decision:
        """Return what follows an outcome: pure, no clock, no randomness, no I/O."""
        return decide(self.clauses, self.limits, outcome, State() if state is None else state)

    def explain(
        self, outcome: Outcome, *, attempt: int = 1, elapsed: float = 0.0, now: float | None = None
    ) -> Explanation:
        """
        Return which rule decides about an outcome of the given attempt, what it does, and why.

        `elapsed`: seconds since the call began. `now`: epoch seconds, for hints that are dates.
        """
        if not isinstance(outcome, Outcome):
            raise PolicyError(f"explain() takes an outcome, such as Outcome(503); got {shown(outcome, 60)}")
        params.whole(attempt, "attempt", least=1)
        state = state_at(self.clauses, outcome, attempt=attempt, elapsed=elapsed, now=now)
        return explain(self.clauses, self.limits, outcome, state)

    def worst_case(self) -> WorstCase:
        """Return the most attempts and the most seconds of waiting, over every outcome."""
        return worst_case(self.clauses, self.limits)

    def check(self) -> Self:
        """
        Return this policy, if it is bounded.

        Raises:
            PolicyError: a rule retries forever and nothing ends it, or polls without a deadline of its own.
        """
        if any(clause.polling and clause.endless for clause in self.clauses):
            raise PolicyError("polling() needs a deadline of its own: add .within(10m) to the rule")
        if (
            self.limits.within is None
            and self.limits.attempts is None
            and any(c.endless for c in self.clauses)
        ):
            raise PolicyError("forever needs a deadline: add .within(10m) to the rule or to the whole policy")
        return self

    # -- using it: the storey above does

    def __call__(self, fn: F, /) -> F:
        """Return the function, coroutine function or method, retried by this policy, signature and types kept."""
        return self._runtime()(fn)

    def call(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function now, retried by this policy."""
        return self._runtime().call(fn, *args, **kwargs)

    async def acall(self, fn: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a coroutine function now, retried by this policy, on asyncio or trio."""
        return await self._runtime().acall(fn, *args, **kwargs)

    def _runtime(self) -> Runtime:
        """Return this policy bound to the defaults, made when first used."""
        try:
            return self._bound
        except AttributeError:
            object.__setattr__(self, "_bound", self.bind())
            return self._bound

    def bind(self, **options: Unpack[Options]) -> Runtime:
        """
        Return a runtime: this policy with a clock, random source, listeners or name of its own.

        Options: `clock`, `rng`, `listeners`, `name`, `store`, `recover`; see `bide.Runtime`.
        """
        return cast("Runtime", above("engine").bind(self, **options))

    def __str__(self) -> str:
        """Return the canonical text, which `bide.parse` reads back; raises PolicyError when text cannot say it."""
        return str(above("language").format_policy(self))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {above('language').describe(self)}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Policy):
            return NotImplemented
        return (self.clauses, self.limits) == (other.clauses, other.limits)

    def __hash__(self) -> int:
        return hash((self.clauses, self.limits))

    def __reduce__(self) -> tuple[Any, ...]:
        return _made, (type(self), self.clauses, self.limits)


# Unseen by type checkers, which would take any name for one that is there.
setattr(Policy, "__getattr__", no_such_attribute)  # noqa: B010  # as said above


class Rule(Chain, Policy):
    """One rule: a condition, what to do, and how long to wait. It is a policy of one, and decorates as it is."""

    __slots__ = ()

    def __init__(self, clause: Clause) -> None:
        self._set((clause,), NO_LIMITS)

    @property
    def clause(self) -> Clause:
        """What this rule says, as data."""
        return self.clauses[0]

    def _saying(self, what: str, **said: Any) -> Self:
        if self.clause.verb != "retry_on":
            raise PolicyError(
                f"{self.clause.verb}(...) never retries, so .{what}() says nothing; leave it out"
            )
        return type(self)(attrs.evolve(self.clause, **said))

    def waits(self, delay: Delay, /, *, max: float | None = None) -> Self:  # noqa: A002  # the language's word
        """
        Return this rule with one more delay in its chain: for delays of your own.

        Raises:
            PolicyError: a schedule already ends the chain, so that nothing after it could ever be reached.
        """
        if not isinstance(delay, Delay) or not hasattr(delay, "spelled"):
            raise PolicyError(
                f"waits() takes a delay whose class @bide.delay has named; got {shown(delay, 60)}"
            )
        chain = self.clause.delays
        if chain and chain[-1].schedule:
            raise PolicyError(
                f".{delay.spelled}() after .{chain[-1].spelled}() can never be reached: a schedule always yields a delay; "
                "put hints first, and one schedule last"
            )
        rule = self._saying(delay.spelled, delays=(*chain, delay))
        return rule if max is None else rule.max(max)

    def max(self, n: float) -> Self:
        """Allow n retries by this rule (3 when not said); `forever` needs a deadline."""
        return self._saying("max", retries=params.whole(n, "max", forever=True))

    def attempts(self, n: int) -> Self:
        """Allow n attempts when only this rule fires: `.max(n - 1)`."""
        return self._saying("attempts", retries=params.whole(n, "attempts", least=1) - 1)

    def within(self, seconds: Duration) -> Self:
        """Stop retrying by this rule when the attempts it answered and the waits it asked for reach these seconds."""
        return self._saying("within", within=params.positive_seconds(seconds, "within"))

    def at_most(self, seconds: Duration) -> Self:
        """Obey hints up to these seconds (120 when not said); give up now, with `retry_at`, on a longer one."""
        return self._saying("at_most", at_most=params.positive_seconds(seconds, "at_most"))

    def calling(self, recovery: str) -> Self:
        """
        Take a named action before the retry, such as refreshing a token: `policy.bind(recover={"name": action})`.

        Calls that fail together share one run of it. Such a rule retries once, when `max` does not say otherwise.
        """
        return self._saying("calling", recovery=params.one_name(recovery, "calling"))

    def any_method(self) -> Self:
        """Repeat after this failure whatever the method is, a POST included."""
        return self._saying("any_method", any_method=True)

    def polling(self) -> Self:
        """
        Wait for a state to change: neither the retries nor the time of this rule count against the policy's limits.

        It needs a deadline of its own, `.within(10m)`, and retries until then when `max` does not say otherwise.
        """
        return self._saying("polling", polling=True)


def _made(cls: type[Policy], clauses: tuple[Clause, ...], limits: Limits) -> Policy:
    new = object.__new__(cls)
    new._set(clauses, limits)
    return new


def capped(policy: Policy, attempts: int) -> Policy:
    """Return a policy ended after so many attempts even where a rule says forever: for what comes from text."""
    return _made(type(policy), policy.clauses, attrs.evolve(policy.limits, ceiling=attempts))


def joined(policies: Sequence[Policy]) -> Policy:
    """
    Return `a | b | ...`: their rules in order, and the limits of the one that has some.

    A rule of a policy of several that those before it answer entirely is left out: that is an override.

    Raises:
        PolicyError: a single rule could never decide, or two policies limit the whole call; `part` says which.
    """
    clauses, limits = list(policies[0].clauses), policies[0].limits
    answered = Answered(clauses)
    for part, policy in enumerate(policies[1:], 1):
        try:
            limits = limit.joined(limits, policy.limits)
        except PolicyError as error:
            raise PolicyError(str(error), part=part) from None
        for clause in policy.clauses:
            if not answered.all_of(clause):
                answered.add(clause)
                clauses.append(clause)
            elif len(policy.clauses) == 1:
                raise PolicyError(
                    f"{above('language').describe(policy):.80} can never decide: the rules before it answer all that it "
                    "is about; put it first, or leave it out",
                    part=part,
                )
    return Policy.of(tuple(clauses), limits)


def head(verb: Verb, conditions: tuple[object, ...]) -> Rule:
    """
    Return the rule that begins with a verb and its conditions (comma = or).

    Raises:
        PolicyError: no condition, or something that is none.
    """
    if not conditions:
        raise PolicyError(f"{verb}() says nothing: name a status, an exception, or anything")
    return Rule(Clause(verb, tuple(coerced(condition) for condition in conditions)))


_head = advising(lambda name: in_a_head(name, methods_of(Rule), registry.names("conditions")))


@_head
def retry_on(*conditions: Condition | type[BaseException] | int | str) -> Rule:
    """Return a rule that retries on any of these: 429, "5xx", "500-504", an exception class, or a condition."""
    return head("retry_on", conditions)


@_head
def give_up_on(*conditions: Condition | type[BaseException] | int | str) -> Rule:
    """Return a rule that gives up on any of these, whatever later rules say."""
    return head("give_up_on", conditions)


@_head
def accept_on(*conditions: Condition | type[BaseException] | int | str) -> Rule:
    """Return a rule that accepts any of these as the call's value, although it looks like an error."""
    return head("accept_on", conditions)
