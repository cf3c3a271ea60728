"""The organiser's places in general admission, by category and status, folded from the ledger whenever they are read.

Places have no ids that rows could have. The organiser changes them seldom, and few people ask.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, select

from seating.domain import areas
from seating.domain.actor import Actor
from seating.domain.change_json import UnknownChange, parse_change
from seating.domain.changes import SeatSet
from seating.domain.inventory_state import InventoryState
from seating.domain.seat_status import ORGANISED
from seating.storage import events, merges
from seating.storage.tables import ledger

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


def all_of(connection: Connection, event_id: str) -> list[OrganiserPlaces]:
    """Return those of an event of general admission that are not available again, in the order of its categories."""
    groups, merged_seq = _merged(connection, event_id)
    for change in _entries(connection, event_id, merged_seq):
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


def shown(connection: Connection, event_id: str, change: SeatSet) -> str:
    """Return in words how many places a change set, and of which categories."""
    if change.quantity:
        return f"{change.quantity} place{'s' if change.quantity > 1 else ''}"
    names = _category_names(connection, event_id)
    return ", ".join(f"{length} of {names[area]}" for area, _, length in change.runs)


def _category_names(connection: Connection, event_id: str) -> list[str]:
    event = events.find(connection, event_id)
    return [category.name for category in event.offer.categories] if event and event.offer else []


def _merged(connection: Connection, event_id: str) -> tuple[dict[_Group, _Places], int]:
    """What the last merge left, and its seq; 0 without one."""
    merged = merges.last(connection, event_id)
    if merged is None:
        return {}, 0
    state = InventoryState.load(merged.state)
    texts = [(None, state.organised), *enumerate(state.maps)]
    groups = {(number, status): areas.places(text, status) for number, text in texts for status in ORGANISED}
    return {group: _Places(quantity) for group, quantity in groups.items() if quantity}, merged.seq


def _entries(connection: Connection, event_id: str, after_seq: int) -> Iterator[SeatSet]:
    here = (ledger.c.event_id == event_id, ledger.c.seq > after_seq)
    set_by = ledger.c.change.startswith('{"kind":"seat_set"', autoescape=True)
    query = select(ledger.c.change).where(*here, set_by).order_by(ledger.c.seq)
    for text in connection.execute(query).scalars():
        try:
            change = parse_change(text)
        except UnknownChange:
            continue
        if isinstance(change, SeatSet):
            yield change


def _moves(change: SeatSet) -> Iterator[tuple[_Group, _Group, int]]:
    """Yield the group that places leave, the one that they join, and their number."""
    if change.quantity:
        yield (None, change.was), (None, change.status), change.quantity
    for (area, _, length), was in change.parts():
        yield (area, was), (area, change.status), length
