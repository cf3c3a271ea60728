"""All seats of an event as of one position, in one script and without an object a seat."""

from collections.abc import Sequence
from typing import NamedTuple

from seating.domain.actor import Actor
from seating.domain.areas import is_area
from seating.domain.errors import InventoryUnavailable
from seating.domain.log_entry import Checkpoint
from seating.domain.position import Position
from seating.domain.seating_plan import ROW_BREAK, SeatRange
from seating.redis_store import keys
from seating.redis_store.calls import Calls
from seating.redis_store.event_scripts import EventScripts, MissingInventory, accepted
from seating.redis_store.failures import unavailable


class States(NamedTuple):
    """`maps` are the blocks' maps in the plan's order, a row break between them; empty in general admission.

    `lapsed` of the `remaining` seats have a hold that is due, which no log entry has released yet.
    """

    checkpoint: Checkpoint
    remaining: int
    lapsed: int
    maps: bytes

    @property
    def seated(self) -> bool:
        return bool(self.maps)


def _in_order(pairs: Sequence[bytes]) -> list[bytes]:
    """The maps of `seats:{e}` by their blocks; a field that is no block is none of ours."""
    blocks = zip(pairs[::2], pairs[1::2], strict=True)
    return [seats for _, seats in sorted((int(block), seats) for block, seats in blocks if block.isdigit())]


class SeatStates:
    """Its replies are long: `calls` should not be those that sell."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def of(self, event_id: str) -> States:
        """Raises MissingInventory where Redis has no inventory, InventoryUnavailable where it is not to be trusted."""
        with unavailable():
            outcome, *found = self._calls.script("seat_states", keys.of_seats(event_id), ())
        if outcome == b"MISSING":
            raise MissingInventory
        if outcome != b"STATES":
            raise InventoryUnavailable
        position, link, remaining, lapsed, pairs = found
        maps = [seats for seats in _in_order(pairs) if not is_area(seats)]
        return States(
            Checkpoint(Position.parse(position.decode()), link.decode()),
            remaining,
            lapsed,
            ROW_BREAK.encode().join(maps),
        )


class SeatStore:
    """Raises what EventScripts does."""

    def __init__(self, calls: Calls) -> None:
        self._scripts = EventScripts(calls)
        self._seen = calls.seen

    def set(self, event_id: str, seat: SeatRange, status: str, by: Actor) -> Position:
        """Sets one seat to a status as maps have it. Raises SeatSold or SeatHeld where a buyer has it."""
        args = (str(seat), status, by.member())
        reply = accepted(self._scripts.run("set_seat", keys.of_seats(event_id), args))
        position = Position.parse(reply[1].decode())
        self._seen.note(event_id, position)
        return position
