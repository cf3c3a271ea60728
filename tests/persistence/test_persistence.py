"""From the log into SQL, over SQLite and Postgres."""

import itertools
import json
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from rq.registry import FailedJobRegistry
from sqlalchemy import Connection, insert, select, update
from structlog.testing import capture_logs

from seating.domain import log_entry
from seating.domain.changes import Cancelled
from seating.domain.errors import InventoryUnavailable, RecordUnavailable
from seating.domain.log_entry import Checkpoint, LogEntry
from seating.domain.position import Position
from seating.domain.recovery_errors import Overtaken
from seating.domain.seating_plan import GeneratedPlan, generate
from seating.redis_store import keys
from seating.redis_store.persist_queue import PersistQueue
from seating.redis_store.plain_client import plain_client
from seating.redis_store.terms import Terms
from seating.services import persistence as persistence_module
from seating.storage import ledger as ledger_store
from seating.storage import purchases as purchase_store
from seating.storage.tables import events, ledger, purchases, quarantine, sold_seats, watermarks
from tests.one_process import OneProcess, on_sqlite


def test_every_entry_once_and_the_log_trimmed(sale: OneProcess) -> None:
    event = sale.open(capacity=100)
    receipts = [sale.buy(event, f"k{number}", 2, reference=f"R{number}") for number in range(10)]
    sale.persist(event)
    sale.persist(event)
    assert [row.seq for row in sale.rows(ledger, event)] == list(range(1, 13))
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
        assert entry.follows(Checkpoint.of(previous))
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
    event = sale.open(capacity=100)
    monkeypatch.setattr(persistence_module, "BATCH", 2)
    monkeypatch.setattr(persistence_module, "RUN_S", 0.0)
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
        stub = SimpleNamespace(monotonic=lambda: float(next(seconds)), time=time.time)  # Time for two turns.
        clock.setattr(persistence_module, "time", stub)
        sale.persistence.run_all([busy, quiet])
    assert (sale.lag(busy), sale.lag(quiet)) == (7, 0)
    assert sale.nudged == [busy]


