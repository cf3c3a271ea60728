"""What shops said of their customers is erased from every place, by name and by age, and the books stay right."""

import re
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import zip_longest
from pathlib import Path

import pytest
from sqlalchemy import Connection, Table, delete, insert, select, update
from structlog.testing import capture_logs

from seating.domain.errors import EventNotFound, PurchaseNotFound
from seating.domain.offer import Offer
from seating.domain.personal_data import PersonalData
from seating.domain.purchase import Order, PurchaseId
from seating.domain.recovery_errors import NotArchived
from seating.domain.seating_plan import SeatingPlan
from seating.launcher.redis_server import Server
from seating.redis_store import keys
from seating.redis_store.terms import LogKeeping
from seating.services.erasure import Erasure
from seating.services.retention import Retention
from seating.storage import erasure, webhook_notices
from seating.storage import events as archived_events
from seating.storage.database import Database
from seating.storage.tables import audit, events, metadata, purchases, sold_seats, webhook_cursors, webhooks
from tests.books.test_cancel import poison
from tests.one_process import OPERATOR, OneProcess, on_sqlite
from tests.proof.stepped_clock import wheel_server
from tests.servers import RedisServer, wait_until
from tests.terms.backups import backup, distrust, restore, trim
from tests.webhooks.test_locks import somebody_waits

DAY_MS = 86_400_000
HALL = SeatingPlan([[["A1", "A2", "A3", "A4"], ["B1", "B2", "B3", "B4"]]])
ADA, BOB = (
    Order(2, reference=f"order-{name}", buyer=f"{name}@example.com", note=f"said {name}") for name in ("ada", "bob")
)


def words_of(name: str, text: str) -> set[str]:
    return set(re.findall(f"order-{name}|{name}@example|said {name}", text))


def everything(sale: OneProcess) -> str:
    """All rows of all tables, and all keys of Redis."""
    tables = list(metadata.sorted_tables)
    rows = [
        row for table in tables for row in sale.database.read(lambda c, table=table: c.execute(select(table)).all())
    ]
    shown = [zlib.decompress(value) if is_state(value) else value for row in rows for value in row]
    return repr(shown) + "".join(repr(content(sale, name)) for name in sale.calls.command("KEYS", "*"))


def is_state(value: object) -> bool:
    return isinstance(value, bytes) and value[:1] == b"x"


def content(sale: OneProcess, name: bytes) -> object:
    kind = sale.calls.command("TYPE", name)
    asked = {b"string": ("GET", name), b"hash": ("HGETALL", name), b"stream": ("XRANGE", name, "-", "+")}
    asked |= {b"zset": ("ZRANGE", name, 0, -1)}
    return sale.calls.command(*asked[kind])


def is_right(sale: OneProcess, event: str) -> bool:
    return sale.check.verify(event).broken is None and sale.check.reconcile(event) == []


class Newer(RedisServer):
    """It refuses what Redis 7.0 takes: an id below the highest deleted one of a stream."""

    def program(self) -> Server:
        return wheel_server() or super().program()


@pytest.fixture
def on_newer(database_url: str, tmp_path: Path) -> Iterator[OneProcess]:
    server, database = Newer(tmp_path / "redis"), Database(database_url, checkpoints=True)
    server.start()
    yield OneProcess.build(server.url, database)
    database.close()
    server.stop()


@pytest.mark.parametrize("is_last", [True, False])
@pytest.mark.parametrize("is_recorded", [True, False])
def test_a_purchase_is_erased_during_its_sale(sale: OneProcess, is_last: bool, is_recorded: bool) -> None:
    assert_erased_during_its_sale(sale, is_last, is_recorded)


@on_sqlite
@pytest.mark.parametrize("is_last", [True, False])
def test_a_purchase_is_erased_on_a_newer_server(on_newer: OneProcess, is_last: bool) -> None:
    assert_erased_during_its_sale(on_newer, is_last, True)


