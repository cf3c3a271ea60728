"""Greenlets that serve one connection after another."""

import gevent
import pytest
from gevent import getcurrent
from gevent.event import Event

from seating.server.greenlet_pool import GreenletPool


def test_a_spare_greenlet_is_used_again() -> None:
    used: list[object] = []
    pool = GreenletPool(lambda: used.append(getcurrent()), 10)
    for _ in range(3):
        pool.spawn()
        gevent.sleep(0.01)
    assert len(used) == 3
    assert len(set(used)) == 1
    assert len(pool) == 0


def test_what_is_called_at_once_runs_side_by_side_up_to_the_limit() -> None:
    may_end = Event()
    seen: list[int] = []

    def work(number: int) -> None:
        may_end.wait()
        seen.append(number)

    pool = GreenletPool(work, 3)
    for number in range(3):
        pool.wait_available()
        pool.spawn(number)
    assert pool.free_count() == 0
    with gevent.Timeout(0.05, False):
        pool.wait_available()
        pytest.fail("there is no room")
    may_end.set()
    pool.wait_available()
    pool.spawn(3)
    gevent.sleep(0.01)
    assert seen == [0, 1, 2, 3]
    assert len(pool) == 0


def test_work_that_fails_leaves_its_place_to_the_next(capfd: pytest.CaptureFixture[str]) -> None:
    pool = GreenletPool(lambda divisor: 1 // divisor, 1)
    for divisor in (0, 0, 1):
        pool.wait_available()
        pool.spawn(divisor)
        gevent.sleep(0.01)
    assert pool.free_count() == 1
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_kill_ends_those_at_work_and_those_that_wait() -> None:
    ended: list[str] = []

    def work(seconds: float) -> None:
        try:
            gevent.sleep(seconds)
        finally:
            ended.append("ended")

    pool = GreenletPool(work, 10)
    pool.spawn(0)
    gevent.sleep(0.01)
    pool.spawn(60)
    pool.spawn(60)
    gevent.sleep(0.01)
    pool.kill(timeout=1)
    assert ended == ["ended"] * 3
    assert len(pool) == 0
