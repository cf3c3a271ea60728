"""The states of all seats of an event, as of one position."""

from dataclasses import dataclass
from typing import NamedTuple

from seating.domain.position import Position
from seating.domain.seat_changes import outside_map
from seating.redis_store.event_scripts import MissingInventory
from seating.redis_store.seat_states import SeatStates
from seating.services.event_presence import EventPresence


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
