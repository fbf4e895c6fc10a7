"""VirtualClock.freezegun: everybody's clocks follow the virtual one."""

import datetime as dt
import importlib
import sys
import time

import anyio
import freezegun
import pytest

from bide.testing import VirtualClock, frozen

EPOCH = 1_767_225_600.0  # 2026-01-01T00:00:00Z


def test_all_code_reads_the_virtual_wall_clock():
    clock = VirtualClock(wall=EPOCH)
    with clock.freezegun():
        assert time.time() == EPOCH
        clock.sleep(3600.25)
        assert time.time() == EPOCH + 3600.25
        assert dt.datetime.now(dt.UTC).isoformat() == "2026-01-01T01:00:00.250000+00:00"
    assert time.time() > EPOCH + 3601


def test_many_small_sleeps_do_not_drift():
    clock = VirtualClock(wall=EPOCH)
    with clock.freezegun():
        for _ in range(1000):
            clock.sleep(0.000_000_3)
        assert time.time() == pytest.approx(EPOCH + 0.0003, abs=2e-6)


def test_a_stepped_wall_clock_is_seen():
    clock = VirtualClock(wall=EPOCH)
    with clock.freezegun():
        clock.step_wall(-60)
        assert time.time() == EPOCH - 60
        clock.set_wall(0)
        assert dt.datetime.now(dt.UTC).year == 1970
    assert clock.monotonic() == 0.0


def test_after_the_block_freezegun_is_left_alone():
    clock = VirtualClock(wall=EPOCH)
    with clock.freezegun() as factory:
        pass
    clock.sleep(5)
    assert factory().timestamp() == factory.time_to_freeze.timestamp()
    assert factory.time_to_freeze == dt.datetime.fromisoformat("2026-01-01")


def test_options_are_freezeguns():
    clock = VirtualClock(wall=EPOCH - 3600)
    with clock.freezegun(tz_offset=2):
        assert dt.datetime.now(None).isoformat() == "2026-01-01T01:00:00"  # noqa: DTZ005  # local time


def test_it_works_inside_another_freeze():
    clock = VirtualClock(wall=EPOCH)
    run = importlib.import_module("trio._core._run")
    real = run.perf_counter
    with freezegun.freeze_time("2000-01-01"):
        outside = run.perf_counter
        with clock.freezegun():
            clock.sleep(60)
            assert time.time() == EPOCH + 60
            assert run.perf_counter is real
        assert run.perf_counter is outside
    assert run.perf_counter is real


def test_trio_need_not_be_installed(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "trio"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "trio", None)
    clock = VirtualClock(wall=EPOCH)
    with clock.freezegun():
        clock.sleep(1)
        assert time.time() == EPOCH + 1


def test_without_freezegun_it_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "freezegun", None)
    with pytest.raises(ImportError, match="freezegun"), VirtualClock().freezegun():
        pytest.fail("there is no freezegun")


def test_freezegun_is_loaded_only_when_asked_for():
    assert not hasattr(frozen, "freezegun")


@pytest.mark.anyio
async def test_event_loops_keep_running():
    clock = VirtualClock(wall=EPOCH)
    with clock.freezegun():
        before = time.monotonic()
        await clock.asleep(7200)
        assert time.monotonic() == before + 7200
        assert time.time() == EPOCH + 7200
        with anyio.move_on_after(0.02) as real:
            await anyio.sleep_forever()
        assert real.cancelled_caught
        await anyio.sleep(0.01)
        assert time.time() == EPOCH + 7200


@pytest.mark.anyio
async def test_sockets_keep_working():
    clock = VirtualClock(wall=EPOCH)

    async def echo(stream):
        async with stream:
            await stream.send(await stream.receive())

    with clock.freezegun():
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, echo)
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                await clock.asleep(60)
                await stream.send(b"hello")
                assert await stream.receive() == b"hello"
            tasks.cancel_scope.cancel()
        assert time.time() == EPOCH + 60
