"""The four ways in, and what a wrapped function keeps: F01 to F12, signatures, names that clash."""

import asyncio
import copy
import functools
import inspect
import pickle
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass
from unittest.mock import AsyncMock, Mock

import anyio
import pytest

import bide
from bide import Outcome, PolicyError, history, retry_on, retrying, when
from bide.testing import Scripted, VirtualClock

policy = retry_on(OSError).immediately(max=3)
in_full = retry_on(OSError).after_attribute("nothing").immediately(max=3)
judged = retry_on(OSError, 503).immediately(max=3)
timed = (retry_on(OSError).immediately(max=3) | retry_on(KeyError)).within(60)
EVERY = {"by type": policy, "in full": in_full, "judged": judged, "timed": timed}


@pytest.fixture(params=EVERY)
def each(request, bound):
    return bound(EVERY[request.param])


# -- signatures


def plain(a, b=2, *rest, c, d=4, **others):
    """What it does."""
    return a, b, rest, c, d, others


def positional_only(a, b=2, /, c=3):
    return a, b, c


def keyword_only(*, fn_, call_=1, error_=2, self=3, value_=4, row_=5, run_=6, k0_=7, delays_=8):
    return fn_, call_, error_, self, value_, row_, run_, k0_, delays_


def clashing(fn_, error_, call_, self, a0_, args_, kwargs_, defaults_=1, *started_, **low_):
    return fn_, error_, call_, self, a0_, args_, kwargs_, defaults_, started_, low_


def nothing():
    return ()


def timeouts_own_names(clock, /, seconds, *args, fn, scope=0, **kwargs):
    return clock, seconds, args, fn, scope, kwargs


CALLS = [
    (plain, (1,), {"c": 3}),
    (plain, (1, 20, 5, 6), {"c": 3, "d": 40, "a0_": 7, "self": 8, "fn": 9}),
    (positional_only, (1,), {}),
    (positional_only, (1, 20), {"c": 30}),
    (keyword_only, (), {"fn_": "f"}),
    (keyword_only, (), {"fn_": "f", "call_": "c", "error_": "e", "self": "s", "k0_": "k", "delays_": "d"}),
    (clashing, (1, 2, 3, 4, 5, 6, 7), {"x": 8}),
    (clashing, (), dict.fromkeys(["fn_", "error_", "call_", "self", "a0_", "args_", "kwargs_"], 1)),
    (nothing, (), {}),
    (timeouts_own_names, (1, 2, 3), {"fn": 4, "scope": 5, "self": 6, "clock": 7}),
]


def failing_first(fn, failures):
    """The same function with the same signature, failing so often before it answers."""
    left = [failures]

    def fail():
        if left[0]:
            left[0] -= 1
            raise OSError

    namespace = {"FAIL": fail, "TARGET": fn}
    signature = inspect.signature(fn)
    passed = ", ".join(
        f"{'*' * (1 if p.kind is p.VAR_POSITIONAL else 2 if p.kind is p.VAR_KEYWORD else 0)}"
        f"{p.name + '=' + p.name if p.kind is p.KEYWORD_ONLY else p.name}"
        for p in signature.parameters.values()
    )
    exec(f"def {fn.__name__}{signature}:\n    FAIL()\n    return TARGET({passed})", namespace)
    return namespace[fn.__name__]


@pytest.mark.parametrize("failures", [0, 1, 3])
@pytest.mark.parametrize(("fn", "args", "kwargs"), CALLS)
def test_F05_arguments_arrive_as_they_were_given_at_every_attempt(each, fn, args, kwargs, failures):
    wrapped = each(failing_first(fn, failures))
    assert inspect.signature(wrapped) == inspect.signature(fn)
    assert wrapped(*args, **kwargs) == fn(*args, **kwargs)


