"""From the log into SQL, over SQLite and Postgres."""

import threading
import time
from collections.abc import Callable
from itertools import pairwise

import pytest
from sqlalchemy import Connection, insert, update

from seating.domain import chain
from seating.domain.errors import RecordUnavailable
from seating.domain.log_entry import LogEntry, Mark
from seating.domain.position import Position
from seating.domain.seating_plan import GeneratedPlan, generate
from seating.redis_store import keys
from seating.redis_store.inventory import Inventory
from seating.services import persistence as persistence_module
from seating.storage import ledger as ledger_store
from seating.storage.tables import ledger, purchases, quarantine, sold_seats, watermarks
from tests.persistence.conftest import Books


def test_every_entry_once_and_the_log_trimmed(books: Books) -> None:
    event = books.open(capacity=100)
    receipts = [books.buy(event, f"k{number}", 2, reference=f"R{number}") for number in range(10)]
    books.persistence.run(event)
    books.persistence.run(event)
    assert [row.seq for row in books.rows(ledger, event)] == list(range(1, 12))
    recorded = books.rows(purchases, event)
    assert [(row.id, row.quantity, row.seats_left, row.reference) for row in recorded] == [
        (str(receipt.id), 2, receipt.left, f"R{number}") for number, receipt in enumerate(receipts)
    ]
    assert books.lag(event) == 0
    assert books.calls.command("XLEN", keys.log(event)) == 1


def test_the_ledger_keeps_the_chain(books: Books) -> None:
    event = books.open(capacity=100)
    for number in range(5):
        books.buy(event, f"k{number}")
    books.persistence.run(event)
    entries = [LogEntry(Position(r.epoch, r.seq), r.change, r.link) for r in books.rows(ledger, event)]
    for previous, entry in pairwise(entries):
        assert Mark.of(previous).is_followed_by(entry)
    watermark = books.rows(watermarks, event)[0]
    assert (watermark.seq, watermark.link) == (entries[-1].position.seq, entries[-1].link)


def test_sold_seats_by_name(books: Books) -> None:
    event = books.open(plan=generate(GeneratedPlan(sections=1, rows=2, seatsPerRow=4)))
    receipt = books.buy(event, "k", 3)
    books.persistence.run(event)
    found = {(row.seat_id, row.purchase_id) for row in books.rows(sold_seats, event)}
    assert found == {(f"sec-1-row-A-seat-{seat}", str(receipt.id)) for seat in (1, 2, 3)}


