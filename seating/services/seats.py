"""The seats of an event: one by one, all at once as a map, and setting one as the organiser wants."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from seating.domain.errors import InvalidStatus, SeatNotFound, UnknownSeat
from seating.domain.position import Position
from seating.domain.seat_changes import outside_map
from seating.domain.seat_status import SETTABLE, UNKNOWN, WORDS
from seating.redis_store.event_scripts import MissingInventory
from seating.redis_store.seat_states import SeatStates
from seating.redis_store.seats import Seats as SeatStore
from seating.services.answered import Answered
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
    names: SeatNames
    answered: Answered
    nudge: Callable[[str], object]

    def all(self, event_id: str) -> list[Seat]:
        """In the plan's order; none in general admission."""
        plan = self.names.plan(event_id)
        if plan is None:
            return []
        return [
            Seat(seat, WORDS.get(status, UNKNOWN))
            for ids, seats in zip(plan.seats_by_character, self.store.maps(event_id), strict=False)
            for seat, status in zip(ids, seats, strict=False)
            if seat
        ]

    def set(self, event_id: str, seat_id: str, status: object) -> Seat:
        """`status` is one of SETTABLE. Raises InvalidStatus, UnknownSeat, SeatSold, SeatHeld."""
        if not isinstance(status, str) or status not in SETTABLE:
            raise InvalidStatus(field="status")
        try:
            runs = self.names.runs(event_id, [seat_id])
        except SeatNotFound:
            raise UnknownSeat from None
        with self.names.refusing_by_name(event_id):
            position = self.store.set(event_id, runs[0], SETTABLE[status])
        self.nudge(event_id)
        self.answered.note(event_id, position)
        return Seat(seat_id, status)


class SeatMap(NamedTuple):
    """`seats` has a letter a seat, in the plan's order; none in general admission."""

    position: Position
    remaining: int
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
        return SeatMap(found.mark.position, found.remaining, outside_map(found.maps))
