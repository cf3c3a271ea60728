"""Erasing personal data from the record, and deleting events from it, in parts that one transaction can do."""

from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, delete, null, select, tuple_, update

from seating.domain.changes import Purchased
from seating.domain.inventory_state import InventoryState
from seating.domain.log_entry import LogEntry
from seating.domain.position import Position
from seating.domain.purchase import PurchaseId
from seating.domain.receipt import Receipt, is_purchase_record, without_private
from seating.storage import merges
from seating.storage import watermarks as watermark_record
from seating.storage.tables import (
    answered,
    events,
    ledger,
    organiser_seats,
    purchases,
    quarantine,
    sold_seats,
    terms,
    watermarks,
    webhook_cursors,
    webhook_notices,
    webhooks,
)
from seating.storage.tables import merges as merge_table

AT_ONCE: Final = 1_000
"""Entries of the ledger, or seats, in one transaction, during which a sale cannot be recorded in SQLite."""

_NOTHING: Final = {"buyer": null(), "reference": null(), "note": null()}
_SMALL: Final = (
    organiser_seats,
    webhook_cursors,
    webhook_notices,
    merge_table,
    quarantine,
    answered,
    terms,
    watermarks,
)
"""Tables with at most some thousand rows of one event, in an order in which foreign keys allow to delete them."""


def of_purchase(connection: Connection, purchase_id: PurchaseId) -> list[tuple[Position, Purchased]]:
    """Erase what was said with a purchase; return where it is in the log and as what, nothing if it is not on record.

    One that only a merged state tells of is returned at the position that its buyer was told.
    """
    event_id, _, nonce = purchase_id
    # A replay moves it from quarantine to the ledger, where neither query below would find it.
    _begin(connection, event_id)
    own = purchases.c.id == str(purchase_id)
    entry_seq = connection.execute(select(purchases.c.entry_seq).where(own)).scalar_one_or_none()
    connection.execute(update(purchases).where(own).values(_NOTHING))
    here = and_(ledger.c.event_id == event_id, ledger.c.seq == entry_seq)
    # By its nonce: a replay of it waits at another position than its buyer was told.
    aside = and_(quarantine.c.event_id == event_id, quarantine.c.change.contains(f'"nonce":"{nonce}"'))
    found = [*connection.execute(select(ledger).where(here)), *connection.execute(select(quarantine).where(aside))]
    connection.execute(update(ledger).where(here).values(private=null()))
    _erase_asides(connection, aside)
    merged = _erase_receipts(connection, event_id, f"|{nonce}|")
    entries = [LogEntry(Position(row.epoch, row.seq), row.change, row.link) for row in found]
    changes = [(entry.position, change) for entry in entries if isinstance(change := entry.read(), Purchased)]
    return changes + [(receipt.id.position, receipt.change(field)) for field, receipt in merged.items()]


def of_entries(connection: Connection, event_id: str, first_seq: int) -> None:
    """Erase what was said with the purchases of AT_ONCE entries."""
    _begin(connection, event_id)
    here = (ledger.c.event_id == event_id, ledger.c.seq.between(first_seq, first_seq + AT_ONCE - 1))
    connection.execute(update(ledger).where(*here, ledger.c.private.is_not(None)).values(private=null()))
    own = (purchases.c.event_id == event_id, purchases.c.entry_seq.between(first_seq, first_seq + AT_ONCE - 1))
    connection.execute(update(purchases).where(*own).values(_NOTHING))


def finish(connection: Connection, event_id: str, now_ms: int) -> bool:
    """Erase what is not in the ledger of an event, and note that nothing personal is left.

    Return False if that is noted already.
    """
    _begin(connection, event_id)
    _erase_asides(connection, quarantine.c.event_id == event_id)
    _erase_receipts(connection, event_id, "")
    here = (events.c.id == event_id, events.c.erased_ms.is_(None))
    return connection.execute(update(events).where(*here).values(erased_ms=now_ms)).rowcount == 1


