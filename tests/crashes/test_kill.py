"""kill -9 of any part, under load: who was told yes has the seats, once, and the sale goes on."""

from collections.abc import Iterator
from typing import NamedTuple

import gevent
import pytest
import redis

from seating.redis_store import keys
from tests.books import reopened
from tests.crowd import Rush
from tests.launched import Launched
from tests.servers import wait_until
from tests.system import Answer

HALL = {"generate": {"sections": 10, "rows": 20, "seatsPerRow": 25}}


class Sale(NamedTuple):
    """An event of one test, in a system that all of them kill parts of."""

    running: Launched
    event_id: str

    def rush(self) -> Rush:
        return Rush(self.running, event_id=self.event_id)

    def buy(self, key: str | None = None, **headers: str) -> Answer:
        return self.running.buy(1, key, self.event_id, **headers)

    def seats_sold(self) -> int:
        sold: int = self.running.get(f"/api/v1/events/{self.event_id}").json["seatsSold"]
        return sold

    def redis(self) -> "redis.Redis":
        return redis.Redis(unix_socket_path=f"{self.running.folder}/redis.sock")

    def lag(self) -> int:
        """How many entries SQL lacks."""
        with self.redis() as client:
            seq, persisted = client.hmget(keys.inventory(self.event_id), "seq", "persisted")
        return int(seq) - int(persisted)

    def wait_recorded(self) -> None:
        wait_until(lambda: self.lag() == 0, 30, "the lag to be zero")

    def purchases(self) -> list[str]:
        return [row[0] for row in self.running.sql("SELECT id FROM purchases WHERE event_id = ?", self.event_id)]


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launched]:
    running = Launched(tmp_path_factory.mktemp("kill") / "data", CIRCUIT_BREAKER_FAILURE_THRESHOLD="1000").start()
    yield running
    running.stop()


@pytest.fixture
def sale(launched: Launched) -> Sale:
    launched.wait_ready()
    return Sale(launched, launched.create_event(seatingPlan=HALL))


def _sold(rush: Rush, count: int) -> None:
    """Until the buyers have got `count` more answers."""
    wanted = len(rush.answers) + count
    wait_until(lambda: len(rush.answers) >= wanted, 30, f"{count} more purchases")


def _books_are_right(sale: Sale, rush: Rush) -> None:
    """Every yes is in SQL exactly once; what else is there belongs to buyers who had no answer and get it now."""
    sale.wait_recorded()
    recorded = sale.purchases()
    assert len(recorded) == len(set(recorded))
    answered = {answer["purchaseId"] for answer in rush.answers.values()}
    assert answered <= set(recorded)
    unclaimed = set(recorded) - answered
    assert len(unclaimed) <= len(rush.unanswered)
    rush.settle()
    claimed = {answer["purchaseId"] for answer in rush.answers.values()}
    assert unclaimed <= claimed
    sale.wait_recorded()
    assert set(sale.purchases()) == claimed
    seats = [seat for answer in rush.answers.values() for seat in answer["seats"]]
    assert len(seats) == len(set(seats)) == len(rush.answers)
    assert sale.seats_sold() == len(seats)
    counted = sale.running.sql("SELECT count(*) FROM sold_seats WHERE event_id = ?", sale.event_id)
    assert counted == [(len(seats),)]


def test_redis_restarts_under_load(sale: Sale) -> None:
    """The worker is busy then and ends with its connection; the sale does not wait for the next one."""
    closed = []
    with sale.rush() as rush, sale.redis() as client:
        for _ in range(3):
            _sold(rush, 50)
            sale.running.kill_and_wait_for_next("redis")
            wait_until(client.ping, what="Redis to answer")
            closed.append(reopened(sale.running, sale.event_id))
        _sold(rush, 100)
    rush.answers |= {str(number): again.answer.json for number, again in enumerate(closed)}
    print("closed for", [round(again.after_s, 2) for again in closed])
    assert sorted(again.after_s for again in closed)[1] < 2
    _books_are_right(sale, rush)