def assert_erased_during_its_sale(sale: OneProcess, is_last: bool, is_recorded: bool) -> None:
    event = sale.open(plan=HALL)
    bob = None if is_last else sale.order(event, "bob", BOB)
    ada = sale.order(event, "ada", ADA)
    if not is_last:
        sale.order(event, "later", BOB._replace(seats=("B1", "B2")))
    if is_recorded:
        sale.persist(event)
    assert words_of("ada", everything(sale))
    link = sale.now(event).head.checkpoint
    sale.erasure.purchase(ada.id, OPERATOR)
    assert words_of("ada", everything(sale)) == set()
    assert sale.now(event).head.checkpoint == link
    assert sale.purchases.get(ada.id).personal == PersonalData()
    assert is_right(sale, event)
    assert sale.order(event, "ada", ADA).id == ada.id
    assert bob is None or sale.order(event, "bob", BOB) == bob
    sale.buy_seats(event, "next", "B4")
    sale.persist(event)
    assert is_right(sale, event)
    sale.erasure.purchase(ada.id, OPERATOR)
    assert [row.action for row in sale.rows(audit, event)].count("purchase.erase") == 2
    sale.rebuild.run(event, "a test", claimable="recorded")
    sale.persist(event)
    assert is_right(sale, event)
    assert words_of("ada", everything(sale)) == set()


def test_others_keep_theirs(sale: OneProcess) -> None:
    event = sale.open(plan=HALL)
    ada, bob = sale.order(event, "ada", ADA), sale.order(event, "bob", BOB)
    sale.erasure.purchase(ada.id, OPERATOR)
    assert sale.purchases.get(bob.id).personal == PersonalData(BOB.buyer, BOB.reference, BOB.note)
    with pytest.raises(PurchaseNotFound):
        sale.erasure.purchase(PurchaseId(event, bob.id.position, "0" * 16), OPERATOR)


@pytest.mark.parametrize("cancelled", [0, 1, 2])
def test_it_counts_for_its_buyer_no_more(sale: OneProcess, cancelled: int) -> None:
    event = sale.event_creation.create("Test", 8, HALL, OPERATOR, Offer(max_per_buyer=5)).event.id
    first, second = sale.order(event, "1", ADA), sale.order(event, "2", ADA)
    if cancelled:
        sale.cancel_part(first, cancelled)
    assert sale.calls.command("HVALS", keys.buyers(event)) == [str(4 - cancelled).encode()]
    sale.erasure.purchase(first.id, OPERATOR)
    assert sale.calls.command("HVALS", keys.buyers(event)) == [b"2"]
    sale.cancel(first.id)
    sale.persist(event)
    assert is_right(sale, event)
    sale.erasure.purchase(second.id, OPERATOR)
    assert sale.calls.command("HVALS", keys.buyers(event)) == []
    assert is_right(sale, event)


