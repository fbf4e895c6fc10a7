"""A requests session with retries does all that it does without: redirects, auth, hooks, cookies, proxies, timeouts."""

import gc
import inspect
import io
import logging
import pickle
import random
import threading
import weakref

import pytest
import requests
from requests.adapters import HTTPAdapter
from requests.auth import HTTPDigestAuth
from urllib3.util import Retry, Timeout

from bide import Routes, anything, code, give_up_on, history, network, retry_on
from bide.adapters.requests import RetryAdapter, install
from bide.policy.errors import PolicyError
from bide.testing import FaultServer, steps

POLICY = retry_on(503, network).fixed(2)
OK = steps.respond(body="done")
CHALLENGE = {"WWW-Authenticate": 'Digest realm="r", qop="auth", nonce="n", algorithm=MD5'}


class Spying(RetryAdapter):
    """An adapter that notes with what each attempt is sent."""

    def send_once(self, request, *options):
        vars(self).setdefault("seen", []).append(options)
        return super().send_once(request, *options)


@pytest.fixture
def client(server, clock):
    with requests.Session() as session:
        session.trust_env = False

        def make(policy=POLICY, adapter=RetryAdapter, **options):
            session.mount("http://", adapter(policy, **{"clock": clock, **options}))
            return session

        yield make
    gc.collect()  # an exception of urllib3 is in a circle with the pool that it came from


# The adapter


def test_send_has_the_signature_of_http_adapters():
    def shape(cls):
        return [(one.name, one.default) for one in inspect.signature(cls.send).parameters.values()]

    assert shape(RetryAdapter) == shape(HTTPAdapter)


def test_an_adapter_pickles_with_its_policy_and_options(server):
    server.on("/f", steps.respond(503), OK)
    policy = retry_on(503).immediately()
    adapter = RetryAdapter(
        policy, count_header="X-Retry-Count", name="search", rng=random.Random(7), pool_maxsize=3
    )
    with requests.Session() as session:
        session.mount("http://", adapter)
        copied = pickle.loads(pickle.dumps(session))
    twin = copied.get_adapter(server.url)
    assert (twin.policy, twin.count_header, twin._pool_maxsize) == (policy, "X-Retry-Count", 3)
    assert twin.options["name"] == "search"
    assert twin.options["rng"].random() == random.Random(7).random()
    with copied:
        assert copied.get(server.url + "/f").text == "done"
    assert [seen.header("X-Retry-Count") for seen in server.requests] == [None, "1"]


@pytest.mark.parametrize("name", ["", "X Retry", "X-Retry\r\nHost", "é"])
def test_the_counting_header_has_the_name_of_a_header(name):
    with pytest.raises(PolicyError, match="is no header name"):
        RetryAdapter(POLICY, count_header=name)


@pytest.mark.parametrize("wrong", ["retry_on(503)", None, 503, object(), retry_on(503).max(float("inf"))])
def test_what_is_no_bounded_policy_is_refused(wrong):
    with pytest.raises(PolicyError):
        RetryAdapter(wrong)


@pytest.mark.parametrize("retries", [Retry(3), Retry(total=None, connect=2), 5])
def test_an_adapter_with_max_retries_beside_its_policy_is_refused(client, server, retries):
    session = client()
    session.get_adapter(server.url).max_retries = Retry.from_int(retries)
    with pytest.raises(PolicyError, match="max_retries beside its policy"):
        session.get(server.url + "/f")
    assert server.requests == []


# install


def test_install_retries_for_every_prefix_and_keeps_what_the_adapters_have(server, clock):
    server.on("/f", OK, steps.respond(503), OK)
    with requests.Session() as session:
        session.trust_env = False
        special = HTTPAdapter(pool_connections=1, pool_maxsize=7, pool_block=True)
        session.mount(server.url, special)
        session.mount(server.url + "/f", special)
        session.get(server.url + "/f")
        before = dict(session.adapters)
        assert install(session, POLICY, clock=clock, count_header="X-Retry-Count") is session
        assert list(session.adapters) == list(before)
        assert {type(one) for one in session.adapters.values()} == {RetryAdapter}
        mounted = session.get_adapter(server.url + "/f")
        assert mounted is session.adapters[server.url]
        assert (mounted._pool_maxsize, mounted._pool_block) == (7, True)
        assert session.get(server.url + "/f").text == "done"
    assert server.connections == 1
    assert clock.sleeps == [2.0]
    assert server.requests[-1].header("X-Retry-Count") == "1"


class Other(HTTPAdapter):
    pass


