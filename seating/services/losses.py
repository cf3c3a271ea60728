"""What was answered and is recorded nowhere: listed, and put to rest by a person."""

import time
from dataclasses import dataclass

from seating.domain.errors import NoSuchLoss
from seating.storage import answered
from seating.storage.answered import Loss
from seating.storage.database import Database


@dataclass(frozen=True, slots=True)
class Losses:
    """Raises RecordUnavailable."""

    database: Database

    def all(self, event_id: str | None = None) -> list[Loss]:
        """Those that nobody has settled, of one event or of all."""
        return self.database.read(answered.losses, event_id)

    def settle(self, event_id: str, epoch: int, by: str, why: str) -> None:
        """Puts the losses of a term to rest, with its purchases that wait in quarantine. Raises NoSuchLoss."""
        at_ms = time.time_ns() // 1_000_000
        if not self.database.write(answered.settle, event_id, epoch, at_ms, by, why):
            raise NoSuchLoss