def delete_seats(connection: Connection, event_id: str) -> bool:
    """Delete AT_ONCE sold seats of an event; return whether there may be more."""
    _begin(connection, event_id)
    # Postgres has no DELETE … LIMIT.
    some = select(sold_seats.c.seat_id).where(sold_seats.c.event_id == event_id).limit(AT_ONCE)
    here = (sold_seats.c.event_id == event_id, sold_seats.c.seat_id.in_(some))
    return connection.execute(delete(sold_seats).where(*here)).rowcount == AT_ONCE


def delete_entries(connection: Connection, event_id: str, first_seq: int) -> None:
    """Delete AT_ONCE entries and their purchases, whose seats must be deleted already."""
    _begin(connection, event_id)
    for table, seq in ((purchases, purchases.c.entry_seq), (ledger, ledger.c.seq)):
        here = (table.c.event_id == event_id, seq.between(first_seq, first_seq + AT_ONCE - 1))
        connection.execute(delete(table).where(*here))


def delete_event(connection: Connection, event_id: str) -> bool:
    """Delete an event and its webhooks, with the few entries that cancellations added meanwhile.

    Return False if it is gone already.
    """
    _begin(connection, event_id)
    own = select(webhooks.c.id).where(webhooks.c.event_id == event_id)
    # Before their cursors, as whatever else locks both.
    connection.execute(own.with_for_update())
    # First those that refer to the webhooks, whose rows refer to the event.
    connection.execute(delete(webhook_cursors).where(webhook_cursors.c.webhook_id.in_(own)))
    for table in (sold_seats, purchases, ledger, *_SMALL):
        connection.execute(delete(table).where(table.c.event_id == event_id))
    connection.execute(delete(webhooks).where(webhooks.c.event_id == event_id))
    return connection.execute(delete(events).where(events.c.id == event_id)).rowcount == 1


def date_archived(connection: Connection, now_ms: int) -> None:
    """Date the events that a version without dates has archived: their days begin now."""
    undated = (events.c.archived, events.c.archived_ms.is_(None))
    connection.execute(update(events).where(*undated).values(archived_ms=now_ms))


class Archived(NamedTuple):
    at_ms: int
    event_id: str


def due(connection: Connection, after: Archived, before_ms: int, *, erased: bool) -> Archived | None:
    """Return the next event behind `after` that was archived before then, the oldest first.

    With `erased`, also one without personal data.
    """
    when = (events.c.archived_ms, events.c.id)
    # Behind `after`, so that an event that fails again and again holds up no others.
    query = select(*when).where(events.c.archived, events.c.archived_ms < before_ms, tuple_(*when) > after)
    if not erased:
        query = query.where(events.c.erased_ms.is_(None))
    row = connection.execute(query.order_by(*when).limit(1)).one_or_none()
    return Archived(*row) if row else None


def _begin(connection: Connection, event_id: str) -> None:
    """Let nobody else change the event until the transaction ends."""
    watermark_record.lock(connection, event_id)
    _erase_for_good(connection)


def _erase_asides(connection: Connection, where: ColumnElement[bool]) -> None:
    for row in connection.execute(select(quarantine).where(where)).all():
        here = (quarantine.c.event_id == row.event_id, quarantine.c.epoch == row.epoch, quarantine.c.seq == row.seq)
        # The lines behind the first are the database's own text, which may have some of it too.
        said = {"private": null(), "error": row.error.partition("\n")[0]}
        connection.execute(update(quarantine).where(*here, quarantine.c.link == row.link).values(said))


def _erase_receipts(connection: Connection, event_id: str, having: str) -> dict[str, Receipt]:
    """Erase it from the receipts in merged states that have this text; return those, by hash of caller and key."""
    found: dict[str, Receipt] = {}

    def rewrite(dumped: bytes) -> bytes:
        state = InventoryState.load(dumped)
        for field, record in state.idempotency.items():
            if having in record and is_purchase_record(record):
                found[field] = Receipt.parse(event_id, record)
                state.idempotency[field] = without_private(record)
        return state.dump()

    merges.rewrite_states(connection, event_id, rewrite)
    return found


def _erase_for_good(connection: Connection) -> None:
    """Have SQLite overwrite what is deleted, at its next checkpoint. Postgres does so when it vacuums."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete=ON")
