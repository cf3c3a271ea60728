"""A Redis that comes back: as it was, older than it was, or as another one that has gone its own way meanwhile."""

import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from seating.config import Settings
from seating.domain.errors import InventoryUnavailable, SeatUnavailable
from seating.domain.position import Position
from seating.domain.purchase import Receipt
from seating.domain.seating_plan import GeneratedPlan, generate
from seating.storage import migrations
from seating.storage.database import Database
from seating.storage.tables import answered, quarantine, sold_seats
from tests.books import (
    assert_books_right,
    assert_each_seat_once,
    assert_replayed,
    buy_some,
    order,
    positions,
    reopened,
    rows,
    seating,
    suspended,
)
from tests.crowd import Rush
from tests.launched import Launched
from tests.one_process import OneProcess
from tests.servers import RedisServer, wait_until
from tests.system import System

_EVENT = "demo"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_plain_restart_closes_the_sale_for_less_than_two_seconds(running: System, own_redis: RedisServer) -> None:
    """From its first answer to PING on. The second longest of four: other work on this machine may delay one."""
    bought = buy_some(running, 20)
    running.wait_recorded()
    closed = []
    for _ in range(3):
        own_redis.kill()
        own_redis.start()
        closed.append(reopened(running))
    with suspended(running, "worker"):  # RQ's worker sleeps after a lost connection: nobody waits for it.
        own_redis.kill()
        own_redis.start()
        closed.append(reopened(running))
    print("closed for", [round(again.after_s, 2) for again in closed])
    assert sorted(again.after_s for again in closed)[2] < 2
    assert all(again.answer.json["position"].startswith("1-") for again in closed)
    assert_replayed(running, bought)


def test_a_plain_restart_under_load(tmp_path: Path) -> None:
    """The worker is busy then and ends with its connection; the sale does not wait for the next one."""
    running = Launched(tmp_path / "data").start()
    try:
        client = redis.Redis.from_url(Settings(seating_data_dir=running.folder).effective_redis_url)
        closed = []
        with Rush(running) as rush:
            for _ in range(3):
                sold = len(rush.answers)
                wait_until(lambda sold=sold: len(rush.answers) > sold + 50, what="a sale in full swing")
                running.kill_and_wait_for_next("redis")
                wait_until(client.ping, what="Redis to answer")
                closed.append(reopened(running))
        rush.settle()
        print("closed for", [round(again.after_s, 2) for again in closed])
        assert sorted(again.after_s for again in closed)[1] < 2
        running.wait_recorded()
    finally:
        running.stop()


def _copy(server: RedisServer, folder: Path) -> None:
    """As a backup of the disk: of one moment."""
    server.pause()
    shutil.copytree(server.folder, folder)
    server.resume()


def _put_back(server: RedisServer, copy: Path) -> None:
    """kill -9, and a start from the copy."""
    server.kill()
    shutil.rmtree(server.folder)
    shutil.copytree(copy, server.folder)
    server.start()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_older_than_sql(running: System, own_redis: RedisServer, tmp_path: Path) -> None:
    """Nothing is lost, and nothing is sold before the two were compared."""
    bought = buy_some(running, 20)
    running.wait_recorded()
    _copy(own_redis, tmp_path / "copy")
    bought |= buy_some(running, 25)
    running.wait_recorded()
    with suspended(running, "worker"), suspended(running, "cron"):
        _put_back(own_redis, tmp_path / "copy")
        for key in bought:
            answer = running.buy(1, key)
            assert (answer.status, answer.json["code"]) == (503, "INVENTORY_UNAVAILABLE")
        assert running.get("/api/v1/event").status == 503
        assert running.get("/ready").json["checks"]["inventory"]["status"] == "being compared with SQL"
    after = reopened(running).answer
    assert after.json["position"].startswith("2-")
    assert_replayed(running, bought)
    _wait_recorded(running)
    assert_each_seat_once(running, _EVENT, [*bought.values(), after])
    assert_books_right(running, _EVENT)


