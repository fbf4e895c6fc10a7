import attrs
import click
import pytest

import bide
from bide.cli import inputs
from bide.cli.reasons import MEANINGS
from bide.strategy.load import load

POLICY = 'give_up_on(code("quota_exceeded")) | retry_on(429).after_header("Retry-After") | retry_on(5xx).exponential(max=3)'


def test_names_the_rule_that_decides_and_why_the_earlier_ones_did_not(run):
    done = run("explain", POLICY, "--status", 429, "--header", "Retry-After=7")
    assert done.code == 0
    first, second, third = [line for line in done.out.splitlines() if line.strip().startswith("rule ")]
    assert "no: no code in the body" in first
    assert "decides" in second
    assert "not asked" in third
    assert "retry after 7 to 8 s, as Retry-After asks" in done.out


def test_tells_what_is_left_and_where_it_would_end(run):
    done = run(
        "explain",
        "Policy(retry_on(503).fixed(2s)).attempts(3).within(30s)",
        "--status",
        503,
        "--elapsed",
        "4s",
    )
    assert "left: 2 retries by this rule, 2 attempts, 26 s to the deadline" in done.out
    assert "waits of 2 s, 2 s, then give up: attempts_exhausted" in done.out


def test_a_later_attempt_has_less_left(run):
    early, late = (
        run("explain", "retry_on(503).fixed(1s)", "--status", 503, "--attempt", attempt, "--json").json
        for attempt in (1, 3)
    )
    assert early["left"]["retries"] == 3
    assert late["left"]["retries"] == 1
    assert late["ahead"] == {"delays": [[1, 1]], "reason": "retries_exhausted"}


@pytest.mark.parametrize(
    ("policy", "options", "outcome"),
    [
        (POLICY, ["--status", "429", "--header", "Retry-After: 7"], bide.Outcome(429, {"Retry-After": "7"})),
        (POLICY, ["--status", "429", "--body", '{"code": "quota_exceeded"}'], bide.Outcome(429, body='{"code": "quota_exceeded"}')),
        (POLICY, ["--status", "404"], bide.Outcome(404)),
        (POLICY, ["--status", "200"], bide.Outcome(200)),
        ("accept_on(409) | retry_on(5xx)", ["--status", "409"], bide.Outcome(409)),
        ("retry_on(500)", ["--status", "500", "--method", "post"], bide.Outcome(500, method="POST")),
        ('retry_on(401).calling("refresh")', ["--status", "401"], bide.Outcome(401)),
        ("retry_on(TimeoutError).fixed(1s)", ["--exception", "TimeoutError"], bide.Outcome(error=TimeoutError())),
        (
            'retry_on(429).after_header("Retry-After")',
            ["--status", "429", "--header", "Retry-After=500"],
            bide.Outcome(429, {"Retry-After": "500"}),
        ),
    ],
)  # fmt: skip
def test_json_is_what_the_api_says(run, policy, options, outcome):
    done = run("explain", policy, *options, "--now", 1_700_000_000, "--json")
    expected = attrs.asdict(bide.parse(policy).explain(outcome, now=1_700_000_000.0))
    expected["delay"] = expected["delay"] and list(expected["delay"])
    expected["skipped"] = list(expected["skipped"])
    assert done.code == 0
    assert done.json["explanation"] == expected
    assert done.json["policy"] == str(bide.parse(policy))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--status", "409"], "accept it: accepted"),
        (["--status", "404"], "hand it back as it came: no_rule"),
        (["--status", "401"], "recover, then retry (recovery: refresh)"),
        (["--status", "500", "--method", "POST"], "give up: not_idempotent"),
        (
            ["--status", "429", "--header", "Retry-After=500", "--now", "1700000000"],
            "welcome in 8 m 20 s, at 1700000500",
        ),
        (["--exception", "httpx.ReadTimeout"], "GET: httpx.ReadTimeout"),
        (["--exception", "OSError", "--status", "503"], "GET: 503, OSError"),
    ],
)
def test_every_action_is_said_in_words(run, options, said):
    policy = 'accept_on(409) | retry_on(401).calling("refresh") | retry_on(429).after_header("Retry-After") | retry_on(5xx)'
    assert said in run("explain", policy, *options).out


