"""Lets events sell again on a Redis that was restarted."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from seating.domain.errors import InventoryUnavailable, RecordUnavailable
from seating.services.persistence import Persistence
from seating.storage import watermarks


@dataclass
class Restarts:
    """Begins terms from the cron: RQ's worker is sleeping or has ended, and buyers wait."""

    persistence: Persistence
    # A new cron cannot know, so SQL's first answer ends the waits.
    _sql_is_silent: bool = True

    def resume(self, event_ids: Sequence[str]) -> None:
        """Begin the terms of all these events in one run, without waiting for their retries once SQL answers again.

        The run takes turns and ends once they sell. It would record the first one for as long as its buyers buy.
        """
        waiting = [event_id for event_id in event_ids if self._waits_for_sql(event_id)]
        if waiting and self._sql_is_back(waiting[0]):
            for event_id in waiting:
                with suppress(InventoryUnavailable):
                    self.persistence.retries.end_wait(event_id)
        self.persistence.run(*event_ids, follows=False)

    def _waits_for_sql(self, event_id: str) -> bool:
        with suppress(InventoryUnavailable):
            return self.persistence.retries.read(event_id).waits_for_sql
        return False

    def _sql_is_back(self, event_id: str) -> bool:
        """Return whether SQL answers and did not at the last look: one that only refuses writes is not back."""
        was_silent = self._sql_is_silent
        try:
            self.persistence.database.read(watermarks.read, event_id)
            self._sql_is_silent = False
        except RecordUnavailable:
            self._sql_is_silent = True
        return was_silent and not self._sql_is_silent