def test_older_than_its_buyers_with_sql_behind(running: System, own_redis: RedisServer, tmp_path: Path) -> None:
    """The log that came back continues SQL's without a break. Only the buyers know that it went on."""
    kept = buy_some(running, 10)
    running.wait_recorded()
    with suspended(running, "worker"):
        kept |= buy_some(running, 10)
        _copy(own_redis, tmp_path / "copy")
        lost = buy_some(running, 15)
        missing = positions(lost.values())
        wait_until(lambda: [row.seq for row in rows(running, answered, _EVENT)] == [36], what="SQL to know the last")
        _put_back(own_redis, tmp_path / "copy")
    after = reopened(running).answer
    assert after.json["position"].startswith("2-")
    assert (missing[0], missing[-1]) == ("1-22", "1-36")
    loss = {"eventId": _EVENT, "first": "1-22", "last": "1-36", "changes": 15}
    assert running.get("/ready").json["checks"]["losses"] == [loss]
    said = seating(running, "reconcile", _EVENT)
    assert said.status == 1
    assert said.out.startswith(f"{_EVENT}: answered changes from 1-22 to 1-36 are lost, 15 in all; ")
    assert len(said.out.splitlines()) == 1
    assert_replayed(running, kept)
    _wait_recorded(running)
    assert_each_seat_once(running, _EVENT, [*kept.values(), after])


def _wait_recorded(running: System) -> None:
    """A worker that was at work when Redis went has ended; another is started, as the launcher does."""

    def recorded() -> bool:
        if running.parts["worker"].process.poll() is not None:
            running.start_part("worker")
        return bool(running.get("/api/v1/stats").json["persistence"]["lag"] == 0)

    wait_until(recorded, 30, "the lag to be zero")


_HALL = generate(GeneratedPlan(sections=1, rows=4, seatsPerRow=6))


@dataclass
class Fork:
    """Two servers of one event. `ours` were sold by the first, `theirs` by the second after it had been split off.

    SQL has `before` and `ours`.
    """

    first: OneProcess
    second: OneProcess
    server: RedisServer
    event: str
    before: list[Receipt]
    ours: list[Receipt]
    theirs: list[Receipt]


@pytest.fixture
def fork(own_redis: RedisServer, database_url: str, tmp_path: Path) -> Iterator[Fork]:
    """A replica that lagged was promoted: it is trusted, since by then SQL has nothing that it has not."""
    database = Database(database_url, checkpoints=True)
    migrations.upgrade(database)
    first = OneProcess.build(own_redis.url, database)
    event = first.open(plan=_HALL)
    before = [first.buy(event, f"before-{number}") for number in range(4)]
    first.persist(event)
    _copy(own_redis, tmp_path / "copy")
    server = RedisServer(tmp_path / "copy")
    server.start()
    try:
        second = OneProcess.build(server.url, database)
        with pytest.raises(InventoryUnavailable):
            second.buy(event, "before the comparison")
        second.persist(event)
        ours = [first.buy(event, f"ours-{number}") for number in range(3)]
        theirs = [second.buy(event, f"theirs-{number}", reference=f"T{number}") for number in range(6)]
        first.persist(event)
        yield Fork(first, second, server, event, before, ours, theirs)
        database.close()
    finally:
        server.stop()


def _seats(receipts: Iterable[Receipt]) -> list[str]:
    return [seat for receipt in receipts for seat in _HALL.seats_of(receipt.runs)]


def test_the_tail_of_a_fork_is_put_aside(fork: Fork) -> None:
    second, event = fork.second, fork.event
    assert [receipt.id.position for receipt in fork.theirs[:3]] == [receipt.id.position for receipt in fork.ours]
    assert _seats(fork.theirs[:3]) == _seats(fork.ours)  # Two buyers have a yes for each of these.
    second.persist(event)
    aside = second.rows(quarantine, event)
    assert [(Position(row.epoch, row.seq), row.reason) for row in aside] == [
        (receipt.id.position, "fork") for receipt in fork.theirs
    ]
    assert [json.loads(row.change)["reference"] for row in aside] == [f"T{number}" for number in range(6)]
    assert second.now(event).backlog.position == (2, 9)
    assert sorted(row.seat_id for row in second.rows(sold_seats, event)) == sorted(_seats(fork.before + fork.ours))
    assert second.buy(event, "ours-1") == fork.ours[1]
    assert _seats([second.buy(event, "next")]) == _seats(fork.theirs[3:4])


def test_two_forks_at_the_same_positions(fork: Fork) -> None:
    """The server that was primary before is found out in its turn, and nothing that it sold is forgotten."""
    first, second, event = fork.first, fork.second, fork.event
    second.persist(event)
    late = first.buy(event, "late")
    first.persist(event)
    assert first.now(event).backlog.position == (3, 10)
    assert [row.seq for row in first.rows(quarantine, event)].count(late.id.position.seq) == 2


