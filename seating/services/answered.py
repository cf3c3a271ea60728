"""The highest position that this process told a buyer of, an event and epoch: what a lost Redis is measured against."""

from seating.domain.position import Position
from seating.storage import rebuilds
from seating.storage.database import Database


class Answered:
    """`note` costs nothing; `flush`, called every second, records what is new."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._unrecorded: dict[tuple[str, int], int] = {}

    def note(self, event_id: str, position: Position) -> None:
        epoch, seq = position
        # By epoch, since an answer of the next one must not hide what the epoch before it has lost.
        self._unrecorded[event_id, epoch] = max(seq, self._unrecorded.get((event_id, epoch), 0))

    def flush(self) -> None:
        """Raises RecordUnavailable; then nothing is forgotten, and the next call tries again."""
        highest, self._unrecorded = self._unrecorded, {}
        if not highest:
            return
        try:
            self._database.write(rebuilds.remember_answered, highest)
        except BaseException:
            for (event_id, epoch), seq in highest.items():
                self.note(event_id, Position(epoch, seq))
            raise
