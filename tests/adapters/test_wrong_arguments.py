"""What is no client, no transport or no policy is refused where it is said, in words that tell what was wrong."""

import httpx
import pytest
import requests

from bide import Policy, PolicyError, retry_on
from bide.adapters.httpx import AsyncRetryTransport, RetryTransport
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
