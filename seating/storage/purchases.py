"""The record of purchases: the ledger's purchases and cancellations, folded."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, case, delete, insert, select, update

from seating.domain import sold_as
from seating.domain.caller import ANONYMOUS
from seating.domain.cancellation import Bought, Cancellation
from seating.domain.changes import Cancelled, Purchased
from seating.domain.inventory_state import InventoryState
from seating.domain.log_entry import LogEntry
from seating.domain.personal_data import PersonalData
from seating.domain.position import Position
from seating.domain.purchase import Purchase, PurchaseId, PurchaseState
from seating.domain.receipt import Receipt
from seating.domain.seat_status import BOX_OFFICE
from seating.domain.seating_plan import SeatingPlan, SeatRange, runs_text
from seating.storage.database import Row, batches, insert_many
from seating.storage.tables import purchases, sold_seats


class WrongPersonalData(Exception):
    """The personal data beside a purchase is not what was written with it."""


AT_BOX_OFFICE: Final = "box office"
"""Stands for the purchase of a seat that was sold without one."""


def add(
    connection: Connection,
    event_id: str,
    bought: Sequence[tuple[LogEntry, Purchased]],
    plan: SeatingPlan | None,
    returned: Sequence[SeatRange] = (),
) -> None:
    """Records purchases and the seats that they take, without `returned` ones: cancellations that follow free these.

    A seat that is taken is refused by sold_seats' key. Raises WrongPersonalData.
    """
    gone = Cancellation(0, 0, 0, returned)
    rows: list[Row] = []
    seats: list[Row] = []
    for entry, change in bought:
        position = change.original or entry.position
        purchase_id = str(PurchaseId(event_id, position, change.nonce))
        told = (change.at_ms, change.quantity, change.left, runs_text(change.runs))
        # Recording it without the text would hide that somebody has changed Redis.
        if not change.vouches_for(entry.private):
            raise WrongPersonalData(purchase_id)
        shop = (*change.personal_data(entry.private), _with_key(change.caller))
        sold_as = _sold_as(change.tariff, change.currency, change.runs)
        rows.append((purchase_id, event_id, *position, *told, *shop, *sold_as, entry.position.seq))
        standing = Bought(change.quantity, change.runs).standing(gone).runs if returned else change.runs
        seat_ids = plan.seats_of(standing) if plan else []
        seats += [(event_id, seat_id, purchase_id) for seat_id in seat_ids]
    insert_many(connection, _ADDED, rows)
    if seats:
        insert_many(connection, (sold_seats.c.event_id, sold_seats.c.seat_id, sold_seats.c.purchase_id), seats)


_ADDED: Final = (
    *(purchases.c.id, purchases.c.event_id, purchases.c.epoch, purchases.c.seq, purchases.c.at_ms),
    *(purchases.c.quantity, purchases.c.seats_left, purchases.c.runs),
    *(purchases.c.buyer, purchases.c.reference, purchases.c.note, purchases.c.caller),
    *(purchases.c.tariff, purchases.c.currency, purchases.c.total, purchases.c.entry_seq),
)


def cancel(connection: Connection, event_id: str, change: Cancelled, seat_ids: Sequence[str]) -> str | None:
    """Records what `change` says of a purchase, and frees `seat_ids`. Its id; None if there is no such purchase."""
    epoch, seq = change.purchase
    here = (purchases.c.event_id == event_id, purchases.c.epoch == epoch, purchases.c.seq == seq)
    row = connection.execute(select(purchases).where(*here)).one_or_none()
    if row is None:
        return None
    cancellation = Cancellation.after(_cancellation(row), change)
    said = _cancelled(_bought(row), cancellation) | {"cancelled_why": change.by.why if change.by else None}
    connection.execute(update(purchases).where(purchases.c.id == row.id).values(said))
    # Only these seats: others of the purchase may stand, and one of these may have been sold again.
    own = (sold_seats.c.event_id == event_id, sold_seats.c.seat_id.in_(seat_ids))
    connection.execute(delete(sold_seats).where(*own, sold_seats.c.purchase_id == row.id))
    return str(row.id)


def missing(connection: Connection, event_id: str, receipts: Sequence[Receipt]) -> list[Receipt]:
    """Those of the receipts whose purchases are not on record, in the order in which they were made."""
    known = standing(connection, event_id)
    return sorted((r for r in receipts if str(r.id) not in known), key=lambda r: (r.at_ms, r.id.position))


def replace(
    connection: Connection,
    event_id: str,
    receipts: Sequence[Receipt],
    new: Sequence[Receipt],
    end_seq: int,
    state: InventoryState,
    plan: SeatingPlan | None,
) -> None:
    """Makes the record of an event what a merged state says. `new` are those of its receipts that are not on record;
    they stand in the ledger's gap beyond `end_seq`.
    """
    kept = {str(receipt.id): receipt for receipt in receipts}
    connection.execute(delete(sold_seats).where(sold_seats.c.event_id == event_id))
    # The merged history gave their seats to others; quarantine has them.
    for purchase_id in standing(connection, event_id).keys() - kept.keys():
        connection.execute(delete(purchases).where(purchases.c.id == purchase_id))
    # Lists and webhooks go by entry_seq, so those that have no entry get the gap's numbers.
    entries = (LogEntry(Position(0, seq), "", "", receipt.private) for seq, receipt in enumerate(new, end_seq + 1))
    bought = [dataclasses.replace(receipt.change(""), original=receipt.id.position) for receipt in new]
    # Without the plan: the seats of all receipts follow below.
    add(connection, event_id, list(zip(entries, bought, strict=True)), None)
    seats: dict[str, str | None] = {}
    for purchase_id, receipt in kept.items():
        cancellation = state.cancellation(str(receipt.id.position))
        if cancellation is not None:
            said = _cancelled(receipt.bought, cancellation)
            connection.execute(update(purchases).where(purchases.c.id == purchase_id).values(said))
        if plan:
            seats |= dict.fromkeys(plan.seats_of(receipt.bought.standing(cancellation).runs), purchase_id)
    if plan:
        seats |= dict.fromkeys(plan.seats_of(state.runs_of(BOX_OFFICE)), None)
    if seats:
        owners = [{"event_id": event_id, "seat_id": seat, "purchase_id": owner} for seat, owner in seats.items()]
        connection.execute(insert(sold_seats), owners)


def find(connection: Connection, purchase_id: PurchaseId) -> Purchase | None:
    row = connection.execute(select(purchases).where(purchases.c.id == str(purchase_id))).one_or_none()
    return _purchase(row) if row else None


def at(connection: Connection, event_id: str, position: Position) -> Purchase | None:
    """Return the purchase that was confirmed with `position`."""
    epoch, seq = position
    here = (purchases.c.event_id == event_id, purchases.c.epoch == epoch, purchases.c.seq == seq)
    row = connection.execute(select(purchases).where(*here)).one_or_none()
    return _purchase(row) if row else None


def between(connection: Connection, event_id: str, after_seq: int, before_seq: int, count: int) -> list[Purchase]:
    """Return the first `count` purchases that stand between two seqs of the ledger, in that order."""
    here = (purchases.c.event_id == event_id, purchases.c.entry_seq > after_seq, purchases.c.entry_seq < before_seq)
    query = select(purchases).where(*here).order_by(purchases.c.entry_seq).limit(count)
    return [_purchase(row) for row in connection.execute(query)]


def page(
    connection: Connection,
    event_id: str,
    below_seq: int | None,
    count: int,
    reference: str | None = None,
    caller: str | None = None,
) -> list[Purchase]:
    """At most `count` purchases of an event, newest first, from below the ledger's `below_seq` on.

    Of them only those with a `reference`, or made with the key of a `caller`.
    """
    query = select(purchases).where(purchases.c.event_id == event_id)
    if caller is not None:
        query = query.where(purchases.c.caller == caller)
    if reference is not None:
        query = query.where(purchases.c.reference == reference)
    if below_seq is not None:
        query = query.where(purchases.c.entry_seq < below_seq)
    return [_purchase(row) for row in connection.execute(query.order_by(purchases.c.entry_seq.desc()).limit(count))]


def recorded(connection: Connection, purchase_ids: Sequence[str]) -> set[str]:
    """Those of the purchases that are on record."""
    found: set[str] = set()
    for part in batches(purchase_ids):
        found.update(connection.execute(select(purchases.c.id).where(purchases.c.id.in_(part))).scalars())
    return found


def standing(connection: Connection, event_id: str) -> dict[str, int]:
    """All purchases of an event: id to how many seats of it stand, 0 if it was cancelled."""
    gone = case((purchases.c.cancelled_ms.is_(None), 0), else_=purchases.c.cancelled_quantity)
    left = (purchases.c.quantity - gone).label("left")
    rows = connection.execute(select(purchases.c.id, left).where(purchases.c.event_id == event_id))
    return {row.id: row.left for row in rows}


def seats_taken(connection: Connection, event_id: str) -> dict[str, str]:
    """Who has each sold seat: seat id to purchase id, or to AT_BOX_OFFICE."""
    rows = connection.execute(
        select(sold_seats.c.seat_id, sold_seats.c.purchase_id).where(sold_seats.c.event_id == event_id)
    )
    return {row.seat_id: row.purchase_id or AT_BOX_OFFICE for row in rows}


def _with_key(caller: str) -> str | None:
    """None for those who have no key."""
    return None if caller == ANONYMOUS.name else caller


def _sold_as(tariff: str, currency: str | None, runs: Sequence[SeatRange]) -> tuple[str | None, str | None, int | None]:
    """Tariff, currency and total, as their columns have them."""
    return tariff or None, currency, sold_as.total(tariff, runs) if currency else None


def _purchase(row: Any) -> Purchase:
    cancellation = _cancellation(row)
    is_cancelled = cancellation is not None and cancellation.is_whole
    return Purchase(
        PurchaseId.parse(row.id),
        PurchaseState.CANCELLED if is_cancelled else PurchaseState.PERSISTED,
        row.at_ms,
        row.quantity,
        SeatRange.parse_all(row.runs),
        PersonalData(row.buyer, row.reference, row.note),
        entry_seq=row.entry_seq,
        tariff=row.tariff or "",
        currency=row.currency,
        cancelled=cancellation,
        why=row.cancelled_why,
        caller=row.caller or ANONYMOUS.name,
    )


def _bought(row: Any) -> Bought:
    return Bought(row.quantity, SeatRange.parse_all(row.runs))


def _cancellation(row: Any) -> Cancellation | None:
    """Without the seats left then, which only the ledger has."""
    if row.cancelled_ms is None:
        return None
    if row.cancelled_quantity == row.quantity:
        return Cancellation(row.cancelled_ms, 0)
    return Cancellation(row.cancelled_ms, 0, row.cancelled_quantity, SeatRange.parse_all(row.cancelled_runs))


def _cancelled(bought: Bought, cancellation: Cancellation) -> dict[str, object]:
    """As its columns have it."""
    quantity, runs = bought.cancelled(cancellation)
    told = {"cancelled_quantity": quantity, "cancelled_runs": runs_text(runs)}
    return {"cancelled_ms": cancellation.at_ms} | told