def test_a_purchase_at_the_place_of_a_forked_one_is_cancelled_itself(fork: Fork) -> None:
    second, event = fork.second, fork.event
    second.persist(event)
    assert fork.ours[0].id.position == fork.theirs[0].id.position
    assert second.cancel(fork.ours[0].id) == "cancelled"
    assert second.now(event).counts.sold == 6
    assert second.purchases.get(fork.theirs[0].id).state == "quarantined"
    assert second.cancel(fork.theirs[0].id) == "cancelled"
    assert second.now(event).counts.sold == 6
    second.persist(event)
    assert [row.resolution for row in second.rows(quarantine, event)] == ["cancelled", None, None, None, None, None]


@pytest.fixture
def operated(fork: Fork, tmp_path: Path) -> Iterator[System]:
    """The web in front of the second server, after the fork was found out."""
    fork.second.persist(fork.event)
    system = System(tmp_path / "data", fork.server, fork.second.database.url, WEB_WORKERS="1")
    try:
        yield system.start("web")
    finally:
        system.stop()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_operator_honours_or_cancels_each_entry(fork: Fork, operated: System) -> None:
    """By command and by route alike. Of the six, three have seats that we sold, and one's are bought meanwhile."""
    event, ids = fork.event, [receipt.id for receipt in fork.theirs]
    at = [str(purchase_id.position) for purchase_id in ids]
    route = [f"/api/v1/quarantine/{event}/{position}" for position in at]
    _assert_waiting(operated, event, at)
    listed = seating(operated, "quarantine", "list", event, "--json")
    assert (listed.status, [entry["position"] for entry in listed.json]) == (0, at[::-1])
    assert [json.loads(entry["change"])["reference"] for entry in listed.json] == ["T5", "T4", "T3", "T2", "T1", "T0"]
    waiting = f"{event}: 6 entries wait in quarantine; see: seating quarantine list\n"
    assert seating(operated, "reconcile", event) == (1, waiting, "")

    assert seating(operated, "quarantine", "replay", event, at[3]) == (0, "taken\n", "")
    assert operated.request("POST", f"{route[4]}/replay").status == 204
    meanwhile = operated.buy(1, event_id=event)
    assert meanwhile.json["seats"] == _seats(fork.theirs[5:])
    refused = seating(operated, "quarantine", "replay", event, at[0])
    assert (refused.status, refused.out) == (2, "")
    assert refused.error == f"seating: It cannot be honoured: {SeatUnavailable.sentence}\n"
    for taken in (route[1], route[5]):
        answer = operated.request("POST", f"{taken}/replay")
        assert (answer.status, answer.json["code"]) == (409, "NOT_REPLAYABLE")
        assert answer.json["message"] == f"It cannot be honoured: {SeatUnavailable.sentence}"
    _assert_waiting(operated, event, [at[0], at[1], at[2], at[5]])

    assert seating(operated, "quarantine", "cancel", event, at[0]) == (0, "taken back\n", "")
    for taken in (route[1], route[2], route[5]):
        assert operated.request("DELETE", taken).status == 204
    _assert_waiting(operated, event, [])
    for again in (operated.request("DELETE", route[1]), operated.request("POST", f"{route[3]}/replay")):
        assert (again.status, again.json["code"]) == (404, "QUARANTINE_ENTRY_NOT_FOUND")

    fork.second.persist(event)
    for number in (3, 4):
        replay = order(operated, event, f"theirs-{number}", quantity=1, reference=f"T{number}")
        assert replay.headers["Idempotent-Replayed"] == "true"
        assert replay.json["seats"] == _seats([fork.theirs[number]])
        found = operated.get(f"/api/v1/purchases/{ids[number]}").json
        assert (found["purchaseId"], found["state"]) == (replay.json["purchaseId"], "persisted")
        assert (found["seats"], found["reference"]) == (replay.json["seats"], f"T{number}")
    for number in (0, 1, 2, 5):
        assert operated.get(f"/api/v1/purchases/{ids[number]}").json["state"] == "cancelled"
    standing = _seats([*fork.before, *fork.ours, *fork.theirs[3:]])
    assert sorted(row.seat_id for row in rows(operated, sold_seats, event)) == sorted(standing)
    assert_books_right(operated, event)


def _assert_waiting(system: System, event_id: str, wanted: list[str]) -> None:
    """In quarantine, newest first."""
    listed = system.get("/api/v1/quarantine").json["entries"]
    assert [(entry["eventId"], entry["position"], entry["reason"]) for entry in listed] == [
        (event_id, position, "fork") for position in reversed(wanted)
    ]
