import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bide import MemoryStore
from bide.fleet.store import Window

KEY = "60/minute per host api.example.com"


@given(
    st.integers(1, 5),
    st.sampled_from([0.5, 1.0, 60.0]),
    st.lists(st.floats(0, 30), min_size=1, max_size=60),
)
def test_no_span_holds_more_turns_than_are_allowed(most, seconds, gaps):
    store, now, turns = MemoryStore(), 0.0, []
    for gap in gaps:
        now += gap
        wait = store.slot(KEY, most, seconds, now)
        assert wait >= 0
        turns.append(now + wait)
    assert turns == sorted(turns), "first come, first served"
    for first, too_soon in zip(turns, turns[most:], strict=False):
        assert too_soon - first >= seconds - 1e-9


@given(st.integers(1, 9), st.integers(1, 60))
def test_nobody_waits_longer_than_the_rate_asks(most, calls):
    store = MemoryStore()
    waits = [store.slot(KEY, most, 10.0, 0.0) for _ in range(calls)]
    assert waits == [10.0 * (index // most) for index in range(calls)]


def test_keys_do_not_wait_for_one_another():
    store = MemoryStore()
    assert [store.slot(key, 1, 60, 0) for key in ("a", "b", "a", "b")] == [0, 0, 60, 60]


def test_a_rate_that_changes_begins_anew():
    store = MemoryStore()
    assert [store.slot(KEY, 1, 60, 0), store.slot(KEY, 1, 60, 0)] == [0, 60]
    assert store.slot(KEY, 2, 60, 0) == 0
    assert store.slot(KEY, 2, 30, 0) == 0


def test_what_nothing_is_known_of_is_free():
    assert MemoryStore().window(KEY, 5) == 0


def test_what_remains_is_taken_one_by_one_and_then_waits_for_the_reset():
    store = MemoryStore()
    store.observe(KEY, Window(2, 20), now=100)
    assert [store.window(KEY, now) for now in (100, 101, 102, 119)] == [0, 0, 18, 1]
    assert store.window(KEY, 120) == 0
    assert store.window(KEY, 120) == 0, "of the next window nothing is known yet"


def test_of_one_window_the_least_counts_since_answers_overtake_one_another():
    store = MemoryStore()
    store.observe(KEY, Window(3, 20), now=100)
    store.observe(KEY, Window(9, 19), now=101)  # sent before, arrived after
    store.observe(KEY, Window(1, 19.4), now=101)  # the same reset, told in whole seconds
    assert [store.window(KEY, 101) for _ in range(2)] == [0, 19]


def test_a_window_that_begins_replaces_the_one_before():
    store = MemoryStore()
    store.observe(KEY, Window(0, 20), now=100)
    store.observe(KEY, Window(60, 60), now=121)
    assert store.window(KEY, 121) == 0
    store.observe(KEY, Window(0, 300), now=130)  # a longer one, told by another of the server's limits
    assert store.window(KEY, 130) == 300


def test_a_shorter_limit_that_is_used_up_holds_nobody_back_until_the_longer_one_is_counted_anew():
    store = MemoryStore()
    store.observe(KEY, Window(950, 3600), now=0)  # the hour's, and then the minute's
    store.observe(KEY, Window(0, 32), now=0)
    assert store.window(KEY, 0) == 32
    assert store.window(KEY, 32) == 0


def test_what_is_left_of_a_shorter_limit_is_not_all_that_is_left_of_the_longer_one():
    store = MemoryStore()
    store.observe(KEY, Window(950, 3600), now=0)
    store.observe(KEY, Window(1, 32), now=0)
    assert [store.window(KEY, 0) for _ in range(3)] == [0, 0, 0]


def test_of_two_limits_that_are_used_up_the_longer_one_counts():
    store = MemoryStore()
    store.observe(KEY, Window(0, 3600), now=0)
    store.observe(KEY, Window(0, 32), now=0)
    assert store.window(KEY, 40) == 3560


def test_requests_on_their_way_count_though_the_server_has_not_seen_them():
    store = MemoryStore()
    store.observe(KEY, Window(5, 20), now=0)
    assert [store.window(KEY, 0) for _ in range(5)] == [0] * 5
    store.observe(KEY, Window(4, 20), now=0)  # the answer to the first of the five
    assert store.window(KEY, 0) == 20


def test_keys_that_hold_nobody_back_are_let_go():
    store = MemoryStore()
    for index in range(5000):
        store.slot(f"{KEY}/{index}", 1, 1.0, now=float(index))
        store.observe(f"{KEY}/{index}", Window(0, 1.0), now=float(index))
    assert len(store._rows) < 1100
    assert len(store._left) < 1100
    assert store.slot(f"{KEY}/4999", 1, 1.0, now=4999) == 1


def test_coroutines_get_the_same_answers():
    async def main():
        store = MemoryStore()
        store.observe(KEY, Window(0, 7), now=0)
        return await store.aslot(KEY, 1, 60, 0), await store.aslot(KEY, 1, 60, 0), await store.awindow(KEY, 0)

    assert asyncio.run(main()) == (0, 60, 7)


@pytest.mark.parametrize("most", [1, 60])
def test_turns_are_as_even_as_the_rate_when_many_come_at_once(most):
    store = MemoryStore()
    turns = [store.slot(KEY, most, 60.0, 0.0) for _ in range(most * 3)]
    assert all(later - earlier in (0, 60) for earlier, later in pairwise(turns))


@given(
    st.integers(1, 4),
    st.lists(st.tuples(st.floats(0, 15), st.booleans()), min_size=1, max_size=60),
)
def test_turns_that_are_given_back_let_no_more_begin_than_are_allowed(most, calls):
    store, now, kept = MemoryStore(), 0.0, []
    for gap, given_back in calls:
        now += gap
        turn = store.slot(KEY, most, 10.0, now)
        if given_back:
            store.give_back(KEY, turn, now)
        else:
            kept.append(now + turn)
    kept.sort()
    for first, too_soon in zip(kept, kept[most:], strict=False):
        assert too_soon - first >= 10 - 1e-9


@given(st.integers(1, 4), st.integers(0, 50))
def test_turns_that_are_given_back_make_nobody_wait(most, refused):
    store = MemoryStore()
    taken = [store.slot(KEY, most, 10.0, 0.0) for _ in range(most)]
    assert taken == [0] * most
    for _ in range(refused):
        turn = store.slot(KEY, most, 10.0, 1.0)
        assert turn == 9
        store.give_back(KEY, turn, 1.0)
    assert store.slot(KEY, most, 10.0, 2.0) == 8


def test_a_turn_that_has_passed_is_nobodys():
    store = MemoryStore()
    assert [store.slot(KEY, 1, 10.0, 0.0) for _ in range(3)] == [0, 10, 20]
    store.give_back(KEY, 10.0, 0.0)
    assert store.slot(KEY, 1, 10.0, 12.0) == 18


def test_the_first_of_the_turns_that_were_given_back_is_given_first():
    store = MemoryStore()
    turns = [store.slot(KEY, 1, 10.0, 0.0) for _ in range(4)]
    for turn in (turns[3], turns[1]):
        store.give_back(KEY, turn, 0.0)
    assert [store.slot(KEY, 1, 10.0, 5.0) for _ in range(3)] == [5, 25, 35]


def test_a_turn_of_a_key_that_is_not_known_is_given_back_without_a_word():
    store = MemoryStore()
    store.give_back(KEY, 10.0, 0.0)
    assert store.slot(KEY, 1, 10.0, 0.0) == 0