def test_a_run_gathers_what_comes_meanwhile(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """That of the other events too, which were nudged for."""
    monkeypatch.setattr(persistence_module, "GATHER_S", 0.0)
    busy, quiet = sale.open(capacity=100), sale.open(capacity=100)
    sale.buy(busy, "k1")
    sale.buy(quiet, "k")
    acknowledge, nudges = sale.terms.acknowledge, [[quiet, busy]]

    def meanwhile(*arguments: Any) -> Any:
        sale.buy(busy, "k2")
        return acknowledge(*arguments)

    monkeypatch.setattr(sale.terms, "acknowledge", meanwhile)
    sale.persistence.run_all([busy], lambda: nudges.pop() if nudges else [])
    assert (sale.lag(busy), sale.lag(quiet)) == (0, 0)
    assert nudges == []


def test_waiting_nudges_can_be_taken_over(redis_url: str) -> None:
    client = plain_client(redis_url)
    queue = PersistQueue(client)
    queue.nudge("a", "b")
    queue.nudge("b", "c")
    assert queue.take() == {"a", "b", "c"}
    assert queue.take() == set()
    assert queue.queue.count == 0
    assert client.keys("rq:job:*") == []


def test_rq_ends_no_rebuild(redis_url: str) -> None:
    """It takes minutes for millions of entries. One that was ended would begin anew, and be ended again."""
    queue = PersistQueue(plain_client(redis_url))
    queue.nudge("a")
    (job,) = queue.queue.jobs
    assert job.timeout >= 30 * 60


def test_two_crons_trim_the_same_failed_jobs(redis_url: str) -> None:
    """The other one has deleted the job, but not forgotten it yet."""
    client = plain_client(redis_url)
    queue = PersistQueue(client)
    failed = FailedJobRegistry(queue=queue.queue)
    client.zadd(failed.key, {f"job-{number:02}": time.time() + number + 60 for number in range(51)})
    queue.trim()
    assert failed.get_job_ids() == [f"job-{number:02}" for number in range(1, 51)]


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
    assert (aside[0].reason, aside[0].resolution) == ("poison", None)
    assert poisoned.id.position.seq not in [row.seq for row in sale.rows(ledger, event)]
    assert len(sale.rows(purchases, event)) == 8 + 1  # and the one behind our back
    assert sale.lag(event) == 0
    # Redis has it too, whole: a merge may need it.
    assert sale.calls.command("HGETALL", keys.quarantine(event)) == [
        str(poisoned.id.position).encode(),
        f"{aside[0].link}|{aside[0].change}".encode(),
    ]
    assert sale.set_aside.quarantined([event]) == 1
    found = sale.inventory.read(event)
    assert found is not None
    assert found.counts.sold == 9


@pytest.mark.parametrize("change", ['{"kind":"gibberish","at":1}', '{"kind":"purchased","at":1}', "gibberish"])
def test_an_entry_that_this_version_cannot_read_stops_its_event(sale: OneProcess, change: str) -> None:
    """A later version can read it. Until then its event sells on unrecorded; what was before it is recorded."""
    event, other = sale.open(capacity=10), sale.open(capacity=10)
    sale.buy(event, "k1")
    _append_raw(sale, event, change)
    sale.buy(event, "k2")
    sale.buy(other, "k")
    for _ in range(2):
        _try_again_now(sale, event)
        with capture_logs() as logs:
            sale.persistence.run(event, other)
    assert [line["event_id"] for line in logs if line["event"] == "event not persisted"] == [event]
    assert [row.seq for row in sale.rows(ledger, event)] == [1, 2, 3]
    assert sale.rows(quarantine, event) == []
    assert (sale.lag(event), sale.lag(other)) == (2, 0)
    assert sale.calls.command("XLEN", keys.log(event)) == 3
    assert sale.buy(event, "k3").left == 7


def test_a_field_that_this_version_does_not_know_is_recorded_as_it_is(sale: OneProcess) -> None:
    """A rolling deployment: newer processes write more than older ones read."""
    event = sale.open(capacity=10)
    change = '{"kind":"state","at":1,"state":"paused","because":"rain"}'
    _append_raw(sale, event, change)
    sale.persist(event)
    assert [row.change for row in sale.rows(ledger, event)][-1] == change
    state = sale.database.read(lambda c: c.execute(select(events.c.state).where(events.c.id == event)).scalar_one())
    assert state == "paused"


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
    assert [row.seq for row in sale.rows(ledger, event)] == list(range(1, 203))
    assert len(sale.rows(purchases, event)) == 200
    assert sale.lag(event) == 0


def test_without_the_watermark_two_workers_collide(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: when the compare-and-swap does not look, the second writer of the same entries is not turned away."""
    event = sale.open(capacity=10)
    sale.buy(event, "k")
    checkpoint, entries = _unrecorded(sale, event)
    sale.persist(event)
    rows = ledger_store.read_rows(entries)
    written = sale.database.write(lambda connection: ledger_store.write(connection, event, rows, None))
    assert written.quarantined == entries
    with pytest.raises(Overtaken):
        sale.persistence.writer.write(event, checkpoint, entries)


def test_a_worker_that_was_stopped_before_a_rebuild_writes_nothing(sale: OneProcess) -> None:
    """It has read the log and not yet written when the epoch goes up."""
    event = sale.open(capacity=10)
    sale.buy(event, "k")
    checkpoint, entries = _unrecorded(sale, event)
    epoch, seq = checkpoint.position
    sale.database.write(
        lambda connection: connection.execute(
            update(watermarks).where(watermarks.c.event_id == event).values(epoch=epoch + 1, seq=seq + 1)
        )
    )
    with pytest.raises(Overtaken):
        sale.persistence.writer.write(event, checkpoint, entries)
    assert sale.rows(purchases, event) == []


def _forget_last(sale: OneProcess, event: str) -> None:
    sale.calls.command("DEL", keys.log(event))


def _change_content(sale: OneProcess, event: str) -> None:
    """The log goes on as if its last entry had been another, and begins there."""
    position, fields = sale.calls.command("XREVRANGE", keys.log(event), "+", "-", "COUNT", 1)[0]
    changed = fields[1].replace(b'"nonce":"', b'"nonce":"0')
    sale.calls.command("DEL", keys.log(event))
    sale.calls.command("XADD", keys.log(event), position, "change", changed, "link", fields[3])


def _leave_a_gap(sale: OneProcess, event: str) -> None:
    last = sale.now(event).backlog.position
    sale.calls.command("XDEL", keys.log(event), str(last._replace(seq=last.seq - 1)))


@pytest.mark.parametrize(
    ("damage", "added"),
    [
        (_forget_last, ["rebuilt", "trusted"]),
        (_change_content, ["rebuilt", "purchased", "trusted"]),
        (_leave_a_gap, ["rebuilt", "purchased", "trusted"]),
    ],
)
def test_a_log_that_does_not_continue_sql_begins_a_new_epoch(
    sale: OneProcess, damage: Callable[[OneProcess, str], None], added: list[str]
) -> None:
    """Nothing of it is recorded as if it did; the inventory is rebuilt of what SQL had, and what is left of the log."""
    event = sale.open(capacity=10)
    sale.buy(event, "k1")
    if damage is _forget_last:
        sale.persist(event)
    else:
        sale.buy(event, "k2")
    before = sale.rows(ledger, event)
    damage(sale, event)
    sale.persist(event)
    recorded = sale.rows(ledger, event)
    assert recorded[: len(before)] == before
    new = recorded[len(before) :]
    assert [json.loads(row.change)["kind"] for row in new] == added
    rebuilt, trusted = new[0], new[-1]
    assert before[-1].epoch < rebuilt.epoch < trusted.epoch
    assert {row.epoch for row in new[:-1]} == {rebuilt.epoch}
    found = sale.inventory.read(event)
    assert found is not None
    assert found.backlog.trusted
    assert found.counts.sold == len(sale.rows(purchases, event)) == 1
    assert sale.buy(event, "k3").id.position == (trusted.epoch, trusted.seq + 1)


def test_a_restarted_server_is_trusted_once_compared(sale: OneProcess) -> None:
    event = sale.open(capacity=10)
    before = sale.buy(event, "k1").id.position
    sale.calls.command("HSET", keys.inventory(event), "server", "before the restart")
    sale.persist(event)
    after = sale.buy(event, "k2")
    assert after.left == 8
    # `trusted` is between them, in a term of its own.
    assert (after.id.position.epoch > before.epoch, after.id.position.seq) == (True, before.seq + 2)


def test_sql_that_is_down_is_tried_again_later_and_later(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    event = sale.open(capacity=10)
    sale.buy(event, "k1")
    waits = []
    asked = 0

    def down(*_: object) -> None:
        nonlocal asked
        asked += 1
        raise RecordUnavailable from OSError("down")

    with monkeypatch.context() as broken:
        broken.setattr(sale.database, "read", down)
        for _ in range(7):
            sale.persist(event)
            waits.append(sale.calls.command("PTTL", keys.retry_wait(event)) / 1000)
            sale.persist(event)  # Not due yet: must not count as another failure.
            _try_again_now(sale, event)
    assert asked == 7
    assert waits == [pytest.approx(wait, abs=0.9) for wait in (2, 4, 8, 16, 32, 60, 60)]
    sale.persist(event)
    assert sale.lag(event) == 0
    assert sale.calls.command("EXISTS", keys.retry(event), keys.retry_wait(event)) == 0


def test_a_worker_that_dies_after_its_commit(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQL has the batch, Redis was not told: the next run must not record it again."""
    event = sale.open(capacity=10)
    sale.buy(event, "k1")
    with monkeypatch.context() as dying:
        dying.setattr(Terms, "acknowledge", _die)
        with pytest.raises(SystemExit):
            sale.persist(event)
    assert sale.lag(event) == 1
    sale.buy(event, "k2")
    sale.persist(event)
    assert [row.seq for row in sale.rows(purchases, event)] == [3, 4]
    assert sale.lag(event) == 0


def test_an_event_is_on_record_before_it_can_sell(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """So is the term that it sells in."""
    recorded: list[list[str]] = []
    acknowledge = Terms.acknowledge

    def look(terms: Terms, event_id: str, *rest: Any) -> object:
        recorded.append([json.loads(row.change)["kind"] for row in sale.rows(ledger, event_id)])
        with pytest.raises(InventoryUnavailable):
            sale.buy(event_id, "early")
        return acknowledge(terms, event_id, *rest)

    monkeypatch.setattr(Terms, "acknowledge", look)
    event = sale.open(capacity=10)
    assert recorded == [["opened"], ["opened", "trusted"]]
    assert sale.lag(event) == 0
    assert sale.buy(event, "k").id.position.seq == 3


def _die(*_arguments: object, **_named: object) -> None:
    raise SystemExit


def _unrecorded(sale: OneProcess, event: str) -> tuple[Checkpoint, list[LogEntry]]:
    found = sale.persistence.log.entries_from(event, Position(1, 1), 100)
    return Checkpoint.of(found[0]), found[1:]


def _try_again_now(sale: OneProcess, event: str) -> None:
    """As when the wait after a failure is over."""
    sale.calls.command("DEL", keys.retry_wait(event))


def _append_raw(sale: OneProcess, event: str, change: str) -> None:
    """An entry as a script of another version might write it, correctly chained."""
    epoch, seq, link = sale.calls.command("HMGET", keys.inventory(event), "epoch", "seq", "chain")
    position = Position(int(epoch), int(seq) + 1)
    new_link = log_entry.chain_link(link.decode(), position, change)
    sale.calls.command("XADD", keys.log(event), str(position), "change", change, "link", new_link)
    sale.calls.command("HSET", keys.inventory(event), "seq", position.seq, "chain", new_link)


def _sell_behind_our_back(sale: OneProcess, event: str, seat: str) -> None:
    """A row that SQL has already, so that the purchase of the same seat can never be recorded."""

    def write(connection: Connection) -> None:
        connection.execute(
            insert(purchases).values(
                id="intruder",
                event_id=event,
                epoch=1,
                seq=9999,
                entry_seq=9999,
                at_ms=0,
                quantity=1,
                seats_left=0,
                runs="",
            )
        )
        connection.execute(insert(sold_seats).values(event_id=event, seat_id=seat, purchase_id="intruder"))

    sale.database.write(write)


@on_sqlite
def test_calling_a_concert_off_does_not_read_all_its_seats_again_and_again(sale: OneProcess) -> None:
    """300 cancellations among 100,000 sold seats. By CPU time: SQLite computes in this process."""
    event, many = sale.open(capacity=100_000), range(1, 100_001)
    ids = [f"{event}.1-{seq}.{seq:016x}" for seq in many]
    common = {"event_id": event, "epoch": 1, "at_ms": 1, "quantity": 1, "seats_left": 0, "runs": ""}
    bought = [{"id": ids[seq - 1], "seq": seq, "entry_seq": seq, **common} for seq in many]
    seats = [{"event_id": event, "seat_id": f"seat-{seq}", "purchase_id": ids[seq - 1]} for seq in many]

    def cancel(connection: Connection) -> None:
        for seq in range(1, 301):
            change = Cancelled(2, Position(1, seq), 1, 0, [])
            assert purchase_store.cancel(connection, event, change, [f"seat-{seq}"])

    sale.database.write(lambda connection: connection.execute(insert(purchases), bought))
    sale.database.write(lambda connection: connection.execute(insert(sold_seats), seats))
    began = time.process_time()
    sale.database.write(cancel)
    assert time.process_time() - began < 1
    assert len(sale.rows(sold_seats, event)) == 99_700
