"""What other retry libraries call the things that bide has words for, and the advice that follows from it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import wraps
from typing import TYPE_CHECKING, Final, NoReturn, ParamSpec, TypeVar, cast

if TYPE_CHECKING:
    from types import FunctionType

P = ParamSpec("P")
T = TypeVar("T")

_RETRIES: Final = "retries max_retries num_retries retry_count retry total times"
_ATTEMPTS: Final = "attempts max_attempts tries max_tries attempt stop stop_after_attempt"
_TIME: Final = (
    "deadline max_time max_elapsed max_elapsed_time max_duration total_timeout stop_after_delay timeout stop"
)
_ARGUMENTS: Final = {
    "max": (_RETRIES, "retries, the first attempt not counted"),
    "base": (
        (
            "initial initial_delay initial_interval initial_backoff wait_initial start min minimum min_delay delay "
            "interval base_delay base_interval wait multiplier backoff_factor backoff"
        ),
        "the first delay",
    ),
    "seconds": ("delay interval wait base duration time", "the delay"),
    "factor": (
        (
            "multiplier backoff_factor backoff exp_base wait_exp_base coefficient backoff_coefficient "
            "backoff_rate backoff_multiplier exponent rate"
        ),
        "what each delay multiplies the last one by",
    ),
    "step": ("increment step_size multiplier", "what each delay adds to the last one"),
    "cap": (
        "maximum max_delay max_wait max_value max_interval max_backoff maximum_interval backoff_max wait_max ceiling limit",
        "the longest delay",
    ),
    "jitter": (
        "backoff_jitter wait_jitter use_jitter randomize random full_jitter wait_random jitter_max",
        'True, False, "full", "equal" or "decorrelated"',
    ),
    "n": (f"{_RETRIES} {_ATTEMPTS} number count", "or a number alone"),
    "pattern": ("regex glob match text", "a glob of * and ?"),
    "at": ("path place key field", "where it stands"),
}
_METHODS: Final = {
    "max": (_RETRIES, "retries, the first attempt not counted"),
    "attempts": (_ATTEMPTS, "the first attempt included"),
    "within": (_TIME, "the whole time, waits included"),
    "fixed": ("constant wait wait_fixed wait_constant delay sleep interval", ""),
    "exponential": (
        (
            "expo exp backoff exponential_backoff wait_exponential wait_random_exponential wait_exponential_jitter "
            "random_exponential backoff_factor wait"
        ),
        "",
    ),
    "linear": ("incrementing wait_incrementing", ""),
    "fibonacci": ("fibo fib", ""),
    "delays": ("wait_chain chain", ""),
    "immediately()": ("no_delay no_wait wait_none", ""),
    'after_header("Retry-After")': (
        "retry_after retry_after_header respect_retry_after respect_retry_after_header honor_retry_after",
        "",
    ),
    "any_method()": (
        "allowed_methods method_whitelist",
        'to repeat a POST too; or name methods in the head, as in 503 & method("GET")',
    ),
    'pace("60/minute")': ("rate_limit rate_limiter limiter", ""),
    "named": ("name label", ""),
}
_LIMITS: Final = ("max", "attempts", "within")
"""What may follow every delay; another delay may not."""
_ELSEWHERE: Final = {
    "it is not needed, since the last exception or response always comes back as it is": "reraise raise_on_status",
    "another rule is joined with |, as in retry_on(503) | give_up_on(404)": "retry_on give_up_on accept_on",
    "listeners are told of it, in Python: policy.bind(listeners=[...])": (
        "before after before_sleep before_sleep_log before_retry on_retry on_backoff on_giveup on_success on_failure"
    ),
}
_PHASES: Final = ("connect", "read", "write", "pool", "sock_connect", "sock_read")
_CONDITIONS: Final = {
    "anything": "all any always every error errors fail failed failure exception exceptions",
    "network": (
        "connect connection connect_error connection_error connection_errors connect_failure refused reset "
        "disconnect dns"
    ),
    "timeout": "timed_out",
    'timeout("connect")': "connect_timeout",
    'timeout("read")': "read_timeout",
    "5xx": "server_error server_errors internal internal_error internal_server_error server",
    "503": "unavailable service_unavailable",
    "429": "rate_limit rate_limits rate_limited ratelimit ratelimited throttle throttled too_many_requests",
}
_HTTP_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_RULES: Final = {
    "give_up_on(...)": "stop_on fail_on raise_on abort_on never_on stop fail abort unless",
    "accept_on(...)": "ignore ignore_on succeed_on",
}
_IN_HEADS: Final = {
    "the statuses alone, as in retry_on(429, 503)": (
        "status_code status_codes statuses codes status_forcelist retry_on_status retry_statuses"
    ),
    "the exceptions alone, as in retry_on(TimeoutError)": (
        "exception exceptions exception_types errors error retry_exceptions on"
    ),
}


def advising(advice: Callable[[str], str]) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Return a decorator: the error for a keyword that a function does not take says what to write instead."""

    def advised(function: Callable[P, T]) -> Callable[P, T]:
        code = cast("FunctionType", function).__code__
        taken = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]

        @wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> T:
            for name in kwargs:
                instead = "" if name in taken else advice(name)
                if instead:
                    raise TypeError(f"{checked.__qualname__}() has no argument {name!r}{instead}")
            return function(*args, **kwargs)

        return checked

    return advised


