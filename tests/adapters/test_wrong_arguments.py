"""What is no client, no transport or no policy is refused where it is said, in words that tell what was wrong."""

import httpx
import httpx2
import pytest
import requests

from bide import Policy, PolicyError, Routes, retry_on
from bide.adapters import httpx2 as for_httpx2
from bide.adapters.aiohttp import retry_middleware
from bide.adapters.httpx import AsyncRetryTransport, RetryTransport
from bide.adapters.httpx import install as install_httpx
from bide.adapters.requests import RetryAdapter, install

POLICY = retry_on(503)


@pytest.mark.parametrize("cls", [RetryTransport, AsyncRetryTransport])
def test_a_class_of_transports_is_no_transport(cls):
    with pytest.raises(PolicyError, match="wraps what has handle_"):
        cls(POLICY, httpx.HTTPTransport if cls is RetryTransport else httpx.AsyncHTTPTransport)


@pytest.mark.parametrize("wrong", [requests, requests.Session, None, POLICY])
def test_what_is_no_session_is_refused(wrong):
    with pytest.raises(PolicyError, match="takes a Session of requests"):
        install(wrong, POLICY)


@pytest.mark.parametrize(
    "answer", ["retry_on(503)", 7, [], POLICY.bind()], ids=["text", "7", "[]", "runtime"]
)
def test_a_source_that_answers_no_policy_is_told_so(answer):
    class Source:
        def policy_for(self, method, url):
            return answer

    with requests.Session() as session:
        session.mount("http://", RetryAdapter(Source()))
        with pytest.raises(PolicyError, match="answers a policy or None; got "):
            session.get("http://127.0.0.1:1/")


@pytest.mark.parametrize("wrong", [(1,), (1, 2, 3)])
def test_a_timeout_that_is_no_pair_is_told_so_under_a_deadline_too(wrong):
    with requests.Session() as session:
        install(session, Policy(POLICY).within("30s"))
        with pytest.raises(ValueError, match="timeout takes seconds, or a pair"):
            session.get("http://127.0.0.1:1/", timeout=wrong)


ADAPTERS = [
    RetryTransport,
    AsyncRetryTransport,
    RetryAdapter,
    retry_middleware,
    lambda policy, **options: install(requests.Session(), policy, **options),
    lambda policy, **options: install_httpx(httpx.Client(trust_env=False), policy, **options),
    lambda policy, **options: install_httpx(httpx.Client(trust_env=False), policy, seam="client", **options),
]


@pytest.mark.parametrize("source", [POLICY, Routes({"*": POLICY}), POLICY.bind()])
@pytest.mark.parametrize("adapter", ADAPTERS)
@pytest.mark.parametrize("name", ["max_retries", "retries", "attempts", "total"])
def test_how_many_retries_there_are_is_said_by_the_policy(adapter, source, name):
    with pytest.raises(TypeError) as caught:
        adapter(source, **{name: 3})
    assert str(caught.value) == (
        f"an adapter has no argument {name!r}: the policy says how many, as in retry_on(503).max(3)"
    )


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_how_long_an_attempt_may_take_is_said_by_the_policy_or_the_client(adapter):
    with pytest.raises(
        TypeError, match=r"no argument 'timeout': .* retry_on\(503\)\.timeout\(\"5s\"\); .* client"
    ):
        adapter(POLICY, timeout=5)


@pytest.mark.parametrize("name", ["verify", "http2", "limits", "proxy"])
@pytest.mark.parametrize(
    ("cls", "inner"),
    [
        (RetryTransport, "httpx.HTTPTransport"),
        (AsyncRetryTransport, "httpx.AsyncHTTPTransport"),
        (for_httpx2.RetryTransport, "httpx2.HTTPTransport"),
        (for_httpx2.AsyncRetryTransport, "httpx2.AsyncHTTPTransport"),
    ],
)
def test_what_the_wrapped_transport_takes_is_said_to_it(cls, inner, name):
    with pytest.raises(TypeError) as caught:
        cls(POLICY, **{name: False})
    assert str(caught.value) == (
        f"{cls.__name__} has no argument {name!r}: say it to what it wraps, as in "
        f"{cls.__name__}(policy, {inner}({name}=...))"
    )
    library, _, made = inner.partition(".")
    assert callable(getattr({"httpx": httpx, "httpx2": httpx2}[library], made))


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_misspelled_option_is_told_the_nearest(adapter):
    with pytest.raises(TypeError, match=r"an adapter has no argument 'clok': did you mean 'clock'\?$"):
        adapter(POLICY, clok=None)


@pytest.mark.parametrize("adapter", ADAPTERS[2:])
def test_what_an_adapter_knows_nothing_of_is_said_to_the_client(adapter):
    with pytest.raises(TypeError) as caught:
        adapter(POLICY, http2=True)
    assert str(caught.value).startswith(
        "an adapter has no argument 'http2': what is not about retries is said to the client"
    )


@pytest.mark.parametrize(
    ("text", "advice"),
    [("retry_on(5xx)", r"bide\.parse\(\.\.\.\) reads a policy text"), ("openai", r'bide\.load\("openai"\)')],
)
def test_a_text_is_told_what_makes_a_policy_of_it(text, advice):
    with pytest.raises(PolicyError, match=advice):
        RetryAdapter(text)


def test_retries_of_urllib3s_own_are_told_how_to_go():
    with requests.Session() as session:
        session.mount("https://", requests.adapters.HTTPAdapter(max_retries=3))
        with pytest.raises(PolicyError, match=r"'https://' .* mount a plain HTTPAdapter\(\) there first"):
            install(session, POLICY)
