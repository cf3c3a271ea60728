"""The record of what the organiser made of seats and places: which are blocked, held or sold at the box office.

Seats have rows. Places in general admission have no ids that rows could have: they are folded from the ledger whenever
they are read. The organiser changes them seldom, and few people ask.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, insert, select

from seating.domain import areas
from seating.domain.actor import Actor
from seating.domain.change_json import UnknownChange, parse_change
from seating.domain.changes import SeatSet
from seating.domain.inventory_state import InventoryState
from seating.domain.log_entry import LogEntry
from seating.domain.seat_status import BOX_OFFICE, ORGANISED
from seating.domain.seating_plan import SeatingPlan
from seating.storage import events, merges
from seating.storage.database import batches
from seating.storage.tables import ledger, organiser_seats, sold_seats


class OrganiserSeat(NamedTuple):
    """`status` is as a map has it. `at_ms` and `by` are None where a merge left no entry that tells them."""

    seat_id: str
    status: str
    at_ms: int | None
    by: Actor | None


_Group = tuple[int | None, str]
"""The number of a category, None in an event without any, and a status."""


class OrganiserPlaces(NamedTuple):
    """`quantity` places with one `status`, as a map has it; `at_ms` and `by` tell who last added to them.

    `category` is None for an event without categories, `at_ms` and `by` where a merge left no entry that tells them.
    """

    category: str | None
    status: str
    quantity: int
    at_ms: int | None
    by: Actor | None


@dataclass(slots=True)
class _Places:
    quantity: int = 0
    at_ms: int | None = None
    by: Actor | None = None


def set_seats(connection: Connection, event_id: str, entry_seq: int, change: SeatSet, plan: SeatingPlan) -> None:
    """Records what an entry set. A seat that has an owner already is refused by sold_seats' key."""
    returned = [run for run, was in change.parts() if was == BOX_OFFICE]
    _return_to_box_office(connection, event_id, plan.seats_of(returned))
    seats = plan.seats_of(change.runs)
    if change.status == BOX_OFFICE:
        _sell_at_box_office(connection, event_id, seats)
    _forget(connection, event_id, seats)
    if change.status in ORGANISED:
        _insert(connection, event_id, entry_seq, dict.fromkeys(seats, change.status))


def seats_set_after(connection: Connection, event_id: str, entry: LogEntry, plan: SeatingPlan) -> bool:
    """Whether the ledger has a later entry that set one of the seats which `entry` set."""
    change = entry.read()
    if not isinstance(change, SeatSet):
        return False
    seats = set(plan.seats_of(change.runs))
    later = select(ledger.c.seq).where(ledger.c.event_id == event_id, ledger.c.seq > entry.position.seq)
    seqs = connection.execute(later.where(ledger.c.change.contains('"kind":"seat_set"'))).scalars().all()
    return any(seats.intersection(plan.seats_of(one.runs)) for one in _set_at(connection, event_id, seqs).values())


def replace_seats(
    connection: Connection, event_id: str, entry_seq: int, state: InventoryState, plan: SeatingPlan
) -> None:
    """Makes the record what a merged state says; what it knew of seats that are as they were, it goes on knowing."""
    merged = {seat: status for status in ORGANISED for seat in plan.seats_of(state.runs_of(status))}
    known = seat_statuses(connection, event_id)
    _forget(connection, event_id, [seat for seat, status in known.items() if merged.get(seat) != status])
    new = {seat: status for seat, status in merged.items() if known.get(seat) != status}
    _insert(connection, event_id, entry_seq, new)


def seat_statuses(connection: Connection, event_id: str) -> dict[str, str]:
    """The status of each seat that the organiser has set and not made available again."""
    columns = organiser_seats.c
    rows = connection.execute(select(columns.seat_id, columns.status).where(columns.event_id == event_id))
    return {row.seat_id: row.status for row in rows}


def seats_page(
    connection: Connection, event_id: str, after_seat: str, count: int, status: str | None
) -> list[OrganiserSeat]:
    """At most `count` seats in the order of their ids, behind `after_seat`; those of a status, if it is given."""
    columns = organiser_seats.c
    query = select(columns.seat_id, columns.status, columns.entry_seq)
    query = query.where(columns.event_id == event_id, columns.seat_id > after_seat)
    if status is not None:
        query = query.where(columns.status == status)
    return _with_their_entries(
        connection, event_id, connection.execute(query.order_by(columns.seat_id).limit(count)).all()
    )


