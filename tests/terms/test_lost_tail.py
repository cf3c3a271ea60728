"""Redis comes back without what it last answered, or a replica takes its place: every lost yes is known by name."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from seating.domain.actor import Actor
from seating.domain.errors import InventoryUnavailable
from seating.domain.receipt import Receipt
from seating.domain.seating_plan import GeneratedPlan, generate
from seating.services.losses import Losses
from seating.storage.database import Database
from seating.storage.tables import ledger, quarantine, sold_seats
from tests.one_process import HOLD_LIMITS, OPERATOR, OneProcess
from tests.servers import RedisServer

_HALL = generate(GeneratedPlan(sections=1, rows=4, seatsPerRow=6))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url, checkpoints=True)
    yield database
    database.close()


def _seats(receipts: list[Receipt]) -> set[str]:
    return {seat for receipt in receipts for seat in _HALL.seats_of(receipt.runs)}


def test_a_tail_that_is_lost_before_anybody_noted_it(
    own_redis: RedisServer, database: Database, tmp_path: Path
) -> None:
    """A new term begins, and new buyers have the seats, before the process that answered writes down what it said."""
    web = OneProcess.build(own_redis.url, database)
    event = web.open(plan=_HALL)
    kept = [web.buy(event, f"kept {number}") for number in range(3)]
    web.persist(event)
    own_redis.copy_to(tmp_path / "copy")
    lost = [web.buy(event, f"lost {number}") for number in range(4)]
    own_redis.put_back(tmp_path / "copy")

    after = OneProcess.build(own_redis.url, database)
    after.persist(event)
    new = [after.buy(event, f"new {number}") for number in range(5)]
    after.persist(event)
    assert _seats(new) >= _seats(lost)
    assert {receipt.id.position for receipt in new}.isdisjoint(receipt.id.position for receipt in (*kept, *lost))
    assert {receipt.id.position.seq for receipt in lost} <= {row.seq for row in after.rows(ledger, event)}
    assert not any(after.purchases.watch.wait(receipt.id, 0) for receipt in lost)

    web.answered.flush()
    first, last = lost[0].id.position, lost[-1].id.position
    assert [finding.what for finding in after.check.reconcile(event)] == [
        f"confirmed changes from {first} to {last} are lost, 4 in all",
        "4 entries wait in quarantine",
    ]
    assert [after.purchases.get(receipt.id).state for receipt in lost] == ["quarantined"] * 4
    assert [set(after.purchases.get(receipt.id).seats) for receipt in lost] == [_seats([receipt]) for receipt in lost]
    assert [after.purchases.get(receipt.id).state for receipt in (*kept, *new)] == ["persisted"] * 8
    assert after.check.verify(event).broken is None

    Losses(database).settle(event, first.epoch, Actor("operator", why="refunded"))
    assert after.check.reconcile(event) == []


def test_a_planned_failover_without_a_fence(own_redis: RedisServer, database: Database, tmp_path: Path) -> None:
    """The replica has everything and is promoted; one web process is restarted to it, the other a second later.

    Whoever sells from the old primary meanwhile is told to stop by SQL; each seat that two buyers were promised has
    one owner, and the other is known.
    """
    slow = OneProcess.build(own_redis.url, database)
    event = slow.open(plan=_HALL)
    before = [slow.buy(event, f"before {number}") for number in range(3)]
    slow.persist(event)
    own_redis.copy_to(tmp_path / "replica")
    promoted = RedisServer(tmp_path / "replica")
    promoted.start()
    try:
        restarted = OneProcess.build(promoted.url, database)
        restarted.persist(event)
        on_new = [restarted.buy(event, f"new {number}") for number in range(5)]
        on_old = [slow.buy(event, f"old {number}") for number in range(3)]
        assert _seats(on_old) <= _seats(on_new)  # Each of these seats was promised to two.

        slow.answered.flush()
        with pytest.raises(InventoryUnavailable):
            slow.buy(event, "too late")
        started_late = OneProcess.build(own_redis.url, database)
        with pytest.raises(InventoryUnavailable):  # By its settings it is still at the old primary.
            started_late.buy(event, "wrong address")

        restarted.persist(event)
        standing = [*before, *on_new]
        assert {row.seat_id: row.purchase_id for row in restarted.rows(sold_seats, event)} == {
            seat: str(receipt.id) for receipt in standing for seat in _HALL.seats_of(receipt.runs)
        }
        assert [restarted.purchases.get(receipt.id).state for receipt in on_old] == ["quarantined"] * 3
        first, last = on_old[0].id.position, on_old[-1].id.position
        assert [finding.what for finding in restarted.check.reconcile(event)] == [
            f"confirmed changes from {first} to {last} are lost, 3 in all",
            "3 entries wait in quarantine",
        ]
        positions = [receipt.id.position for receipt in (*standing, *on_old)]
        assert len(set(positions)) == len(positions)
    finally:
        promoted.stop()


def test_an_old_primary_that_returns(own_redis: RedisServer, database: Database, tmp_path: Path) -> None:
    """Its sales were given up for lost. What can stand does, under its own id, and nothing waits twice."""
    slow = OneProcess.build(own_redis.url, database)
    event = slow.open(plan=_HALL)
    slow.buy(event, "before")
    slow.persist(event)
    own_redis.copy_to(tmp_path / "replica")
    promoted = RedisServer(tmp_path / "replica")
    promoted.start()
    try:
        other = OneProcess.build(promoted.url, database)
        other.persist(event)
        taken = other.buy_seats(event, "new", "sec-1-row-A-seat-1")
        other.persist(event)
        conflict = slow.buy_seats(event, "old 1", "sec-1-row-A-seat-1")
        free = slow.buy_seats(event, "old 2", "sec-1-row-D-seat-6")
        slow.answered.flush()
        assert len(slow.rows(quarantine, event)) == 2
        slow.persist(event)
        assert [slow.purchases.get(receipt.id).state for receipt in (taken, conflict, free)] == [
            "persisted",
            "quarantined",
            "persisted",
        ]
        assert slow.buy_seats(event, "old 2", "sec-1-row-D-seat-6") == free
        waiting = [row for row in slow.rows(quarantine, event) if row.resolution is None]
        assert {(row.epoch, row.seq) for row in waiting} == {tuple(conflict.id.position)}
        assert [finding.what for finding in slow.check.reconcile(event)] == ["1 entries wait in quarantine"]
    finally:
        promoted.stop()


def extended(web: OneProcess, event: str, token: str) -> None:
    web.hold_store.limits = replace(HOLD_LIMITS, ttl_s=HOLD_LIMITS.ttl_s + 60)
    web.holds.extend(event, token)


def changed(web: OneProcess, event: str, token: str) -> None:
    held = web.holds.get(event, token).seats
    web.holds.change(event, token, ["sec-1-row-D-seat-1"], held)


CHANGES: dict[str, Callable[[OneProcess, str, Receipt, str], object]] = {
    "a purchase": lambda web, event, bought, token: web.buy(event, "lost"),
    "a cancellation": lambda web, event, bought, token: web.cancel(bought.id),
    "a hold": lambda web, event, bought, token: web.hold(event, quantity=1),
    "an extension": lambda web, event, bought, token: extended(web, event, token),
    "a change of a hold": lambda web, event, bought, token: changed(web, event, token),
    "a hold given back": lambda web, event, bought, token: web.holds.release(event, token),
    "a seat": lambda web, event, bought, token: web.seats.set(event, "sec-1-row-D-seat-1", "sold", OPERATOR),
    "a state": lambda web, event, bought, token: web.events.set_state(event, "paused", OPERATOR),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_the_loss_of_any_change_is_reported(
    own_redis: RedisServer, database: Database, tmp_path: Path, change: Callable[..., object]
) -> None:
    web = OneProcess.build(own_redis.url, database)
    event = web.open(plan=_HALL)
    bought, token = web.buy(event, "kept"), web.hold(event, quantity=1).token
    web.persist(event)
    own_redis.copy_to(tmp_path / "copy")
    end = web.now(event).backlog.position
    change(web, event, bought, token)
    own_redis.put_back(tmp_path / "copy")
    web.persist(event)
    web.answered.flush()
    [loss] = Losses(database).all(event)
    assert (loss.first, loss.last, loss.lost) == ((end.epoch, end.seq + 1), (end.epoch, end.seq + 1), 1)


def _lost_and_waiting(web: OneProcess, own_redis: RedisServer, folder: Path) -> tuple[str, Receipt]:
    """An event and its only sale, which Redis has lost and which waits; `folder` keeps that Redis as "waiting"."""
    event = web.open(plan=_HALL)
    own_redis.copy_to(folder / "before")
    lost = web.buy_seats(event, "lost", "sec-1-row-A-seat-1")
    own_redis.put_back(folder / "before")
    web.persist(event)
    web.answered.flush()
    own_redis.copy_to(folder / "waiting")
    return event, lost


def test_a_sale_that_the_operator_replayed_is_lost_again(
    own_redis: RedisServer, database: Database, tmp_path: Path
) -> None:
    """It waits for the operator once more, under the id that its buyer has, until SQL has it."""
    web = OneProcess.build(own_redis.url, database)
    event, lost = _lost_and_waiting(web, own_redis, tmp_path)
    for _ in range(2):
        web.quarantine.replay(event, str(lost.id.position), OPERATOR)
        own_redis.put_back(tmp_path / "waiting")
        web.persist(event)
        assert web.purchases.get(lost.id).state == "quarantined"
        assert "1 entries wait in quarantine" in [finding.what for finding in web.check.reconcile(event)]

    web.quarantine.replay(event, str(lost.id.position), OPERATOR)
    web.persist(event)
    assert web.purchases.get(lost.id).state == "persisted"
    assert web.buy_seats(event, "lost", "sec-1-row-A-seat-1") == lost
    assert web.check.reconcile(event) == []
    own_redis.put_back(tmp_path / "waiting")
    web.persist(event)
    assert web.purchases.get(lost.id).state == "persisted"


def test_a_replayed_sale_that_waits_again_is_found_and_taken_back(
    own_redis: RedisServer, database: Database, tmp_path: Path
) -> None:
    """The log has it at another position than the one its buyer was told."""
    web = OneProcess.build(own_redis.url, database)
    event, lost = _lost_and_waiting(web, own_redis, tmp_path)
    web.quarantine.replay(event, str(lost.id.position), OPERATOR)
    own_redis.copy_to(tmp_path / "fork")
    own_redis.put_back(tmp_path / "waiting")
    web.persist(event)
    web.buy_seats(event, "other", "sec-1-row-A-seat-1")
    web.persist(event)

    own_redis.put_back(tmp_path / "fork")
    web.persist(event)
    assert web.purchases.get(lost.id).state == "quarantined"
    assert web.cancel(lost.id) == "cancelled"
    assert web.purchases.get(lost.id).state == "cancelled"
    assert [finding.what for finding in web.check.reconcile(event)] == []


def test_taking_back_what_waits_again_frees_nobody_elses_seats(
    own_redis: RedisServer, database: Database, tmp_path: Path
) -> None:
    """Quarantine has the purchase twice: the entry that was replayed, and the one that stood for it and was lost."""
    web = OneProcess.build(own_redis.url, database)
    event = web.open(plan=_HALL)
    web.persist(event)
    own_redis.copy_to(tmp_path / "before")
    forked = web.buy_seats(event, "forked", "sec-1-row-A-seat-1")
    own_redis.copy_to(tmp_path / "first fork")
    own_redis.put_back(tmp_path / "before")
    web.persist(event)
    blocking = web.buy_seats(event, "blocking", "sec-1-row-A-seat-1")
    web.persist(event)
    own_redis.put_back(tmp_path / "first fork")
    web.persist(event)
    assert web.purchases.get(forked.id).state == "quarantined"
    web.cancel(blocking.id)
    web.persist(event)
    own_redis.copy_to(tmp_path / "free")
    web.quarantine.replay(event, str(forked.id.position), OPERATOR)
    own_redis.copy_to(tmp_path / "second fork")
    own_redis.put_back(tmp_path / "free")
    web.persist(event)
    other = web.buy_seats(event, "other", "sec-1-row-A-seat-1")
    web.persist(event)
    own_redis.put_back(tmp_path / "second fork")
    web.persist(event)

    waiting = [aside for aside in web.quarantine.page(event, 0, 10).items if aside.purchase_id == forked.id]
    for aside in waiting:
        web.quarantine.cancel(event, str(aside.entry.position), OPERATOR)
    web.persist(event)
    assert web.purchases.get(forked.id).state == "cancelled"
    assert web.purchases.get(other.id).state == "persisted"
    assert web.statuses(event)["sec-1-row-A-seat-1"] == "sold"
    assert web.now(event).counts.sold == 1