@pytest.mark.parametrize("part", ["cron", "web"])
def test_a_part_is_killed(sale: Sale, part: str) -> None:
    """The others are killed in tests of their own."""
    with sale.rush() as rush:
        _sold(rush, 100)
        sale.running.kill_and_wait_for_next(part)
        _sold(rush, 100)
    _books_are_right(sale, rush)


def test_a_web_process_is_killed(sale: Sale) -> None:
    with sale.rush() as rush:
        for _ in range(3):
            _sold(rush, 50)
            sale.running.web_worker().kill()
        _sold(rush, 50)
    _books_are_right(sale, rush)


def test_the_worker_is_killed_again_and_again(sale: Sale) -> None:
    """At whatever point of its batches that may be."""
    with sale.rush() as rush:
        for _ in range(4):
            _sold(rush, 40)
            sale.running.kill_and_wait_for_next("worker")
        _sold(rush, 100)
    _books_are_right(sale, rush)


def test_the_worker_is_killed_in_the_middle_of_a_batch(sale: Sale) -> None:
    """It has read the log and waits for SQL's lock when it dies."""
    with sale.running.locked_sql(), sale.rush() as rush:
        _sold(rush, 100)
        wait_until(lambda: sale.lag() >= 100)
        sale.running.kill_and_wait_for_next("worker")
        _sold(rush, 20)
    _books_are_right(sale, rush)


def test_the_launcher_is_killed(sale: Sale) -> None:
    with sale.rush() as rush:
        _sold(rush, 100)
        family = sale.running.family()
        assert sale.running.process
        sale.running.process.kill()
        sale.running.process.wait()
        wait_until(lambda: not any(member.is_running() for member in family), 60, "the parts to end")
        sale.running.start()
        _sold(rush, 50)
    _books_are_right(sale, rush)


def test_the_next_sale_works_within_seconds_of_a_redis_restart(sale: Sale) -> None:
    sale.buy()
    sale.running.kill_and_wait_for_next("redis")
    wait_until(lambda: sale.buy().status == 200, 10, "a sale after the restart")


def test_the_stand_in_of_the_partner_is_killed(launched: Launched) -> None:
    wait_until(lambda: launched.get("/getUsers").status == 200, what="the stand-in to answer")
    launched.kill_and_wait_for_next("partner")
    wait_until(lambda: launched.get("/getEventsByUserId/2").status == 200, what="the next one to answer")


def test_sql_locked_for_long(sale: Sale) -> None:
    """Sales go on, and what waited is recorded afterwards without help, though the worker gave up in between."""
    with sale.rush() as rush:
        with sale.running.locked_sql():
            begun = sale.running.log.stat().st_size
            wait_until(lambda: _gave_up(sale, begun), 60, "the worker to give up waiting")
            wait_until(lambda: sale.lag() >= 100, 30, "entries to wait")
            waiting = sale.buy("waits-for-sql-to-record-it", Prefer="wait=1")
            assert waiting.status == 200
            assert "Preference-Applied" not in waiting.headers
            rush.answers["waits-for-sql-to-record-it"] = waiting.json
            assert sale.lag() >= 100
        _sold(rush, 20)
    _books_are_right(sale, rush)


def _gave_up(sale: Sale, begun: int) -> bool:
    """Whether a run that began after `begun` bytes of the log failed to record the event."""
    lines = sale.running.log.read_bytes()[begun:].splitlines()
    return any(b'"record unavailable"' in line and sale.event_id.encode() in line for line in lines)


def test_a_stopping_web_finishes_what_it_accepted(sale: Sale) -> None:
    """SIGTERM while a buyer waits for SQL: the answer comes before the process goes."""
    with sale.running.locked_sql():
        waiting = gevent.spawn(sale.buy, "accepted-before-it-stops", Prefer="wait=3")
        wait_until(lambda: sale.seats_sold() == 1, what="the purchase to be accepted")
        master = sale.running.part("web")
        master.terminate()
        assert waiting.get(timeout=20).status == 200
    wait_until(lambda: not master.is_running(), 30, "the web to end")
    sale.running.wait_ready()
    assert sale.buy("accepted-before-it-stops").headers["Idempotent-Replayed"] == "true"
