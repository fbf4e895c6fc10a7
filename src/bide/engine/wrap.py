"""Wrap a function so that success costs one try: its exact signature, its own code object, one free variable."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache, update_wrapper
from types import CodeType, FunctionType
from typing import Any, Final

import attrs

from bide.engine import aloop, loop
from bide.engine.awaiting import called, is_coroutine_function, never_awaitable
from bide.engine.call import Call
from bide.engine.clock import SystemClock
from bide.engine.deadline import around
from bide.engine.nesting import WRAPPER
from bide.engine.plan import Row
from bide.engine.settings import Settings
from bide.policy.errors import PolicyError, callable_name

_FIRST: Final = """\
def make(fn_, defaults_, kwdefaults_):
    {is_async}def wrapper({declared}):
        {started}
        try:
            {give} {wait}fn_({passed})
        except Exception as error_:
            call_ = begin_(fn_, error_, {since})
            if call_ is None:
                raise
{returned}        return {checked}({wait}run_(call_, fn_{passed_on}))
    return wrapper
"""
_DATED: Final = """\
def make(fn_, defaults_, kwdefaults_):
    def wrapper({declared}):
        started_ = now_()
        try:
            deadline_ = enter_(started_)
            try:
                {give} fn_({passed})
            finally:
                deadline_.leave()
        except Exception as error_:
            call_ = begin_(fn_, error_, started_)
            if call_ is None:
                raise
{returned}        return {checked}(run_(call_, call_.dated{passed_on}))
    return wrapper
"""
_JUDGED: Final = """\
        else:
            if type(value_) in plain_:
                return value_
            call_ = judge_(fn_, {checked}(value_), {since})
            if call_ is None:
                return value_
"""
_CHECKED: Final = """\
        else:
            return {checked}(value_)
"""
_QUICK: Final = """\
def make(fn_, defaults_, kwdefaults_):
    {is_async}def wrapper({declared}):
        try:
            {give} {wait}fn_({passed})
        except Exception as error_:
            row_ = rows_.get(type(error_))
            if (
                row_ is None or error_.__dict__ or error_.__context__ is not None
                or error_.__cause__ is not None or around_() is not None or listening_()
            ):
                row_ = None
                call_ = begin_(fn_, error_, None)
                if call_ is None:
                    raise
{returned}        if row_ is not None:
            delays_ = []
            for low_, width_, last_ in row_.spans:
                delay_ = low_ + width_ * random_()
                delays_.append(delay_)
                {wait}sleeper_.{sleep}(delay_)
                try:
                    return {checked}({wait}fn_({passed}))
                except Exception as error_:
                    if (
                        last_ or type(error_) is not row_.cls or error_.__dict__
                        or error_.__context__ is not None or error_.__cause__ is not None
                    ):
                        call_ = take_over_(fn_, row_, delays_, error_)
                        if call_ is None:
                            raise
                        break
        return {checked}({wait}run_(call_, fn_{passed_on}))
    return wrapper
"""
"""The loop for failures that the plan foresees by their type; any other hands over to the loop that decides in full."""
_OPENED: Final = """\
def make(fn_, defaults_, kwdefaults_):
    {is_async}def wrapper({declared}):
        call_ = open_(fn_)
        return {checked}({wait}run_(call_, {attempt}{passed_on}))
    return wrapper
