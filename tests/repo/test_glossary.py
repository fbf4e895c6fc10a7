"""One word for one thing: the words that we do not use, in the names that we choose."""

import ast
import re

# Not this -> but that. Whole words of a name: `max_time` is found in `max_time_left`, `wait` not in `await_ready`.
NEVER = {
    "callback": "recovery, listener",
    "config": "policy, strategy",
    "execution": "attempt",
    "filter": "condition",
    "future": "outcome",
    "handler": "rule",
    "interval": "delay",
    "manager": "policy, strategy",
    "max_time": "timeout, deadline",
    "override": "hint",
    "predicate": "condition",
    "quota": "budget",
    "race": "hedge",
    "result": "outcome",
    "throttle": "cooldown",
    "tries": "attempts",
    "wait_time": "delay",
}

# Names that must be as they are -> why.
ALLOWED: dict[str, str] = {}


def names(tree):
    """The names that a reader of the API meets: functions, classes, parameters, attributes of classes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.lineno, node.name
            every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            yield from ((arg.lineno, arg.arg) for arg in every)
        elif isinstance(node, ast.ClassDef):
            yield node.lineno, node.name
            for item in node.body:
                targets = item.targets if isinstance(item, ast.Assign) else [getattr(item, "target", None)]
                yield from ((item.lineno, t.id) for t in targets if isinstance(t, ast.Name))


def words(name):
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().strip("_")


def wrong(module):
    return [
        f"{module.path}:{line}: {name}: say {better}, not {word}"
        for line, name in names(module.tree)
        if name not in ALLOWED
        for word, better in NEVER.items()
        if f"_{word}_" in f"_{words(name)}_"
    ]


def test_names_use_the_words_of_the_glossary(modules):
    assert [line for module in modules for line in wrong(module)] == []


def test_a_forbidden_word_is_found_in_every_kind_of_name(sample):
    bad = sample(
        "bad", "class RetryManager:\n    wait_time: float = 1\n    def f(self, predicate, *, maxTime=1): ..."
    )
    assert [line.split(": ")[1] for line in wrong(bad)] == [
        "RetryManager",
        "wait_time",
        "predicate",
        "maxTime",
    ]


def test_a_word_inside_a_word_is_not_found(sample):
    assert wrong(sample("good", "def trace(entries, traced): result = 1")) == []
