"""kill -9 of any part, under load: who was told yes has the seats, once, and the sale goes on."""

import time
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest

from tests.crowd import Rush
from tests.launched import Launched
from tests.servers import wait_until


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Launched]:
    launched = Launched(tmp_path / "data").start()
    yield launched
    launched.stop()


def _sold(rush: Rush, count: int) -> None:
    """Until the buyers have got `count` more answers."""
    wanted = len(rush.answers) + count
    wait_until(lambda: len(rush.answers) >= wanted, 30, f"{count} more purchases")


def _books_are_right(running: Launched, rush: Rush) -> None:
    """Every yes is in SQL exactly once; what else is there belongs to buyers who had no answer and get it now."""
    running.wait_recorded(30)
    recorded = [row[0] for row in running.sql("SELECT id FROM purchases")]
    assert len(recorded) == len(set(recorded))
    answered = {answer["purchaseId"] for answer in rush.answers.values()}
    assert answered <= set(recorded)
    unclaimed = set(recorded) - answered
    assert len(unclaimed) <= len(rush.unanswered)
    rush.settle()
    claimed = {answer["purchaseId"] for answer in rush.answers.values()}
    assert unclaimed <= claimed
    running.wait_recorded(30)
    assert {row[0] for row in running.sql("SELECT id FROM purchases")} == claimed
    seats = [seat for answer in rush.answers.values() for seat in answer["seats"]]
    assert len(seats) == len(set(seats)) == len(rush.answers)
    assert running.get("/api/v1/event").json["seatsSold"] == len(seats)
    assert running.sql("SELECT count(*) FROM sold_seats") == [(len(seats),)]


@pytest.mark.parametrize("part", ["worker", "cron", "redis", "web"])
def test_a_part_is_killed(running: Launched, part: str) -> None:
    with Rush(running) as rush:
        _sold(rush, 100)
        running.kill_and_wait_for_next(part)
        _sold(rush, 100)
    _books_are_right(running, rush)


def test_a_web_process_is_killed(running: Launched) -> None:
    with Rush(running) as rush:
        for _ in range(3):
            _sold(rush, 50)
            running.web_worker().kill()
        _sold(rush, 50)
    _books_are_right(running, rush)


def test_the_worker_is_killed_again_and_again(running: Launched) -> None:
    """At whatever point of its batches that may be."""
    with Rush(running) as rush:
        for _ in range(4):
            _sold(rush, 40)
            running.kill_and_wait_for_next("worker")
    _books_are_right(running, rush)


def test_the_worker_is_killed_in_the_middle_of_a_batch(running: Launched) -> None:
    """It has read the log and waits for SQL's lock when it dies."""
    with running.locked_sql(), Rush(running) as rush:
        _sold(rush, 100)
        wait_until(lambda: running.get("/api/v1/stats").json["persistence"]["lag"] >= 100)
        running.kill_and_wait_for_next("worker")
        _sold(rush, 20)
    _books_are_right(running, rush)


def test_the_launcher_is_killed(running: Launched) -> None:
    with Rush(running) as rush:
        _sold(rush, 100)
        family = running.family()
        assert running.process
        running.process.kill()
        running.process.wait()
        wait_until(lambda: not any(member.is_running() for member in family), 60, "the parts to end")
        running.start()
        _sold(rush, 50)
    _books_are_right(running, rush)


def test_the_next_sale_works_within_seconds_of_a_redis_restart(running: Launched) -> None:
    running.buy(1)
    running.kill_and_wait_for_next("redis")
    wait_until(lambda: running.buy(1).status == 200, 10, "a sale after the restart")


def test_sql_locked_for_long(running: Launched) -> None:
    """Sales go on, and what waited is recorded afterwards without help."""
    with Rush(running) as rush:
        with running.locked_sql():
            locked_at = time.monotonic()
            wait_until(lambda: time.monotonic() - locked_at > 20, 30, "twenty seconds of lock")
            waiting = running.buy(1, "waits-for-sql-to-record-it", Prefer="wait=1")
            assert waiting.status == 200
            assert "Preference-Applied" not in waiting.headers
            rush.answers["waits-for-sql-to-record-it"] = waiting.json
            lag = running.get("/api/v1/stats").json["persistence"]["lag"]
            assert lag >= 100
        _sold(rush, 20)
    _books_are_right(running, rush)


def test_a_stopping_web_finishes_what_it_accepted(running: Launched) -> None:
    """SIGTERM while a buyer waits for SQL: the answer comes before the process goes."""
    with running.locked_sql():
        waiting = gevent.spawn(running.buy, 1, "accepted-before-it-stops", None, Prefer="wait=3")
        wait_until(lambda: running.get("/api/v1/event").json["seatsSold"] == 1, what="the purchase to be accepted")
        master = running.part("web")
        master.terminate()
        assert waiting.get(timeout=20).status == 200
    wait_until(lambda: not master.is_running(), 30, "the web to end")
    running.wait_ready()
    assert running.buy(1, "accepted-before-it-stops").headers["Idempotent-Replayed"] == "true"
