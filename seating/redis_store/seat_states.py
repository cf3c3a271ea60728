"""All seats of an event at one position, read by one script, without an object per seat."""

from collections.abc import Sequence
from typing import NamedTuple

from seating.domain.actor import Actor
from seating.domain.areas import is_area
from seating.domain.errors import InventoryUnavailable
from seating.domain.log_entry import Checkpoint, ResumePoint
from seating.domain.offer import SaleTimes
from seating.domain.position import Position
from seating.domain.seat_changes import outside_map
from seating.domain.seat_status import AVAILABLE
from seating.domain.seating_plan import ROW_BREAK, SeatRange, runs_text
from seating.redis_store import keys
from seating.redis_store.calls import Calls
from seating.redis_store.event_scripts import EventScripts, MissingInventory, accepted
from seating.redis_store.failures import unavailable


class States(NamedTuple):
    """`maps` are the blocks' maps in the plan's order, separated by row breaks; empty in general admission.

    `lapsed` of the `remaining` seats have an expired hold that no log entry has released yet. `times` are None for an
    event without an offer. `now_ms` is Redis's clock, in ms since 1970.
    """

    checkpoint: Checkpoint
    state: str
    remaining: int
    lapsed: int
    maps: bytes
    times: SaleTimes | None
    now_ms: int

    @property
    def seated(self) -> bool:
        return bool(self.maps)

    @property
    def since(self) -> ResumePoint:
        """Where the live feed goes on."""
        return ResumePoint.of(self.checkpoint)

    @property
    def seats(self) -> str:
        """A letter a seat, in the plan's order; empty in general admission. Made anew each time."""
        return outside_map(self.maps)


def _in_order(pairs: Sequence[bytes]) -> list[bytes]:
    """Return the maps of `seats:{e}` in order of block; fields that are not blocks are ignored."""
    blocks = zip(pairs[::2], pairs[1::2], strict=True)
    return [seats for _, seats in sorted((int(block), seats) for block, seats in blocks if block.isdigit())]


class SeatStates:
    """Its replies are long, so `calls` must not be those of the sale."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def of(self, event_id: str) -> States:
        """Return the states. Raises MissingInventory, or InventoryUnavailable if the inventory is not trusted."""
        with unavailable():
            outcome, *found = self._calls.script("seat_states", keys.of_seats(event_id), ())
        if outcome == b"MISSING":
            raise MissingInventory
        if outcome != b"STATES":
            raise InventoryUnavailable
        position, link, state, remaining, lapsed, pairs, bounds, now_ms = found
        maps = [seats for seats in _in_order(pairs) if not is_area(seats)]
        return States(
            Checkpoint(Position.parse(position.decode()), link.decode()),
            state.decode(),
            remaining,
            lapsed,
            ROW_BREAK.encode().join(maps),
            SaleTimes.parse(bounds.decode()) if bounds else None,
            now_ms,
        )


class SetSeats(NamedTuple):
    """Where the log ends then, how many seats have changed, and which ones are off sale with their category."""

    position: Position
    changed: int
    off_sale: list[SeatRange]


class SeatStore:
    """Raises what EventScripts does."""

    def __init__(self, calls: Calls) -> None:
        self._scripts = EventScripts(calls)

    def set(
        self,
        event_id: str,
        runs: Sequence[SeatRange],
        status: str,
        by: Actor,
        places_are: str = AVAILABLE,
        quantity: int | None = None,
    ) -> SetSeats:
        """Set seats to a status, given as in maps: all of them or, if a buyer has one, none.

        `places_are` is what places are now; `quantity` is their number where the event has no areas. Raises RunsSold,
        RunsHeld, RunsUnavailable, and SoldOut for fewer places.
        """
        args = (runs_text(runs), status, by.member(), places_are, "" if quantity is None else quantity)
        _, reached, changed, off_sale = accepted(self._scripts.run("set_seats", keys.of_seats(event_id), args))
        return SetSeats(self._scripts.reached(event_id, reached), changed, SeatRange.parse_all(off_sale.decode()))
