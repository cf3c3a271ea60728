"""What has to be done every second, whether or not anybody asks for it."""

import time
from dataclasses import dataclass, field

import structlog

from seating.domain.errors import InventoryUnavailable, RecordUnavailable
from seating.redis_store.holds import RELEASED_A_CALL, Holds
from seating.redis_store.inventory import Inventory
from seating.redis_store.inventory_snapshot import Snapshot
from seating.redis_store.persist_queue import PersistQueue
from seating.redis_store.retries import Retries
from seating.services.closing import KEPT_CLOSED_MS, Closing
from seating.services.persistence import Persistence
from seating.storage import events
from seating.storage.database import Database

_log = structlog.get_logger(__name__)


_KNOWN_FOR_S = 5.0
_MOST_RELEASES = 500


@dataclass(slots=True)
class Upkeep:
    database: Database
    inventory: Inventory
    holds: Holds
    queue: PersistQueue
    retries: Retries
    persistence: Persistence
    closing: Closing
    _live: list[str] = field(default_factory=list)
    _asked_at: float = float("-inf")

    def tick(self) -> None:
        """Raises InventoryUnavailable where Redis does not answer; the next tick does all of it again."""
        event_ids = self._live_events()
        for event_id, snapshot in zip(event_ids, self.inventory.read_all(event_ids), strict=True):
            if snapshot is not None and snapshot.counts.held:
                self._expire_holds(event_id)
            if snapshot is None or snapshot.backlog.lag or not snapshot.backlog.trusted:
                if self.retries.is_due(event_id, time.time()):
                    self._persist(event_id)
            elif snapshot.counts.state == "closed" and _age_ms(snapshot) >= KEPT_CLOSED_MS:
                self.closing.archive(event_id)
        self.queue.trim()

    def _live_events(self) -> list[str]:
        """From SQL, which knows them even if Redis lost all; what Redis knows beside is newer than the last look."""
        now = time.monotonic()
        if now - self._asked_at > _KNOWN_FOR_S:
            try:
                self._live = self.database.read(events.live)
                self._asked_at = now
            except RecordUnavailable as error:
                _log.warning("events not read", error=str(error.__cause__))
        return sorted({*self._live, *self.inventory.open_events()})

    def _expire_holds(self, event_id: str) -> None:
        """All that are due, unless new ones fall due faster; scripts do it too, but nobody may be asking."""
        for _ in range(_MOST_RELEASES):
            try:
                if self.holds.expire(event_id) < RELEASED_A_CALL:
                    return
            except InventoryUnavailable:
                return  # It is missing or not trusted; what is done about that is below.

    def _persist(self, event_id: str) -> None:
        try:
            self.queue.nudge(event_id)
        except InventoryUnavailable as error:
            # Redis is full: RQ cannot take a job, and only persistence frees memory. So it is done here, at once.
            _log.warning("persisting without the queue", event_id=event_id, error=str(error.__cause__))
            self.persistence.run(event_id)


def _age_ms(snapshot: Snapshot) -> float:
    return time.time() * 1000 - snapshot.counts.updated_ms
