"""Real SDKs in decorated functions: what each raises means the same to a policy."""

import asyncio
import json
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import anthropic
import azure.core
import azure.core.pipeline.policies
import azure.core.rest
import boto3
import botocore.config
import elasticsearch
import github
import google.api_core.exceptions
import grpc
import openai
import pytest
import requests
import slack_sdk
import stripe

from bide import Outcome, code, history, network, retry_on, timeout, unsent
from bide.testing import FaultServer, VirtualClock, steps

SOON = 0.5  # seconds that a client waits for an answer
BODY = json.dumps({"error": {"message": "slow down", "code": "busy"}, "ok": False})
HEADERS = {"Retry-After": "7", "Content-Type": "application/json"}


def of_openai(url):
    client = openai.OpenAI(api_key="k", base_url=url, max_retries=0, timeout=SOON)
    return "/models", client.models.list


def of_anthropic(url):
    client = anthropic.Anthropic(api_key="k", base_url=url, max_retries=0, timeout=SOON)
    return "/v1/models", client.models.list


def of_boto3(url):
    client = boto3.client(
        "dynamodb",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="k",
        aws_secret_access_key="s",
        config=botocore.config.Config(
            retries={"total_max_attempts": 1}, connect_timeout=SOON, read_timeout=SOON
        ),
    )
    return "/", client.list_tables


def of_stripe(url):
    client = stripe.StripeClient(
        "sk_test",
        base_addresses={"api": url},
        max_network_retries=0,
        http_client=stripe.RequestsClient(timeout=SOON),
    )
    return "/v1/customers", client.v1.customers.list


def of_slack(url):
    return "/api.test", slack_sdk.WebClient(
        token="t", base_url=url + "/", timeout=1, retry_handlers=[]
    ).api_test


def of_azure(url):
    client = azure.core.PipelineClient(url, policies=[azure.core.pipeline.policies.RetryPolicy.no_retries()])

    def call():
        request = azure.core.rest.HttpRequest("GET", url + "/x")
        client.send_request(request, read_timeout=SOON, connection_timeout=SOON).raise_for_status()

    return "/x", call


def of_github(url):
    client = github.Github(
        base_url=url, retry=None, timeout=1, seconds_between_requests=None, seconds_between_writes=None
    )
    return "/users/x", lambda: client.get_user("x")


def of_elasticsearch(url):
    client = elasticsearch.Elasticsearch(url, max_retries=0, retry_on_timeout=False, request_timeout=SOON)
    return "/", client.info


def of_google(url):
    def call():
        response = requests.get(url + "/x", timeout=SOON)
        if not response.ok:
            raise google.api_core.exceptions.from_http_response(response)

    return "/x", call


def of_urllib(url):
    def call():
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url + "/x", timeout=SOON)

    return "/x", call


SDKS = {
    make.__name__.removeprefix("of_"): make
    for make in (
        *(of_openai, of_anthropic, of_boto3, of_stripe, of_slack, of_azure, of_github, of_elasticsearch),
        *(of_google, of_urllib),
    )
}
BROKEN = {
    "reset": (steps.reset(), {network}),
    "closed": (steps.drop(), {network}),
    "silent": (steps.stall(), {network, timeout}),
    "refused": (None, {network, unsent}),
}


@pytest.fixture(params=SDKS)
def make(request, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    return SDKS[request.param]


@pytest.fixture
def server():
    with FaultServer() as running:
        yield running


def outcome_of(policy, function):
    """What comes of a call on the virtual clock, how long it waited, and why it ended."""
    clock = VirtualClock()
    with pytest.raises(Exception) as caught:  # whichever: that is what these tests are about
        policy.bind(clock=clock).call(function)
    error = caught.value
    if isinstance(error, urllib.error.HTTPError):  # which is an open response, and the caller's to close
        error.close()
    return error, clock.sleeps, history(error).reason


@pytest.mark.parametrize("status", [429, 503])
def test_a_status_and_its_retry_after_are_read(make, server, status):
    path, call = make(server.url)
    server.on(path, steps.respond(status, HEADERS, BODY))
    _, waits, reason = outcome_of(retry_on(status).after_header("Retry-After").fixed(2, max=2), call)
    assert len(waits) == 2
    assert all(7 <= wait <= 8 for wait in waits)
    assert reason == "retries_exhausted"
    assert len(server.requests) == 3


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_connection_means_the_same(make, server, fault):
    step, conditions = BROKEN[fault]
    path, call = make(server.url if step else server.refused_url("").rstrip("/"))
    if step:
        server.on(path, step)
    error, waits, reason = outcome_of(retry_on(network).fixed(1, max=1).any_method(), call)
    met = {condition for condition in (network, timeout, unsent) if condition.matches(Outcome(error=error))}
    assert met == conditions
    assert (waits, reason) == ([1.0], "retries_exhausted")


def test_a_coroutine_of_an_sdk_is_retried_alike(server):
    server.on("/models", steps.respond(429, HEADERS, BODY))
    clock = VirtualClock()
    policy = retry_on(429).after_header("Retry-After").fixed(2, max=2).bind(clock=clock)

    async def main():
        async with openai.AsyncOpenAI(
            api_key="k", base_url=server.url, max_retries=0, timeout=SOON
        ) as client:
            with pytest.raises(openai.RateLimitError):
                await policy.acall(client.models.list)

    asyncio.run(main())
    assert len(clock.sleeps) == 2


@pytest.fixture
def busy():
    """The port of a real server of gRPC that is always busy, and says when to come back."""

    def answer(request, context):
        context.set_trailing_metadata([("grpc-retry-pushback-ms", "1500"), ("more-bin", b"\x08")])
        context.abort(grpc.StatusCode.UNAVAILABLE, "busy")

    server = grpc.server(ThreadPoolExecutor(1))
    handler = grpc.unary_unary_rpc_method_handler(answer)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test.Service", {"Ask": handler})])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port
    server.stop(None).wait()


UNAVAILABLE = retry_on(code("UNAVAILABLE")).after_hint().fixed(9, max=2)
ONCE = [("grpc.enable_retries", 0)]


def test_grpc_tells_its_code_and_when_to_come_back(busy):
    with grpc.insecure_channel(f"127.0.0.1:{busy}", options=ONCE) as channel:
        ask = channel.unary_unary("/test.Service/Ask")
        _, waits, reason = outcome_of(UNAVAILABLE, lambda: ask(b"", timeout=5))
    assert len(waits) == 2
    assert all(1.5 <= wait <= 3 for wait in waits)
    assert reason == "retries_exhausted"


def test_grpc_on_asyncio_tells_the_same(busy):
    clock = VirtualClock()

    async def main():
        async with grpc.aio.insecure_channel(f"127.0.0.1:{busy}", options=ONCE) as channel:
            ask = channel.unary_unary("/test.Service/Ask")

            async def call():
                return await ask(b"", timeout=5)

            with pytest.raises(grpc.aio.AioRpcError):
                await UNAVAILABLE.bind(clock=clock).acall(call)

    asyncio.run(main())
    assert len(clock.sleeps) == 2
    assert all(1.5 <= wait <= 3 for wait in clock.sleeps)