def test_more_than_one_batch_in_a_run(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(persistence_module, "BATCH", 7)
    event = books.open(capacity=100)
    for number in range(30):
        books.buy(event, f"k{number}")
    books.persistence.run(event)
    assert len(books.rows(purchases, event)) == 30
    assert books.nudged == []


def test_a_run_ends_in_time_and_asks_for_another(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(persistence_module, "BATCH", 2)
    monkeypatch.setattr(persistence_module, "RUN_S", 0.0)
    event = books.open(capacity=100)
    for number in range(9):
        books.buy(event, f"k{number}")
    books.persistence.run(event)
    assert books.lag(event) == 7
    assert books.nudged == [event]


def test_a_row_that_sql_refuses_is_put_aside_alone(books: Books) -> None:
    hall = generate(GeneratedPlan(sections=1, rows=2, seatsPerRow=10))
    event = books.open(plan=hall)
    receipts = [books.buy(event, f"k{number}") for number in range(9)]
    poisoned = receipts[4]
    _sell_behind_our_back(books, event, hall.seats_of(poisoned.runs)[0])
    books.persistence.run(event)
    aside = books.rows(quarantine, event)
    assert [row.seq for row in aside] == [poisoned.id.position.seq]
    assert "sold_seats" in aside[0].error
    assert '"kind":"purchased"' in aside[0].change
    assert poisoned.id.position.seq not in [row.seq for row in books.rows(ledger, event)]
    assert len(books.rows(purchases, event)) == 8 + 1  # and the one behind our back
    assert books.lag(event) == 0
    assert books.inventory.is_quarantined(event, poisoned.id.position.seq)
    assert books.inventory.quarantined(event) == 1
    found = books.inventory.read(event)
    assert found is not None
    assert found.counts.sold == 9


def test_an_entry_that_nobody_can_read_is_put_aside(books: Books) -> None:
    event = books.open(capacity=10)
    books.buy(event, "k1")
    _append_raw(books, event, '{"kind":"gibberish"}')
    books.persistence.run(event)
    assert [row.seq for row in books.rows(quarantine, event)] == [3]
    assert books.lag(event) == 0


def test_two_workers_at_once_record_every_entry_once(books: Books) -> None:
    event = books.open(capacity=500)
    for number in range(200):
        books.buy(event, f"k{number}")
    workers = [books.another_persistence() for _ in range(3)]
    threads = [threading.Thread(target=worker.run, args=(event,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    books.persistence.run(event)
    assert [row.seq for row in books.rows(ledger, event)] == list(range(1, 202))
    assert len(books.rows(purchases, event)) == 200
    assert books.lag(event) == 0


def test_without_the_watermark_two_workers_collide(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: when the compare-and-swap does not look, the second writer of the same entries is not turned away."""
    event = books.open(capacity=10)
    books.buy(event, "k")
    mark, entries = _unrecorded(books, event)
    books.persistence.run(event)
    rows = ledger_store.fold(event, entries, None)
    put_aside = books.database.write(lambda connection: ledger_store.write(connection, event, rows))
    assert put_aside == [2]
    with pytest.raises(persistence_module.Overtaken):
        books.persistence._record(event, mark, entries)


def test_a_worker_that_was_stopped_before_a_rebuild_writes_nothing(books: Books) -> None:
    """It has read the log and not yet written when the epoch goes up."""
    event = books.open(capacity=10)
    books.buy(event, "k")
    mark, entries = _unrecorded(books, event)
    books.database.write(
        lambda connection: connection.execute(
            update(watermarks).where(watermarks.c.event_id == event).values(epoch=2, seq=2)
        )
    )
    with pytest.raises(persistence_module.Overtaken):
        books.persistence._record(event, mark, entries)
    assert books.rows(purchases, event) == []


def _forget_last(books: Books, event: str) -> None:
    books.calls.command("DEL", keys.log(event))


def _change_content(books: Books, event: str) -> None:
    """The log goes on as if its last entry had been another."""
    position, fields = books.calls.command("XREVRANGE", keys.log(event), "+", "-", "COUNT", 1)[0]
    books.calls.command("XDEL", keys.log(event), position)
    books.calls.command("DEL", keys.log(event))
    books.calls.command("XADD", keys.log(event), position, "change", "{}", "link", fields[3])


def _leave_a_gap(books: Books, event: str) -> None:
    books.calls.command("XDEL", keys.log(event), "1-2")


@pytest.mark.parametrize("damage", [_forget_last, _change_content, _leave_a_gap])
def test_a_log_that_does_not_continue_sql_stops_the_sale(books: Books, damage: Callable[[Books, str], None]) -> None:
    event = books.open(capacity=10)
    if damage is _forget_last:
        books.buy(event, "k1")
        books.persistence.run(event)
    else:
        books.buy(event, "k1")
        books.buy(event, "k2")
    damage(books, event)
    before = len(books.rows(ledger, event))
    books.persistence.run(event)
    assert len(books.rows(ledger, event)) == before
    found = books.inventory.read(event)
    assert found is not None
    assert not found.backlog.trusted


def test_a_restarted_server_is_trusted_once_compared(books: Books) -> None:
    event = books.open(capacity=10)
    books.buy(event, "k1")
    books.calls.command("HSET", keys.inventory(event), "server", "before the restart")
    books.persistence.run(event)
    assert books.buy(event, "k2").left == 8


def test_sql_that_is_down_is_tried_again_later_and_later(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    event = books.open(capacity=10)
    books.buy(event, "k1")
    now = 1_000_000.0
    monkeypatch.setattr(time, "time", lambda: now)
    waits = []

    def down(_work: Callable[[Connection], object]) -> None:
        raise RecordUnavailable from OSError("down")

    with monkeypatch.context() as broken:
        broken.setattr(books.database, "read", down)
        for _ in range(7):
            books.persistence.run(event)
            until = float(books.calls.command("HGET", keys.retry(event), "until"))
            waits.append(until - now)
            books.persistence.run(event)  # Not due yet: must not count as another failure.
            now = until
    assert waits == [2, 4, 8, 16, 32, 60, 60]
    books.persistence.run(event)
    assert books.lag(event) == 0
    assert books.calls.command("EXISTS", keys.retry(event)) == 0


def test_a_worker_that_dies_after_its_commit_has_recorded_once(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQL has the batch, Redis was not told: the next run must not record it again."""
    event = books.open(capacity=10)
    books.buy(event, "k1")
    with monkeypatch.context() as dying:
        dying.setattr(Inventory, "acknowledge", _die)
        with pytest.raises(SystemExit):
            books.persistence.run(event)
    assert books.lag(event) == 1
    books.buy(event, "k2")
    books.persistence.run(event)
    assert [row.seq for row in books.rows(purchases, event)] == [2, 3]
    assert books.lag(event) == 0


def test_an_event_is_on_record_before_it_can_sell(books: Books) -> None:
    event = books.open(capacity=10)
    assert [row.seq for row in books.rows(ledger, event)] == [1]
    assert books.lag(event) == 0


def _die(*_arguments: object) -> None:
    raise SystemExit


def _unrecorded(books: Books, event: str) -> tuple[Mark, list[LogEntry]]:
    found = books.persistence.log.entries_from(event, Position(1, 1), 100)
    return Mark.of(found[0]), found[1:]


def _append_raw(books: Books, event: str, change: str) -> None:
    """An entry as a script of another version might write it, correctly chained."""
    epoch, seq, link = books.calls.command("HMGET", keys.inventory(event), "epoch", "seq", "chain")
    position = Position(int(epoch), int(seq) + 1)
    new_link = chain.link(link.decode(), position, change)
    books.calls.command("XADD", keys.log(event), str(position), "change", change, "link", new_link)
    books.calls.command("HSET", keys.inventory(event), "seq", position.seq, "chain", new_link)


def _sell_behind_our_back(books: Books, event: str, seat: str) -> None:
    """A row that SQL has already, so that the purchase of the same seat can never be recorded."""

    def write(connection: Connection) -> None:
        connection.execute(
            insert(purchases).values(
                id="intruder", event_id=event, epoch=1, seq=9999, at_ms=0, quantity=1, seats_left=0, runs=""
            )
        )
        connection.execute(insert(sold_seats).values(event_id=event, seat_id=seat, purchase_id="intruder"))

    books.database.write(write)
