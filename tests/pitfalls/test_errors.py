"""The caller gets their own error, whole; and nobody is told what was said in confidence."""

import asyncio
import logging
import pickle
import urllib.error
from contextlib import contextmanager
from email.message import Message
from functools import partial

import aiohttp
import attrs
import httpx
import httpx2
import pytest
import requests
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from bide import (
    AttemptTimeout,
    Condition,
    ConditionFailed,
    PaceTimeout,
    PolicyError,
    PolicySyntaxError,
    RateLimitError,
    StrategyError,
    history,
    load,
    parse,
    retry_on,
    when,
)
from bide.testing import Scripted, VirtualClock


class Down(Exception):
    """The user's own error."""


@pytest.fixture
def run(clock):
    """Run a function by a policy until it gives up, and return the error that comes out."""

    def run(policy, fn, **options):
        with pytest.raises(Down) as caught:
            policy.bind(clock=clock, **options).call(fn)
        return caught.value

    return run


def chain(error):
    seen = []
    while error is not None and error not in seen:
        seen.append(error)
        error = error.__context__
    return seen


def test_a_condition_that_raises_does_not_replace_the_error_and_is_chained_to_it(run):
    events = []
    policy = retry_on(when(lambda outcome: outcome.error.response.status == 503))
    error = run(policy, Scripted(Down("busy")), listeners=[events.append])
    assert str(error) == "busy"
    assert [type(one) for one in chain(error)] == [Down, AttributeError]
    assert [type(event) for event in events] == [ConditionFailed]


def test_a_listener_that_raises_does_not_replace_the_error(run):
    def broken(event):
        raise KeyError("listener")

    assert (
        str(run(retry_on(Down).fixed(1), Scripted(Down("busy"), repeat_last=True), listeners=[broken]))
        == "busy"
    )


def test_a_cause_of_the_users_own_is_kept(run):
    def work():
        raise Down("no such key") from KeyError("k")

    error = run(retry_on(Down).fixed(1), work)
    assert type(error.__cause__) is KeyError


def test_one_instance_raised_again_and_again_does_not_cause_itself(run):
    one = Down()
    error = run(retry_on(Down).fixed(1), Scripted(one, repeat_last=True))
    assert error is one
    assert error.__cause__ is None
    assert error.__context__ is None
    assert len(error.__notes__) == 1


def test_attempts_do_not_chain_into_one_another(run):
    first, second, third, last = (Down(str(number)) for number in range(4))
    error = run(retry_on(Down).fixed(1), Scripted(first, second, third, last))
    assert error is last
    assert chain(error) == [last]


def test_what_comes_out_may_pass_through_a_context_manager_and_take_notes(run):
    @contextmanager
    def session():
        yield

    def work():
        with session():
            raise Down

    error = run(retry_on(Down).fixed(1).max(1), work)
    error.add_note("mine")
    with pytest.raises(Down) as caught, session():
        raise error
    assert caught.value.__notes__[-1] == "mine"
    assert len(history(error)) == 2


@attrs.frozen
class FrozenDown(Down):
    """An error of the user's that cannot be changed."""


def late():
    asyncio.run(retry_on(503).timeout(1e-9).acall(asyncio.sleep, 60))


def held_back():
    paced = retry_on(503).pace("1/hour").within(1).bind(clock=VirtualClock())
    paced.call(int)
    paced.call(int)


def limited():
    request = httpx.Request("GET", "http://host/")
    load("prompt-library").raise_for(httpx.Response(429, request=request))


OWN = {
    AttemptTimeout: late,
    PaceTimeout: held_back,
    PolicyError: retry_on,
    PolicySyntaxError: lambda: parse("retry_on("),
    RateLimitError: limited,
    StrategyError: lambda: load("./missing.toml"),
}


@pytest.mark.parametrize("kind", OWN)
def test_an_error_of_bides_own_may_pass_through_a_context_manager_and_take_notes(kind):
    @contextmanager
    def session():
        yield

    with pytest.raises(kind) as caught, session():
        OWN[kind]()
    error = caught.value
    error.add_note("mine")
    assert error.__notes__[-1] == "mine"
    assert error.with_traceback(None) is error
    assert type(pickle.loads(pickle.dumps(error))) is kind


def test_an_error_that_cannot_be_changed_comes_out_itself_with_its_history(run):
    error = FrozenDown()
    assert run(retry_on(Down).fixed(1).max(1), Scripted(error, repeat_last=True)) is error
    assert len(history(error)) == 2
    assert "gave up after 2 attempts" in error.__notes__[0]


def test_giving_up_never_returns_none(run):
    assert type(run(retry_on(Down).fixed(1), Scripted(Down, repeat_last=True))) is Down


def test_secrets_among_the_arguments_are_never_logged(clock, caplog):
    caplog.set_level(logging.DEBUG)
    fails = Scripted(Down("bob:hunter2"), Down("bob:hunter2"), "in")

    def login(user, password):
        return fails()

    assert retry_on(Down).fixed(1).bind(clock=clock)(login)("bob", password="hunter2") == "in"
    with pytest.raises(Down):
        retry_on(Down).fixed(1).bind(clock=clock).call(Scripted(Down("hunter2"), repeat_last=True), "hunter2")
    assert len(caplog.records) > 3
    assert all("hunter2" not in f"{record.getMessage()} {vars(record)}" for record in caplog.records)


def test_a_value_that_a_condition_reads_wrongly_is_handed_back(clock):
    policy = retry_on(when(lambda outcome: outcome.value["status"] == "pending"))
    assert isinstance(when(lambda outcome: True), Condition)
    assert policy.bind(clock=clock, listeners=[]).call(lambda: "no mapping") == "no mapping"


def httpx_error(module):
    response = module.Response(503, request=module.Request("GET", "http://host/"))
    return module.HTTPStatusError("busy", request=response.request, response=response)


def requests_error():
    response = requests.Response()
    response.status_code = 503
    return requests.HTTPError("busy", response=response)


def aiohttp_error():
    info = aiohttp.RequestInfo(URL("http://host/"), "GET", CIMultiDictProxy(CIMultiDict()))
    return aiohttp.ClientResponseError(info, (), status=503)


def urllib_error():
    return urllib.error.HTTPError("http://host/", 503, "busy", Message(), None)


@pytest.mark.parametrize(
    "error",
    [partial(httpx_error, httpx), partial(httpx_error, httpx2), requests_error, aiohttp_error, urllib_error],
    ids=["httpx", "httpx2", "requests", "aiohttp", "urllib"],
)
def test_the_status_is_found_on_the_error_that_a_client_raises_for_it(error, clock):
    def work():
        raised.append(error())
        raise raised[-1]

    raised = []
    with pytest.raises(type(error())):
        retry_on(503).max(5).bind(clock=clock).call(work)
    assert len(raised) == 6
