"""The highest position of each event that this process has seen. An inventory behind it has lost data."""

from collections.abc import Sequence
from typing import Final

from seating.domain.position import Position
from seating.redis_store import keys
from seating.redis_store.calls import Argument

_NONE: Final = Position(0, 0)


class SeenPositions:
    """Shared by all connections of a process. Each script on an event gets the event's position and refuses if the
    inventory is behind it.

    None is forgotten: an old Redis may return with an event that is over. Operators bound them: there is one, of about
    250 bytes, for each event that Redis has had in the process's life. Redis keeps 200 bytes of an archived event.
    """

    def __init__(self) -> None:
        self._by_inventory: dict[Argument, Position] = {}

    def events(self) -> list[str]:
        return [str(key).partition("{")[2].removesuffix("}") for key in self._by_inventory]

    def note(self, event_id: str, position: Position) -> None:
        key = keys.inventory(event_id)
        # Replies of concurrent calls may arrive in any order.
        if position > self._by_inventory.get(key, _NONE):
            self._by_inventory[key] = position

    def of(self, event_keys: Sequence[Argument]) -> Position:
        """Return the position by a script's keys, the inventory's first; 0-0 for an event not seen yet, or no keys."""
        return self._by_inventory.get(event_keys[0] if event_keys else "", _NONE)

    def knows(self, event_id: str) -> bool:
        return keys.inventory(event_id) in self._by_inventory