@pytest.mark.parametrize(
    ("adapter", "match"),
    [
        (HTTPAdapter(max_retries=3), "retries already"),
        (HTTPAdapter(max_retries=Retry(total=None, read=2)), "retries already"),
        (RetryAdapter(POLICY), "retries already"),
        (Other(), "is a Other; mount a subclass of RetryAdapter"),
    ],
)
def test_install_refuses_what_it_would_multiply_or_lose_and_changes_nothing(adapter, match):
    session = requests.Session()
    session.mount("http://last", adapter)
    before = dict(session.adapters)
    with pytest.raises(PolicyError, match=match):
        install(session, POLICY)
    assert dict(session.adapters) == before


@pytest.mark.parametrize(
    ("policy", "options"),
    [("retry_on(503)", {}), (retry_on(503).max(float("inf")), {}), (POLICY, {"count_header": "a b"})],
)
def test_a_session_stays_as_it_was_when_installing_fails(policy, options):
    session = requests.Session()
    before = dict(session.adapters)
    with pytest.raises(PolicyError):
        install(session, policy, **options)
    assert dict(session.adapters) == before


def test_installing_twice_is_refused(clock):
    session = install(requests.Session(), POLICY)
    with pytest.raises(PolicyError, match="one policy"):
        install(session, POLICY)


# What a session does


def test_a_redirect_and_then_a_failure_are_retried_from_the_hop_that_failed(client, server, clock):
    server.on("/f", steps.respond(302, {"Location": "/g"})).on("/g", steps.respond(503), OK)
    response = client().get(server.url + "/f")
    assert response.text == "done"
    assert [seen.path for seen in server.requests] == ["/f", "/g", "/g"]
    assert [one.status_code for one in response.history] == [302]


def test_a_redirected_body_starts_where_it_started(client, server):
    server.on("/f", steps.respond(503), steps.respond(307, {"Location": "/g"})).on("/g", steps.drop(), OK)
    file = io.BytesIO(b"0123456789")
    file.seek(2)
    assert client().put(server.url + "/f", data=file).text == "done"
    assert [seen.body for seen in server.requests] == [b"23456789"] * 4


def test_a_redirect_loop_is_not_multiplied_by_retries(client, server, clock):
    server.on("/f", steps.respond(302, {"Location": "/f"}))
    session = client()
    session.max_redirects = 5
    with pytest.raises(requests.TooManyRedirects):
        session.get(server.url + "/f")
    assert len(server.requests) == 6
    assert clock.sleeps == []


def test_credentials_do_not_reappear_at_another_origin(client, server):
    server.on("/f", steps.respond(302, {"Location": server.url.replace("127.0.0.1", "localhost") + "/g"}))
    server.on("/g", steps.respond(503), OK)
    client().get(server.url + "/f", headers={"Authorization": "Bearer secret"})
    assert [seen.header("Authorization") for seen in server.requests] == ["Bearer secret", None, None]


def test_both_rounds_of_digest_auth_come_through_the_adapter(client, server, clock):
    def answer(seen):
        if seen.ordinal in (0, 2):
            return steps.respond(503)
        return OK if seen.header("Authorization") else steps.respond(401, CHALLENGE)

    server.on("/f", answer)
    session = client(count_header="X-Retry-Count")
    response = session.get(server.url + "/f", auth=HTTPDigestAuth("user", "secret"))
    assert response.text == "done"
    assert [bool(seen.header("Authorization")) for seen in server.requests] == [False, False, True, True]
    assert [seen.header("X-Retry-Count") for seen in server.requests] == [None, "1", None, "1"]
    assert clock.sleeps == [2.0, 2.0]


def test_hooks_fire_once_a_request_that_the_session_makes(client, server):
    server.on("/f", steps.respond(503), OK)
    fired = []
    client().get(
        server.url + "/f", hooks={"response": lambda response, **_: fired.append(response.status_code)}
    )
    assert fired == [200]


def test_cookies_of_the_final_response_are_kept_and_sent(client, server):
    server.on("/f", steps.respond(503, {"Set-Cookie": "a=1"}), steps.respond(200, {"Set-Cookie": "b=2"}))
    session = client()
    session.get(server.url + "/f")
    session.get(server.url + "/f")
    assert [seen.header("Cookie") for seen in server.requests] == [None, None, "b=2"]


def test_proxies_are_passed_on(client, server, clock):
    with FaultServer() as proxy:
        proxy.on("/f", steps.respond(503), OK)
        response = client().get("http://example.test/f", proxies={"http": proxy.url})
        assert response.text == "done"
        assert [seen.path for seen in proxy.requests] == ["http://example.test/f"] * 2
    assert clock.sleeps == [2.0]


