import base64

import httpx
import pytest
from packaging.version import Version

from bide.testing import steps

POLICY = 'retry_on(429).after_header("Retry-After") | retry_on(5xx, network).fixed(2s, max=2)'


def test_the_body_goes_to_stdout_and_the_timeline_to_stderr(run, server, clock):
    server.on(
        "/",
        steps.respond(429, {"Retry-After": "7"}),
        steps.respond(503),
        steps.reset(),
        steps.respond(200, body="hello"),
    )
    done = run("get", server.url + "/", "--policy", POLICY)
    assert (done.code, done.out) == (0, "hello")
    first, second, third, fourth = done.err.splitlines()[:4]
    assert "attempt 1  429 Too Many Requests" in first
    assert "as Retry-After asks (rule 1)" in first
    assert "attempt 2  503 Service Unavailable" in second
    assert "retry in 2 s (rule 2)" in second
    assert "attempt 3  ReadError" in third
    assert "attempt 4  200 OK" in fourth
    assert "done: succeeded" in fourth
    assert clock.sleeps[1:] == [2, 2]
    assert 7 <= clock.sleeps[0] <= 8


def test_json_holds_the_attempts_and_the_body(run, server, clock):
    server.on("/jobs", steps.respond(503), steps.respond(200, body="hello"))
    done = run("get", server.url + "/jobs?key=s3cret", "--policy", POLICY, "--json")
    assert (done.code, done.err) == (0, "")
    assert done.json == {
        "method": "GET",
        "url": server.url + "/jobs",
        "endpoint": None,
        "status": 200,
        "error": None,
        "detail": None,
        "attempts": [
            {"attempt": 1, "outcome": "503", "rule": 1, "delay": 2, "source": None, "reason": None},
            {
                "attempt": 2,
                "outcome": "200",
                "rule": None,
                "delay": None,
                "source": None,
                "reason": "succeeded",
            },
        ],
        "waited": 2,
        "reason": "succeeded",
        "retry_at": None,
        "output": None,
        "body": "hello",
    }


def test_a_body_that_is_no_text_is_base64_in_json(run, server):
    server.on("/", steps.respond(200, body=b"\xff\x00"))
    done = run("get", server.url, "--policy", "retry_on(503)", "--json")
    assert base64.b64decode(done.json["body_base64"]) == b"\xff\x00"


def test_the_last_status_decides_the_exit_status(run, server, clock):
    server.on("/", steps.respond(503))
    done = run("get", server.url + "/", "--policy", POLICY)
    assert done.code == 1
    assert "gave up: retries_exhausted" in done.err
    assert len(server.requests) == 3
    assert "retries_exhausted" in done.err.splitlines()[-2]


def test_what_no_rule_is_about_is_handed_back(run, server):
    server.on("/", steps.respond(404, body="gone"))
    done = run("get", server.url + "/", "--policy", POLICY)
    assert (done.code, done.out) == (1, "gone")
    assert "no_rule" in done.err


def test_what_a_rule_accepts_is_no_success_for_the_shell(run, server):
    server.on("/", steps.respond(409, body="{}"))
    done = run("get", server.url + "/", "--policy", "accept_on(409)", "--json")
    assert (done.code, done.json["reason"]) == (1, "accepted")


def test_a_fault_that_no_rule_is_about_exits_with_1(run, server):
    server.on("/", steps.drop())
    done = run("get", server.url + "/", "--policy", "retry_on(503)")
    assert done.code == 1
    assert "RemoteProtocolError" in done.err
    assert "no_rule" in done.err


def test_a_connection_that_is_refused_is_retried_and_then_told(run, server, clock):
    done = run("get", server.refused_url(), "--policy", POLICY, "--json")
    assert (done.code, done.json["error"], done.json["status"]) == (1, "ConnectError", None)
    assert [row["outcome"] for row in done.json["attempts"]] == ["ConnectError"] * 3
    assert done.json["reason"] == "retries_exhausted"
    assert "body" not in done.json


def test_a_body_that_breaks_off_exits_with_1(run, server):
    server.on("/", steps.truncate("x" * 100))
    done = run("get", server.url + "/", "--policy", POLICY)
    assert done.code == 1
    assert "broke off in the body" in done.err


def test_a_hint_that_is_too_long_tells_when_to_come_back(run, server, clock):
    server.on("/", steps.respond(429, {"Retry-After": "500"}))
    done = run("get", server.url + "/", "--policy", POLICY, "--json")
    assert (done.json["reason"], done.json["retry_at"]) == ("hint_too_long", 1_700_000_500)