def test_a_retry_without_end_goes_on(run):
    done = run("explain", "(retry_on(503).fixed(1s, max=50)).within(10m)", "--status", 503)
    assert done.out.rstrip().endswith("1 s, and so on")


def test_dates_are_read_against_the_clock_when_no_time_is_said(run, clock):
    header = "Retry-After: Tue, 14 Nov 2023 22:13:30 GMT"  # ten seconds after the clock's start
    done = run(
        "explain", 'retry_on(429).after_header("Retry-After")', "--status", 429, "--header", header, "--json"
    )
    assert done.json["explanation"]["delay"][0] == 10


def test_an_exception_is_named_and_never_imported(run):
    done = run(
        "explain",
        "retry_on(no_such_module.Broken).fixed(1s)",
        "--exception",
        "no_such_module.Broken",
        "--json",
    )
    assert done.json["explanation"]["action"] == "retry"
    assert done.json["outcome"]["exception"] == "no_such_module.Broken"


def test_a_client_s_timeout_is_known_by_its_name(run):
    done = run("explain", 'retry_on(timeout("read"))', "--exception", "httpx.ReadTimeout", "--json")
    assert done.json["explanation"]["action"] == "retry"


@pytest.mark.parametrize("name", ["TimeoutError", "UnicodeDecodeError", "builtins.OSError"])
def test_a_built_in_exception_is_the_real_one(name):
    import builtins

    assert type(inputs.exception(name)) is getattr(builtins, name.rpartition(".")[2])


def test_the_table_has_a_row_a_rule_and_the_worst_case(run):
    done = run("explain", "(" + POLICY + ").attempts(5).within(30s).timeout(2s).over_inner()")
    lines = done.out.splitlines()
    assert any('code("quota_exceeded")' in line and "give up" in line for line in lines)
    assert any(
        "429" in line and 'after_header("Retry-After"), up to 2 m else 0 to 500 ms' in line for line in lines
    )
    assert any("nothing of these" in line and "as it came" in line for line in lines)
    assert (
        "the whole call: 5 attempts, within 30 s, 2 s for each attempt, repeats what an inner policy"
        in done.out
    )
    assert (
        f"worst case: {bide.parse('(' + POLICY + ').attempts(5).within(30s).timeout(2s)').worst_case()}"
        in done.out
    )


def test_the_table_shows_the_delay_of_each_retry(run):
    done = run("explain", "retry_on(503).delays(1s, 5s).max(3).within(1m).any_method()")
    assert "1 s, 5 s, 5 s" in done.out
    assert "3 retries, within 1 m, any method" in done.out


def test_equal_delays_are_said_once_and_many_are_cut(run):
    assert " 2 s " in run("explain", "retry_on(503).fixed(2s, max=3)").out
    assert ", ..." in run("explain", "retry_on(503).exponential(max=20)").out


def test_a_rule_that_never_repeats_has_no_delay(run):
    done = run("explain", "retry_on(503).max(0)", "--json")
    assert done.json["rules"][0]["delays"] == []
    assert "none" in run("explain", "retry_on(503).max(0)").out


def test_polls_and_paces_are_shown(run):
    text = '(retry_on(409).fixed(10s).polling().within(10m) | retry_on(503)).pace("60/minute").pace_by_headers(per="endpoint")'
    done = run("explain", text)
    assert "polls, within 10 m" in done.out
    assert "at most 60/minute per host, paced by X-RateLimit-Remaining per endpoint" in " ".join(
        done.out.split()
    )
    document = run("explain", text, "--json").json
    assert (document["rules"][0]["polling"], document["rules"][0]["retries"]) == (True, None)
    assert document["limits"]["pace"] == {"rate": "60/minute", "per": "host"}
    assert document["limits"]["pace_by_headers"]["per"] == "endpoint"


def test_a_recovery_and_what_is_not_available_are_shown(run):
    done = run("explain", '(retry_on(401).calling("refresh")).budget(20%)')
    assert "refresh, then retry" in done.out
    assert "budget (not available yet)" in done.out


