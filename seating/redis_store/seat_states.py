"""All seats of an event as of one position, in one script and without an object a seat."""

from typing import NamedTuple

from redis.exceptions import ResponseError

from seating.domain.errors import InventoryUnavailable
from seating.domain.log_entry import Mark
from seating.domain.position import Position
from seating.domain.seating_plan import ROW_BREAK
from seating.redis_store import keys
from seating.redis_store.calls import Calls, RedisUnavailable
from seating.redis_store.event_scripts import MissingInventory


class States(NamedTuple):
    """`maps` are the blocks' maps in the plan's order, a row break between them; empty in general admission."""

    mark: Mark
    remaining: int
    maps: bytes

    @property
    def seated(self) -> bool:
        return bool(self.maps)


class SeatStates:
    """Its replies are long: `calls` should not be those that sell."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def of(self, event_id: str) -> States:
        """Raises MissingInventory where Redis has no inventory, InventoryUnavailable where it is not to be trusted."""
        event_keys = (keys.inventory(event_id), keys.log(event_id), keys.seats(event_id))
        try:
            outcome, *found = self._calls.script("seat_states", event_keys, ())
        except (RedisUnavailable, ResponseError) as error:
            raise InventoryUnavailable from error
        if outcome == b"MISSING":
            raise MissingInventory
        if outcome == b"UNTRUSTED":
            raise InventoryUnavailable
        position, link, remaining, pairs = found
        blocks = sorted(zip(pairs[::2], pairs[1::2], strict=True), key=lambda pair: int(pair[0]))
        maps = ROW_BREAK.encode().join(seats for _, seats in blocks)
        return States(Mark(Position.parse(position.decode()), link.decode()), remaining, maps)