def test_output_goes_to_a_file(run, server, tmp_path):
    server.on("/", steps.respond(200, body=b"x" * 200_000))
    path = tmp_path / "body"
    done = run("get", server.url + "/", "--policy", "retry_on(503)", "--output", path)
    assert (done.code, done.out) == (0, "")
    assert path.read_bytes() == b"x" * 200_000
    told = run("get", server.url + "/", "--policy", "retry_on(503)", "--output", path, "--json").json
    assert told["output"] == str(path)
    assert "body" not in told


def test_method_headers_and_data_are_sent(run, server):
    server.on("/", steps.respond(200))
    run(
        "get", server.url, "--policy", "retry_on(503)", "--method", "put", "--header", "X-A=1", "--data", "hi"
    )
    run("get", server.url, "--policy", "retry_on(503)", "--data", "hi")
    put, post = server.requests
    assert (put.method, put.header("X-A"), put.body) == ("PUT", "1", b"hi")
    assert post.method == "POST"


def test_a_post_is_not_repeated_unless_the_rule_says_so(run, server, clock):
    server.on("/", steps.respond(503))
    assert "not_idempotent" in run("get", server.url, "--policy", POLICY, "--data", "hi").err
    assert len(server.requests) == 1


def test_a_strategy_chooses_the_policy(run, server, clock):
    server.on("/api/v1/prompts", steps.json(401, {"error": {"code": "UNAUTHORIZED", "message": "no"}}))
    done = run("get", server.url + "/api/v1/prompts", "--strategy", "prompt-library")
    assert done.code == 1
    assert "rule_gave_up" in done.err
    assert done.err.splitlines()[0] == "endpoint *, the default policy's"


def test_the_endpoint_that_chose_the_policy_is_told(run, server, tmp_path):
    server.on("/jobs/7", steps.respond(503))
    file = tmp_path / "acme.toml"
    file.write_text(
        '[api]\nname = "acme"\ntitle = "Acme"\ndocs = "Errors"\n'
        "[policies]\ndefault = 'retry_on(503).immediately()'\n"
        "[endpoints]\n'GET /jobs/{id}' = 'give_up_on(503)'\n"
    )
    done = run("get", server.url + "/jobs/7", "--strategy", file, "--json")
    assert done.json["reason"] == "rule_gave_up"
    assert done.json["endpoint"] == {
        "pattern": "GET /jobs/{id}",
        "params": {"id": "7"},
        "also": {"*": "its path says less"},
    }
    posted = run("get", server.url + "/jobs/7", "--strategy", file, "--data", "hi")
    assert posted.err.splitlines()[0] == "endpoint *, the default policy's"


def test_secrets_are_never_shown(run, server, clock):
    server.on("/", steps.respond(503))
    url = server.url.replace("http://", "http://user:s3cret@") + "/?token=s3cret"
    for extra in ([], ["--json"]):
        done = run("get", url, "--policy", POLICY, "--header", "Authorization=Bearer s3cret", *extra)
        assert "s3cret" not in done.out + done.err
        assert server.url + "/" in done.out + done.err


@pytest.mark.parametrize(
    "url",
    [
        "http://u:s3cret@host:99999/",
        "s3cret.example/x",
        "ftp://s3cret@host/",
        "http://",
        "http://user:s3cret@host:port/",
    ],
)
def test_a_url_that_is_none_is_told_without_it(run, url):
    done = run("get", url, "--policy", "retry_on(503)")
    assert done.code == 2
    assert "s3cret" not in done.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "say either --policy, such as 'retry_on(503)', or --strategy"),
        (["--policy", "retry_on(503)", "--strategy", "x"], "--policy or --strategy: both name a policy"),
        (["--policy", "retry_on(503"], "policy:1:"),
        (["--strategy", "no-such"], "there is no strategy"),
        (["--policy", "retry_on(503)", "--timeout", "0s"], "more than 0"),
        (["--policy", "retry_on(503)", "--timeout", "x"], "is no duration"),
        (["--policy", "retry_on(503)", "--header", "x"], "name=value"),
        (["--policy", "retry_on(503)", "--method", ""], "is no HTTP method"),
        (["--policy", "retry_on(503)", "--output", "/"], "is a directory"),
        (["--policy", "retry_on(503).budget(20%)"], "not available yet"),
    ],
)
def test_bad_input_exits_with_2_and_sends_nothing(run, server, options, said):
    done = run("get", server.url, *options)
    assert done.code == 2
    assert said in done.err
    assert server.requests == []


def test_a_missing_url_is_a_usage_error(run):
    assert run("get", "--policy", "retry_on(503)").code == 2