def test_the_table_as_json_is_what_the_api_says(run):
    policy = bide.parse("(" + POLICY + ").within(30s)")
    told = run("explain", str(policy), "--json").json
    worst = policy.worst_case()
    assert told["worst_case"] == {"attempts": worst.attempts, "seconds": worst.seconds}
    assert told["limits"] == {
        "attempts": None,
        "within": 30,
        "timeout": None,
        "pace": None,
        "pace_by_headers": None,
    }
    assert [rule["text"] for rule in told["rules"]] == [str(rule) for rule in policy.rules]
    assert [rule["verb"] for rule in told["rules"]] == ["give_up_on", "retry_on", "retry_on"]
    assert told["rules"][1]["hints"] == ['after_header("Retry-After")']
    assert told["rules"][1]["longest_hint"] == 120
    assert told["rules"][2]["delays"] == [[0, 0.5], [0, 1], [0, 2]]


def test_what_has_no_bound_is_null_in_json(run):
    text = "Policy(retry_on(503).fixed(1s).max(forever)).attempts(100)"
    assert run("explain", text, "--json").json["rules"][0]["retries"] is None
    assert "retries without bound" in run("explain", text).out
    assert run("explain", text, "--status", 503, "--json").json["left"]["retries"] is None


def test_a_strategy_explains_itself(run):
    done = run(
        "explain", "--strategy", "prompt-library", "--status", 500, "--url", "/api/v1/prompts", "--json"
    )
    assert done.code == 0
    expected = load("prompt-library").explain(bide.Outcome(500, url="/api/v1/prompts"))
    assert done.json["explanation"]["rule"] == expected.rule
    assert run("explain", "--strategy", "prompt-library").code == 0
    assert run("explain", "--strategy", "prompt-library", "--method", "GET").code == 0


ACME = """
[api]
name = "acme"
title = "Acme"
docs = "Errors"

[policies]
default = 'retry_on(5xx).exponential(max=3)'

[endpoints]
"POST /v1/jobs/{id}:run" = 'retry_on(503).any_method().fixed(9s, max=1)'
"POST /v1/jobs/*" = 'give_up_on(5xx)'
"""


@pytest.fixture
def acme(tmp_path):
    path = tmp_path / "acme.toml"
    path.write_text(ACME, "utf-8")
    return path


def test_a_route_says_which_endpoint_answers_which_gave_way_and_the_table_of_its_policy(run, acme):
    done = run("explain", "--strategy", acme, "--route", "POST /v1/jobs/7:run?secret=s3cret")
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[:3] == [
        "endpoint POST /v1/jobs/{id}:run, where {id} is '7'",
        "  rather than POST /v1/jobs/*: its path says less",
        "  rather than *: its path says less",
    ]
    assert "9 s" in done.out
    assert "worst case: at most 2 attempts" in lines[-1]
    assert "s3cret" not in done.out


def test_a_route_with_an_outcome_gives_the_decision_of_its_policy(run, acme):
    special = run(
        "explain", "--strategy", acme, "--route", "post https://x.example/v1/jobs/7:run", "--status", 503
    )
    assert "retry after 9 s" in special.out
    assert "attempt 1, POST: 503" in special.out
    general = run("explain", "--strategy", acme, "--route", "POST /v1/jobs/7", "--status", 503)
    assert "give up: rule_gave_up" in general.out


def test_what_no_endpoint_is_about_has_the_default_policy(run, acme):
    done = run("explain", "--strategy", acme, "--route", "/v1/jobs/7:run", "--status", 503)
    assert done.out.splitlines()[0] == "endpoint *, the default policy's"
    assert "attempt 1, GET: 503" in done.out


def test_a_route_is_a_method_and_a_url_in_one(run, acme):
    request = "explain", "--strategy", acme, "--status", 503, "--json"
    one = run(*request, "--route", "POST /v1/jobs/7:run")
    two = run(*request, "--method", "POST", "--url", "/v1/jobs/7:run")
    assert one.json == two.json
    assert one.json["endpoint"] == {
        "pattern": "POST /v1/jobs/{id}:run",
        "params": {"id": "7"},
        "also": {"POST /v1/jobs/*": "its path says less", "*": "its path says less"},
    }
    table = run("explain", "--strategy", acme, "--route", "POST /v1/jobs/7:run", "--json").json
    assert table["endpoint"] == one.json["endpoint"]
    assert table["policy"] == one.json["policy"] == str(load(acme).policy_for("POST", "/v1/jobs/7:run"))