@pytest.mark.parametrize(("fn", "args", "kwargs"), CALLS)
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("limit", [policy, timed, policy.timeout(9)])
@pytest.mark.parametrize("virtual", [True, False])
def test_F05_and_in_coroutines(fn, args, kwargs, backend, limit, virtual):
    runtime = limit.bind(**({"clock": VirtualClock()} if virtual else {}), listeners=[])
    failing = failing_first(fn, 2)

    async def coroutine(*args, **kwargs):
        return failing(*args, **kwargs)

    async def main():
        assert await runtime(coroutine)(*args, **kwargs) == fn(*args, **kwargs)
        assert await runtime.acall(coroutine, *args, **kwargs) == fn(*args, **kwargs)

    anyio.run(main, backend=backend)


def test_F05_wrong_arguments_are_refused_with_the_functions_own_names(each):
    wrapped = each(plain)
    with pytest.raises(TypeError, match=r"plain\(\) missing 1 required positional argument: 'a'"):
        wrapped(c=1)
    with pytest.raises(TypeError, match="required keyword-only argument: 'c'"):
        wrapped(1)
    with pytest.raises(TypeError, match=r"nothing\(\) got an unexpected keyword argument 'x'"):
        each(nothing)(x=1)


def test_F05_name_doc_module_and_attributes_are_the_functions(each):
    plain.mark = "kept"
    wrapped = each(plain)
    assert (wrapped.__name__, wrapped.__qualname__, wrapped.__doc__) == ("plain", "plain", "What it does.")
    assert (wrapped.__module__, wrapped.mark, wrapped.__wrapped__) == (__name__, "kept", plain)
    assert wrapped.__annotations__ == plain.__annotations__
    assert (wrapped.__defaults__, wrapped.__kwdefaults__) == (plain.__defaults__, plain.__kwdefaults__)
    assert (wrapped.__code__.co_name, wrapped.__code__.co_qualname) == ("plain", "plain")
    assert copy.deepcopy(wrapped) is wrapped


@policy
def decorated(a):
    return a * 2


def test_F05_a_decorated_function_of_a_module_is_pickled_by_its_name(monkeypatch):
    module = sys.modules.get(decorated.__module__)
    if module is None:
        module = type(sys)(decorated.__module__)
        monkeypatch.setitem(sys.modules, decorated.__module__, module)
    monkeypatch.setattr(module, "decorated", decorated, raising=False)
    assert pickle.loads(pickle.dumps(decorated)) is decorated


def test_closures_and_recursion_work(each):
    calls = []

    @each
    def countdown(n):
        calls.append(n)
        if len(calls) in (2, 3):
            raise OSError
        return [n, *countdown(n - 1)] if n else []

    assert countdown(3) == [3, 2, 1]
    assert calls == [3, 2, 2, 2, 1, 0]


# -- what can be wrapped


class Client:
    __slots__ = ("left",)

    def __init__(self, left=2):
        self.left = left

    def fail(self):
        if self.left:
            self.left -= 1
            raise OSError

    @policy
    def method(self, x):
        self.fail()
        return x

    @policy
    async def coroutine(self, x):
        self.fail()
        return x

    @classmethod
    @policy
    def inside(cls, x):
        return cls, x

    @policy
    @classmethod
    def outside(cls, x):
        return cls, x

    @policy
    @staticmethod
    def static(x, script):
        script()
        return x

    def __call__(self, x):
        self.fail()
        return x


@dataclass(frozen=True)
class Frozen:
    script: Scripted

    @policy
    def method(self):
        return self.script()


def test_F02_F06_methods_of_any_class_are_retried_and_nothing_is_written_on_them():
    assert Client().method(1) == 1
    assert asyncio.run(Client().coroutine(2)) == 2
    assert Client.inside(3) == Client().outside(3) == (Client, 3)
    assert Client.static(4, Scripted(OSError(), None)) == Client().static(4, Scripted(OSError(), None)) == 4
    assert Frozen(Scripted(OSError(), "done")).method() == "done"
    assert isinstance(inspect.getattr_static(Client, "outside"), classmethod)
    assert isinstance(inspect.getattr_static(Client, "static"), staticmethod)