def test_verification_certificates_and_proxies_are_the_same_on_every_attempt(client, server):
    server.on("/f", steps.respond(503), steps.drop(), OK)
    session = client(adapter=Spying)
    session.get(server.url + "/f", verify=False, cert=None, stream=True, timeout=3).close()
    seen = session.get_adapter(server.url).seen
    assert [options[2] for options in seen] == [False] * 3
    assert seen[0] == seen[1] == seen[2]
    assert seen[0][:2] == (True, 3)


def test_the_counting_header_is_absent_on_the_first_attempt_and_leaves_the_request_alone(client, server):
    server.on("/f", steps.respond(503), steps.respond(503), steps.drop())
    session = client(count_header="X-Retry-Count")
    request = session.prepare_request(requests.Request("GET", server.url + "/f"))
    with pytest.raises(requests.ConnectionError) as caught:
        session.send(request)
    assert [seen.header("X-Retry-Count") for seen in server.requests] == [None, "1", "2", "3"]
    assert caught.value.request is request
    server.on("/f", steps.respond(503), OK)
    assert session.send(request).request is request
    assert "X-Retry-Count" not in request.headers


def test_nothing_is_added_to_requests_by_default(client, server):
    server.on("/f", steps.respond(503), OK)
    client().get(server.url + "/f")
    first, second = (seen.headers for seen in server.requests)
    assert first == second


# Timeouts


def total(options):
    return options[1].total


@pytest.mark.parametrize(
    ("given", "connect", "read", "totals"),
    [
        (None, 10, 10, [10, 8]),
        (9, 9, 9, [10, 8]),
        ((1, None), 1, 10, [10, 8]),
        ((None, 3), 10, 3, [10, 8]),
        (Timeout(connect=1, read=2), 1, 2, [10, 8]),
        (Timeout(total=7), 7, 7, [7, 7]),
        (Timeout(total=60, read=4), 10, 4, [10, 8]),
    ],
)
def test_timeouts_of_every_form_shrink_to_what_the_deadline_leaves(
    client, server, given, connect, read, totals
):
    server.on("/f", steps.respond(503), OK)
    session = client((POLICY | retry_on(429).fixed(1)).within(10), adapter=Spying)
    session.get(server.url + "/f", timeout=given)
    seen = session.get_adapter(server.url).seen
    assert [total(options) for options in seen] == totals
    first = seen[0][1].clone()
    first.start_connect()
    assert first.connect_timeout == connect
    assert first.read_timeout == pytest.approx(read, abs=0.5)


def test_a_timeout_bounds_every_attempt_alike_and_leaves_the_callers(client, server, clock):
    server.on("/f", steps.stall(), OK)
    own = Timeout(connect=5)
    assert client(POLICY.timeout(0.05)).get(server.url + "/f", timeout=own).text == "done"
    assert own.total is None
    assert clock.sleeps == [2.0]


@pytest.mark.parametrize("wrong", [(1, 2, 3), (1,), "soon", (0, 1)])
def test_a_timeout_that_is_none_is_refused(client, server, wrong):
    for policy in (POLICY, POLICY.timeout(5)):
        with pytest.raises(ValueError):
            client(policy).get(server.url + "/f", timeout=wrong)
    assert server.requests == []


@pytest.mark.parametrize("own", [None, 5, (5, None), Timeout(total=5)])
def test_a_stream_is_read_under_the_callers_own_timeout(client, server, own):
    server.on("/f", steps.trickle(b"ab", pause=0.2))
    with client(POLICY.timeout(0.1)).get(server.url + "/f", timeout=own, stream=True) as response:
        assert response.content == b"ab"


def test_a_stream_that_has_ended_with_its_head_has_no_timeout_to_lift(client, server):
    server.on("/f", steps.respond(503), steps.respond(200, body=b"", framing="close"))
    with client(POLICY.timeout(5)).get(server.url + "/f", stream=True) as response:
        assert response.content == b""


def test_gives_up_when_the_servers_delay_would_pass_the_deadline(client, server, clock):
    server.on("/f", steps.respond(429, {"Retry-After": "30"}))
    response = client(retry_on(429).after_header("Retry-After").within(10)).get(server.url + "/f")
    assert history(response).reason in {"deadline", "hint_too_long"}
    assert history(response).retry_at == pytest.approx(clock.time() + 30)
    assert clock.sleeps == []


# Where policies come from, and policies inside policies