"""
_ALWAYS_PLAIN: Final = (type(None), bool, int, float, str, bytes, dict, list, tuple, set)


@attrs.frozen
class Shape:
    """How a function takes its arguments: how many by position, the names of those by keyword only, and the rest."""

    positional: int
    positional_only: int
    optional: int
    keywords: tuple[str, ...]
    optional_keywords: frozenset[str]
    varargs: bool
    varkw: bool

    @classmethod
    def of(cls, fn: FunctionType) -> Shape:
        """Return the shape of a function."""
        code = fn.__code__
        names = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
        return cls(
            code.co_argcount,
            code.co_posonlyargcount,
            len(fn.__defaults__ or ()),
            names,
            frozenset(fn.__kwdefaults__ or ()),
            bool(code.co_flags & inspect.CO_VARARGS),
            bool(code.co_flags & inspect.CO_VARKEYWORDS),
        )

    def declared(self) -> str:
        """Return the parameters as a `def` declares them; defaults come from the maker's arguments."""
        parts: list[str] = []
        for index in range(self.positional):
            default = index - self.positional + self.optional
            parts.append(f"a{index}_" + (f"=defaults_[{default}]" if default >= 0 else ""))
            if index + 1 == self.positional_only:
                parts.append("/")
        if self.varargs:
            parts.append("*args_")
        elif self.keywords:
            parts.append("*")
        for index, name in enumerate(self.keywords):
            parts.append(f"k{index}_" + (f"=kwdefaults_[{index}]" if name in self.optional_keywords else ""))
        return ", ".join([*parts, "**kwargs_"] if self.varkw else parts)

    def passed(self) -> str:
        """Return the arguments as a call passes them on."""
        parts = [f"a{index}_" for index in range(self.positional)]
        parts += ["*args_"] * self.varargs
        parts += [f"{name}=k{index}_" for index, name in enumerate(self.keywords)]
        return ", ".join([*parts, "**kwargs_"] if self.varkw else parts)


_METHODS: Final[frozenset[object]] = frozenset({classmethod, staticmethod})
ANYTHING: Final = Shape(0, 0, 0, (), frozenset(), varargs=True, varkw=True)


def wrapped(settings: Settings, fn: Any) -> Any:
    """
    Return a function, coroutine function, method, class method or static method, retried.

    Raises:
        PolicyError: a generator (it could repeat what it has already yielded), a class, no callable at all, or a plain
            function under a policy with `.timeout(...)`, which nothing could interrupt.
    """
    if fn.__class__ in _METHODS:
        return fn.__class__(wrapped(settings, fn.__func__))
    _refuse(fn)
    is_async = is_coroutine_function(fn)
    if not is_async:
        refuse_timeout(settings, fn)
    exact = isinstance(fn, FunctionType) and not hasattr(fn, "__wrapped__")
    shape = Shape.of(fn) if exact else ANYTHING
    checked = not is_async and (not exact or fn.__name__ == "<lambda>")
    variant = _variant(settings, is_async=is_async, checked=checked)
    make = FunctionType(_named(_maker(shape, variant), fn, shape), _namespace(settings, is_async))
    kwdefaults: dict[str, Any] = getattr(fn, "__kwdefaults__", None) or {}
    wrapper = make(fn, getattr(fn, "__defaults__", None), [kwdefaults.get(name) for name in shape.keywords])
    return update_wrapper(wrapper, fn)


def _refuse(fn: Any) -> None:
    if not callable(fn):
        raise PolicyError(f"a policy decorates functions; got {fn!r:.60}")
    if isinstance(fn, type):
        raise PolicyError(
            f"{fn.__name__} is a class: retry what creates it with policy.call({fn.__name__}, ...)"
        )
    if any(inspect.isgeneratorfunction(one) or inspect.isasyncgenfunction(one) for one in called(fn)):
        raise PolicyError(
            f"{callable_name(fn)} is a generator function: a retry could repeat what it has already yielded; retry the "
            "function that it calls, or collect its items in a plain one"
        )


def refuse_timeout(settings: Settings, fn: Any) -> None:
    """Raise PolicyError for a plain function under a policy with `.timeout(...)`."""
    if settings.policy.limits.timeout is not None:
        raise PolicyError(
            f"{callable_name(fn)} is a plain function, and .timeout(...) cannot interrupt one: use the client's own timeout, "
            "an adapter of bide.adapters, or a coroutine function"
        )


@attrs.frozen
class _Variant:
    """What an attempt needs: to be awaited, bounded, attended, timed, its value judged, made sure to be no awaitable."""

    is_async: bool
    bounded: bool
    attended: bool
    timed: bool
    judged: bool
    checked: bool
    quick: bool

    @property
    def template(self) -> str:
        """The source of the wrapper's maker."""
        if self.attended or (self.bounded and self.is_async):
            return _OPENED
        return _DATED if self.bounded else _QUICK if self.quick else _FIRST

    @property
    def attempt(self) -> str:
        """What makes an attempt in the source."""
        return "fn_" if not self.bounded else "call_.bounded" if self.is_async else "call_.dated"


