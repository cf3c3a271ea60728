"""The seats of an event: one by one, all at once as a map, and setting one as the organiser wants."""

from dataclasses import dataclass
from typing import NamedTuple

from seating.domain.errors import InvalidStatus, SeatNotFound, UnknownSeat
from seating.domain.log_entry import ResumePoint
from seating.domain.seat_changes import LETTERS, outside_map
from seating.domain.seat_status import SETTABLE
from seating.redis_store.event_scripts import MissingInventory
from seating.redis_store.seat_states import SeatStates
from seating.redis_store.seats import Seats as SeatStore
from seating.services.event_changes import EventChanges
from seating.services.event_presence import EventPresence
from seating.services.seat_names import SeatNames


class Seat(NamedTuple):
    """`status` is available, held, reserved or sold."""

    id: str
    status: str


@dataclass(frozen=True, slots=True)
class Seats:
    """Raises EventNotFound, InventoryUnavailable."""

    store: SeatStore
    states: SeatStates
    names: SeatNames
    changes: EventChanges

    def all(self, event_id: str) -> list[Seat]:
        """In the plan's order; none in general admission."""
        plan = self.names.plan(event_id)
        if plan is None:
            return []
        try:
            letters = outside_map(self.states.of(event_id).maps)
        except MissingInventory:
            raise self.names.presence.absence_of(event_id) from None
        seats = (seat for block in plan.seats_by_character for seat in block if seat)
        return [Seat(seat, LETTERS[letter]) for seat, letter in zip(seats, letters, strict=False)]

    def set(self, event_id: str, seat_id: str, status: object) -> Seat:
        """`status` is one of SETTABLE. Raises InvalidStatus, UnknownSeat, SeatSold, SeatHeld."""
        if not isinstance(status, str) or status not in SETTABLE:
            raise InvalidStatus(field="status")
        try:
            runs = self.names.runs(event_id, [seat_id])
        except SeatNotFound:
            raise UnknownSeat from None
        with self.changes.of(event_id) as change:
            position = self.store.set(event_id, runs[0], SETTABLE[status])
        change.reached(position)
        return Seat(seat_id, status)


class SeatMap(NamedTuple):
    """`since` is where the live feed goes on. `seats` has a letter a seat, in the plan's order; none in general
    admission.

    At one position it changes only with `lapsed`, the seats of holds that are due.
    """

    since: ResumePoint
    remaining: int
    lapsed: int
    seats: str


@dataclass(frozen=True, slots=True)
class SeatMaps:
    states: SeatStates
    presence: EventPresence

    def of(self, event_id: str) -> SeatMap:
        """Raises EventNotFound, InventoryUnavailable."""
        try:
            found = self.states.of(event_id)
        except MissingInventory:
            raise self.presence.absence_of(event_id) from None
        return SeatMap(ResumePoint.of(found.mark), found.remaining, found.lapsed, outside_map(found.maps))
