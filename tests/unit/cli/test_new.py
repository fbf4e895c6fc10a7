import tomllib

import pytest

from bide.strategy.load import load


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_new_file_loads_under_its_name_and_is_all_good(run):
    done = run("new", "notes")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[-1] == "  bide check notes.toml"
    assert load("./notes.toml").name == "notes"
    checked = run("check", "notes.toml")
    assert (checked.code, checked.out[:9]) == (0, "All good:")


def test_every_section_has_a_comment_and_an_entry(run, here):
    run("new", "notes")
    text = (here / "notes.toml").read_text("utf-8")
    lines = text.splitlines()
    headers = [index for index, line in enumerate(lines) if line.startswith("[")]
    assert {lines[index].strip("[]").partition(".")[0] for index in headers} >= {
        "api", "read", "rules", "policies", "endpoints", "errors",
    }  # fmt: skip
    first = [index for index in headers if "errors." not in lines[index]]
    assert [lines[index] for index in first if not lines[index - 1].startswith("# ")] == []
    assert [lines[index] for index in headers if "=" not in lines[index + 1]] == []


def test_what_is_commented_out_is_fine_as_well(run, here):
    run("new", "notes")
    text = (here / "notes.toml").read_text("utf-8")
    (here / "all.toml").write_text(text.replace('\n# "', '\n"').replace("\n# delay =", "\ndelay ="), "utf-8")
    assert len(tomllib.loads((here / "all.toml").read_text("utf-8"))["endpoints"]) == 1
    assert run("check", "./all.toml").code == 0


def test_out_says_where_and_json_says_the_path(run, here):
    done = run("new", "notes.v2", "--out", here / "mine.toml", "--json")
    assert done.json == {"name": "notes.v2", "path": str(here / "mine.toml")}
    assert load(here / "mine.toml").name == "notes.v2"
    assert b"\r" not in (here / "mine.toml").read_bytes()


def test_the_line_that_proves_it_can_be_pasted_into_a_shell(run, here):
    assert "  bide check 'my notes.toml'" in run("new", "notes", "--out", "my notes.toml").out.splitlines()


def test_a_file_that_is_there_is_left_as_it_is(run, here):
    (here / "notes.toml").write_text("mine", "utf-8")
    done = run("new", "notes")
    assert done.code == 2
    assert "notes.toml is there already" in done.err
    assert (here / "notes.toml").read_text("utf-8") == "mine"
    assert "is there already" in run("new", "notes", "--json").json["error"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["a b"], "NAME takes letters, digits, -, _ and . only; got 'a b'"),
        (['a"\n[api]'], "NAME takes letters, digits"),
        (["\N{GRINNING FACE}"], "NAME takes letters, digits"),
        ([""], "NAME is empty: write what the strategy is called"),
        (["../notes"], "NAME takes letters, digits"),
        (["notes.toml"], "NAME is no file: write 'notes'"),
        (["notes", "--out", "no/such/notes.toml"], "cannot write no/such/notes.toml: No such file"),
        (["notes", "--out", "."], "is a directory"),
        (["notes", "--out", "-"], "FILE ends in .toml: write '-.toml'"),
        (["notes", "--out", "notes"], "FILE ends in .toml: write 'notes.toml'"),
        ([], "Missing argument 'NAME'"),
    ],
)
def test_bad_input_exits_with_2_and_writes_nothing(run, here, args, said):
    done = run("new", *args)
    assert done.code == 2
    assert said in done.err
    assert list(here.iterdir()) == []