def _variant(
    settings: Settings, *, is_async: bool, checked: bool
) -> _Variant:  # private, and named where it is called
    limits = settings.policy.limits
    bounded = limits.timeout is not None or limits.within is not None
    quick = settings.plan.usable and settings.draws_surely and not settings.judges_values
    timed, judged = settings.needs_clock, settings.judges_values
    return _Variant(is_async, bounded, settings.attended, timed, judged, checked, quick)


@lru_cache(maxsize=1024)
def _maker(shape: Shape, variant: _Variant) -> CodeType:
    """Compile the maker of a shape once; functions then get copies with their own names and caches."""
    passed = shape.passed()
    since = "started_" if variant.timed else "None"
    checked = "whole_" if variant.checked else ""
    returned = _JUDGED if variant.judged else _CHECKED if variant.checked else ""
    fields = {
        "declared": shape.declared(),
        "passed": passed,
        "passed_on": f", {passed}" if passed else "",
        "is_async": "async " if variant.is_async else "",
        "wait": "await " if variant.is_async else "",
        "sleep": "asleep" if variant.is_async else "sleep",
        "started": "started_ = now_()" if variant.timed else "pass",
        "since": since,
        "give": "value_ =" if returned else "return",
        "returned": returned.format(since=since, checked=checked),
        "checked": checked,
        "attempt": variant.attempt,
    }
    module = compile(variant.template.format(**fields), "<bide wrapper>", "exec")
    return next(const for const in module.co_consts if isinstance(const, CodeType))


def _named(maker: CodeType, fn: Any, shape: Shape) -> CodeType:
    """
    Return the maker with a copy of the wrapper's code that has the function's own parameter names.

    A copy for each function, so that the call inside it specialises for its one callee. Names are set here, in the
    code: assigning `__code__` or `__defaults__` later would cost the wrapper its specialised calls for good (3.13).
    """
    changes: dict[str, Any] = {
        "co_name": getattr(fn, "__name__", "wrapper"),
        "co_qualname": getattr(fn, "__qualname__", "wrapper"),
    }
    inner = next(const for const in maker.co_consts if isinstance(const, CodeType))
    renamed: dict[Any, Any] = {inner: None}
    if shape is not ANYTHING:
        own = fn.__code__
        count = shape.positional + len(shape.keywords) + shape.varargs + shape.varkw
        changes["co_varnames"] = own.co_varnames[:count] + inner.co_varnames[count:]
        keys = {f"k{index}_": name for index, name in enumerate(shape.keywords)}
        optional = {key: name for key, name in keys.items() if name in shape.optional_keywords}
        renamed |= optional | {tuple(optional): tuple(optional.values())}  # the names in __kwdefaults__
    renamed[inner] = inner.replace(**changes)
    return maker.replace(co_consts=tuple(renamed.get(const, const) for const in maker.co_consts))


def _namespace(settings: Settings, is_async: bool) -> dict[str, Any]:
    """Return the wrapper's globals: whatever it needs beside the function."""
    clock: Any = settings.clock

    def begin(fn: Callable[..., Any], error: Exception, started: float | None) -> Call | None:
        settings.plan.meet(type(error))
        call = Call(settings, fn, started)
        return call if call.failed(error) else None

    def judge(fn: Callable[..., Any], value: object, started: float | None) -> Call | None:
        call = Call(settings, fn, started)
        return call if call.returned(value) else None

    def opened(fn: Callable[..., Any]) -> Call:
        return Call(settings, fn, clock.monotonic() if settings.needs_clock else None)

    def take_over(fn: Callable[..., Any], row: Row, delays: list[float], error: Exception) -> Call | None:
        call = Call.taken_over(settings, fn, row, delays)
        return call if call.failed(error) else None

    return {
        "__builtins__": __builtins__,
        "__name__": WRAPPER,
        "rows_": settings.plan.rows,
        "listening_": settings.listening,
        "take_over_": take_over,
        "random_": settings.random,
        "sleeper_": SystemClock.sleeper if type(clock) is SystemClock and not is_async else clock,
        "around_": around,
        "begin_": begin,
        "enter_": settings.deadline,
        "judge_": judge,
        "open_": opened,
        "whole_": never_awaitable,
        "run_": aloop.run if is_async else loop.run,
        "now_": clock.monotonic,
        "plain_": frozenset() if settings.sees_values else frozenset(_ALWAYS_PLAIN),
    }