def test_it_is_erased_from_quarantine(sale: OneProcess) -> None:
    event = sale.open(plan=HALL)
    sale.persist(event)
    sale.seats.set(event, "A1", "sold", OPERATOR)
    sale.persist(event)
    ada = sale.order(event, "ada", ADA._replace(seats=("A2", "A3")))
    taken = "INSERT INTO sold_seats (event_id, seat_id) VALUES ('%s', 'A2')"
    sale.database.write(lambda connection: connection.exec_driver_sql(taken % event))
    sale.persist(event)
    assert sale.purchases.get(ada.id).state == "quarantined"
    assert words_of("ada", everything(sale))
    sale.erasure.purchase(ada.id, OPERATOR)
    assert words_of("ada", everything(sale)) == set()
    assert sale.check.verify(event).broken is None
    assert sale.purchases.get(ada.id).state == "quarantined"


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_it_is_erased_while_it_is_replayed(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    assert words_left_by_a_replay(sale, monkeypatch) == set()


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_it_is_replayed_with_its_words_without_the_lock(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasure, "_begin", lambda *_: None)
    assert words_left_by_a_replay(sale, monkeypatch) == words_of("ada", str(ADA))


def words_left_by_a_replay(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Let an operator erase a purchase that another one has replayed and not committed; return what is left in SQL."""
    event = sale.open(plan=HALL)
    ada = sale.order(event, "ada", ADA)
    poison(sale, event, HALL.seats_of(ada.runs)[0])
    sale.persist(event)
    sale.database.write(lambda connection: connection.execute(delete(sold_seats)))
    operator, onlooker = sale.another(), Database(sale.database.url)
    erased: list[Future[None]] = []

    def note(*_: object) -> None:
        erased.append(threads.submit(operator.erasure.purchase, ada.id, OPERATOR))
        wait_until(lambda: erased[0].done() or somebody_waits(onlooker))

    monkeypatch.setattr(webhook_notices, "note_late_entry", note)
    with ThreadPoolExecutor() as threads:
        sale.quarantine.replay(event, str(ada.id.position), OPERATOR)
    erased[0].result()
    return words_of("ada", everything(sale))


def test_it_is_erased_from_another_history(sale: OneProcess) -> None:
    """A fork's entry, at a higher seq than the sale has reached, of an event that is closed."""
    sale = OneProcess.build(sale.redis_url, sale.database, keeping=LogKeeping())
    event = sale.open(plan=HALL)
    sale.persist(event)
    kept = backup(sale.database)
    seats = [f"{row}{number}" for row in "AB" for number in (1, 2, 3, 4)]
    for seat in seats[:-1]:
        sale.order(event, seat, BOB._replace(seats=(seat,)))
    ada = sale.order(event, "last", ADA._replace(seats=tuple(seats[-1:])))
    saved = {name: sale.calls.command("DUMP", name) for name in keys.all_of(event)}
    restore(sale.database, kept)
    sale.calls.command("FLUSHALL")
    sale.persist(event)
    # One that has seen no more than this Redis has.
    sale = OneProcess.build(sale.redis_url, sale.database, keeping=LogKeeping())
    sale.buy_seats(event, "all", *seats)
    sale.persist(event)
    for name, value in saved.items():
        if value is not None:
            sale.calls.command("RESTORE", name, 0, value, "REPLACE")
    distrust(sale, event)
    sale.persist(event)
    sale.events.set_state(event, "closed", OPERATOR)
    sale.persist(event)
    assert sale.purchases.get(ada.id).state == "quarantined"
    assert sale.now(event).backlog.position.seq < ada.id.position.seq
    assert words_of("ada", everything(sale))
    sale.erasure.purchase(ada.id, OPERATOR)
    assert words_of("ada", everything(sale)) == set()
    assert words_of("bob", everything(sale))


@pytest.mark.parametrize("by_name", [True, False])
def test_it_is_erased_from_a_merged_state(sale: OneProcess, by_name: bool) -> None:
    event = sale.open(plan=HALL)
    sale.persist(event)
    kept = backup(sale.database)
    ada = sale.order(event, "ada", ADA)
    sale.persist(event)
    trim(sale, event)
    restore(sale.database, kept)
    sale.persist(event)
    sale.merge.run(event, "redis", OPERATOR)
    assert words_of("ada", everything(sale))
    if by_name:
        sale.erasure.purchase(ada.id, OPERATOR)
        assert is_right(sale, event)
    else:
        sale.archive(event)
        finish(sale.erasure, event)
    assert words_of("ada", everything(sale)) == set()
    assert sale.check.verify(event).broken is None


def finish(made: Erasure, event: str) -> int:
    """How many transactions an event's erasure takes, but for the last."""
    return sum(1 for _ in made.event(event, OPERATOR))


def test_an_event_is_erased_in_parts_once_it_is_archived(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasure, "AT_ONCE", 3)
    event, other = sale.open(capacity=20), sale.open(capacity=20)
    for number in range(5):
        sale.order(event, f"k{number}", ADA)
    sale.order(other, "k", BOB)
    sale.persist(other)
    with pytest.raises(NotArchived):
        finish(sale.erasure, event)
    sale.archive(event)
    assert finish(sale.erasure, event) == 3
    assert words_of("ada", everything(sale)) == set()
    assert words_of("bob", everything(sale))
    assert sale.check.verify(event).broken is None
    assert len(sale.purchase_lists.page(event, None, 10).items) == 5
    with pytest.raises(EventNotFound):
        finish(sale.erasure, "nowhere")


def test_a_deleted_event_leaves_its_acts_and_nothing_else(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasure, "AT_ONCE", 3)
    event, other = sale.open(plan=HALL), sale.open(plan=HALL)
    for each in (event, other):
        sale.cancel(sale.order(each, "cancelled", ADA).id)
        ada = sale.order(each, "k", ADA)
        sale.seats.set(each, "B4", "sold", OPERATOR)
        sale.persist(each)
        sale.database.write(add_webhook, each)
    with pytest.raises(NotArchived):
        next(sale.erasure.delete(event, OPERATOR))
    sale.archive(event)
    assert sum(1 for _ in sale.erasure.delete(event, OPERATOR)) >= 4
    having = [table for table in metadata.sorted_tables if "event_id" in table.c and sale.rows(table, event)]
    assert having == [audit]
    assert "event.delete" in {row.action for row in sale.rows(audit, event)}
    assert sale.calls.command("KEYS", f"*{{{event}}}*") == []
    assert sale.database.read(lambda connection: connection.execute(select(webhooks.c.event_id)).scalars().all()) == [
        other
    ]
    assert sale.check.event_ids() == [other]
    assert is_right(sale, other)
    assert sale.purchases.get(ada.id).state == "persisted"
    with pytest.raises(EventNotFound):
        sale.events.get(event)


def add_webhook(connection: Connection, event: str) -> None:
    row = {"id": event, "url": "https://shop.example", "event_id": event, "types": "", "secret": "s", "created_ms": 1}
    connection.execute(insert(webhooks).values(row))
    connection.execute(insert(webhook_cursors).values(webhook_id=event, event_id=event, seq=1, notice=0))


def test_the_cron_erases_and_deletes_what_is_old(sale: OneProcess) -> None:
    young, old, ancient, open_one = (sale.open(capacity=9) for _ in range(4))
    for event in (young, old, ancient, open_one):
        sale.order(event, "k", ADA)
        sale.persist(event)
    for event, days in ((young, 1), (old, 31), (ancient, 366)):
        sale.archive(event)
        ago(sale, event, days)
    retention = Retention(sale.database, sale.erasure, personal_data_days=30, event_days=365)
    for _ in range(2):  # The second time there is nothing to do.
        until_done(retention, sale)
    left = {event: len(sale.rows(table, event)) for event in (young, old, ancient, open_one) for table in ledger_only()}
    assert left[ancient] == 0
    assert min(left[event] for event in (young, old, open_one)) > 1
    known = {
        event: sale.purchase_lists.page(event, None, 1).items[0].personal.buyer for event in (young, old, open_one)
    }
    assert known == {young: ADA.buyer, old: None, open_one: ADA.buyer}
    assert [row.action for row in sale.rows(audit, old)].count("event.erase") == 1


def until_done(retention: Retention, sale: OneProcess) -> None:
    """Each tick takes a fraction of a second, whatever is left then."""
    now_ms = time.time_ns() // 1_000_000

    def is_done() -> bool:
        retention.tick()
        deleted, erased = (
            sale.database.read(erasure.due, erasure.Archived(0, ""), now_ms - days * DAY_MS, erased=is_erased)
            for days, is_erased in ((365, True), (30, False))
        )
        return not (deleted or erased)

    wait_until(is_done, 30, "all that is old to be gone")


def ledger_only() -> list[Table]:
    return [metadata.tables["ledger"]]


def ago(sale: OneProcess, event: str, days: int) -> None:
    """It was archived so many days earlier."""
    earlier = {"archived_ms": events.c.archived_ms - days * DAY_MS}
    sale.database.write(
        lambda connection: connection.execute(update(events).where(events.c.id == event).values(earlier))
    )


def test_events_that_fail_hold_up_no_others(sale: OneProcess) -> None:
    """One that Redis still has, and one that a row of another event refers to."""
    in_redis, referred, other = (sale.open(capacity=9) for _ in range(3))
    bought = {event: sale.order(event, "k", ADA) for event in (in_redis, referred, other)}
    for event in bought:
        sale.persist(event)
    sale.database.write(archived_events.set_archived, in_redis)
    for event in (referred, other):
        sale.archive(event)
    row = {"event_id": in_redis, "seat_id": "A1", "purchase_id": str(bought[referred].id)}
    sale.database.write(lambda connection: connection.execute(insert(metadata.tables["sold_seats"]).values(row)))
    for event, days in ((in_redis, 900), (referred, 800), (other, 700)):
        ago(sale, event, days)
    retention = Retention(sale.database, sale.erasure, personal_data_days=None, event_days=365)

    def is_gone() -> bool:
        retention.tick()
        return not sale.rows(metadata.tables["watermarks"], other)

    with capture_logs() as lines:
        wait_until(is_gone, 30, "the event that can be deleted to be gone")
    failed = {line["event_id"]: line for line in lines if line["event"] == "event retention failed"}
    assert list(failed) == [in_redis, referred]
    assert failed[in_redis]["error"].startswith("SQL has archived this event, but Redis still has it")
    assert "foreign key" in failed[referred]["error"].lower()
    assert len(sale.rows(metadata.tables["ledger"], in_redis)) > 1


def test_what_refers_to_purchases_is_found_by_index() -> None:
    """Or SQL reads a whole table, of all events, for each purchase that is deleted."""
    columns = [
        each.parent
        for table in metadata.tables.values()
        for each in table.foreign_keys
        if each.column.table is purchases
    ]
    assert columns
    for column in columns:
        assert any(column is index.columns[0] for index in column.table.indexes), column


def test_purchases_are_cancelled_while_its_event_is_deleted(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasure, "AT_ONCE", 3)
    event = sale.open(capacity=20)
    receipts = [sale.order(event, f"k{number}", ADA) for number in range(5)]
    sale.persist(event)
    sale.archive(event)
    deleting = sale.erasure.delete(event, OPERATOR)
    next(deleting)
    for receipt in receipts[2:]:
        sale.cancel(receipt.id)
    assert list(deleting) == [None] * 2
    assert [table for table in metadata.sorted_tables if "event_id" in table.c and sale.rows(table, event)] == [audit]


@pytest.mark.parametrize("act", ["erase", "delete"])
def test_two_crons_at_one_event_leave_one_act(sale: OneProcess, monkeypatch: pytest.MonkeyPatch, act: str) -> None:
    monkeypatch.setattr(erasure, "AT_ONCE", 3)
    event = sale.open(plan=HALL)
    for number in range(4):
        sale.order(event, f"k{number}", ADA)
    sale.persist(event)
    sale.archive(event)
    begin = sale.erasure.event if act == "erase" else sale.erasure.delete
    for _ in zip_longest(begin(event, OPERATOR), begin(event, OPERATOR)):
        pass
    assert [row.action for row in sale.rows(audit, event)].count(f"event.{act}") == 1


def test_an_event_archived_without_a_date_gets_one(sale: OneProcess) -> None:
    """As versions before wrote it, which run beside this one during an upgrade."""
    event = sale.open(capacity=9)
    sale.order(event, "k", ADA)
    sale.archive(event)
    undated = update(events).where(events.c.id == event).values(archived_ms=None)
    sale.database.write(lambda connection: connection.execute(undated))
    Retention(sale.database, sale.erasure, personal_data_days=30, event_days=None).tick()
    (at_ms,) = sale.database.read(lambda connection: connection.execute(select(events.c.archived_ms)).scalars())
    assert at_ms
    assert words_of("ada", everything(sale))
    ago(sale, event, 31)
    until_done(Retention(sale.database, sale.erasure, personal_data_days=30, event_days=None), sale)
    assert words_of("ada", everything(sale)) == set()


def test_by_default_the_cron_keeps_all(sale: OneProcess) -> None:
    event = sale.open(capacity=9)
    sale.order(event, "k", ADA)
    sale.archive(event)
    ago(sale, event, 36_500)
    Retention(sale.database, sale.erasure, personal_data_days=None, event_days=None).tick()
    assert sale.purchase_lists.page(event, None, 1).items[0].personal.buyer == ADA.buyer


@on_sqlite
def test_sqlites_file_has_nothing_of_it(sale: OneProcess) -> None:
    event = sale.open(capacity=50)
    receipts = [sale.order(event, f"k{number}", ADA) for number in range(20)]
    sale.persist(event)
    sale.database.checkpoint()
    assert words_of("ada", file_of(sale.database))
    for receipt in receipts:
        sale.erasure.purchase(receipt.id, OPERATOR)
    sale.database.checkpoint()
    assert words_of("ada", file_of(sale.database)) == set()


def file_of(database: Database) -> str:
    path = Path(str(database.engine.url.database))
    return path.read_bytes().decode(errors="replace")