def test_a_policy_text_is_for_every_route(run):
    policy, route = "retry_on(503).fixed(1s)", ["--route", "POST /v1/jobs"]
    assert run("explain", policy, *route).out == run("explain", policy).out
    done = run("explain", policy, *route, "--status", 503, "--json").json
    assert (done["endpoint"], done["explanation"]["reason"]) == (None, "not_idempotent")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["retry_on(503)", "--route", "GET /a /b"], "such as 'POST /v1/jobs'"),
        (["retry_on(503)", "--route", " "], "such as 'POST /v1/jobs'"),
        (["retry_on(503)", "--route", "G(T /a"], "is no HTTP method"),
        (["retry_on(503)", "--route", "GET jobs"], "begins with /"),
        (["retry_on(503)", "--status", "503", "--url", "u:s3cret@host/x"], "begins with /"),
        (
            ["retry_on(503)", "--status", "503", "--route", "/a", "--url", "/a"],
            "leave out --method and --url",
        ),
        (
            ["retry_on(503)", "--status", "503", "--route", "/a", "--method", "GET"],
            "leave out --method and --url",
        ),
        ([], "say either TEXT, such as 'retry_on(503)', or --strategy"),
        (["retry_on(503)", "--strategy", "prompt-library"], "either TEXT or --strategy: both name a policy"),
        (["retry_on(503)", "--status", "99"], "'99' is none; write a whole number from 100 to 599"),
        (["retry_on(503)", "--status", "abc"], "'abc' is none; write a whole number from 100 to 599"),
        (["retry_on(503)", "--status", "\N{SUPERSCRIPT TWO}00"], "write a whole number from 100 to 599"),
        (["retry_on(503)", "--status", "503", "--header", "x"], "name=value"),
        (["retry_on(503)", "--status", "503", "--header", "a b=c"], "name=value"),
        (["retry_on(503)", "--status", "503", "--header", "a=\x1b[0m"], "no header may have"),
        (["retry_on(503)", "--status", "503", "--elapsed", "soon"], "is no duration"),
        (["retry_on(503)", "--status", "503", "--elapsed", "nan"], "is no duration"),
        (["retry_on(503)", "--status", "503", "--now", "yesterday"], "epoch seconds"),
        (["retry_on(503)", "--status", "503", "--now", "nan"], "epoch seconds"),
        (
            ["retry_on(503)", "--status", "503", "--method", "a b"],
            "is no HTTP method; write one, such as GET",
        ),
        (["retry_on(503)", "--status", "503", "--attempt", "0"], "write a whole number from 1 to 1000000"),
        (["retry_on(503)", "--status", "503", "--attempt", "9" * 5000], "from 1 to 1000000"),
        (["retry_on(503)", "--exception", "Nonsense"], "no built-in exception"),
        (["retry_on(503)", "--exception", "KeyboardInterrupt"], "never an outcome"),
        (["retry_on(503)", "--exception", "ExceptionGroup"], "cannot be made"),
        (["retry_on(503)", "--exception", "a b"], "no dotted exception name"),
        (["retry_on(503)", "--header", "a=b"], "say what the attempt came to"),
        (["retry_on(503)", "--method", "POST"], "say what the attempt came to"),
        (["--strategy", "no-such"], "there is no strategy 'no-such'"),
        (["retry_on(503)", "--nonsense"], "No such option"),
    ],
)
def test_bad_input_exits_with_2_and_advice(run, options, said):
    done = run("explain", *options)
    assert done.code == 2
    assert said in done.err
    assert "s3cret" not in done.err
    assert done.out == ""


def test_a_syntax_error_has_a_place_a_caret_and_advice(run):
    done = run("explain", "retry_on(503).exponental()")
    assert done.code == 2
    assert done.out == ""
    assert done.err.splitlines() == [
        "error: unknown method 'exponental'",
        " --> policy:1:15",
        "  |",
        "1 | retry_on(503).exponental()",
        "  |               ^^^^^^^^^^",
        "help: did you mean 'exponential'?",
    ]


def test_a_syntax_error_in_json_has_its_span(run):
    done = run("explain", "retry_on(503).exponental()", "--json")
    assert done.code == 2
    assert done.err == ""
    assert done.json == {
        "error": "unknown method 'exponental': did you mean 'exponential'?",
        "line": 1,
        "column": 15,
        "span": "exponental",
        "text": "retry_on(503).exponental()",
    }


def test_a_fault_on_the_second_line_is_shown_there(run):
    done = run("explain", "retry_on(503)\n| retry_on(50x)")
    assert " --> policy:2:" in done.err
    assert "2 | | retry_on(50x)" in done.err