def argument(name: str, known: Collection[str]) -> str:
    """Return what to write for another library's name of a known argument, or of a limit, after ": "; else nothing."""
    if name in _PHASES and [*known] == ["seconds"]:
        return ": it is one limit for all phases; the client limits each, as in httpx.Timeout(30, connect=5)"
    ours = [
        f"{own}=... ({means})"
        for own, (theirs, means) in _ARGUMENTS.items()
        if own in known and name in theirs.split()
    ]
    return _write(ours) or (_called(name, " after it", _LIMITS) if "max" in known else "")


def method(name: str, where: str = "") -> str:
    """Return what to write for another library's name of what a method says, after ": "; else nothing."""
    return (
        _called(name, where, _METHODS)
        or _write(
            f".exponential({own}=...){where}"
            for own in ("base", "factor", "cap", "jitter")
            if name == own or name in _ARGUMENTS[own][0].split()
        )
        or next((f": {said}" for said, theirs in _ELSEWHERE.items() if name in theirs.split()), "")
    )


def _called(name: str, where: str, methods: Iterable[str]) -> str:
    return _write(
        f".{own if own.endswith(')') else f'{own}(...)'}{where}{means and f' ({means})'}"
        for own, (theirs, means) in ((own, _METHODS[own]) for own in methods)
        if name.lower() in theirs.split()
    )


def condition(name: str) -> str:
    """Return ": write ..." for a name that conditions have elsewhere; else nothing."""
    if name.upper() in _HTTP_METHODS:
        return _write([f'method("{name.upper()}")'])
    return _write(own for own, theirs in _CONDITIONS.items() if name.lower() in theirs.split())


def rule(name: str) -> str:
    """Return ": write ..." for another library's name of what a rule says; else nothing."""
    return _write(own for own, theirs in _RULES.items() if name.lower() in theirs.split())


def methods_of(cls: type) -> list[str]:
    """Return the names of a class's public methods."""
    return [name for name in dir(cls) if name[0] != "_" and callable(getattr(cls, name))]


def in_a_head(name: str, methods: Collection[str], conditions: Collection[str]) -> str:
    """Return what to write for a keyword in a head, which takes none, after ": "; else nothing."""
    if name in methods:
        return f": write .{name}(...) after it"
    if name in conditions:
        return f": write {name}(...)"
    ours = _write(own for own, theirs in _IN_HEADS.items() if name in theirs.split())
    return ours or method(name, " after it")


def no_such_attribute(owner: object, name: str) -> NoReturn:
    """Raise the usual error, with what to write instead of another library's word; be a class's `__getattr__`."""
    said = f"{type(owner).__name__!r} object has no attribute {name!r}"
    if any(hasattr(narrower, name) for narrower in type(owner).__subclasses__()):
        advice = ": it is about one rule; write it on the rule, before what is about the whole call"
    else:
        advice = method(name)
    raise AttributeError(said + advice) if advice else AttributeError(said, name=name, obj=owner)


def _write(ours: Iterable[str]) -> str:
    said = " or ".join(ours)
    return f": write {said}" if said else ""
