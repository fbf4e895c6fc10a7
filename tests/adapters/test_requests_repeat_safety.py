"""Which requests of a requests session are repeated after which failures, and what each failure is called."""

import gc
import ssl

import pytest
import requests
import urllib3
from requests import exceptions

from bide import history, network, retry_on, timeout, unsent
from bide.adapters.requests import RetryAdapter
from bide.testing import steps

POLICY = retry_on(408, 421, 425, 429, "5xx", network).fixed(2).max(1)
ALL = ("GET", "PUT", "DELETE", "POST", "PATCH")
OK = steps.respond(body="done")
FAULTS = {
    "500": steps.respond(500),
    "503": steps.respond(503),
    "drop": steps.drop(),
    "reset": steps.reset(),
    "garbage": steps.garbage(),
    "truncated": steps.truncate(),
    "truncated chunks": steps.truncate(framing="chunked"),
    "bad chunk": steps.bad_chunk(),
}


@pytest.fixture
def client(server, clock):
    with requests.Session() as session:
        session.trust_env = False

        def make(policy, adapter=RetryAdapter, **options):
            made = adapter(policy, **{"clock": clock, **options})
            session.mount("http://", made)
            session.mount("https://", made)
            return session

        yield make
    gc.collect()  # an exception of urllib3 is in a circle with the pool that it came from


def call(client, server, step, method, policy=POLICY, **options):
    """Make one call against a fault and then a success; return what came out, response or exception."""
    server.on("/f", step, OK)
    try:
        return client(policy).request(method, server.url + "/f", **options)
    except requests.RequestException as error:
        return error


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("fault", FAULTS)
def test_an_idempotent_request_is_repeated(client, server, clock, fault, method):
    response = call(client, server, FAULTS[fault], method)
    assert response.text == "done"
    assert [seen.method for seen in server.requests] == [method, method]
    assert clock.sleeps == [2.0]


