"""Whether a strategy does what its catalogue says, and whether all that it says matters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import attrs

from bide.policy.clause import Clause, Verb
from bide.policy.condition import ALL_STATUSES, AllOf, AnyOf, Condition, Not
from bide.policy.conditions import BodyIs, Code, HeaderIs, Message, Method, anything, idempotent, replayable
from bide.policy.errors import PolicyError
from bide.policy.explanation import Explanation
from bide.policy.outcome import Outcome
from bide.policy.policy import Policy
from bide.policy.statuses import Status
from bide.strategy.contents import Contents
from bide.strategy.errors import CataloguedError
from bide.strategy.findings import Finding
from bide.strategy.places import answer
from bide.strategy.positions import Path, shown
from bide.strategy.unnamed import unnamed_parts

_DONE: Final = {"retry": "retry", "give_up": "give up", "accept": "accept", "recover": "recover, then retry"}
_HEADS: Final[dict[str, Verb]] = {"give_up": "give_up_on", "accept": "accept_on"}
_ABOUT_RESPONSES: Final = (AllOf, AnyOf, Not, Status, Code, HeaderIs, BodyIs, Message, Method)
_FACTS: Final = (anything, idempotent, replayable)

Kind = tuple[Verb, tuple[Condition, ...]]


@attrs.frozen
class Coverage:
    """How much of a strategy is proved: codes catalogued and decided as they should be, rules and those reached."""

    codes: int
    decided: int
    rules: int
    reached: int

    def __str__(self) -> str:
        return (
            f"{self.decided} of {self.codes} codes decided as catalogued, "
            f"{self.reached} of {self.rules} rules reached"
        )


def prove(contents: Contents) -> list[Finding]:
    """Return what is wrong: codes decided otherwise, rules unused or unreached, policies that nobody can run."""
    found = [
        *_wrong_codes(contents),
        *_useless_rules(contents),
        *unfit(contents),
    ]
    return sorted(found, key=lambda finding: (finding.line or 0, finding.column or 0))


def coverage(contents: Contents) -> Coverage:
    """Return how much of a strategy is proved."""
    wrong = sum(1 for _ in _wrong_codes(contents))
    kinds = _kinds(contents)
    reached = sum(kinds.values())
    codes = len(contents.catalogue)
    return Coverage(codes, codes - wrong, len(kinds), reached)


def proof_of(contents: Contents, error: CataloguedError) -> Outcome:
    """
    Return the response by which a catalogued error is proved: its headers, and its example or the smallest body.

    The smallest body is one with its code, or with what its `when` asks for.
    """
    if error.example is not None:
        return Outcome(error.status, error.headers, error.example, method=error.method)
    code, held = error.code, dict[str, object]()
    if error.when is not None:
        code, held = None, _asked_for(contents, error.when)[0]
    held |= {f"header:{name}": value for name, value in error.headers}
    return contents.read.answer(code, error.status, error.method, held, category=error.category)


def _finding(contents: Contents, code: str, path: Path, message: str, advice: str) -> Finding:
    if contents.document is None:
        return Finding(code, message, contents.name, key=shown(path), advice=advice)
    return contents.document.finding(code, path, message, advice)


def _wrong_codes(contents: Contents) -> Iterator[Finding]:
    for error in contents.catalogue:
        proof = proof_of(contents, error)
        policy, called = _deciding(contents, error)
        explained = policy.explain(proof)
        path = error.path
        if error.when is not None and not error.when.matches(proof):
            what = f"its `when` does not hold for the response that proves it: {error.when.miss(proof)}"
            yield _finding(
                contents, "unmet-when", (*path, "when"), what, "add headers or an example, or correct it"
            )
        elif explained.action == "return":
            what = f"no rule of {called} decides about {error.label}"
            yield _finding(contents, "undecided-code", path, what, _how_to_decide(contents, error))
        elif explained.action != error.decision:
            what = f"the catalogue says {_DONE[error.decision]}, and {called} {_decided(explained)}"
            yield _finding(contents, "wrong-decision", path, what, "correct the catalogue, or the rule")


def _deciding(contents: Contents, error: CataloguedError) -> tuple[Policy, str]:
    """Return the policy that decides about a catalogued error, and what people are told that it is."""
    if error.endpoint is None:
        return contents.policies["default"], "the default policy"
    return contents.endpoints[error.endpoint], f"the policy of {error.endpoint!r:.60}"


def _how_to_decide(contents: Contents, error: CataloguedError) -> str:
    head = _HEADS.get(error.decision, "retry_on")
    if error.when is not None:
        alone = error.when if error.when.statuses() else Status((error.status,)) & error.when
        return f"add a rule, such as {_named((head, (alone,)))}"
    asked = str(error.status)
    if error.code is not None:
        asked += f' & code("{error.code}")'
    elif error.category is not None:
        asked += f' & code("{error.category}", at="{contents.read.category}")'
    return f"add a rule, such as {head}({asked})"


def _decided(explained: Explanation) -> str:
    why = f" ({explained.reason})" if explained.reason else ""
    return f"says {_DONE[explained.action]}{why}, by its rule {(explained.rule or 0) + 1}"


def _useless_rules(contents: Contents) -> Iterator[Finding]:
    unused = {name for name in contents.rules if contents.used is not None and name not in contents.used}
    for name in sorted(unused):
        what = "no policy and no endpoint uses this rule"
        yield _finding(contents, "unused-rule", ("rules", name), what, "add it to a policy, or delete it")
    told: set[Path] = set()
    for kind, reached in _kinds(contents).items():
        path = _owner(contents, kind)
        if reached or path in told or (path[0] == "rules" and path[1] in unused):
            continue
        told.add(path)
        what = f"no response reaches {_named(kind)}"
        advice = "check its codes against the catalogue, and the rules that are asked before it"
        yield _finding(contents, "unreached-rule", path, what, advice)


def _kinds(contents: Contents) -> dict[Kind, bool]:
    """Return every rule of this strategy, by what it is about, and whether any response can reach it."""
    kinds: dict[Kind, bool] = {}
    for name, rule in contents.rules.items():
        if contents.used is None or name in contents.used:
            kinds.update((_kind(clause), False) for clause in rule.clauses)
    for policy in _policies(contents).values():
        for index, clause in enumerate(policy.clauses):
            kind = _kind(clause)
            kinds[kind] = kinds.get(kind, False) or _reached(contents, policy, index)
    return kinds


def _policies(contents: Contents) -> Mapping[Path, Policy]:
    said: dict[Path, Policy] = {("policies", name): policy for name, policy in contents.policies.items()}
    said.update((("endpoints", pattern), policy) for pattern, policy in contents.endpoints.items())
    return said


def _owner(contents: Contents, kind: Kind) -> Path:
    """Return the path of what says a rule: the first that does."""
    said: Mapping[Path, Policy] = {("rules", name): rule for name, rule in contents.rules.items()}
    everything = (*said.items(), *_policies(contents).items())
    return next(path for path, policy in everything if kind in map(_kind, policy.clauses))


def _kind(clause: Clause) -> Kind:
    return clause.verb, clause.conditions


def _named(kind: Kind) -> str:
    return str(Policy.of((Clause(*kind),)))[:200]


def _reached(contents: Contents, policy: Policy, index: int) -> bool:
    clause = policy.clauses[index]
    if not _can_be_judged(clause.condition):
        return True
    return any(policy.decide(outcome).rule == index for outcome in _responses(contents, clause))


def _can_be_judged(condition: Condition) -> bool:
    """Tell whether a rule is about responses alone; what is raised, and what extensions ask, nobody can list."""
    return all(isinstance(part, _ABOUT_RESPONSES) or part in _FACTS for part in condition.parts())


def _responses(contents: Contents, clause: Clause) -> Iterator[Outcome]:
    """Yield responses that a rule may be about: each documented one, each status, plain and with what it asks for."""
    held, method = _asked_for(contents, clause.condition)
    for error in contents.catalogue:
        yield proof_of(contents, error)
        asked = (error.code, error.status, method or error.method, held)
        yield contents.read.answer(*asked, category=error.category)
    for status in sorted(clause.reach & ALL_STATUSES):
        yield answer(status, "GET", {})
        yield answer(status, method or "GET", held)


def _asked_for(contents: Contents, condition: Condition) -> tuple[dict[str, object], str | None]:
    """Return what must stand where in a response, and the method, for the positive parts of a condition to hold."""
    held: dict[str, object] = {}
    method: str | None = None
    for part in _positive(condition):
        if isinstance(part, HeaderIs):
            held[f"header:{part.header}"] = part.value or "x"
        elif isinstance(part, BodyIs):
            held[part.path] = "x" if part.value is None else part.value
        elif isinstance(part, Message):
            said = part.pattern.replace("*", "").replace("?", "x")
            held[part.at or contents.read.message_or_usual] = said
        elif isinstance(part, Code) and part.at not in (None, contents.read.code_or_usual):
            held[str(part.at)] = part.codes[0]  # a code that stands elsewhere is in no catalogue
        elif isinstance(part, Method):
            method = part.methods[0]
    return held, method


def _positive(condition: Condition) -> Iterator[Condition]:
    if isinstance(condition, (AllOf, AnyOf)):
        for one in condition.conditions:
            yield from _positive(one)
    elif not isinstance(condition, Not):
        yield condition


def unfit(contents: Contents) -> Iterator[Finding]:
    """Yield why policies cannot be run as they stand: no call should be the first to know."""
    yield from _unbounded(contents)
    yield from _not_available(contents)
    yield from unnamed_parts(contents)


def _not_available(contents: Contents) -> Iterator[Finding]:
    for path, policy in _policies(contents).items():
        for name in policy.limits.not_available:
            what = f".{name}(...) parses, and nothing runs it yet: every call by this policy would be refused"
            yield _finding(contents, "not-available", path, what, "leave it out for now")


def _unbounded(contents: Contents) -> Iterator[Finding]:
    for path, policy in _policies(contents).items():
        try:
            policy.check()
        except PolicyError as error:
            yield _finding(contents, "unbounded", path, str(error), "nothing else ends a call by this policy")