def test_a_file_that_cannot_be_written_is_a_usage_error(run, server, tmp_path):
    server.on("/", steps.respond(200))
    done = run("get", server.url, "--policy", "retry_on(503)", "--output", tmp_path / "no" / "such")
    assert done.code == 2
    assert "No such file or directory" in done.err


def test_what_is_not_available_yet_is_json_too(run, server):
    done = run("get", server.url, "--policy", "retry_on(503).budget(20%)", "--json")
    assert done.code == 2
    assert "not available yet" in done.json["error"]


PACED = """
[api]
name = "agents"
title = "Agents"
docs = "Errors"

[policies]
default = 'retry_on(503).fixed(1s)'

[endpoints]
"GET /agents/{agent_id}/query" = 'default.pace("1/10s", per="agent_id")'
"""


def test_a_strategy_s_pace_is_kept_by_the_parts_of_its_endpoint(run, server, clock, tmp_path):
    (tmp_path / "agents.toml").write_text(PACED, "utf-8")
    server.on("/agents/7/query", steps.respond(503), steps.respond(200, body="hello"))
    done = run("get", server.url + "/agents/7/query", "--strategy", tmp_path / "agents.toml")
    assert (done.code, done.out) == (0, "hello")
    assert clock.sleeps == [1, pytest.approx(9)]
    assert "its pace lets attempt 2 begin in 9 s" in done.err


def test_a_turn_that_comes_too_late_is_told(run, server, clock):
    server.on("/", steps.respond(503))
    policy = 'retry_on(503).fixed(1s).pace("1/1h").within(5s)'
    done = run("get", server.url, "--policy", policy)
    assert done.code == 1
    assert "PaceTimeout" in done.err
    assert "gave up: deadline" in done.err
    assert "the pace lets this attempt begin in 3599 s" in done.err
    told = run("get", server.url, "--policy", policy, "--json").json
    assert (told["error"], told["reason"]) == ("PaceTimeout", "deadline")
    assert "the deadline leaves" in told["detail"]


def test_a_recovery_that_nothing_is_bound_to_is_named(run, server):
    server.on("/", steps.respond(401))
    done = run("get", server.url, "--policy", 'retry_on(401).calling("refresh_token")')
    assert done.code == 1
    assert "nothing is bound to refresh_token" in done.err
    assert "gave up: recovery_failed" in done.err


def test_why_a_connection_failed_is_told(run, server):
    done = run("get", server.refused_url(), "--policy", "retry_on(503)")
    assert done.code == 1
    assert "refused" in done.err
    assert "refused" in run("get", server.refused_url(), "--policy", "retry_on(503)", "--json").json["detail"]


@pytest.mark.parametrize("host", ["a..b", "a" * 300])
def test_a_host_that_no_name_server_could_know_is_no_crash(run, host, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    done = run("get", f"http://{host}/", "--policy", "retry_on(503)")
    assert done.code == 1
    assert "label" in done.err


def test_what_the_client_raises_beside_its_own_exceptions_is_no_crash(run, server):
    done = run("get", server.url, "--policy", "retry_on(503)", "--header", "Content-Length=5", "--data", "x")
    assert done.code == 1
    assert "LocalProtocolError" in done.err


def test_bytes_that_are_no_text_are_sent_as_they_were_typed(run, server):
    server.on("/", steps.respond(200))
    assert run("get", server.url, "--policy", "retry_on(503)", "--data", "\udcff\udcfe").code == 0
    assert server.requests[0].body == b"\xff\xfe"


MISSING = [("SSL_CERT_FILE", "/no/such/file", "SSL_CERT_FILE or SSL_CERT_DIR names cannot be read")]
if Version(httpx.__version__) < Version("0.28"):  # which does without a file that is missing
    MISSING.clear()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ALL_PROXY", "ftp://u:s3cret@proxy", "names no proxy such as http://proxy.example:8080"),
        ("HTTP_PROXY", "http://u:s3cret@proxy:port", "names no proxy such as http://proxy.example:8080"),
        ("SSL_CERT_FILE", __file__, "SSL_CERT_FILE or SSL_CERT_DIR names cannot be read"),
        *MISSING,
    ],
)
def test_an_environment_that_no_client_can_be_made_in_is_told(run, monkeypatch, name, value, said):
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv(name, value)
    done = run("get", "http://127.0.0.1:1/", "--policy", "retry_on(503)")
    assert done.code == 2
    assert said in done.err
    assert "s3cret" not in done.err
    assert said in run("get", "http://127.0.0.1:1/", "--policy", "retry_on(503)", "--json").json["error"]
