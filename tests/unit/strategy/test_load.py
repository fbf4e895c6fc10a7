from pathlib import Path

import pytest

from bide.strategy.check import check, check_file
from bide.strategy.findings import StrategyError
from bide.strategy.load import load
from bide.strategy.strategy import Strategy
from bide.strategy.text import LARGEST_FILE

GOOD = "[api]\nname = 'mine'\ntitle = 't'\ndocs = 'd'\n[policies]\ndefault = 'retry_on(503)'\n"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("said", ["mine.toml", "./mine.toml", Path("mine.toml"), "./mine", Path("mine")])
def test_a_path_is_what_looks_like_one_or_is_one(here, said):
    here.joinpath(str(said)).write_text(GOOD, "utf-8")
    assert load(said).name == "mine"
    assert check(said) == []


def test_a_name_is_never_a_file_of_the_working_directory(here):
    here.joinpath("prompt-library").write_text(GOOD, "utf-8")
    assert load("prompt-library").name == "prompt-library"


def test_a_name_that_nobody_knows_is_told_the_nearest():
    with pytest.raises(StrategyError, match="did you mean 'prompt-library'") as caught:
        load("promptlibrary")
    assert caught.value.findings[0].code == "unknown-strategy"
    assert caught.value.line is None
    assert "ends in .toml" in caught.value.advice


@pytest.mark.parametrize("name", ["", "..", "\0", "a\nb", "x" * 9999])
def test_a_name_may_be_anything(name):
    with pytest.raises(StrategyError, match="there is no strategy"):
        load(name)


@pytest.mark.parametrize("said", [None, 3, b"prompt-library"])
def test_what_is_neither_name_nor_path_is_a_type_error(said):
    with pytest.raises(TypeError):
        load(said)


@pytest.mark.parametrize("said", ["gone.toml", "./", "gone/mine.toml", "nul\0.toml"])
def test_a_file_that_cannot_be_read_is_a_strategy_error(here, said):
    with pytest.raises(StrategyError, match="the file cannot be read: ") as caught:
        load(said)
    assert caught.value.file == said
    assert check_file(said) == (list(caught.value.findings), None)


def test_a_file_that_is_too_large_is_not_read(here):
    here.joinpath("big.toml").write_bytes(b"#" * (LARGEST_FILE + 1))
    with pytest.raises(StrategyError, match="larger than 1048576 bytes"):
        load("big.toml")
    here.joinpath("big.toml").write_bytes(GOOD.encode().ljust(LARGEST_FILE, b"#"))
    assert load("big.toml").name == "mine"


def test_a_byte_that_is_no_utf8_has_its_place(here):
    here.joinpath("latin.toml").write_bytes(GOOD.encode() + "# é\nx = 'é'".encode() + b"\xe9 # more\n")
    with pytest.raises(StrategyError, match="byte 0xe9 is no UTF-8") as caught:
        load("latin.toml")
    assert (caught.value.line, caught.value.column) == (8, 8)
    assert caught.value.findings[0].excerpt == "x = 'é'\N{REPLACEMENT CHARACTER} # more"


def test_a_byte_order_mark_is_no_harm(here):
    here.joinpath("bom.toml").write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert load("bom.toml").name == "mine"


def test_the_error_counts_what_it_does_not_show(here):
    here.joinpath("mine.toml").write_text(GOOD + "x = 'y('\nz = 'y('\n", "utf-8")
    with pytest.raises(StrategyError, match=r"\(1 more: `bide check` shows them all\)") as caught:
        load("mine.toml")
    assert check("mine.toml") == list(caught.value.findings)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package that offers strategies."""
    tmp_path.joinpath("acme.toml").write_text(GOOD, "utf-8")
    tmp_path.joinpath("acme_bide.py").write_text(
        "from pathlib import Path\n"
        "from bide.strategy.load import load\n"
        "PATH = Path(__file__).with_name('acme.toml')\n"
        "LOADED = load(PATH)\n"
        "TEXT = str(PATH)\n"
        "NEITHER = 3\n"
    )
    info = tmp_path / "acme_bide-1.0.dist-info"
    info.mkdir()
    info.joinpath("METADATA").write_text("Name: acme-bide\nVersion: 1.0\n")
    info.joinpath("entry_points.txt").write_text(
        "[bide.strategies]\nacme = acme_bide:PATH\nacme-text = acme_bide:TEXT\n"
        "acme-loaded = acme_bide:LOADED\nacme-wrong = acme_bide:NEITHER\nprompt-library = acme_bide:PATH\n"
    )
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.parametrize("name", ["acme", "acme-text", "acme-loaded"])
def test_an_installed_package_adds_strategies(package, name):
    strategy = load(name)
    assert isinstance(strategy, Strategy)
    assert strategy.name == "mine"


def test_an_installed_package_replaces_none_of_ours(package):
    assert load("prompt-library").name == "prompt-library"


def test_what_an_installed_package_offers_is_named_among_the_nearest(package):
    with pytest.raises(StrategyError, match="did you mean 'acme'"):
        load("acmee")


def test_an_entry_point_to_something_else_is_an_error(package):
    with pytest.raises(
        StrategyError, match="'acme_bide:NEITHER' is neither a Strategy nor the path of a file"
    ):
        load("acme-wrong")


def test_a_file_in_the_working_directory_is_named_by_its_path(here):
    here.joinpath("ships.toml").write_text(GOOD, "utf-8")
    with pytest.raises(StrategyError) as caught:
        load("ships")
    assert caught.value.findings[0].advice == "there is a file of that name: write ./ships.toml"


@pytest.mark.parametrize("said", [None, 7, b"prompt-library"])
def test_what_is_neither_a_name_nor_a_path_is_refused(said):
    with pytest.raises(
        TypeError, match="a strategy is loaded by its name, or by its path as a text or a Path; got"
    ):
        load(said)
