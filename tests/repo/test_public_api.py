"""
The public names, and how they are called, stand in public_api.txt, so that a change to them shows in review.

After a change that is meant: `python tests/repo/test_public_api.py --write`.
"""

import enum
import importlib
import inspect
import re
import sys
import typing
from pathlib import Path

FILE = Path(__file__).with_name("public_api.txt")
MODULES = [
    "bide",
    "bide.adapters.httpx",
    "bide.adapters.httpx2",
    "bide.hints",
    "bide.readers",
    "bide.testing",
]


def described(name, thing):
    """One line for a function or a value; for a class, a line more for each public member of ours."""
    if not inspect.isclass(thing):
        return [name + called(thing)]
    members = {
        key: value
        for base in reversed(thing.__mro__)
        if base.__module__.split(".")[0] == thing.__module__.split(".")[0]
        for key, value in vars(base).items()
        if not key.startswith("_")
    }
    lines = [f"class {name}{called(thing)}"]
    return lines + [f"{name}.{key}{called(value)}" for key, value in sorted(members.items())]


def called(thing):
    """
    The parameters with their defaults, as `(a, *, b=1)`; nothing for what is not called.

    Types are left to tests/typing: their text differs between versions of Python.
    """
    thing = getattr(thing, "__func__", thing)  # classmethod, staticmethod
    if not callable(thing) or isinstance(thing, enum.EnumType) or typing.get_origin(thing):
        return ""  # of an enumeration, and of a type such as Callable[..., None], each Python tells other parameters
    try:
        signature = inspect.signature(thing)
    except (TypeError, ValueError):
        return "(...)"
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
    text = str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty))
    return re.sub(r" at 0x[0-9a-f]+", "", text)


def public_api():
    lines = []
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        for name in sorted(module.__all__):
            lines += described(f"{module_name}.{name}", getattr(module, name))
    return "".join(f"{line}\n" for line in lines)


def test_the_public_api_is_the_one_written_down():
    written = FILE.read_text("utf-8") if FILE.exists() else ""
    assert public_api() == written, "if this change is meant: python tests/repo/test_public_api.py --write"


def test_a_changed_default_or_a_new_method_shows():
    class Before:
        def attempts(self, n=3): ...

    class After:
        def attempts(self, n: int = 4) -> None: ...
        def within(self, seconds, *, soft=False): ...

    assert described("x.P", Before) == ["class x.P()", "x.P.attempts(self, n=3)"]
    assert described("x.P", After)[1:] == [
        "x.P.attempts(self, n=4)",
        "x.P.within(self, seconds, *, soft=False)",
    ]
    assert described("x.f", lambda *conditions: conditions) == ["x.f(*conditions)"]


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit(__doc__)
    FILE.write_text(public_api(), "utf-8")
