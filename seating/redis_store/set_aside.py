"""What Redis has set aside of each event: entries that SQL refused, and values that scripts could not read."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from seating.domain.log_entry import LogEntry
from seating.domain.position import Position
from seating.redis_store import keys
from seating.redis_store.book_snapshot import aside_text
from seating.redis_store.calls import Calls
from seating.redis_store.event_scripts import EventScripts

_SAMPLE: Final = 100
_BATCH: Final = 500


class SetAside:
    """SQL decides what waits in quarantine; Redis has a copy for merges and counts. Raises InventoryUnavailable."""

    def __init__(self, calls: Calls) -> None:
        self._scripts = EventScripts(calls)

    def quarantined(self, event_ids: Sequence[str]) -> int:
        """Return how many entries of these events Redis knows to be in quarantine."""
        return sum(count or 0 for count in self.copied(event_ids))

    def copied(self, event_ids: Sequence[str]) -> list[int | None]:
        """Return how many entries of each event have copies; None where a server of a cluster does not answer."""
        return self._scripts.ask_all([("HLEN", keys.quarantine(event_id)) for event_id in event_ids])

    def quarantined_at(self, event_ids: Sequence[str]) -> dict[str, list[Position]]:
        """Return where: for each event that has any, at most 100 positions, chosen at random."""
        # At random, so that each has its turn where more wait.
        found = self._scripts.ask_all([("HRANDFIELD", keys.quarantine(event_id), _SAMPLE) for event_id in event_ids])
        return {event_id: _readable(fields) for event_id, fields in zip(event_ids, found, strict=True) if fields}

    def copy(self, event_id: str, entries: Sequence[LogEntry]) -> None:
        """Keep copies of entries that wait."""
        for first in range(0, len(entries), _BATCH):
            words = [
                word for entry in entries[first : first + _BATCH] for word in (str(entry.position), aside_text(entry))
            ]
            self._scripts.ask("HSET", keys.quarantine(event_id), *words)

    def unquarantine(self, event_id: str, *positions: Position) -> None:
        """Forget entries that have been dealt with in SQL."""
        self._scripts.ask("HDEL", keys.quarantine(event_id), *map(str, positions))

    def damaged(self, event_ids: Sequence[str]) -> list[list[str]]:
        """Return the names of each event's unreadable values, sorted."""
        found = self._scripts.ask_all([("HKEYS", keys.damaged(event_id)) for event_id in event_ids])
        return [sorted(what.decode(errors="replace") for what in names or ()) for names in found]


def _readable(fields: Sequence[bytes]) -> list[Position]:
    found = []
    for field in fields:
        with suppress(ValueError):
            found.append(Position.parse(field.decode()))
    return found