def test_F02_partials_objects_bound_methods_builtins_and_lambdas_are_retried(each):
    left = Scripted(OSError(), OSError(), 5)
    assert each(functools.partial(lambda a, b: (left(), a, b), 1))(2) == (5, 1, 2)
    assert each(Client())(1) == 1
    assert each(Client().method)(1) == 1
    assert each(len)("abc") == 3
    assert each(lambda x, y=2: x + y)(1) == 3
    assert each(Mock(side_effect=[OSError, "done"]))() == "done"
    assert inspect.signature(each(len)) == inspect.signature(len)


@pytest.mark.parametrize("limit", [policy, judged, policy.timeout(5)])
def test_F02_what_gives_a_coroutine_is_known_for_it(limit, clock):
    runtime = limit.bind(clock=clock, listeners=[])

    async def fn(script, x):
        script()
        return x

    class Callable:
        async def __call__(self, script, x):
            return await fn(script, x)

    mock = AsyncMock(side_effect=[OSError, OSError, "mocked"])
    for one in (fn, functools.partial(fn, x=1), Callable(), Callable().__call__):
        wrapped = runtime(one)
        assert inspect.iscoroutinefunction(wrapped)
        assert asyncio.run(wrapped(Scripted(OSError(), 0), x=1)) == 1
    assert asyncio.run(runtime(mock)()) == "mocked"


async def later():
    return 1


@pytest.mark.parametrize("rule", EVERY)
@pytest.mark.parametrize(
    "fn",
    [lambda x=0: later(), functools.partial(lambda x: later(), 1), Mock(side_effect=later)],
    ids=["lambda", "partial", "mock"],
)
def test_F02_F03_a_plain_callable_that_returns_an_awaitable_is_refused_and_not_retried(bound, rule, fn):
    runtime = bound(EVERY[rule] | retry_on(Exception).fixed(1))
    for call in (runtime(fn), lambda: runtime.call(fn)):
        with pytest.raises(PolicyError, match="async def") as caught:
            call()
        assert history(caught.value) is None
    assert runtime.settings.clock.sleeps == []


@pytest.mark.parametrize("rule", EVERY)
def test_F03_also_when_it_returns_one_after_a_failure(bound, rule):
    runtime = bound(EVERY[rule])
    script = Scripted(OSError(), OSError(), None)
    with pytest.raises(PolicyError, match="async def"):
        runtime(lambda: script() or later())()


def test_F03_a_task_is_an_awaitable_too(each):
    async def main():
        with pytest.raises(PolicyError):
            each(lambda: asyncio.ensure_future(later()))()
        await asyncio.sleep(0)

    asyncio.run(main())


def test_F03_a_future_without_close_is_refused_too(each):
    class Later:
        def __await__(self):
            yield

    with pytest.raises(PolicyError):
        each.call(Later().__class__)


def generator():
    yield 1


async def agenerator():
    yield 1


class Generating:
    def __call__(self):
        yield 1


@pytest.mark.parametrize(
    "fn",
    [
        generator,
        agenerator,
        functools.partial(generator),
        Generating(),
        Generating().__call__,
        staticmethod(generator),
    ],
)
def test_F01_generators_are_refused_with_the_reason(each, fn):
    with pytest.raises(PolicyError, match="could repeat what it has already yielded"):
        each(fn)


def test_F02_classes_and_what_cannot_be_called_are_refused_with_advice(each):
    with pytest.raises(PolicyError, match=r"policy.call\(Client, ...\)"):
        each(Client)
    with pytest.raises(PolicyError, match="a policy decorates functions; got 5"):
        each(5)
    assert isinstance(each.call(Client), Client)


def test_an_object_with_an_attribute_func_is_itself(each):
    class Holder:
        func = staticmethod(generator)

        def __call__(self):
            return "its own"

    assert each(Holder())() == "its own"


def test_a_plain_function_cannot_be_timed_out_and_says_so(bound):
    runtime = bound(policy.timeout(5))
    for use in (runtime, runtime.call):
        with pytest.raises(
            PolicyError, match=r"plain is a plain function, and .timeout\(...\) cannot interrupt"
        ):
            use(plain)


