import attrs
import pytest

import bide
from bide.language.diagnostics import PolicySyntaxError
from bide.strategy.load import load

FINE = """
[api]
name = "mine"
title = "Mine"
docs = "Errors"

[read]
code = "error.code"

[rules]
busy = 'retry_on(503).exponential(max=3)'
refused = 'give_up_on(4xx)'

[policies]
default = 'busy | refused'

[errors.down]
status = 503
decision = "retry"
meaning = "The service is down."
resolution = "Come back later."
"""


@pytest.fixture
def file(tmp_path):
    def file(text):
        path = tmp_path / "mine.toml"
        path.write_text(text, "utf-8")
        return path

    return file


def test_a_good_file_is_covered(run, file):
    path = file(FINE)
    done = run("check", path)
    assert (done.code, done.err) == (0, "")
    assert done.out == f"All good: {load(path).coverage()}.\n"


def test_names_files_and_texts_go_together(run, file):
    done = run("check", "prompt-library", file(FINE), "retry_on(503).fixed(1s)")
    assert done.code == 0
    assert [line.rpartition(": All good: ")[0] for line in done.out.splitlines()] == [
        "prompt-library",
        str(file(FINE)),
        "retry_on(503).fixed(1s)",
    ]
    assert "1 rule, at most 4 attempts, at most 3 s of waiting" in done.out


def test_a_catalogue_that_lies_is_a_finding_with_its_place(run, file):
    path = file(FINE.replace('decision = "retry"', 'decision = "give_up"'))
    done = run("check", path)
    (finding,) = load(path).check()
    assert done.code == 1
    assert done.out == "Found 1 error.\n"
    lines = done.err.splitlines()
    assert lines[0] == f"{finding.code}: {finding.key}: {finding.message}"
    assert lines[1].endswith(f"--> {path}:{finding.line}:{finding.column}")
    assert lines[3] == f"{finding.line} | {finding.excerpt}"
    assert lines[4].split("|")[1].index("^") == finding.column
    assert lines[5] == f"help: {finding.advice}"


def test_every_finding_is_shown_and_counted(run, file):
    wrong = FINE.replace('decision = "retry"', 'decision = "give_up"').replace("busy | refused", "busy")
    done = run("check", file(wrong))
    assert done.code == 1
    assert done.out == f"Found {len(load(file(wrong)).check())} errors.\n"
    assert "unused-rule: rules.refused" in done.err


def test_json_is_what_the_api_says(run, file):
    path = file(FINE.replace('decision = "retry"', 'decision = "give_up"'))
    done = run("check", path, "retry_on(503)", "retry_on(503", "--json")
    bad, good, broken = done.json["checked"]
    assert done.code == 2
    assert done.json["errors"] == 2
    assert bad["findings"] == [attrs.asdict(one) for one in load(path).check()]
    assert (bad["ok"], good["ok"], broken["ok"]) == (False, True, False)
    with pytest.raises(PolicySyntaxError) as caught:
        bide.parse("retry_on(503")
    assert broken["syntax"]["error"] == caught.value.message
    assert broken["syntax"]["column"] == caught.value.column


def test_a_good_file_as_json(run, file):
    done = run("check", file(FINE), "--json")
    assert done.code == 0
    assert done.json["errors"] == 0
    assert done.json["checked"][0]["covered"] == str(load(file(FINE)).coverage())


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("retry_on(503", "policy:1:"),
        ("retry_on(429 | 503)", "use a comma"),
        ("no-such", "there is no strategy 'no-such'"),
        ("./no-such.toml", "cannot be read"),
        ("retry_on(503).exponental()", "help: did you mean 'exponential'?"),
        ("(", "policy:1:1"),
    ],
)
def test_what_cannot_be_read_exits_with_2(run, target, said):
    done = run("check", target)
    assert done.code == 2
    assert said in done.err.replace("write retry_on(429, 503)", "use a comma")
    assert done.out == "Found 1 error.\n"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("busy = 'retry_on(503)", "busy = 'retry_onn(503)", "help: did you mean 'retry_on'?"),
        ("[api]", "[api", "mine.toml:2:"),
        ("status = 503", "status = 5030", "errors.down"),
        ("default = 'busy", "default = 'bussy", "did you mean 'busy'?"),
        ("[policies]", "[policy]", "policy"),
    ],
)
def test_a_file_that_cannot_be_read_exits_with_2(run, file, before, after, said):
    done = run("check", file(FINE.replace(before, after)))
    assert done.code == 2
    assert said in done.err
    assert done.out.startswith("Found ")


def test_a_file_whose_name_has_a_parenthesis_is_a_file(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine (2).toml").write_text(FINE, "utf-8")
    assert run("check", "mine (2).toml").code == 0


def test_nothing_to_check_is_a_usage_error(run):
    assert run("check").code == 2
    assert run("check", "--json").json["error"]


@pytest.mark.parametrize("text", ["retry_on(503).budget(20%)", "retry_on(503).hedge(after=1s)"])
def test_a_text_that_can_be_read_and_not_used_is_a_finding(run, text):
    done = run("check", text)
    assert (done.code, done.out) == (1, "Found 1 error.\n")
    assert done.err.startswith("bad-policy: ")
    assert run("check", text, "--json").json["checked"][0]["findings"][0]["code"] == "bad-policy"


def test_a_text_may_be_longer_than_the_name_of_any_file(run):
    text = "retry_on(" + ", ".join(map(str, range(400, 500))) + ").fixed(1s)"
    done = run("check", text)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("All good: 1 rule")
