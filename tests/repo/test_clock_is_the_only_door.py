"""Time and chance come in through bide.engine.clock, so that tests and the simulator own them."""

import ast
import re

DOOR = "src/bide/engine/clock.py"

OUTSIDE = re.compile(
    r"time\.\w+|random\.\w+|secrets\.\w+|(asyncio|anyio|trio)\.sleep\w*|anyio\.current_time"
    r"|(datetime\.)?(datetime|date)\.(now|utcnow|today)"
)


def named(node):
    """The dotted name that an expression or a from-import reaches for."""
    if isinstance(node, ast.Attribute):
        return [ast.unparse(node)]
    if isinstance(node, ast.ImportFrom):
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


def uses(module):
    """Time and chance, used or imported, in one module; annotations are not uses."""
    notes = [
        note
        for node in ast.walk(module.tree)
        for note in (getattr(node, "annotation", None), getattr(node, "returns", None))
        if note is not None
    ]
    quiet = {id(inner) for note in notes for inner in ast.walk(note)}
    return [
        f"{module.path}:{node.lineno}: {name}"
        for node in ast.walk(module.tree)
        if id(node) not in quiet
        for name in named(node)
        if OUTSIDE.fullmatch(name)
    ]


def test_only_the_clock_reads_time_or_draws_at_random(modules):
    assert [use for module in modules if module.path != DOOR for use in uses(module)] == []


def test_a_second_door_is_found(sample):
    for text in [
        "import time\ntime.sleep(1)",
        "from time import monotonic",
        "import random\nu = random.random()",
        "import anyio\nasync def f(): await anyio.sleep(1)",
        "from datetime import datetime\ndatetime.now()",
    ]:
        assert uses(sample("bad", text))


def test_our_own_clock_and_a_type_are_no_door(sample):
    text = "import random\ndef f(clock, rng: random.Random): return clock.time() + rng.random()"
    assert uses(sample("good", text)) == []
