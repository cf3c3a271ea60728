"""A Redis that comes back: as it was, older than it was, or as another one that has gone its own way meanwhile."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis

from seating.config import Settings
from seating.domain.errors import InventoryUnavailable, SeatUnavailable
from seating.domain.position import Position
from seating.domain.receipt import Receipt
from seating.domain.seating_plan import GeneratedPlan, generate
from seating.storage.database import Database
from seating.storage.tables import answered, ledger, quarantine, sold_seats
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
    seq_of,
    suspended,
    term_of,
)
from tests.crowd import Rush
from tests.launched import Launched
from tests.one_process import OneProcess
from tests.servers import RedisServer, wait_until
from tests.system import System

_EVENT = "demo"


def ready(running: System) -> Any:
    return running.get("/ready").json["checks"]


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
    terms = [term_of(again.answer) for again in closed]
    assert terms == sorted(set(terms))  # One more after each start.
    assert all(term > term_of(answer) for term in terms for answer in bought.values())
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


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_older_than_sql(running: System, own_redis: RedisServer, tmp_path: Path) -> None:
    """Nothing is lost, and nothing is sold before the two were compared."""
    bought = buy_some(running, 20)
    running.wait_recorded()
    own_redis.copy_to(tmp_path / "copy")
    bought |= buy_some(running, 25)
    running.wait_recorded()
    with suspended(running, "worker"), suspended(running, "cron"):
        own_redis.put_back(tmp_path / "copy")
        for key in bought:
            answer = running.buy(1, key)
            assert (answer.status, answer.json["code"]) == (503, "INVENTORY_UNAVAILABLE")
        assert running.get("/api/v1/event").status == 503
        wait_until(lambda: ready(running)["inventory"]["status"] == "being compared with SQL", what="/ready to say so")
        wait_until(lambda: running.get("/ready").status == 503, what="the news that nothing can be sold")
    after = reopened(running).answer
    assert term_of(after) > max(map(term_of, bought.values()))
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
        own_redis.copy_to(tmp_path / "copy")
        lost = buy_some(running, 15)
        missing = positions(lost.values())
        wait_until(lambda: [row.seq for row in rows(running, answered, _EVENT)] == [37], what="SQL to know the last")
        own_redis.put_back(tmp_path / "copy")
    after = reopened(running).answer
    first, last = missing[0], missing[-1]
    assert (seq_of(first), seq_of(last)) == (23, 37)
    assert term_of(after) > term_of(next(iter(lost.values())))
    loss = {"eventId": _EVENT, "first": first, "last": last, "changes": 15}
    wait_until(lambda: ready(running)["losses"] == [loss], what="/ready to tell of it")
    wait_until(
        lambda: len(rows(running, quarantine, _EVENT)) == 15, what="the lost purchases' receipts to be put aside"
    )
    said = seating(running, "reconcile", _EVENT)
    assert said.status == 1
    assert [line.partition("; ")[0] for line in said.out.splitlines()] == [
        f"{_EVENT}: confirmed changes from {first} to {last} are lost, 15 in all",
        f"{_EVENT}: 15 entries wait in quarantine",
    ]
    for answer in lost.values():
        found = running.get(f"/api/v1/purchases/{answer.json['purchaseId']}").json
        assert (found["state"], found["seats"]) == ("quarantined", answer.json["seats"])
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

    SQL has `before` and `ours`, at whose places the first four of `theirs` stand.
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
    """A replica was promoted, and the primary before it sold on: its process had not learned of the new term."""
    database = Database(database_url, checkpoints=True)
    first = OneProcess.build(own_redis.url, database)
    event = first.open(plan=_HALL)
    before = [first.buy(event, f"before-{number}") for number in range(4)]
    first.persist(event)
    own_redis.copy_to(tmp_path / "copy")
    server = RedisServer(tmp_path / "copy")
    server.start()
    try:
        second = OneProcess.build(server.url, database)
        with pytest.raises(InventoryUnavailable):
            second.buy(event, "before the comparison")
        second.persist(event)
        ours = [first.buy(event, f"ours-{number}") for number in range(4)]
        theirs = [second.buy(event, f"theirs-of-the-second-{number}", reference=f"T{number}") for number in range(6)]
        first.persist(event)
        yield Fork(first, second, server, event, before, ours, theirs)
        database.close()
    finally:
        server.stop()


def _seats(receipts: Iterable[Receipt]) -> list[str]:
    return [seat for receipt in receipts for seat in _HALL.seats_of(receipt.runs)]


def test_a_fork_is_replayed_but_for_the_seats_of_others(fork: Fork) -> None:
    second, event = fork.second, fork.event
    assert {receipt.id.position for receipt in fork.theirs}.isdisjoint(receipt.id.position for receipt in fork.ours)
    assert _seats(fork.theirs[:4]) == _seats(fork.ours)  # Two buyers have a yes for each of these.
    second.persist(event)
    aside = [row for row in second.rows(quarantine, event) if row.private]
    assert [(Position(row.epoch, row.seq), row.reason) for row in aside] == [
        (receipt.id.position, "fork") for receipt in fork.theirs
    ]
    assert [row.resolution for row in aside] == [None] * 4 + ["replayed"] * 2
    assert [json.loads(row.private)["reference"] for row in aside] == [f"T{number}" for number in range(6)]
    assert all("has another owner" in row.error for row in aside[:4])
    standing = [*fork.before, *fork.ours, *fork.theirs[4:]]
    assert {row.seat_id: row.purchase_id for row in second.rows(sold_seats, event)} == {
        seat: str(receipt.id) for receipt in standing for seat in _HALL.seats_of(receipt.runs)
    }
    assert second.buy(event, "ours-1") == fork.ours[1]
    assert second.buy(event, "theirs-of-the-second-4", reference="T4") == fork.theirs[4]
    assert [second.purchases.get(receipt.id).state for receipt in fork.theirs] == ["quarantined"] * 4 + [
        "persisted"
    ] * 2
    assert set(_seats([second.buy(event, "next")])).isdisjoint(_seats(standing))
    second.persist(event)
    assert second.check.verify(event).broken is None
    assert [finding.what for finding in second.check.reconcile(event)] == ["4 entries wait in quarantine"]


def test_a_server_that_was_primary_before_is_found_out_in_its_turn(fork: Fork) -> None:
    """Nothing that it sold is forgotten, and nothing stands at a place where another history has something."""
    first, second, event = fork.first, fork.second, fork.event
    second.persist(event)
    late = first.buy(event, "late")
    assert _seats([late]) == _seats(fork.theirs[4:5])
    first.persist(event)
    assert first.told(event).count("rebuilt") == 3
    assert first.term(event) > second.term(event)
    assert late.id.position not in [Position(row.epoch, row.seq) for row in first.rows(ledger, event)]
    waiting = [row for row in first.rows(quarantine, event) if row.resolution is None]
    assert {Position(row.epoch, row.seq) for row in waiting} == {r.id.position for r in (*fork.theirs[:4], late)}
    assert first.purchases.get(late.id).state == "quarantined"
    assert first.check.verify(event).broken is None


def test_an_old_primary_sells_no_more_once_its_process_knows_of_the_term(fork: Fork) -> None:
    """It learns of it when it writes what it has answered, each second."""
    first, second, event = fork.first, fork.second, fork.event
    second.persist(event)
    first.answered.flush()
    with pytest.raises(InventoryUnavailable):
        first.buy(event, "late")


def test_a_purchase_whose_seats_another_history_sold_is_cancelled_alone(fork: Fork) -> None:
    second, event = fork.second, fork.event
    second.persist(event)
    assert second.cancel(fork.ours[0].id) == "cancelled"
    assert second.now(event).counts.sold == 9
    assert second.purchases.get(fork.theirs[0].id).state == "quarantined"
    assert second.cancel(fork.theirs[0].id) == "cancelled"
    assert second.now(event).counts.sold == 9
    assert second.cancel(fork.theirs[5].id) == "cancelled"
    assert second.now(event).counts.sold == 8
    second.persist(event)
    states = [second.purchases.get(receipt.id).state for receipt in fork.theirs]
    assert states == ["cancelled", "quarantined", "quarantined", "quarantined", "persisted", "cancelled"]
    assert [finding.what for finding in second.check.reconcile(event)] == ["3 entries wait in quarantine"]


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
def test_the_operator_replays_or_cancels_each_entry(fork: Fork, operated: System) -> None:
    """By command and by route alike. All four that wait have seats that we sold; two of ours are cancelled."""
    event, ids = fork.event, [receipt.id for receipt in fork.theirs]
    at = [str(purchase_id.position) for purchase_id in ids[:4]]
    route = [f"/api/v1/quarantine/{event}/{position}" for position in at]
    _assert_waiting(operated, event, at)
    listed = seating(operated, "quarantine", "list", event, "--json")
    assert (listed.status, [entry["position"] for entry in listed.json]) == (0, at[::-1])
    assert [json.loads(entry["private"])["reference"] for entry in listed.json] == ["T3", "T2", "T1", "T0"]
    waiting = f"{event}: 4 entries wait in quarantine; see: seating quarantine list\n"
    assert seating(operated, "reconcile", event) == (1, waiting, "")

    refused = seating(operated, "quarantine", "replay", event, at[1])
    assert (refused.status, refused.out) == (2, "")
    assert refused.error == f"seating: It cannot be replayed: {SeatUnavailable.sentence}\n"
    answer = operated.request("POST", f"{route[2]}/replay")
    assert (answer.status, answer.json["code"]) == (409, "NOT_REPLAYABLE")
    assert answer.json["message"] == f"It cannot be replayed: {SeatUnavailable.sentence}"
    _assert_waiting(operated, event, at)

    for ours in fork.ours[1:3]:
        assert operated.request("DELETE", f"/api/v1/purchases/{ours.id}").status == 200
    assert seating(operated, "quarantine", "replay", event, at[1]) == (0, "taken\n", "")
    assert operated.request("POST", f"{route[2]}/replay").status == 204
    _assert_waiting(operated, event, [at[0], at[3]])

    assert seating(operated, "quarantine", "cancel", event, at[0]) == (0, "cancelled\n", "")
    assert operated.request("DELETE", route[3]).status == 204
    _assert_waiting(operated, event, [])
    for again in (operated.request("DELETE", route[0]), operated.request("POST", f"{route[1]}/replay")):
        assert (again.status, again.json["code"]) == (404, "QUARANTINE_ENTRY_NOT_FOUND")

    fork.second.persist(event)
    for number in (1, 2, 4, 5):
        replay = order(operated, event, f"theirs-of-the-second-{number}", quantity=1, reference=f"T{number}")
        assert replay.headers["Idempotent-Replayed"] == "true"
        assert replay.json["seats"] == _seats([fork.theirs[number]])
        assert replay.json["purchaseId"] == str(ids[number])
        found = operated.get(f"/api/v1/purchases/{ids[number]}").json
        assert (found["purchaseId"], found["state"]) == (replay.json["purchaseId"], "persisted")
        assert (found["seats"], found["reference"]) == (replay.json["seats"], f"T{number}")
    for number in (0, 3):
        assert operated.get(f"/api/v1/purchases/{ids[number]}").json["state"] == "cancelled"
    standing = [*fork.before, fork.ours[0], fork.ours[3], *(fork.theirs[number] for number in (1, 2, 4, 5))]
    assert sorted(row.seat_id for row in rows(operated, sold_seats, event)) == sorted(_seats(standing))
    assert_books_right(operated, event)


def _assert_waiting(system: System, event_id: str, wanted: list[str]) -> None:
    """In quarantine, newest first."""
    listed = system.get("/api/v1/quarantine").json["entries"]
    assert [(entry["eventId"], entry["position"], entry["reason"]) for entry in listed] == [
        (event_id, position, "fork") for position in reversed(wanted)
    ]
