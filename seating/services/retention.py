"""Erasing and deleting what has been archived for long, as settings say."""

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from seating.domain.actor import Actor
from seating.domain.errors import EventNotFound, SeatingError
from seating.services.erasure import Erasure
from seating.storage import erasure as erasure_record
from seating.storage.database import Database
from seating.storage.erasure import Archived

_BY: Final = Actor("seating", why="its time is over")
_DAY_MS: Final = 24 * 3600 * 1000
# Short, because the same process does the upkeep, which is due every second.
_TICK_S: Final = 0.2
_LOOK_EVERY_S: Final = 60.0
_NO_MORE: Final = object()

_log = structlog.get_logger(__name__)


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
        """Go on for a fraction of a second; begin again a minute after the last beginning.

        Raises RecordUnavailable where SQL does not say which events are due.
        """
        ends_s = time.monotonic() + _TICK_S
        while (now_s := time.monotonic()) < ends_s:
            if next(self._steps, _NO_MORE) is _NO_MORE:
                if now_s - self._looked_s < _LOOK_EVERY_S:
                    return
                self._looked_s = now_s
                self._steps = self._all_steps()

    def _all_steps(self) -> Iterator[None]:
        """Do what is due, event by event. One that fails must not stop the others; it is tried again next time."""
        now_ms = time.time_ns() // 1_000_000
        for days, begin, erased in (
            (self._event_days, self._erasure.delete, True),
            (self._personal_data_days, self._erasure.event, False),
        ):
            if days is None:
                continue
            self._database.write(erasure_record.date_archived, now_ms)
            last, before_ms = Archived(0, ""), now_ms - days * _DAY_MS
            while found := self._database.read(erasure_record.due, last, before_ms, erased=erased):
                # Before the attempt: an event that fails would otherwise be found again.
                last = found
                try:
                    with suppress(EventNotFound):  # Another cron has deleted it.
                        yield from begin(found.event_id, _BY)
                except (SeatingError, SQLAlchemyError) as error:
                    cause = str(error.__cause__ or error)
                    _log.warning("event retention failed", event_id=found.event_id, code=error.code, error=cause)
                yield
