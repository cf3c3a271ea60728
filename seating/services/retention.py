"""Erasing and deleting what has been archived for long, as settings say."""

import time
from collections.abc import Iterator
from typing import Final

from seating.domain.actor import Actor
from seating.services.erasure import Erasure
from seating.storage import erasure as erasure_record
from seating.storage.database import Database

_BY: Final = Actor("seating", why="its time is over")
_DAY_MS: Final = 24 * 3600 * 1000
_TICK_S: Final = 0.2
_LOOK_EVERY_S: Final = 60.0
_NO_MORE: Final = object()


class Retention:
    """What the cron does about events that have been archived for long; the oldest first, one at a time."""

    def __init__(
        self, database: Database, erasure: Erasure, *, personal_data_days: int | None, event_days: int | None
    ) -> None:
        self._database = database
        self._erasure = erasure
        self._personal_data_days = personal_data_days
        self._event_days = event_days
        self._steps: Iterator[None] = iter(())
        self._looked_s = float("-inf")

    def tick(self) -> None:
        """Go on for a fraction of a second. Raises what Erasure raises; a later tick begins that event again."""
        ends_s = time.monotonic() + _TICK_S
        try:
            while time.monotonic() < ends_s:
                if next(self._steps, _NO_MORE) is _NO_MORE and not self._begin():
                    return
        except BaseException:
            self._steps = iter(())
            raise

    def _begin(self) -> bool:
        """Begin with the next event that is due; return False if there is none, or none is looked for yet."""
        now_s = time.monotonic()
        if now_s - self._looked_s < _LOOK_EVERY_S:
            return False
        for days, begin, erased in (
            (self._event_days, self._erasure.delete, True),
            (self._personal_data_days, self._erasure.event, False),
        ):
            if days is not None:
                before_ms = time.time_ns() // 1_000_000 - days * _DAY_MS
                for event_id in self._database.read(erasure_record.due, before_ms, erased=erased):
                    self._steps = begin(event_id, _BY)
                    return True
        self._looked_s = now_s
        return False
