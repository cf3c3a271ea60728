"""Writing a stretch of an event's log: each entry into the ledger, and what it means into the tables folded from it."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, insert
from sqlalchemy.exc import DataError, IntegrityError

from seating.domain.changes import Purchased, UnknownChange, parse_change
from seating.domain.log_entry import LogEntry, Mark
from seating.domain.purchase import PurchaseId
from seating.domain.seating_plan import SeatingPlan
from seating.storage import watermarks
from seating.storage.tables import ledger, purchases, quarantine, sold_seats


class Row(NamedTuple):
    """An entry, folded: the rows that it adds to each table. `error` is why it could not be read, if so."""

    entry: LogEntry
    purchase: dict[str, object] | None
    seats: list[dict[str, object]]
    error: str | None


def fold(event_id: str, entries: Sequence[LogEntry], plan: SeatingPlan | None) -> list[Row]:
    """What each entry adds. Never fails: an entry that cannot be read says so in its row."""
    return [_fold_one(event_id, entry, plan) for entry in entries]


def write(connection: Connection, event_id: str, rows: Sequence[Row]) -> list[int]:
    """Inserts `rows`; those that SQL refuses for good go to quarantine instead, and their seqs are returned."""
    try:
        with connection.begin_nested():
            _insert(connection, event_id, rows)
    except (IntegrityError, DataError, _Unreadable) as error:
        if len(rows) == 1:
            _put_aside(connection, event_id, rows[0], rows[0].error or str(error))
            return [rows[0].entry.position.seq]
        middle = len(rows) // 2
        return write(connection, event_id, rows[:middle]) + write(connection, event_id, rows[middle:])
    return []


def begin(connection: Connection, event_id: str, first: LogEntry) -> None:
    """Records the entry that an event's log begins with, and the watermark at it."""
    connection.execute(insert(ledger).values(_ledger_row(event_id, first)))
    watermarks.begin(connection, event_id, Mark.of(first))


class _Unreadable(Exception):
    pass


def _fold_one(event_id: str, entry: LogEntry, plan: SeatingPlan | None) -> Row:
    try:
        change = parse_change(entry.change)
        if not isinstance(change, Purchased):
            return Row(entry, None, [], None)
        purchase_id = str(PurchaseId(event_id, entry.position, change.nonce))
        seat_ids = plan.seats_of(change.runs) if plan else []
    except (UnknownChange, IndexError) as error:
        return Row(entry, None, [], f"{type(error).__name__}: {error}")
    purchase: dict[str, object] = {
        "id": purchase_id,
        "event_id": event_id,
        "epoch": entry.position.epoch,
        "seq": entry.position.seq,
        "at_ms": change.at_ms,
        "quantity": change.quantity,
        "seats_left": change.left,
        "runs": ",".join(map(str, change.runs)),
        "reference": change.reference,
    }
    seats: list[dict[str, object]] = [
        {"event_id": event_id, "seat_id": seat, "purchase_id": purchase_id} for seat in seat_ids
    ]
    return Row(entry, purchase, seats, None)


def _insert(connection: Connection, event_id: str, rows: Sequence[Row]) -> None:
    if any(row.error for row in rows):
        raise _Unreadable
    connection.execute(insert(ledger), [_ledger_row(event_id, row.entry) for row in rows])
    if bought := [row.purchase for row in rows if row.purchase]:
        connection.execute(insert(purchases), bought)
    if seats := [seat for row in rows for seat in row.seats]:
        connection.execute(insert(sold_seats), seats)


def _ledger_row(event_id: str, entry: LogEntry) -> dict[str, object]:
    return {
        "event_id": event_id,
        "seq": entry.position.seq,
        "epoch": entry.position.epoch,
        "change": entry.change,
        "link": entry.link,
    }


def _put_aside(connection: Connection, event_id: str, row: Row, error: str) -> None:
    connection.execute(insert(quarantine).values(**_ledger_row(event_id, row.entry), error=error[:2000]))
