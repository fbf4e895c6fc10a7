"""One fault, one name: the same phase and conditions in every client, and where not, the documentation says so."""

import pytest
from deviations import warnings_of
from pages import table
from transport_faults import CLIENTS, FAULTS, OTHERWISE, brought_about, cell, in_words, named
from variants import VARIANTS

ROWS = {row[0]: row[1:] for row in table("One fault, one name")}
COLUMNS = ("httpx, httpx2", "requests", "aiohttp")
NONE = "none"


def cases():
    for row in FAULTS:
        for variant in VARIANTS:
            if named(row, variant.family) is not None:
                yield pytest.param(
                    row,
                    variant,
                    id=f"{row.name.replace(' ', '_')}-{variant.name}",
                    marks=warnings_of(variant.name),
                )


def written(row, variant):
    """The cell of the documentation for a fault in a client."""
    column = COLUMNS.index(CLIENTS.get(variant.family, variant.family))
    return ROWS[row.name][1 + column]


@pytest.mark.parametrize(("row", "variant"), list(cases()))
def test_a_fault_is_named_as_the_documentation_says(server, monkeypatch, row, variant):
    happened = brought_about(row, variant, server, monkeypatch)
    assert (happened.phase, happened.conditions) == named(row, variant.family), happened
    assert cell(row, happened) == written(row, variant)
    if row.answer is not None:
        assert happened.what == str(row.answer)


def test_the_documentation_has_each_fault_and_no_other():
    assert list(ROWS) == [row.name for row in FAULTS]
    for row in FAULTS:
        assert ROWS[row.name][0] == in_words(row.phase, row.conditions)


def test_the_documentation_says_which_faults_a_client_cannot_have():
    for row in FAULTS:
        for variant in VARIANTS:
            assert (written(row, variant) == NONE) == (named(row, variant.family) is None)


def test_the_documentation_says_why_a_fault_is_named_otherwise_and_nothing_that_is_not_so():
    assert table("Where a client makes that impossible") == [
        [one.client, ", ".join(one.faults), one.sentence] for one in OTHERWISE
    ]
    by_name = {row.name: row for row in FAULTS}
    for one in OTHERWISE:
        for name, instead in one.faults.items():
            assert instead != (by_name[name].phase, by_name[name].conditions)