def seats_of_status(connection: Connection, event_id: str, status: str) -> list[OrganiserSeat]:
    """All seats of a status, in no order."""
    columns = organiser_seats.c
    query = select(columns.seat_id, columns.status, columns.entry_seq)
    query = query.where(columns.event_id == event_id, columns.status == status)
    return _with_their_entries(connection, event_id, connection.execute(query).all())


def _with_their_entries(connection: Connection, event_id: str, rows: Sequence[Any]) -> list[OrganiserSeat]:
    entries = _set_at(connection, event_id, sorted({row.entry_seq for row in rows}))
    found = []
    for row in rows:
        entry = entries.get(row.entry_seq)
        at = (entry.at_ms, entry.by) if entry else (None, None)
        found.append(OrganiserSeat(row.seat_id, row.status, *at))
    return found


def _set_at(connection: Connection, event_id: str, seqs: Sequence[int]) -> dict[int, SeatSet]:
    """The entries at `seqs` that set seats."""
    found = {}
    for part in batches(seqs):
        query = select(ledger.c.seq, ledger.c.change).where(ledger.c.event_id == event_id, ledger.c.seq.in_(part))
        for row in connection.execute(query):
            if change := _seat_set(row.change):
                found[row.seq] = change
    return found


def _seat_set(text: str) -> SeatSet | None:
    try:
        change = parse_change(text)
    except UnknownChange:
        return None
    return change if isinstance(change, SeatSet) else None


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


def places(connection: Connection, event_id: str) -> list[OrganiserPlaces]:
    """Return the places in general admission that the organiser has taken, in the order of the event's categories."""
    groups, merged_seq = _merged_places(connection, event_id)
    for change in _set_after(connection, event_id, merged_seq):
        for group_was, group_now, length in _moves(change):
            groups.setdefault(group_was, _Places()).quantity -= length
            now = groups.setdefault(group_now, _Places())
            now.quantity += length
            now.at_ms, now.by = change.at_ms, change.by
    names = _category_names(connection, event_id)
    return [
        OrganiserPlaces(None if category is None else names[category], status, found.quantity, found.at_ms, found.by)
        for category in (None, *range(len(names)))
        for status in ORGANISED
        if (found := groups.get((category, status))) and found.quantity
    ]


def places_shown(connection: Connection, event_id: str, change: SeatSet) -> str:
    """Return in words how many places a change set, and of which categories."""
    if change.quantity:
        return f"{change.quantity} place{'s' if change.quantity > 1 else ''}"
    names = _category_names(connection, event_id)
    return ", ".join(f"{length} of {names[area]}" for area, _, length in change.runs)


def _category_names(connection: Connection, event_id: str) -> list[str]:
    event = events.find(connection, event_id)
    return [category.name for category in event.offer.categories] if event and event.offer else []


def _merged_places(connection: Connection, event_id: str) -> tuple[dict[_Group, _Places], int]:
    """What the last merge left, and its seq; 0 without one."""
    merged = merges.last(connection, event_id)
    if merged is None:
        return {}, 0
    state = InventoryState.load(merged.state)
    texts = [(None, state.organised), *enumerate(state.maps)]
    groups = {(number, status): areas.places(text, status) for number, text in texts for status in ORGANISED}
    return {group: _Places(quantity) for group, quantity in groups.items() if quantity}, merged.seq


def _set_after(connection: Connection, event_id: str, after_seq: int) -> Iterator[SeatSet]:
    here = (ledger.c.event_id == event_id, ledger.c.seq > after_seq)
    set_by = ledger.c.change.startswith('{"kind":"seat_set"', autoescape=True)
    query = select(ledger.c.change).where(*here, set_by).order_by(ledger.c.seq)
    for text in connection.execute(query).scalars():
        if change := _seat_set(text):
            yield change


def _moves(change: SeatSet) -> Iterator[tuple[_Group, _Group, int]]:
    """Yield the group that places leave, the one that they join, and their number."""
    if change.quantity:
        yield (None, change.was), (None, change.status), change.quantity
    for (area, _, length), was in change.parts():
        yield (area, was), (area, change.status), length
