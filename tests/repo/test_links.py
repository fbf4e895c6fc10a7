"""Every relative link in our pages leads to a file that exists, and to a heading that it has."""

import re

import pytest

LINK = re.compile(r"\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)|^\[[^\]]+\]:\s*(\S+)", re.MULTILINE)
FENCE = re.compile(r"^(`{3,}|~{3,}).*?^\1\s*$|`[^`\n]+`", re.MULTILINE | re.DOTALL)


def pages(root):
    return sorted([*root.glob("*.md"), *root.glob("docs/**/*.md")])


def anchors(text):
    """The headings of a page as links name them."""
    unfenced = FENCE.sub(lambda code: "" if "\n" in code[0] else code[0].strip("`"), text)
    headings = re.findall(r"^#+\s+(.+?)\s*$", unfenced, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page):
    """The targets of a page's relative links, code left aside."""
    found = LINK.findall(FENCE.sub("", page.read_text("utf-8")))
    return [target for pair in found if not re.match(r"[a-z][a-z+.-]*:", target := "".join(pair))]


def broken(page):
    for link in links(page):
        target, _, anchor = link.partition("#")
        path = page.parent / target if target else page
        if not path.exists():
            yield f"{page.name}: {target}"
        elif anchor and path.suffix == ".md" and anchor not in anchors(path.read_text("utf-8")):
            yield f"{page.name}: {target}#{anchor}"


def test_every_relative_link_leads_somewhere(root):
    assert [link for page in pages(root) for link in broken(page)] == []


def test_every_page_of_the_docs_can_be_reached_from_their_index(root):
    index = root / "docs/index.md"
    seen, left = set(), [index]
    while left:
        page = left.pop()
        if page in seen:
            continue
        seen.add(page)
        targets = [page.parent / target.partition("#")[0] for target in links(page)]
        left += [path.resolve() for path in targets if path.suffix == ".md" and path.is_file()]
    assert [path.name for path in root.glob("docs/**/*.md") if path.resolve() not in seen] == []


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("[a](here.md) and [b](https://example.com)", 0),
        ("# Two words\n[a](#two-words) [b](here.md#two-words)", 0),
        ("[a](gone.md)", 1),
        ("[a]: gone.md", 1),
        ("[a](#no-such-heading)", 1),
        ("```text\n[a](gone.md)\n```\n`[a](gone.md)`", 0),
    ],
)
def test_a_link_that_leads_nowhere_is_found(tmp_path, text, count):
    page = tmp_path / "here.md"
    page.write_text(text, "utf-8")
    assert len(list(broken(page))) == count