@pytest.mark.parametrize("options", [[], ["retry_on(503)", "--nonsense"], ["--strategy", "no-such"]])
def test_every_complaint_is_json_when_json_is_asked_for(run, options):
    done = run("explain", *options, "--json")
    assert done.code == 2
    assert done.json["error"]
    assert done.err == ""


def test_square_brackets_are_no_markup(run):
    assert '"[red]x[/red]"' in run("explain", 'retry_on(code("[red]x[/red]"))').out


def test_a_body_that_is_no_json_is_noted(run):
    done = run("explain", 'retry_on(code("x"))', "--status", 503, "--body", "{code: x}", "--json")
    assert done.code == 0
    assert done.json["explanation"]["action"] == "return"
    assert done.err.startswith("note: --body is not JSON")
    assert run("explain", 'retry_on(code("x"))', "--status", 503, "--body", '{"code": "x"}').err == ""


def test_a_header_s_value_is_never_shown(run):
    said = [
        "--header",
        "Authorization=Bearer s3cret",
        "--header",
        "X-Api-Key: s3cret",
        "--header",
        "Cookie=s3cret",
    ]
    for extra in ([], ["--json"], ["--header", "X-Bad=s3cret\n"]):
        done = run("explain", "retry_on(503)", "--status", 503, *said, *extra)
        assert "s3cret" not in done.out + done.err


def test_every_reason_has_a_sentence():
    assert set(MEANINGS) == set(bide.Reason)


def test_a_colon_and_an_equals_sign_both_part_a_header():
    assert inputs.header("A=b:c") == ("A", "b:c")
    assert inputs.header("A: b=c") == ("A", "b=c")
    with pytest.raises(click.BadParameter):
        inputs.header("=b")


def test_a_caret_stands_under_its_characters_where_some_are_two_columns_wide(run):
    text, carets = run("explain", 'retry_on(code("日本")).foo()').err.splitlines()[3:5]
    assert text == '1 | retry_on(code("日本")).foo()'
    assert carets == "  | " + " " * (len('retry_on(code("日本")).') + 2) + "^^^"


def test_a_caret_under_wide_characters_is_as_wide(run):
    carets = run("explain", "retry_on(日本)").err.splitlines()[4]
    assert carets == "  | " + " " * len("retry_on(") + "^^"  # the first of the two, which is two columns wide


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("openai", "'openai' is a strategy; write --strategy openai"),
        ("mine.toml", "'mine.toml' is a strategy; write --strategy mine.toml"),
        ("policy.txt", "'policy.txt' is a file; write its text, \"$(cat policy.txt)\" for instance"),
        ("the policy", "write its text, \"$(cat 'the policy')\" for instance"),
    ],
)
def test_a_name_or_a_file_in_the_place_of_a_text_is_told_where_it_belongs(
    run, tmp_path, monkeypatch, text, advice
):
    monkeypatch.chdir(tmp_path)
    for name in ("policy.txt", "the policy"):
        (tmp_path / name).write_text("retry_on(503)", "utf-8")
    done = run("explain", text, "--status", 503)
    assert done.code == 2
    assert advice in done.err


@pytest.mark.parametrize("word", ["opena", "a" * 5000])
def test_a_word_that_is_no_strategy_and_no_file_is_a_fault_of_the_text(run, word):
    done = run("explain", word)
    assert done.code == 2
    assert f"'{word[:10]}" in done.err
    assert "is no policy" in done.err


def test_a_hint_that_is_too_long_names_the_limit_that_it_passes(run):
    done = run(
        "explain", 'retry_on(429).after_header("Retry-After")', "--status", 429, "--header", "Retry-After=121"
    )
    assert (
        "hint_too_long (the server asks for longer than .at_most(...) of the rule, 2 m when not said)"
        in done.out
    )


def test_a_policy_that_nothing_runs_yet_is_told_beside_what_it_would_do(run):
    done = run("explain", "Policy(retry_on(503)).budget(20%)", "--status", 503, "--json")
    assert done.json["explanation"]["action"] == "retry"
    assert done.err == "note: .budget(...) is not available yet: whoever uses this policy is refused\n"
    assert run("explain", "Policy(retry_on(503)).attempts(2)", "--status", 503).err == ""