@pytest.mark.parametrize("method", ["POST", "PATCH", "PURGE"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_write_is_not_repeated_when_it_may_have_been_processed(client, server, clock, fault, method):
    came = call(client, server, FAULTS[fault], method, data=b"pay")
    assert [seen.body for seen in server.requests] == [b"pay"]
    assert clock.sleeps == []
    assert history(came).reason == "not_idempotent"
    assert type(came) is requests.Response if fault.isdigit() else isinstance(came, requests.RequestException)


@pytest.mark.parametrize("status", [408, 421, 425, 429])
def test_a_write_is_repeated_when_the_server_declined_it_unprocessed(client, server, status):
    assert call(client, server, steps.respond(status), "POST", data=b"pay").text == "done"
    assert [seen.body for seen in server.requests] == [b"pay", b"pay"]


@pytest.mark.parametrize("fault", FAULTS)
def test_an_idempotency_key_makes_a_write_repeatable_and_stays_the_same(client, server, fault):
    response = call(client, server, FAULTS[fault], "POST", data=b"pay", headers={"Idempotency-Key": "k1"})
    assert response.text == "done"
    assert [seen.header("Idempotency-Key") for seen in server.requests] == ["k1", "k1"]


def test_a_rule_can_allow_any_method(client, server):
    policy = retry_on("5xx", network).fixed(2).any_method()
    assert call(client, server, steps.drop(), "POST", policy, data=b"pay").text == "done"


def test_a_refused_connection_is_retried_for_every_method(client, server, clock):
    for method in ALL:
        with pytest.raises(requests.ConnectionError) as caught:
            client(POLICY).request(method, server.refused_url(), data=b"pay")
        assert history(caught.value).reason == "retries_exhausted"
        assert caught.value.request.method == method
    assert clock.sleeps == [2.0] * len(ALL)


def test_a_proxy_that_refuses_the_connection_is_retried_for_every_method(client, server, clock):
    proxies = {"http": server.refused_url()}
    with pytest.raises(exceptions.ProxyError) as caught:
        client(POLICY).post(server.url + "/f", data=b"pay", proxies=proxies)
    assert history(caught.value).attempts == 2
    assert server.requests == []


def test_a_tls_handshake_that_breaks_is_retried_for_every_method(client, server, clock):
    url = server.url.replace("http", "https")
    with pytest.raises((exceptions.SSLError, requests.ConnectionError)) as caught:
        client(retry_on(unsent).fixed(2).max(1)).post(url, data=b"pay", verify=False)
    assert history(caught.value).attempts == 2


class Playing(RetryAdapter):
    """An adapter that plays exceptions instead of sending."""

    outcomes: list

    def send_once(self, request, *options):
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        response = requests.Response()
        response.status_code, response.url, response._content = outcome, request.url, b""
        response.request = request
        return response


def played(client, *outcomes, method="POST", policy=POLICY, **options):
    Playing.outcomes = list(outcomes)
    session = client(policy, Playing)
    return session.request(method, "http://example.test/", data=b"pay", **options)


def told(reason, pool=None):
    return urllib3.exceptions.MaxRetryError(pool, "/", reason)


POOL = urllib3.HTTPConnectionPool("example.test")
NO_SUCH_HOST = urllib3.exceptions.NewConnectionError(POOL, "Name or service not known")
UNSENT = {
    "dns": requests.ConnectionError(told(NO_SUCH_HOST)),
    "connect timeout": exceptions.ConnectTimeout(told(urllib3.exceptions.ConnectTimeoutError())),
    "pool timeout": requests.ConnectionError(urllib3.exceptions.EmptyPoolError(POOL, "full")),
}


@pytest.mark.parametrize("fault", UNSENT)
def test_a_write_that_was_never_sent_is_repeated(client, clock, fault):
    assert played(client, UNSENT[fault], 200, policy=retry_on(unsent).fixed(2)).status_code == 200
    assert clock.sleeps == [2.0]


def broken_tls():
    return exceptions.SSLError(urllib3.exceptions.SSLError(ssl.SSLError(1, "bad record mac")))


def test_tls_that_broke_after_the_handshake_may_have_carried_a_write(client, clock):
    with pytest.raises(exceptions.SSLError) as caught:
        played(client, broken_tls(), 200)
    assert history(caught.value).reason == "not_idempotent"
    assert played(client, broken_tls(), 200, method="GET").status_code == 200


NEVER = {
    "certificate": exceptions.SSLError(
        told(urllib3.exceptions.SSLError(ssl.SSLCertVerificationError(1, "self-signed")))
    ),
    "proxy address": exceptions.InvalidProxyURL("no host"),
    "address": exceptions.InvalidURL("no host"),
    "header": exceptions.InvalidHeader("bad"),
    "redirects": exceptions.TooManyRedirects("30"),
    "decoding": exceptions.ContentDecodingError("not gzip"),
}


@pytest.mark.parametrize("fault", NEVER)
def test_what_cannot_pass_by_itself_is_never_repeated(client, clock, fault):
    with pytest.raises(type(NEVER[fault])) as caught:
        played(client, NEVER[fault], 200, method="GET")
    assert caught.value is NEVER[fault]
    assert clock.sleeps == []


@pytest.mark.parametrize("url", ["http://", "http://*example", "gopher://example.test/"])
def test_an_address_that_is_none_is_refused_as_without_retries(client, clock, url):
    with pytest.raises(ValueError) as caught:
        client(POLICY).get(url)
    assert history(caught.value) is None
    assert clock.sleeps == []


def test_a_proxy_address_that_is_none_is_refused_as_without_retries(client, server, clock):
    with pytest.raises(exceptions.InvalidProxyURL):
        client(POLICY).get(server.url, proxies={"http": "http:/nowhere:1"})
    assert clock.sleeps == []


@pytest.mark.parametrize("kind", ["read", None])
@pytest.mark.parametrize(
    "slow", [steps.stall(), steps.trickle(b"ab", pause=1.5), steps.trickle(b"ab", pause=1.5, status=400)]
)
def test_a_read_timeout_is_one_whether_the_head_or_the_body_is_late(client, server, clock, slow, kind):
    server.on("/f", slow, OK)
    rule = timeout(kind) if kind else timeout
    policy = retry_on(rule).fixed(2) | retry_on(400).after_body("delay").fixed(9)
    assert client(policy).get(server.url + "/f", timeout=0.4).text == "done"
    assert clock.sleeps == [2.0]


def test_what_no_rule_is_about_comes_out_as_it_came(client, server):
    server.on("/f", steps.respond(404, body="nothing here"))
    response = client(POLICY).get(server.url + "/f")
    assert (response.status_code, response.text) == (404, "nothing here")
    assert history(response) is None


def test_a_head_that_is_cut_short_is_an_answer_to_requests(client, server, clock):
    """The standard library takes the end of the connection for the end of the head; no adapter can tell."""
    assert call(client, server, steps.half_head(), "GET").status_code == 200
    assert clock.sleeps == []


def test_an_answer_before_the_upload_has_ended_is_the_answer(client, server):
    server.on("/f", steps.early(413))
    response = client(POLICY).put(server.url + "/f", data=b"x" * 8_000_000)
    assert response.status_code == 413


def test_a_connection_that_closed_between_two_requests_is_made_again(client, server, clock):
    server.on("/f", steps.close_after(body="one"), OK)
    session = client(POLICY)
    assert session.get(server.url + "/f").text == "one"
    assert session.get(server.url + "/f").text == "done"
    assert len(server.requests) == 2


def test_the_last_response_is_the_clients_own_open_and_readable(client, server, clock):
    server.on("/f", steps.json(503, {"error": "later"}))
    response = client(retry_on(503).delays(1, 5).max(2)).get(server.url + "/f?q=1")
    assert type(response) is requests.Response
    assert response.json() == {"error": "later"}
    assert response.url == response.request.url == server.url + "/f?q=1"
    assert [(one.attempt, one.outcome, one.delay) for one in history(response)] == [
        (1, "503", 1.0), (2, "503", 5.0), (3, "503", None),
    ]  # fmt: skip
    assert history(response).reason == "retries_exhausted"
    with pytest.raises(requests.HTTPError) as caught:
        response.raise_for_status()
    assert history(caught.value).attempts == 3


def test_the_last_exception_is_the_clients_own_with_notes(client, server):
    server.on("/f", steps.respond(503), steps.drop())
    with pytest.raises(requests.ConnectionError) as caught:
        client(retry_on("5xx", network).fixed(2).max(2)).get(server.url + "/f")
    assert type(caught.value) is requests.ConnectionError
    assert [one.outcome for one in history(caught.value)] == ["503", "ConnectionError", "ConnectionError"]
    (note,) = caught.value.__notes__
    assert "gave up after 3 attempts: retries_exhausted" in note


HINTS = {"1.5": 1.5, "soon": None, "-5": None, "nan": None, "": None, "7": 7.0}


@pytest.mark.parametrize("value", HINTS)
def test_a_malformed_hint_is_no_hint_and_never_an_error(client, server, clock, value):
    server.on("/f", steps.respond(503, {"Retry-After": value}), OK)
    policy = retry_on(503).after_header("Retry-After").fixed(40)
    assert client(policy).get(server.url + "/f").text == "done"
    wanted = HINTS[value]
    assert clock.sleeps == [40.0] if wanted is None else wanted <= clock.sleeps[0] < 40


def test_the_longest_of_several_hints_counts(client, server, clock):
    lines = [("Retry-After", "5"), ("Retry-After", "30"), ("Retry-After", "10")]
    server.on("/f", steps.respond(503, lines), OK)
    client(retry_on(503).after_header("Retry-After")).get(server.url + "/f")
    assert 30 <= clock.sleeps[0] < 60
