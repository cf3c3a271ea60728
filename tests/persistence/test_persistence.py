"""From the log into SQL, over SQLite and Postgres."""

import itertools
import threading
import time
from collections.abc import Callable
from itertools import pairwise

import pytest
from sqlalchemy import Connection, insert, update

from seating.domain import chain
from seating.domain.errors import Overtaken, RecordUnavailable
from seating.domain.log_entry import LogEntry, Mark
from seating.domain.position import Position
from seating.domain.seating_plan import GeneratedPlan, generate
from seating.redis_store import keys
from seating.redis_store.inventory import Inventory
from seating.services import persistence as persistence_module
from seating.storage import ledger as ledger_store
from seating.storage import purchases as purchase_store
from seating.storage.tables import ledger, purchases, quarantine, sold_seats, watermarks
from tests.one_process import OneProcess


def test_every_entry_once_and_the_log_trimmed(sale: OneProcess) -> None:
    event = sale.open(capacity=100)
    receipts = [sale.buy(event, f"k{number}", 2, reference=f"R{number}") for number in range(10)]
    sale.persist(event)
    sale.persist(event)
    assert [row.seq for row in sale.rows(ledger, event)] == list(range(1, 12))
    recorded = sale.rows(purchases, event)
    assert [(row.id, row.quantity, row.seats_left, row.reference) for row in recorded] == [
        (str(receipt.id), 2, receipt.left, f"R{number}") for number, receipt in enumerate(receipts)
    ]
    assert sale.lag(event) == 0
    assert sale.calls.command("XLEN", keys.log(event)) == 1


def test_the_ledger_keeps_the_chain(sale: OneProcess) -> None:
    event = sale.open(capacity=100)
    for number in range(5):
        sale.buy(event, f"k{number}")
    sale.persist(event)
    entries = [LogEntry(Position(r.epoch, r.seq), r.change, r.link) for r in sale.rows(ledger, event)]
    for previous, entry in pairwise(entries):
        assert Mark.of(previous).is_followed_by(entry)
    watermark = sale.rows(watermarks, event)[0]
    assert (watermark.seq, watermark.link) == (entries[-1].position.seq, entries[-1].link)


def test_sold_seats_by_name(sale: OneProcess) -> None:
    event = sale.open(plan=generate(GeneratedPlan(sections=1, rows=2, seatsPerRow=4)))
    receipt = sale.buy(event, "k", 3)
    sale.persist(event)
    found = {(row.seat_id, row.purchase_id) for row in sale.rows(sold_seats, event)}
    assert found == {(f"sec-1-row-A-seat-{seat}", str(receipt.id)) for seat in (1, 2, 3)}