def test_a_decorator_of_somebody_elses_may_stand_below(each):
    def doubling(fn):
        @functools.wraps(fn)
        def wrapper(*args, **kwargs):
            return 2 * fn(*args, **kwargs)

        return wrapper

    script = Scripted(OSError(), 4)

    @each
    @doubling
    def fn(x):
        return script() + x

    assert fn(1) == 10
    assert list(inspect.signature(fn).parameters) == ["x"]


# -- call, acall, the policy itself


def test_call_and_acall_pass_every_argument_on(each):
    assert each.call(plain, 1, c=3, fn="x", self="y") == plain(1, c=3, fn="x", self="y")

    async def fn(*args, **kwargs):
        return args, kwargs

    assert asyncio.run(each.acall(fn, 1, fn="x", self="y", call="z")) == (
        (1,),
        {"fn": "x", "self": "y", "call": "z"},
    )


def test_an_unbound_policy_is_used_directly_and_bound_once():
    instant = retry_on(OSError).immediately()
    assert instant.call(Scripted(OSError(), 1)) == 1
    assert asyncio.run(instant.acall(Scripted(OSError(), 2).coroutine())) == 2
    assert instant(Scripted(OSError(), 3).function())() == 3
    assert instant._runtime() is instant._runtime()
    assert instant._runtime().policy is instant


def test_F09_policies_and_outcomes_are_pickled_without_what_they_were_bound_to():
    used = retry_on(OSError).immediately()
    used.call(Scripted(1))
    twin = pickle.loads(pickle.dumps(used))
    assert twin == used
    assert not hasattr(twin, "_bound")
    outcome = pickle.loads(pickle.dumps(Outcome(503, {"Retry-After": "3"})))
    assert (outcome.status, outcome.values("retry-after")) == (503, ["3"])
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(retry_on(when(lambda outcome: True)))


def test_F08_what_an_attempt_sets_in_its_context_is_seen_by_the_next_and_nothing_else_is(each):
    variable = ContextVar("variable", default=0)

    @each
    def fn():
        variable.set(variable.get() + 1)
        if variable.get() < 3:
            raise OSError
        return variable.get()

    before = set(dict(__import__("contextvars").copy_context()))
    assert fn() == 3
    assert set(dict(__import__("contextvars").copy_context())) - before == {variable}


def test_F07_thousands_of_calls_at_once_share_a_policy_and_no_state(each):
    async def fn(n, script):
        script()
        await asyncio.sleep(0)
        return n

    wrapped = each(fn)

    async def main():
        calls = (wrapped(n, Scripted(*[OSError] * (n % 4), None)) for n in range(2500))
        assert await asyncio.gather(*calls) == list(range(2500))

    asyncio.run(main())


def test_F12_threads_share_a_policy_and_no_state(each):
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        wrapped = each(lambda n, script: (script(), n)[1])
        barrier = threading.Barrier(16)

        def work(start):
            barrier.wait()
            return [wrapped(n, Scripted(*[OSError] * (n % 4), None)) for n in range(start, start + 40)]

        with ThreadPoolExecutor(16) as pool:
            every = list(pool.map(work, range(0, 640, 40)))
    finally:
        sys.setswitchinterval(before)
    assert [n for some in every for n in some] == list(range(640))


def test_a_call_that_gave_up_does_not_shorten_the_next(each):
    wrapped = each(Scripted(OSError(), repeat_last=True).function())
    for _ in range(3):
        with pytest.raises(OSError) as caught:
            wrapped()
        assert history(caught.value).attempts == 4


def test_retrying_is_the_same_engine(each):
    script = Scripted(OSError(), OSError(), "done")
    numbers = []
    for attempt in retrying(each):
        with attempt:
            numbers.append(attempt.number)
            script()
    assert numbers == [1, 2, 3]


def test_the_public_names_are_the_engines():
    assert bide.Runtime is type(policy.bind())
