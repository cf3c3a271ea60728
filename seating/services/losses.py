"""What was answered and is recorded nowhere: listed, and put to rest by a person."""

import time
from dataclasses import dataclass

import gevent
from gevent import Greenlet

from seating.domain.errors import NoSuchLoss, RecordUnavailable
from seating.storage import answered
from seating.storage.answered import Loss
from seating.storage.database import Database

_WAIT_S = 0.1
_KNOWN_FOR_S = 5.0


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


class LossProbe:
    """What SQL knows to be lost, asked in a greenlet, one at a time: SQL may hang, and nobody waits for it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._asking: Greenlet[..., None] | None = None
        self._found: list[Loss] | RecordUnavailable = []
        self._found_at_s = float("-inf")

    def read(self) -> list[Loss]:
        """Return what SQL says, or said a moment ago, within 0.1 s. Raise RecordUnavailable where it does not."""
        if self._asking is None or self._asking.ready():
            self._asking = gevent.spawn(self._ask)
        self._asking.join(_WAIT_S)
        if time.monotonic() - self._found_at_s > _KNOWN_FOR_S:
            raise RecordUnavailable from TimeoutError("no reply yet")
        if isinstance(self._found, RecordUnavailable):
            raise RecordUnavailable from self._found.__cause__
        return self._found

    def _ask(self) -> None:
        try:
            self._found = self._database.read(answered.losses)
        except RecordUnavailable as error:
            self._found = error
        self._found_at_s = time.monotonic()
