"""What redirects, auth, cookies and hooks of requests make of a request holds for each attempt of it, at each hop."""

import base64
import gc

import pytest
import requests
from requests.auth import AuthBase, HTTPBasicAuth

from bide import history, network, retry_on
from bide.adapters.requests import install
from bide.testing import steps

POLICY = retry_on(429, 503, network).fixed(2)
OK = steps.respond(body="done")
BASIC = "Basic " + base64.b64encode(b"user:secret").decode()


class Token(AuthBase):
    """An auth callable that numbers the requests that it is called for."""

    def __init__(self):
        self.calls = 0

    def __call__(self, request):
        self.calls += 1
        request.headers["Authorization"] = f"Bearer {self.calls}"
        return request


@pytest.fixture
def session(server, clock):
    with requests.Session() as made:
        made.trust_env = False
        yield install(made, POLICY, clock=clock)
    gc.collect()  # an exception of urllib3 is in a circle with the pool that it came from


def hops(server):
    return [(seen.method, seen.path, seen.body) for seen in server.requests]


@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_post_that_a_redirect_turns_into_a_get_is_repeated_as_a_get(session, server, clock, status):
    server.on("/f", steps.respond(429), steps.respond(status, {"Location": "/g"}))
    server.on("/g", steps.respond(503), steps.drop(), OK)
    assert session.post(server.url + "/f", data=b"pay").text == "done"
    assert hops(server) == [("POST", "/f", b"pay")] * 2 + [("GET", "/g", b"")] * 3
    assert clock.sleeps == [2.0] * 3


@pytest.mark.parametrize("status", [307, 308])
def test_a_post_that_is_redirected_as_a_post_keeps_its_body_and_its_safety(session, server, clock, status):
    server.on("/f", steps.respond(status, {"Location": "/g"})).on(
        "/g", steps.respond(429), steps.respond(503)
    )
    response = session.post(server.url + "/f", data=b"pay")
    assert (response.status_code, history(response).reason) == (503, "not_idempotent")
    assert hops(server) == [("POST", "/f", b"pay"), ("POST", "/g", b"pay"), ("POST", "/g", b"pay")]
    assert clock.sleeps == [2.0]


def test_redirects_stay_off_where_they_are_turned_off(session, server, clock):
    server.on("/f", steps.respond(503), steps.respond(302, {"Location": "/g"})).on(
        "/g", steps.respond(503), OK
    )
    response = session.get(server.url + "/f", allow_redirects=False)
    assert response.status_code == 302
    assert session.send(response.next).text == "done"
    assert clock.sleeps == [2.0, 2.0]


def test_a_redirect_that_is_broken_is_requests_own_error(session, server):
    server.on("/f", steps.respond(503), steps.respond(302, {"Location": "gopher://127.0.0.1/"}))
    with pytest.raises(requests.exceptions.InvalidSchema) as caught:
        session.get(server.url + "/f")
    assert history(caught.value) is None
    assert len(server.requests) == 2


@pytest.mark.parametrize("auth", [("user", "secret"), HTTPBasicAuth("user", "secret"), "of the session"])
def test_credentials_go_with_every_attempt(session, server, auth):
    server.on("/f", steps.respond(503), steps.drop(), OK)
    if isinstance(auth, str):
        session.auth, auth = ("user", "secret"), None
    assert session.get(server.url + "/f", auth=auth).text == "done"
    assert [seen.header("Authorization") for seen in server.requests] == [BASIC] * 3


def test_an_auth_callable_is_called_once_a_request_and_goes_with_every_attempt(session, server):
    server.on("/f", steps.respond(503), OK)
    session.auth = Token()
    for _ in range(2):
        session.get(server.url + "/f")
    assert [seen.header("Authorization") for seen in server.requests] == ["Bearer 1", "Bearer 1", "Bearer 2"]


def test_cookies_of_the_session_go_with_every_attempt(session, server):
    server.on("/f", steps.respond(503), steps.drop(), OK)
    session.cookies.set("session", "s1")
    session.get(server.url + "/f")
    assert [seen.header("Cookie") for seen in server.requests] == ["session=s1"] * 3


def test_a_cookie_that_a_redirect_sets_goes_with_every_attempt_of_the_next_hop(session, server):
    server.on("/f", steps.respond(302, {"Location": "/g", "Set-Cookie": "seen=1"}))
    server.on("/g", steps.respond(503), OK)
    session.get(server.url + "/f")
    assert [seen.header("Cookie") for seen in server.requests] == [None, "seen=1", "seen=1"]


def test_a_hook_that_raises_for_statuses_sees_the_last_response_only(session, server):
    def judge(response, **options):
        _ = response.content  # or its connection would stay open, with or without retries
        response.raise_for_status()

    session.hooks["response"].append(judge)
    server.on("/f", steps.respond(503), OK)
    assert session.get(server.url + "/f").text == "done"
    server.on("/f", steps.respond(503))
    with pytest.raises(requests.HTTPError) as caught:
        session.get(server.url + "/f")
    assert history(caught.value).attempts == 4


def test_a_hook_may_send_again_what_the_policy_has_given_back(session, server, clock):
    """What auth hooks such as digest's do: a second request over the same connection, retried by itself."""

    def ask_again(response, **options):
        if response.status_code != 401:
            return response
        _ = response.content
        response.close()
        request = response.request.copy()
        request.headers["Authorization"] = BASIC
        return response.connection.send(request, **options)

    server.on(
        "/f",
        lambda seen: OK if seen.header("Authorization") and seen.ordinal > 2 else answers[seen.ordinal],
    )
    answers = [steps.respond(503), steps.respond(401), steps.respond(503)]
    assert session.get(server.url + "/f", hooks={"response": ask_again}).text == "done"
    assert [seen.header("Authorization") for seen in server.requests] == [None, None, BASIC, BASIC]
    assert clock.sleeps == [2.0, 2.0]


def test_a_stream_comes_in_the_chunks_that_are_asked_for(session, server):
    server.on("/f", steps.respond(503), steps.drop(), steps.respond(body=b"0123456789", framing="chunked"))
    with session.get(server.url + "/f", stream=True) as response:
        assert list(response.iter_content(4)) == [b"0123", b"4567", b"89"]
