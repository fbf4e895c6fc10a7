"""Errors: what the caller is told, and what should have been told to nobody."""

# ruff: noqa: ARG001, N818  # a login has arguments; Down is what happened

from __future__ import annotations

import logging
from contextlib import contextmanager

from case import Register, Seen
from stage import Flaky, name_of, raised, stage

from bide import history, retry_on, when

here = Register("errors")


class Down(Exception):
    """The user's own error."""


def _predicate(error: Exception) -> bool:
    return error.response.status == 503  # type: ignore[attr-defined]  # Down has no response


def _traceable(error: BaseException | None) -> Seen:
    behind = {id(error): error}
    for one in (error, error and error.__context__, error and error.__cause__):
        behind[id(one)] = one
    names = [name_of(one) for one in behind.values() if one is not None]
    found = "Down" in names
    beside = "" if len(names) == 1 else f", beside it {' and '.join(names[1:])}"
    return Seen(f"the caller gets {names[0]}{beside}{'' if found else '; Down is nowhere'}", not found)


def ours_predicate() -> Seen:
    stage()
    policy = retry_on(when(lambda outcome: _predicate(outcome.error)))
    return _traceable(raised(lambda: policy.call(Flaky(error=Down))))


@here.case(
    "tenacity", "A predicate with a fault: error.response on an error that has none", ours=ours_predicate
)
def tenacity_predicate() -> Seen:
    stage()
    import tenacity

    return _traceable(
        raised(tenacity.retry(retry=tenacity.retry_if_exception(_predicate))(Flaky(error=Down)))
    )


@here.case("stamina", "A hook with a fault: error.response on an error that has none", ours=ours_predicate)
def stamina_predicate() -> Seen:
    stage()
    import stamina

    return _traceable(raised(stamina.retry(on=_predicate)(Flaky(error=Down))))


class Limited(Down):
    retry_after = "Fri, 31 Dec 2027 23:59:59 GMT"


def ours_wait() -> Seen:
    stage()
    fn = Flaky(1, Limited)
    came = retry_on(Limited).after_attribute("retry_after").exponential().call(fn)
    return Seen(f"no number, so its own delay: {came} after {fn.calls} attempts", fn.calls != 2)


@here.case(
    "tenacity", "wait_exception(lambda e: float(e.retry_after)), and the server sent a date", ours=ours_wait
)
def tenacity_wait() -> Seen:
    stage()
    import tenacity

    wait = tenacity.wait_exception(lambda error: float(error.retry_after))  # type: ignore[attr-defined]
    error = raised(tenacity.retry(wait=wait)(Flaky(1, Limited)))
    lost = not isinstance(error, Limited) and not isinstance(error and error.__context__, Limited)
    return Seen(f"the caller gets {name_of(error)}; the error that was to be retried is lost", lost)


class Written(logging.Handler):
    """Keeps all that a record holds."""

    def __init__(self) -> None:
        super().__init__(0)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text += f"{record.getMessage()} {vars(record)}\n"


def _secret(make) -> Seen:
    stage()
    written = Written()
    logging.basicConfig(level=0, handlers=[written])
    fails = Flaky(1)

    def login(user: str, password: str) -> None:
        fails()

    make()(login)("bob", password="hunter2")
    if not written.text:
        return Seen("nothing is logged", wrong=True)
    leaked = "hunter2" in written.text
    return Seen(f"a record of the retry {'with' if leaked else 'without'} the password", leaked)


def ours_secret() -> Seen:
    return _secret(lambda: retry_on(ConnectionError).fixed(1))


@here.case(
    "stamina", 'login("bob", password="hunter2") fails once, default instrumentation', ours=ours_secret
)
def stamina_secret() -> Seen:
    def make():
        import stamina

        return stamina.retry(on=ConnectionError)

    return _secret(make)


@contextmanager
def _session():
    yield


def _within(act) -> BaseException | None:
    def block() -> None:
        with _session():
            act()

    return raised(block)


def ours_through_a_with() -> Seen:
    stage()
    error = _within(lambda: retry_on(Down).fixed(1).max(1).call(Flaky(error=Down)))
    attempts = len(history(error) or ())
    return Seen(
        f"the caller gets {name_of(error)}, its {attempts} attempts in its notes", not isinstance(error, Down)
    )


@here.case("redress", "It gives up on a result inside a @contextmanager block", ours=ours_through_a_with)
def redress_through_a_with() -> Seen:
    stage()
    from redress import ErrorClass, RetryPolicy, default_classifier

    policy = RetryPolicy(
        classifier=default_classifier,
        result_classifier=lambda _result: ErrorClass.TRANSIENT,
        strategy=lambda _attempt, _class, _before: 0.0,
        max_attempts=2,
    )
    error = _within(lambda: policy.call(lambda: "busy"))
    return Seen(f"the caller gets {name_of(error)}", name_of(error) == "FrozenInstanceError")


def ours_exhausted() -> Seen:
    stage()
    error = raised(lambda: retry_on(Down).fixed(1).call(Flaky(error=Down)))
    return Seen(f"the caller gets {name_of(error)}", not isinstance(error, Down))


@here.case("backon", "Every attempt raises TryAgain (ours: the user's own error)", ours=ours_exhausted)
def backon_try_again() -> Seen:
    stage()
    import backon

    fn = Flaky(error=backon.TryAgain)
    got: list[object] = []
    error = raised(
        lambda: got.append(
            backon.retry(fn, backon.constant, exception=ConnectionError, max_tries=3, interval=0.01)
        )
    )
    told = f"returns {got[0]} after {fn.calls} attempts" if got else f"the caller gets {name_of(error)}"
    return Seen(told, got == [None])


def _with_cause(policy) -> Seen:
    stage()

    def act() -> None:
        raise Down("no such key") from KeyError("k")

    error = raised(policy(act))
    kept = isinstance(error and error.__cause__, KeyError)
    cause = name_of(error and error.__cause__)
    return Seen(
        f"its __cause__ is {'the KeyError still' if kept else f'{cause}, of the attempt before'}", not kept
    )


def ours_cause() -> Seen:
    return _with_cause(retry_on(Down).fixed(1))


@here.case("opnieuw", "Attempts that raise Down from a KeyError", ours=ours_cause)
def opnieuw_cause() -> Seen:
    stage()
    import opnieuw

    return _with_cause(opnieuw.retry(retry_on_exceptions=Down, max_calls_total=3))


def _same_instance(policy) -> Seen:
    stage()
    one = Down()

    def act() -> None:
        raise one

    error = raised(policy(act))
    itself = error is not None and error.__cause__ is error
    return Seen("its __cause__ is itself" if itself else "its __cause__ is nothing", itself)


def ours_same_instance() -> Seen:
    return _same_instance(retry_on(Down).fixed(1))


@here.case("opnieuw", "Attempts that raise one and the same instance", ours=ours_same_instance)
def opnieuw_same_instance() -> Seen:
    stage()
    import opnieuw

    return _same_instance(opnieuw.retry(retry_on_exceptions=Down, max_calls_total=3))
