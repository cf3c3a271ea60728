"""A byte changed anywhere in ledger, log or tables is found."""

import json
from collections.abc import Callable
from uuid import uuid4

import pytest
import redis
from sqlalchemy import update

from seating.domain.errors import EventNotFound, InventoryUnavailable
from seating.domain.seating_plan import GeneratedPlan, generate
from seating.redis_store import book_snapshot, keys
from seating.redis_store.book_snapshot import BookSnapshot
from seating.storage.tables import ledger, purchases, sold_seats, watermarks
from tests.one_process import OneProcess, on_sqlite

HALL = generate(GeneratedPlan(sections=2, rows=2, seatsPerRow=6))


@pytest.fixture
def event(sale: OneProcess) -> str:
    """Some of its log in SQL, some in Redis only."""
    event = sale.open(plan=HALL)
    receipts = [sale.buy(event, f"k{number}", 2) for number in range(4)]
    sale.cancel(receipts[1].id)
    sale.persist(event)
    for number in range(4, 7):
        sale.buy(event, f"k{number}", 2)
    return event


def test_books_that_are_right(sale: OneProcess, event: str) -> None:
    verified = sale.check.verify(event)
    assert (verified.entries, verified.broken) == (10, None)
    assert sale.check.reconcile(event) == []


@on_sqlite
@pytest.mark.parametrize("seq", range(1, 7))
def test_a_byte_of_the_ledger(sale: OneProcess, event: str, seq: int) -> None:
    row = sale.rows(ledger, event)[seq - 1]
    for position in range(0, len(row.change), 7):
        changed = row.change[:position] + chr(ord(row.change[position]) ^ 1) + row.change[position + 1 :]
        _set(sale, event, seq, change=changed)
        assert sale.check.verify(event).broken, changed
    _set(sale, event, seq, change=row.change, link="0" + row.link[1:] if row.link[0] != "0" else "1" + row.link[1:])
    assert sale.check.verify(event).broken


def test_a_row_of_the_ledger_gone(sale: OneProcess, event: str) -> None:
    sale.database.write(lambda connection: connection.execute(ledger.delete().where(ledger.c.seq == 3)))
    assert "gap" in str(sale.check.verify(event).broken)


def test_a_byte_of_the_log(sale: OneProcess, event: str) -> None:
    entries = sale.calls.command("XRANGE", keys.log(event), "-", "+")
    assert len(entries) == 4
    position, (_, change, _, link) = entries[2]
    sale.calls.command("DEL", keys.log(event))
    for other, fields in entries:
        written = [b"change", change.replace(b'"left":', b'"left":1'), b"link", link] if other == position else fields
        sale.calls.command("XADD", keys.log(event), other, *written)
    assert position.decode() in str(sale.check.verify(event).broken)


def test_a_watermark_that_was_moved(sale: OneProcess, event: str) -> None:
    sale.database.write(lambda connection: connection.execute(update(watermarks).values(link="f" * 40)))
    assert "watermark" in str(sale.check.verify(event).broken)


