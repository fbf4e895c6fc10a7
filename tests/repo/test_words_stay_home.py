"""No file tells where it was written: no path of one machine, no address of a package index."""

import re
import subprocess

import pytest

# Some in pieces, so that this file does not tell either.
TELLING = re.compile(
    "|".join(
        [
            r"(?<![\w.*-])/(?:work|root|home|Users)/[\w.]",
            r"\.\./" + "shared",
            r"\b" + "pypi" + r"\.org",
            "pythonhosted" + r"\.org",
            "registry" + r"\.npmjs",
            "npmjs" + r"\.(?:com|org)",
        ]
    )
)


def telling(text):
    return [match[0] for match in TELLING.finditer(text)]


def test_no_file_names_a_machine_or_a_package_index(root):
    if not (root / ".git").exists():
        pytest.skip("not a git checkout: nothing says which files are ours")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = [root / name for name in listed.stdout.split("\0") if name]
    assert paths
    texts = {path: path.read_text("utf-8", errors="replace") for path in paths if path.is_file()}
    assert {str(path): found for path, text in texts.items() if (found := telling(text))} == {}


@pytest.mark.parametrize(
    "text",
    [
        "see /" + "work/main",
        "~ is /" + "root/.cache",
        "../" + "shared/x",
        "https://" + "pypi" + ".org/simple",
    ],
)
def test_a_telling_word_is_found(text):
    assert telling(text)


@pytest.mark.parametrize("text", ["https://example.com/" + "work/1", "src/root/x", "GET /api/home/"])
def test_a_path_in_a_url_is_not(text):
    assert telling(text) == []
