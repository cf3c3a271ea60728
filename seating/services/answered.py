"""The highest position that this process told a buyer of, an event: what a lost Redis is measured against."""

from seating.domain.position import Position
from seating.storage import rebuilds
from seating.storage.database import Database


class Answered:
    """`note` costs nothing; `flush`, called every second, records what is new."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._unrecorded: dict[str, Position] = {}

    def note(self, event_id: str, position: Position) -> None:
        known = self._unrecorded.get(event_id)
        if known is None or known < position:
            self._unrecorded[event_id] = position

    def flush(self) -> None:
        """Raises RecordUnavailable; then nothing is forgotten, and the next call tries again."""
        positions, self._unrecorded = self._unrecorded, {}
        if not positions:
            return
        try:
            self._database.write(lambda connection: rebuilds.remember_answered(connection, positions))
        except BaseException:
            for event_id, position in positions.items():
                self.note(event_id, position)
            raise
