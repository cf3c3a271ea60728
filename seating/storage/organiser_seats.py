"""The record of what the organiser made of seats: which are blocked, held or sold at the box office, and since when."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, insert, select

from seating.domain.actor import Actor
from seating.domain.change_json import UnknownChange, parse_change
from seating.domain.changes import SeatSet
from seating.domain.inventory_state import InventoryState
from seating.domain.log_entry import LogEntry
from seating.domain.seat_status import BOX_OFFICE, ORGANISED
from seating.domain.seating_plan import SeatingPlan
from seating.storage.database import batches
from seating.storage.tables import ledger, organiser_seats, sold_seats


class OrganiserSeat(NamedTuple):
    """`status` is as a map has it. `at_ms` and `by` are None where a merge left no entry that tells them."""

    seat_id: str
    status: str
    at_ms: int | None
    by: Actor | None


def set_all(connection: Connection, event_id: str, entry_seq: int, change: SeatSet, plan: SeatingPlan) -> None:
    """Records what an entry set. A seat that has an owner already is refused by sold_seats' key."""
    returned = [run for run, was in change.parts() if was == BOX_OFFICE]
    _return_to_box_office(connection, event_id, plan.seats_of(returned))
    seats = plan.seats_of(change.runs)
    if change.status == BOX_OFFICE:
        _sell_at_box_office(connection, event_id, seats)
    _forget(connection, event_id, seats)
    if change.status in ORGANISED:
        _insert(connection, event_id, entry_seq, dict.fromkeys(seats, change.status))


def are_set_after(connection: Connection, event_id: str, entry: LogEntry, plan: SeatingPlan) -> bool:
    """Whether the ledger has a later entry that set one of the seats which `entry` set."""
    change = entry.read()
    if not isinstance(change, SeatSet):
        return False
    seats = set(plan.seats_of(change.runs))
    later = select(ledger.c.seq).where(ledger.c.event_id == event_id, ledger.c.seq > entry.position.seq)
    seqs = connection.execute(later.where(ledger.c.change.contains('"kind":"seat_set"'))).scalars().all()
    return any(seats.intersection(plan.seats_of(one.runs)) for one in _entries(connection, event_id, seqs).values())


def replace(connection: Connection, event_id: str, entry_seq: int, state: InventoryState, plan: SeatingPlan) -> None:
    """Makes the record what a merged state says; what it knew of seats that are as they were, it goes on knowing."""
    merged = {seat: status for status in ORGANISED for seat in plan.seats_of(state.runs_of(status))}
    known = statuses(connection, event_id)
    _forget(connection, event_id, [seat for seat, status in known.items() if merged.get(seat) != status])
    new = {seat: status for seat, status in merged.items() if known.get(seat) != status}
    _insert(connection, event_id, entry_seq, new)


def statuses(connection: Connection, event_id: str) -> dict[str, str]:
    """The status of each seat that the organiser has set and not made available again."""
    columns = organiser_seats.c
    rows = connection.execute(select(columns.seat_id, columns.status).where(columns.event_id == event_id))
    return {row.seat_id: row.status for row in rows}


def page(connection: Connection, event_id: str, after_seat: str, count: int, status: str | None) -> list[OrganiserSeat]:
    """At most `count` seats in the order of their ids, behind `after_seat`; those of a status, if it is given."""
    columns = organiser_seats.c
    query = select(columns.seat_id, columns.status, columns.entry_seq)
    query = query.where(columns.event_id == event_id, columns.seat_id > after_seat)
    if status is not None:
        query = query.where(columns.status == status)
    return _with_their_entries(
        connection, event_id, connection.execute(query.order_by(columns.seat_id).limit(count)).all()
    )


def all_of(connection: Connection, event_id: str, status: str) -> list[OrganiserSeat]:
    """All seats of a status, in no order."""
    columns = organiser_seats.c
    query = select(columns.seat_id, columns.status, columns.entry_seq)
    query = query.where(columns.event_id == event_id, columns.status == status)
    return _with_their_entries(connection, event_id, connection.execute(query).all())


def _with_their_entries(connection: Connection, event_id: str, rows: Sequence[Any]) -> list[OrganiserSeat]:
    entries = _entries(connection, event_id, sorted({row.entry_seq for row in rows}))
    found = []
    for row in rows:
        entry = entries.get(row.entry_seq)
        at = (entry.at_ms, entry.by) if entry else (None, None)
        found.append(OrganiserSeat(row.seat_id, row.status, *at))
    return found


def _entries(connection: Connection, event_id: str, seqs: Sequence[int]) -> dict[int, SeatSet]:
    """The entries at `seqs` that set seats."""
    found = {}
    for part in batches(seqs):
        query = select(ledger.c.seq, ledger.c.change).where(ledger.c.event_id == event_id, ledger.c.seq.in_(part))
        for row in connection.execute(query):
            try:
                change = parse_change(row.change)
            except UnknownChange:
                continue
            if isinstance(change, SeatSet):
                found[row.seq] = change
    return found


def _sell_at_box_office(connection: Connection, event_id: str, seat_ids: Sequence[str]) -> None:
    rows = [{"event_id": event_id, "seat_id": seat_id, "purchase_id": None} for seat_id in seat_ids]
    connection.execute(insert(sold_seats), rows)


def _return_to_box_office(connection: Connection, event_id: str, seat_ids: Sequence[str]) -> None:
    own = (sold_seats.c.event_id == event_id, sold_seats.c.purchase_id.is_(None))
    for part in batches(seat_ids):
        connection.execute(delete(sold_seats).where(*own, sold_seats.c.seat_id.in_(part)))


def _forget(connection: Connection, event_id: str, seats: Sequence[str]) -> None:
    columns = organiser_seats.c
    for part in batches(seats):
        connection.execute(delete(organiser_seats).where(columns.event_id == event_id, columns.seat_id.in_(part)))


def _insert(connection: Connection, event_id: str, entry_seq: int, seats: dict[str, str]) -> None:
    rows = [
        {"event_id": event_id, "seat_id": seat, "status": status, "entry_seq": entry_seq}
        for seat, status in seats.items()
    ]
    if rows:
        connection.execute(insert(organiser_seats), rows)
