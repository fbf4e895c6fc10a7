"""The text of a file, or why there is none."""

import pytest

from bide.strategy.findings import Finding
from bide.strategy.text import text_of


@pytest.fixture
def text(tmp_path):
    """Return what is made of a file of these bytes."""

    def of(data):
        path = tmp_path / "mine.toml"
        path.write_bytes(data)
        return text_of(str(path))

    return of


def test_lines_end_as_on_unix_and_the_byte_order_mark_is_gone(text):
    assert text(b"\xef\xbb\xbfa = 1\r\nb = 2\n") == "a = 1\nb = 2\n"


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_byte_that_is_no_utf8_has_its_place_also_after_a_byte_order_mark(text, mark):
    found = text(mark + b"ab\xffc\n")
    assert isinstance(found, Finding)
    assert found.message == "byte 0xff is no UTF-8"
    assert (found.line, found.column) == (1, 3)
    assert found.excerpt == "ab\N{REPLACEMENT CHARACTER}c"
