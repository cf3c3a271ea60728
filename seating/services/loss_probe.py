"""What SQL knows to be lost, asked beside those who want to know: SQL may hang, and nobody waits for it."""

import time

import gevent
from gevent import Greenlet

from seating.domain.errors import RecordUnavailable
from seating.storage import answered
from seating.storage.answered import Loss
from seating.storage.database import Database

_WAIT_S = 0.1
_KNOWN_FOR_S = 5.0


class LossProbe:
    """One greenlet at a time asks."""

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
