"""FaultServer: what it answers, what it writes down, and how it goes away."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import requests

from bide.testing import FaultServer, Step, steps


@pytest.fixture
def server():
    with FaultServer() as server:
        yield server


@pytest.fixture
def client():
    with httpx.Client(trust_env=False, timeout=5) as client:
        yield client


def connect(server):
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=5)


def read_all(sock):
    pieces = []
    while piece := sock.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


def ask(server, request):
    """What the server answers to raw bytes, until it closes the connection."""
    with connect(server) as sock:
        sock.sendall(request)
        return read_all(sock)


def test_steps_are_played_in_order_and_the_last_one_repeats(server, client):
    server.on("/a", steps.respond(503), steps.respond(429), steps.respond(200))
    assert [client.get(server.url + "/a").status_code for _ in range(5)] == [503, 429, 200, 200, 200]


def test_a_server_refuses_outside_its_block_and_serves_inside(client):
    server = FaultServer().on("/a", 200)
    with pytest.raises(httpx.ConnectError):
        client.get(server.url + "/a")
    with server:
        assert client.get(server.url + "/a").status_code == 200
        assert server.connections == 1
    with pytest.raises(httpx.ConnectError):
        client.get(server.url + "/a")


def test_each_path_has_its_own_script(server, client):
    server.on("/a", steps.respond(500), steps.respond(200)).on("/b", steps.respond(201))
    statuses = [client.get(server.url + path).status_code for path in ["/a", "/b", "/a?x=1"]]
    assert statuses == [500, 201, 200]


def test_a_path_without_a_script_is_not_found(server, client):
    assert client.get(server.url + "/nowhere").status_code == 404


def test_a_script_for_a_method_goes_first(server, client):
    server.on("/a", steps.respond(200)).on("/a", steps.respond(503), method="post")
    assert client.post(server.url + "/a").status_code == 503
    assert client.get(server.url + "/a").status_code == 200


def test_a_new_script_replaces_the_old(server, client):
    server.on("/a", steps.respond(500)).on("/a", steps.respond(200))
    assert client.get(server.url + "/a").status_code == 200


def test_a_script_needs_a_step(server):
    with pytest.raises(ValueError, match="at least one step"):
        server.on("/a")


def test_a_step_may_be_made_from_the_request(server, client):
    server.on("/echo", lambda seen: steps.respond(200, body=seen.body + seen.header("X-Name").encode()))
    answer = client.post(server.url + "/echo", content=b"hi ", headers={"x-name": "Bo"})
    assert answer.content == b"hi Bo"


def test_requests_are_written_down_as_they_came(server, client):
    server.on("/a", steps.respond(200))
    client.post(server.url + "/a?q=1", content=b"first", headers=[("X-A", "1"), ("X-A", "2")])
    client.put(server.url + "/a", content=iter([b"sec", b"ond"]))
    first, second = server.requests
    assert (first.method, first.path, first.body, first.ordinal) == ("POST", "/a?q=1", b"first", 0)
    assert [pair for pair in first.headers if pair[0].lower() == "x-a"] == [("X-A", "1"), ("X-A", "2")]
    assert (first.header("content-LENGTH"), first.header("no")) == ("5", None)
    assert (second.method, second.body, second.ordinal, second.complete) == ("PUT", b"second", 1, True)


def test_a_kept_connection_is_counted_once(server, client):
    server.on("/a", steps.respond(200))
    for _ in range(3):
        client.get(server.url + "/a")
    assert [seen.connection for seen in server.requests] == [1, 1, 1]
    assert (server.connections, server.open_connections) == (1, 1)
    client.close()
    server.wait_until_idle()
    assert (server.connections, server.open_connections) == (1, 0)


@pytest.mark.parametrize(
    "request_head",
    [b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"GET /a HTTP/1.0\r\n\r\n"],
)
def test_a_client_that_wants_no_second_answer_gets_none(server, request_head):
    server.on("/a", steps.respond(200))
    assert ask(server, request_head).endswith(b"\r\n\r\nok")


def test_requests_sent_in_one_go_are_answered_in_turn(server):
    server.on("/a", steps.respond(body=b"one"), steps.close_after(body=b"two"))
    answers = ask(server, b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
    assert (answers.count(b"200 OK"), answers[-3:]) == (2, b"two")


def test_it_plays_a_proxy(server):
    server.on("/a", steps.close_after(body=b"by proxy"))
    answer = ask(server, b"GET http://example.com/a?b=c HTTP/1.1\r\nHost: example.com\r\n\r\n")
    assert answer.endswith(b"by proxy")
    assert server.requests[0].path == "http://example.com/a?b=c"


def test_what_is_not_http_ends_the_connection(server):
    assert ask(server, b"\x16\x03\x01\r\n\r\n") == b""
    assert server.requests == []


def test_100_continue_is_said_once_and_only_when_the_body_is_wanted(server):
    server.on("/a", steps.close_after(201)).on("/no", steps.early(413))
    head = b"POST %s HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 6\r\n\r\n"
    with connect(server) as sock:
        sock.sendall(head % b"/a")
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"abc")
        sock.sendall(b"def")
        answer = read_all(sock)
    assert answer.startswith(b"HTTP/1.1 201 Created")
    assert server.requests[0].body == b"abcdef"
    assert ask(server, head % b"/no").startswith(b"HTTP/1.1 413 ")


def test_100_continue_is_not_said_twice_for_a_slow_body(server):
    server.on("/a", steps.close_after(201))
    head = b"POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"
    with connect(server) as sock:
        sock.sendall(head)
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"3")
        sock.sendall(b"\r\nabc\r\n")
        sock.sendall(b"0\r\n\r\n")
        assert read_all(sock).count(b"HTTP/1.1") == 1


def test_an_upload_that_breaks_off_is_written_down_as_incomplete(server):
    server.on("/a", steps.respond(200))
    with connect(server) as sock:
        sock.sendall(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock) == b""
    (seen,) = server.requests
    assert (seen.body, seen.complete) == (b"abc", False)


def test_waiting_for_requests_returns_them(server, client):
    server.on("/a", steps.stall())
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(client.get, server.url + "/a", timeout=0.5)
        assert [seen.path for seen in server.wait_for_requests(1)] == ["/a"]
        with pytest.raises(httpx.ReadTimeout):
            asked.result(5)


def test_waiting_in_vain_says_for_what(server):
    with pytest.raises(TimeoutError, match="0 of 2 requests"):
        server.wait_for_requests(2, timeout=0.001)
    with connect(server) as sock:
        sock.sendall(b"GET")
        while not server.connections:
            pass
        with pytest.raises(TimeoutError, match="1 connections are still open"):
            server.wait_until_idle(timeout=0.001)


def test_at_a_refused_url_nothing_listens(server):
    url = server.refused_url("/x")
    assert url.endswith("/x")
    for _ in range(2):
        with pytest.raises(httpx.ConnectError):
            httpx.get(url, trust_env=False)
    with requests.Session() as session, pytest.raises(requests.ConnectionError):
        session.get(server.refused_url())


def test_a_stall_ends_when_the_test_says_so(server, client):
    hold = threading.Event()
    server.on("/a", steps.stall(hold, steps.respond(200, body=b"at last")))
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(client.get, server.url + "/a")
        server.wait_for_requests(1)
        assert not asked.done()
        hold.set()
        assert asked.result(5).content == b"at last"


def test_a_stall_may_end_without_an_answer(server, client):
    hold = threading.Event()
    hold.set()
    server.on("/a", steps.stall(hold))
    with pytest.raises(httpx.RemoteProtocolError):
        client.get(server.url + "/a")


@pytest.mark.parametrize("hold", [None, threading.Event()])
def test_a_stall_ends_when_the_client_goes_away(server, hold):
    server.on("/a", steps.stall(hold))
    with connect(server) as sock:
        sock.sendall(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
        server.wait_for_requests(1)
        sock.sendall(b"what a client says meanwhile is lost")
    server.wait_until_idle()


def ask_until_the_first_byte(sock):
    sock.sendall(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
    while not sock.recv(65536).endswith(b"a"):
        pass


def test_a_slow_answer_ends_when_the_client_goes_away(server):
    server.on("/a", steps.trickle(b"ab", pause=3600))
    with connect(server) as sock:
        ask_until_the_first_byte(sock)
    server.wait_until_idle()


def test_after_a_slow_answer_the_next_request_is_answered_at_once(server, client):
    server.on("/a", steps.trickle(b"a", pause=3600))
    assert [client.get(server.url + "/a").text for _ in range(2)] == ["a", "a"]
    assert server.connections == 1


def test_what_is_said_during_a_slow_answer_is_heard_after_it(server):
    server.on("/a", steps.trickle(b"ab", pause=0.05))
    with connect(server) as sock:
        ask_until_the_first_byte(sock)
        sock.sendall(b"GET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        rest = read_all(sock)
    assert rest.startswith(b"bHTTP/1.1 404")


def test_an_endless_body_ends_when_the_client_has_enough(server, client):
    server.on("/a", steps.endless())
    read = 0
    with client.stream("GET", server.url + "/a") as response:
        for piece in response.iter_raw():
            read += len(piece)
            if read > 200_000:
                break
    server.wait_until_idle()


def test_an_endless_body_has_a_bound(server, client):
    server.on("/a", steps.endless(b"x" * 1000, limit=10_000))
    with pytest.raises(httpx.RemoteProtocolError), client.stream("GET", server.url + "/a") as response:
        received = 0
        for piece in response.iter_raw():
            received += len(piece)
        pytest.fail("it ended properly")


def test_head_is_answered_without_a_body(server, client):
    server.on("/a", steps.respond(200, body=b"four"))
    answer = client.head(server.url + "/a")
    assert (answer.headers["Content-Length"], answer.content) == ("4", b"")
    assert client.get(server.url + "/a").content == b"four"
    assert server.connections == 1


@pytest.mark.parametrize("kind", [LookupError, AssertionError, OSError])
def test_an_error_in_a_step_of_the_tests_own_is_raised_at_the_end(kind):
    def broken(seen):
        raise kind("broken step")

    with pytest.raises(kind, match="broken step"), FaultServer() as server:
        server.on("/a", broken)
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(server.url + "/a", trust_env=False)


def test_an_error_of_the_test_goes_before_that_of_a_step():
    def broken(seen):
        raise LookupError("broken step")

    with pytest.raises(httpx.RemoteProtocolError), FaultServer() as server:
        server.on("/a", broken)
        httpx.get(server.url + "/a", trust_env=False)


@pytest.mark.parametrize(
    "step",
    [
        steps.stall(),
        steps.stall(threading.Event()),
        steps.endless(limit=2**40),
        steps.trickle(b"x" * 10_000, pause=0.01),
        steps.respond(200),
    ],
)
def test_leaving_closes_every_connection_and_ends_every_thread(step):
    before = threading.active_count()
    with FaultServer() as server:
        server.on("/a", step)
        sock = connect(server)
        sock.sendall(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
        idle = connect(server)
        server.wait_for_requests(1)
    assert threading.active_count() == before
    with sock, idle:
        assert idle.recv(1) == b""
    with pytest.raises(OSError, match="refused"):
        connect(server)


def test_leaving_frees_what_was_never_entered():
    server = FaultServer()
    server.__exit__(None, None, None)
    with pytest.raises(OSError, match="refused"):
        connect(server)


def test_without_h11_it_says_so(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "h11", None)
    with pytest.raises(ImportError, match="install h11"):
        FaultServer()


def test_a_step_may_be_written_by_hand(server):
    server.on("/a", Step(b"HTTP/1.1 299 Odd\r\n\r\n", b"body", ending="close"))
    assert ask(server, b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n") == b"HTTP/1.1 299 Odd\r\n\r\nbody"