def test_each_endpoint_has_its_own_policy(client, server, clock):
    host = server.url.removeprefix("http://")
    server.on("/search", steps.respond(503), OK).on("/pay", steps.respond(503), OK).on(
        "/f", steps.respond(503)
    )
    routes = Routes(
        {
            f"GET {host}/search": retry_on(503).fixed(1),
            "POST /pay": retry_on(503).fixed(5).any_method(),
            "*": give_up_on(anything),
        }
    )
    session = client(routes)
    assert session.get(server.url + "/search?q=1").text == "done"
    assert session.post(server.url + "/pay", data=b"1").text == "done"
    response = session.get(server.url + "/f")
    assert (response.status_code, history(response).reason) == (503, "rule_gave_up")
    assert clock.sleeps == [1.0, 5.0]


def test_a_request_without_a_policy_is_sent_once(client, server, clock):
    class Nothing:
        def policy_for(self, method, url):
            assert (method, url) == ("GET", server.url + "/f")

    server.on("/f", steps.respond(503))
    response = client(Nothing()).get(server.url + "/f")
    assert (response.status_code, history(response)) == (503, None)
    assert clock.sleeps == []


def test_a_runtime_is_taken_as_it_is(client, server, clock):
    server.on("/f", steps.respond(503), OK)
    events = []
    runtime = POLICY.bind(clock=clock, listeners=[events.append], name="search")
    session = client()
    session.mount("http://", RetryAdapter(runtime))
    session.get(server.url + "/f")
    assert {event.name for event in events} == {"search"}
    assert clock.sleeps == [2.0]


def test_a_decorated_function_around_a_session_is_not_multiplied(client, server, clock):
    server.on("/f", steps.respond(503))
    response = POLICY.max(2).bind(clock=clock).call(client(POLICY.max(2)).get, server.url + "/f")
    assert history(response).reason == "inner_exhausted"
    assert len(server.requests) == 3


# Many at once, and what is left behind


def test_eight_threads_share_a_session(server):
    paths = list(map(str, range(8)))
    for path in paths:
        server.on(f"/{path}", steps.respond(503), steps.drop(), steps.respond(body=path))
    texts = []
    with requests.Session() as session:
        session.trust_env = False
        install(session, retry_on(503, network).immediately())

        def work(path):
            texts.extend(session.get(f"{server.url}/{path}").text for _ in range(5))

        threads = [threading.Thread(target=work, args=(path,)) for path in paths]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    gc.collect()
    assert sorted(texts) == sorted(paths * 5)
    assert len(server.requests) == 8 * 7


def test_two_hundred_calls_with_retries_leave_nothing_open(client, server):
    answers = (steps.respond(503), steps.drop(), steps.respond(body="body"))
    server.on("/f", lambda seen: answers[seen.ordinal % 3])
    with client() as session:
        for _ in range(200):
            assert session.get(server.url + "/f").text == "body"
    gc.collect()
    server.wait_until_idle()
    assert len(server.requests) == 600


@pytest.mark.parametrize("policy", [POLICY, retry_on(503 & code("later")).fixed(2) | POLICY])
def test_a_rejected_response_is_forgotten_before_the_wait(server, policy):
    kept = []

    class Watching(RetryAdapter):
        def send_once(self, request, *options):
            response = super().send_once(request, *options)
            kept.append(weakref.ref(response))
            return response

    class Clock:
        def monotonic(self):
            return 0.0

        time = monotonic

        def sleep(self, seconds):
            self.alive = [one() for one in kept if one() is not None]

    clock = Clock()
    server.on("/f", steps.respond(503, body="{}"), OK)
    with requests.Session() as session:
        session.trust_env = False
        session.mount("http://", Watching(policy, clock=clock))
        session.get(server.url + "/f")
    assert clock.alive == []


SECRETS = ("s3cret", "t0ken", "passw0rd", "c00kie", "fr4gment", "b0dy")


def test_no_secret_is_in_a_log_record_a_note_a_history_or_a_repr(client, server, caplog):
    caplog.set_level(logging.DEBUG, logger="bide")
    server.on("/f", steps.respond(503, {"Set-Cookie": "s=c00kie"}, "b0dy"), steps.drop())
    host = server.url.removeprefix("http://")
    session = client(retry_on(503, network).fixed(2).any_method())
    headers = {"Authorization": "Bearer t0ken", "Idempotency-Key": "s3cret", "Cookie": "s=c00kie"}
    with pytest.raises(requests.ConnectionError) as caught:
        session.post(f"http://user:passw0rd@{host}/f?key=s3cret#fr4gment", headers=headers, data=b"b0dy")
    records = [record for record in caplog.records if record.name == "bide"]
    assert len(records) == 4
    told = [record.getMessage() + repr(record.args) for record in records]
    told += [*caught.value.__notes__, repr(history(caught.value)), repr(session.get_adapter(server.url))]
    assert [secret for secret in SECRETS for text in told if secret in text] == []
    assert records[0].getMessage().startswith("POST request: ")
