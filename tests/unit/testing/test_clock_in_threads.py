"""VirtualClock as threads see it."""

import math
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from bide.testing import VirtualClock


def together(*functions):
    """Run functions in threads that start at once, and return what they return."""
    barrier = threading.Barrier(len(functions))

    def run(function):
        return function(barrier.wait)

    with ThreadPoolExecutor(len(functions)) as pool:
        return [future.result(10) for future in [pool.submit(run, function) for function in functions]]


def test_a_sleep_jumps_at_once():
    clock = VirtualClock(start=100.0, wall=1000.0)
    clock.sleep(86_400)
    assert clock.monotonic() == 86_500.0
    assert clock.time() == 87_400.0
    assert clock.sleeps == [86_400.0]


def test_the_trace_tells_when_each_sleep_began():
    clock = VirtualClock()
    clock.sleep(1)
    clock.sleep(2.5)
    assert clock.trace == [(0.0, 1.0), (1.0, 2.5)]


def test_a_negative_sleep_is_a_sleep_of_none():
    clock = VirtualClock()
    clock.sleep(-5)
    assert (clock.monotonic(), clock.sleeps) == (0.0, [0.0])


@pytest.mark.parametrize("seconds", [math.inf, -math.inf, math.nan])
def test_only_finite_seconds_can_be_slept(seconds):
    clock = VirtualClock()
    with pytest.raises(ValueError, match="finite"):
        clock.sleep(seconds)
    assert clock.sleeps == []


def test_a_long_chain_of_sleeps_ends_where_the_sum_says():
    clock = VirtualClock()
    for _ in range(1000):
        clock.sleep(0.125)
    assert clock.monotonic() == 125.0


def test_three_workers_wake_in_the_order_of_their_deadlines():
    clock = VirtualClock()
    woken = []

    def worker(name, *delays):
        def run(start):
            with clock.worker():
                start()
                for delay in delays:
                    clock.sleep(delay)
                    woken.append((clock.monotonic(), name))

        return run

    together(worker("a", 1, 4), worker("b", 2, 1.5), worker("c", 3, 3))
    assert woken == [(1.0, "a"), (2.0, "b"), (3.0, "c"), (3.5, "b"), (5.0, "a"), (6.0, "c")]


def test_all_who_are_due_at_one_instant_wake_together():
    clock = VirtualClock()
    awake = threading.Barrier(3)

    def run(start):
        with clock.worker():
            start()
            clock.sleep(7)
            awake.wait(5)  # nobody passes unless all three are awake
        return clock.monotonic()

    assert together(run, run, run) == [7.0, 7.0, 7.0]


def test_time_stands_still_while_a_worker_is_awake():
    clock = VirtualClock()
    parked = threading.Event()

    def sleeper(start):
        with clock.worker():
            start()
            clock.sleep(10)
            return clock.monotonic()

    def busy(start):
        with clock.worker():
            start()
            clock.wait_for_sleepers(1)
            seen = clock.monotonic()
            parked.set()
        return seen

    assert together(sleeper, busy) == [10.0, 0.0]
    assert parked.is_set()


def test_a_sleeper_who_is_no_worker_does_not_move_the_time_of_workers():
    clock = VirtualClock()

    def stranger(start):
        start()
        clock.sleep(3)
        return clock.monotonic()

    def worker(start):
        with clock.worker():
            start()
            clock.wait_for_sleepers(1)
            before = clock.monotonic()
            clock.sleep(5)
            return before, clock.monotonic()

    # The barrier is passed only when the worker has registered.
    late, (before, after) = together(stranger, worker)
    assert (before, after) == (0.0, 5.0)
    assert late in {3.0, 5.0}  # nobody waits for a stranger


def test_a_worker_that_leaves_lets_the_others_go_on():
    clock = VirtualClock()

    def leaver(start):
        with clock.worker():
            start()
            clock.wait_for_sleepers(1)

    def sleeper(start):
        with clock.worker():
            start()
            clock.sleep(9)
            return clock.monotonic()

    assert together(leaver, sleeper) == [None, 9.0]


def test_a_worker_of_another_clock_holds_nobody_up():
    clock, other = VirtualClock(), VirtualClock()
    with other.worker():
        clock.sleep(4)
    assert (clock.monotonic(), other.monotonic()) == (4.0, 0.0)


def test_by_hand_time_moves_only_when_told():
    clock = VirtualClock(auto=False)
    with ThreadPoolExecutor(1) as pool:
        sleep = pool.submit(clock.sleep, 10)
        clock.wait_for_sleepers()
        clock.advance(9.5)
        assert (clock.monotonic(), sleep.done()) == (9.5, False)
        clock.advance(0.5)
        sleep.result(5)
    assert clock.monotonic() == 10.0


def test_by_hand_a_sleep_of_none_needs_no_advance():
    clock = VirtualClock(auto=False)
    clock.sleep(0)
    assert clock.sleeps == [0.0]


@pytest.mark.parametrize("seconds", [-1, math.inf, math.nan])
def test_time_is_advanced_forward_by_a_finite_number_of_seconds(seconds):
    with pytest.raises(ValueError, match="forward"):
        VirtualClock(auto=False).advance(seconds)


def test_waiting_for_sleepers_ends_with_an_error_that_names_the_clock():
    with pytest.raises(TimeoutError, match="VirtualClock at 0 s, manual, 0 workers, 0 sleeps pending"):
        VirtualClock(auto=False).wait_for_sleepers(1, timeout=0.001)


def test_a_stepped_wall_clock_leaves_sleeps_and_monotonic_time_alone():
    clock = VirtualClock(wall=5000.0)
    clock.step_wall(-3600)
    assert (clock.time(), clock.monotonic()) == (1400.0, 0.0)
    clock.sleep(2)
    clock.set_wall(42.0)
    assert (clock.time(), clock.monotonic()) == (42.0, 2.0)
    clock.sleep(1)
    assert (clock.time(), clock.monotonic()) == (43.0, 3.0)


def test_real_data_travels_between_virtual_hours():
    clock = VirtualClock()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def server(start):
            with clock.worker():
                start()
                connection, _ = listener.accept()
                with connection:
                    for _ in range(3):
                        asked = connection.recv(100)
                        clock.sleep(3600)
                        connection.sendall(asked.upper())

        def client(start):
            with socket.create_connection(listener.getsockname()) as connection:
                start()
                answers = []
                for word in [b"a", b"b", b"c"]:
                    connection.sendall(word)
                    answers.append(connection.recv(100))
                return answers

        assert together(server, client)[1] == [b"A", b"B", b"C"]
    assert clock.monotonic() == 3 * 3600.0