@pytest.fixture
def _sold_meanwhile(sale: OneProcess, event: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sale goes on, and is recorded, between the looks at Redis and at SQL."""
    take = book_snapshot.take

    def take_and_sell(client: "redis.Redis", event_id: str) -> BookSnapshot | None:
        found = take(client, event_id)
        sale.buy(event, uuid4().hex, 2)
        sale.persist(event)
        return found

    monkeypatch.setattr(book_snapshot, "take", take_and_sell)


@pytest.mark.usefixtures("_sold_meanwhile")
def test_books_are_right_while_it_is_sold(sale: OneProcess, event: str) -> None:
    assert sale.check.verify(event).broken is None
    assert sale.check.reconcile(event) == []


def test_a_redis_that_is_older_than_sql(sale: OneProcess, event: str) -> None:
    """What it has agrees with the record, as far as it goes, as long as nobody has noticed that it is another one."""
    copies = {key: sale.calls.command("DUMP", key) for key in sale.calls.command("KEYS", f"*{event}*")}
    sale.buy(event, "later", 2)
    sale.persist(event)
    for key, copy in copies.items():
        sale.calls.command("RESTORE", key, 0, copy, "REPLACE")
    verified = sale.check.verify(event)
    assert (verified.entries, verified.broken) == (11, None)
    (finding,) = sale.check.reconcile(event)
    assert finding.what.startswith("Redis ends at 10, but SQL has ")


def _unsell(sale: OneProcess, event: str) -> None:
    sale.database.write(lambda connection: connection.execute(sold_seats.delete()))


def _uncancel(sale: OneProcess, event: str) -> None:
    sale.database.write(lambda connection: connection.execute(update(purchases).values(cancelled_ms=None)))


def _count_wrong(sale: OneProcess, event: str) -> None:
    sale.calls.command("HINCRBY", keys.inventory(event), "sold", 1)


def _free_a_seat(sale: OneProcess, event: str) -> None:
    seats = sale.calls.command("HGET", keys.seats(event), "0")
    sale.calls.command("HSET", keys.seats(event), "0", seats.replace(b"s", b"a", 1))


def _forget_a_key(sale: OneProcess, event: str) -> None:
    field = sale.calls.command("HKEYS", keys.idempotency(event))[0]
    sale.calls.command("HDEL", keys.idempotency(event), field)


def _forget_a_cancellation(sale: OneProcess, event: str) -> None:
    sale.calls.command("DEL", keys.cancelled(event))


def _overstate_a_run(sale: OneProcess, event: str) -> None:
    sale.calls.command("SETRANGE", keys.longest_runs(event), 0, "9")


def _damage_a_hold(sale: OneProcess, event: str) -> None:
    sale.calls.command("HSET", keys.hold(event), "foreign", b"\xff")


def _damage_a_cancellation(sale: OneProcess, event: str) -> None:
    sale.calls.command("HSET", keys.cancelled(event), "foreign", "value")


@on_sqlite
@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (_unsell, "sold_seats"),
        (_uncancel, "purchases"),
        (_count_wrong, "inventory sold"),
        (_free_a_seat, "seats of block 0"),
        (_forget_a_key, "idempotency record"),
        (_forget_a_cancellation, "cancelled"),
        (_overstate_a_run, "longest runs"),
        (_damage_a_hold, "hold foreign"),
        (_damage_a_cancellation, "cancelled"),
    ],
)
def test_reconcile_names_what_differs(
    sale: OneProcess, event: str, damage: Callable[[OneProcess, str], None], named: str
) -> None:
    damage(sale, event)
    findings = sale.check.reconcile(event)
    assert findings
    assert all(named in finding.what for finding in findings if not finding.what.startswith("and "))
    assert all(finding.advice for finding in findings)


@pytest.mark.parametrize(
    ("position", "fields"),
    [
        ("999999999-10", ("change", b"\xff", "link", "0" * 40)),
        ("999999999-10", ("foreign", "value")),
        ("1700000000000-0", ("change", "{}", "link", "0" * 40)),
    ],
)
def test_reconcile_says_where_an_entry_is_garbled(
    sale: OneProcess, event: str, position: str, fields: tuple[str | bytes, ...]
) -> None:
    sale.calls.command("XADD", keys.log(event), position, *fields)
    (finding,) = sale.check.reconcile(event)
    assert f"entries at {position} are unreadable" in finding.what
    assert finding.advice == "copy Redis's files, and find out what wrote to them"


def test_an_entry_that_was_removed_stops_the_sale_until_a_rebuild(sale: OneProcess, event: str) -> None:
    """Redis appends only above the highest id that a log has had."""
    foreign = "1700000000000-0"
    sale.calls.command("XADD", keys.log(event), foreign, "foreign", "value")
    sale.persist(event)
    sale.calls.command("XDEL", keys.log(event), foreign)
    with pytest.raises(InventoryUnavailable):
        sale.buy(event, "refused")
    (finding,) = sale.check.reconcile(event)
    assert (foreign in finding.what, finding.advice) == (True, "run: seating rebuild")
    sale.persistence.run_now(event)
    sale.rebuild.run(event, "asked for", claimable="recorded")
    sale.persistence.run_now(event)
    sale.buy(event, "accepted")
    assert sale.now(event).counts.sold == 13
    assert sale.check.reconcile(event) == []


def test_reconcile_says_where_an_entry_that_is_not_recorded_cannot_be_read(sale: OneProcess, event: str) -> None:
    position = f"{sale.term(event)}-20"
    sale.calls.command("XADD", keys.log(event), position, "change", '{"kind":"bartered"}', "link", "0" * 40)
    sale.calls.command("HSET", keys.inventory(event), "seq", 20)
    (finding,) = sale.check.reconcile(event)
    assert f"cannot read {position}" in finding.what
    assert finding.advice == "run the version that wrote them"


def test_who_had_a_seat(sale: OneProcess) -> None:
    event = sale.open(plan=HALL)
    seat = "sec-1-row-A-seat-3"
    first = sale.buy(event, "k1", 2, reference="R1")
    assert seat in HALL.seats_of(first.runs)
    sale.cancel(first.id)
    sale.persist(event)
    second = sale.buy(event, "k2", 2)
    story = sale.check.history(event, seat)
    assert [(change.what, change.purchase_id, change.reference) for change in story] == [
        ("sold", str(first.id), "R1"),
        ("returned", str(first.id), None),
        ("sold", str(second.id), None),
    ]
    assert sale.check.history(event, "sec-2-row-B-seat-6") == []


def test_of_an_unknown_event(sale: OneProcess) -> None:
    for look in (sale.check.reconcile, sale.check.verify, lambda event: sale.check.history(event, "A1")):
        with pytest.raises(EventNotFound):
            look("nowhere")


def _set(sale: OneProcess, event: str, seq: int, **values: str) -> None:
    here = (ledger.c.event_id == event) & (ledger.c.seq == seq)
    sale.database.write(lambda connection: connection.execute(update(ledger).where(here).values(**values)))


def test_findings_are_plain_data(sale: OneProcess, event: str) -> None:
    _count_wrong(sale, event)
    assert json.loads(json.dumps([finding._asdict() for finding in sale.check.reconcile(event)]))
