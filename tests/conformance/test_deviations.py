"""Where a client does otherwise, the documentation says so: row by row, in both directions."""

from deviations import ALL, DEVIATIONS, FORMERLY
from pages import table
from variants import VARIANTS

FAMILIES = {variant.family for variant in VARIANTS}
NAMES = {variant.name for variant in VARIANTS}


def test_each_deviation_has_its_row_in_the_documentation_and_each_row_its_deviation():
    assert table("Where a client does otherwise") == [[one.name, one.clients, one.sentence] for one in ALL]


def test_what_is_otherwise_in_older_versions_has_its_row_and_each_row_its_reason_here():
    assert table("Where older versions do otherwise") == [
        [f"{one.library} {one.until}", one.sentence] for one in FORMERLY
    ]
    assert all(set(one.variants) <= NAMES for one in FORMERLY)


def test_deviations_have_names_of_their_own_and_are_about_clients_that_there_are():
    assert len({one.name for one in ALL}) == len(ALL)
    for one in ALL:
        assert set(one.clients.split(", ")) <= (FAMILIES if one in DEVIATIONS else NAMES)
        assert one.sentence.endswith(".")


def test_a_deviation_changes_what_must_come_of_some_scenario():
    assert all(one.scenarios for one in DEVIATIONS)