def test_more_than_one_batch_in_a_run(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(persistence_module, "BATCH", 7)
    event = sale.open(capacity=100)
    for number in range(30):
        sale.buy(event, f"k{number}")
    sale.persist(event)
    assert len(sale.rows(purchases, event)) == 30


def test_a_run_ends_in_time_and_asks_for_another(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(persistence_module, "BATCH", 2)
    monkeypatch.setattr(persistence_module, "RUN_S", 0.0)
    event = sale.open(capacity=100)
    for number in range(9):
        sale.buy(event, f"k{number}")
    sale.nudged.clear()
    sale.persist(event)
    assert sale.lag(event) == 7
    assert sale.nudged == [event]


def test_an_event_with_a_long_log_does_not_keep_others_waiting(
    sale: OneProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(persistence_module, "BATCH", 2)
    monkeypatch.setattr(persistence_module, "RUN_S", 1.5)
    busy, quiet = sale.open(capacity=100), sale.open(capacity=100)
    for number in range(9):
        sale.buy(busy, f"k{number}")
    sale.buy(quiet, "k")
    sale.nudged.clear()
    with monkeypatch.context() as clock:
        seconds = itertools.count()
        clock.setattr(time, "monotonic", lambda: float(next(seconds)))  # Time for two turns.
        sale.persistence.run_all([busy, quiet])
    assert (sale.lag(busy), sale.lag(quiet)) == (7, 0)
    assert sale.nudged == [busy]


def test_a_row_that_sql_refuses_is_put_aside_alone(sale: OneProcess) -> None:
    hall = generate(GeneratedPlan(sections=1, rows=2, seatsPerRow=10))
    event = sale.open(plan=hall)
    receipts = [sale.buy(event, f"k{number}") for number in range(9)]
    poisoned = receipts[4]
    _sell_behind_our_back(sale, event, hall.seats_of(poisoned.runs)[0])
    sale.persist(event)
    aside = sale.rows(quarantine, event)
    assert [row.seq for row in aside] == [poisoned.id.position.seq]
    assert "sold_seats" in aside[0].error
    assert '"kind":"purchased"' in aside[0].change
    assert poisoned.id.position.seq not in [row.seq for row in sale.rows(ledger, event)]
    assert len(sale.rows(purchases, event)) == 8 + 1  # and the one behind our back
    assert sale.lag(event) == 0
    assert sale.inventory.is_quarantined(event, poisoned.id.position.seq)
    assert sale.inventory.quarantined([event]) == 1
    found = sale.inventory.read(event)
    assert found is not None
    assert found.counts.sold == 9


def test_an_entry_that_nobody_can_read_is_put_aside(sale: OneProcess) -> None:
    event = sale.open(capacity=10)
    sale.buy(event, "k1")
    _append_raw(sale, event, '{"kind":"gibberish"}')
    sale.persist(event)
    assert [row.seq for row in sale.rows(quarantine, event)] == [3]
    assert sale.lag(event) == 0


def test_two_workers_at_once_record_every_entry_once(sale: OneProcess) -> None:
    event = sale.open(capacity=500)
    for number in range(200):
        sale.buy(event, f"k{number}")
    workers = [sale.another() for _ in range(3)]
    threads = [threading.Thread(target=worker.persist, args=(event,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    sale.persist(event)
    assert [row.seq for row in sale.rows(ledger, event)] == list(range(1, 202))
    assert len(sale.rows(purchases, event)) == 200
    assert sale.lag(event) == 0


def test_without_the_watermark_two_workers_collide(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: when the compare-and-swap does not look, the second writer of the same entries is not turned away."""
    event = sale.open(capacity=10)
    sale.buy(event, "k")
    mark, entries = _unrecorded(sale, event)
    sale.persist(event)
    rows = ledger_store.read_rows(entries)
    put_aside = sale.database.write(lambda connection: ledger_store.write(connection, event, rows, None))
    assert put_aside == [2]
    with pytest.raises(Overtaken):
        sale.persistence._record(event, mark, entries)


def test_a_worker_that_was_stopped_before_a_rebuild_writes_nothing(sale: OneProcess) -> None:
    """It has read the log and not yet written when the epoch goes up."""
    event = sale.open(capacity=10)
    sale.buy(event, "k")
    mark, entries = _unrecorded(sale, event)
    sale.database.write(
        lambda connection: connection.execute(
            update(watermarks).where(watermarks.c.event_id == event).values(epoch=2, seq=2)
        )
    )
    with pytest.raises(Overtaken):
        sale.persistence._record(event, mark, entries)
    assert sale.rows(purchases, event) == []


def _forget_last(sale: OneProcess, event: str) -> None:
    sale.calls.command("DEL", keys.log(event))


def _change_content(sale: OneProcess, event: str) -> None:
    """The log goes on as if its last entry had been another."""
    position, fields = sale.calls.command("XREVRANGE", keys.log(event), "+", "-", "COUNT", 1)[0]
    sale.calls.command("XDEL", keys.log(event), position)
    sale.calls.command("DEL", keys.log(event))
    sale.calls.command("XADD", keys.log(event), position, "change", "{}", "link", fields[3])


def _leave_a_gap(sale: OneProcess, event: str) -> None:
    sale.calls.command("XDEL", keys.log(event), "1-2")


@pytest.mark.parametrize("damage", [_forget_last, _change_content, _leave_a_gap])
def test_a_log_that_does_not_continue_sql_begins_a_new_epoch(
    sale: OneProcess, damage: Callable[[OneProcess, str], None]
) -> None:
    """Nothing of it is recorded as if it did; the inventory is rebuilt of what SQL had."""
    event = sale.open(capacity=10)
    sale.buy(event, "k1")
    if damage is _forget_last:
        sale.persist(event)
    else:
        sale.buy(event, "k2")
    recorded = len(sale.rows(ledger, event))
    damage(sale, event)
    sale.persist(event)
    assert [row.epoch for row in sale.rows(ledger, event)] == [1] * recorded + [2]
    found = sale.inventory.read(event)
    assert found is not None
    assert found.backlog.trusted
    assert found.counts.sold == len(sale.rows(purchases, event))
    assert sale.buy(event, "k3").id.position == (2, recorded + 2)


def test_a_restarted_server_is_trusted_once_compared(sale: OneProcess) -> None:
    event = sale.open(capacity=10)
    sale.buy(event, "k1")
    sale.calls.command("HSET", keys.inventory(event), "server", "before the restart")
    sale.persist(event)
    assert sale.buy(event, "k2").left == 8


def test_sql_that_is_down_is_tried_again_later_and_later(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    event = sale.open(capacity=10)
    sale.buy(event, "k1")
    now = 1_000_000.0
    monkeypatch.setattr(time, "time", lambda: now)
    waits = []

    def down(*_: object) -> None:
        raise RecordUnavailable from OSError("down")

    with monkeypatch.context() as broken:
        broken.setattr(sale.database, "read", down)
        for _ in range(7):
            sale.persist(event)
            until = float(sale.calls.command("HGET", keys.retry(event), "until"))
            waits.append(until - now)
            sale.persist(event)  # Not due yet: must not count as another failure.
            now = until
    assert waits == [2, 4, 8, 16, 32, 60, 60]
    sale.persist(event)
    assert sale.lag(event) == 0
    assert sale.calls.command("EXISTS", keys.retry(event)) == 0


def test_a_worker_that_dies_after_its_commit(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQL has the batch, Redis was not told: the next run must not record it again."""
    event = sale.open(capacity=10)
    sale.buy(event, "k1")
    with monkeypatch.context() as dying:
        dying.setattr(Inventory, "acknowledge", _die)
        with pytest.raises(SystemExit):
            sale.persist(event)
    assert sale.lag(event) == 1
    sale.buy(event, "k2")
    sale.persist(event)
    assert [row.seq for row in sale.rows(purchases, event)] == [2, 3]
    assert sale.lag(event) == 0


def test_an_event_is_on_record_before_it_can_sell(sale: OneProcess) -> None:
    event = sale.open(capacity=10)
    assert [row.seq for row in sale.rows(ledger, event)] == [1]
    assert sale.lag(event) == 0


def _die(*_arguments: object, **_named: object) -> None:
    raise SystemExit


def _unrecorded(sale: OneProcess, event: str) -> tuple[Mark, list[LogEntry]]:
    found = sale.persistence.log.entries_from(event, Position(1, 1), 100)
    return Mark.of(found[0]), found[1:]


def _append_raw(sale: OneProcess, event: str, change: str) -> None:
    """An entry as a script of another version might write it, correctly chained."""
    epoch, seq, link = sale.calls.command("HMGET", keys.inventory(event), "epoch", "seq", "chain")
    position = Position(int(epoch), int(seq) + 1)
    new_link = chain.link(link.decode(), position, change)
    sale.calls.command("XADD", keys.log(event), str(position), "change", change, "link", new_link)
    sale.calls.command("HSET", keys.inventory(event), "seq", position.seq, "chain", new_link)


def _sell_behind_our_back(sale: OneProcess, event: str, seat: str) -> None:
    """A row that SQL has already, so that the purchase of the same seat can never be recorded."""

    def write(connection: Connection) -> None:
        connection.execute(
            insert(purchases).values(
                id="intruder", event_id=event, epoch=1, seq=9999, at_ms=0, quantity=1, seats_left=0, runs=""
            )
        )
        connection.execute(insert(sold_seats).values(event_id=event, seat_id=seat, purchase_id="intruder"))

    sale.database.write(write)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_calling_a_concert_off_does_not_read_all_its_seats_again_and_again(sale: OneProcess) -> None:
    """300 cancellations among 100,000 sold seats. By CPU time: SQLite computes in this process."""
    event, many = sale.open(capacity=100_000), range(1, 100_001)
    ids = [f"{event}.1-{seq}.{seq:016x}" for seq in many]
    common = {"event_id": event, "epoch": 1, "at_ms": 1, "quantity": 1, "seats_left": 0, "runs": ""}
    bought = [{"id": ids[seq - 1], "seq": seq, **common} for seq in many]
    seats = [{"event_id": event, "seat_id": f"seat-{seq}", "purchase_id": ids[seq - 1]} for seq in many]

    def cancel(connection: Connection) -> None:
        for seq in range(1, 301):
            assert purchase_store.cancel(connection, event, Position(1, seq), 2, [f"seat-{seq}"])

    sale.database.write(lambda connection: connection.execute(insert(purchases), bought))
    sale.database.write(lambda connection: connection.execute(insert(sold_seats), seats))
    began = time.process_time()
    sale.database.write(cancel)
    assert time.process_time() - began < 1
    assert len(sale.rows(sold_seats, event)) == 99_700
