"""What has to be done every second, whether or not anybody asks for it."""

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import structlog

from seating.domain.errors import InventoryUnavailable
from seating.redis_store.inventory import Inventory
from seating.redis_store.lru_cache import LruCache
from seating.redis_store.persist_queue import PersistQueue
from seating.redis_store.retries import Retries
from seating.services.persistence import Persistence

_SWEEP_EVERY_TICKS = 5

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Upkeep:
    inventory: Inventory
    queue: PersistQueue
    retries: Retries
    persistence: Persistence
    caches: Sequence[LruCache]
    _ticks: Iterator[int] = field(default_factory=itertools.count)

    def tick(self) -> None:
        """Raises InventoryUnavailable or SharedStateUnavailable where Redis does not answer.

        The next tick does all of it again.
        """
        for event_id in self._behind():
            if self.retries.is_due(event_id, time.time()):
                self._see_to(event_id)
        self.queue.trim()
        if next(self._ticks) % _SWEEP_EVERY_TICKS == 0:
            for cache in self.caches:
                cache.sweep()

    def _behind(self) -> list[str]:
        """Open events whose log SQL does not have whole, or has not been compared with SQL's on this server."""
        event_ids = self.inventory.open_events()
        snapshots = self.inventory.read_all(event_ids)
        return [
            event_id
            for event_id, snapshot in zip(event_ids, snapshots, strict=True)
            if snapshot and (snapshot.backlog.lag or not snapshot.backlog.trusted)
        ]

    def _see_to(self, event_id: str) -> None:
        try:
            self.queue.nudge(event_id)
        except InventoryUnavailable as error:
            # Redis is full: RQ cannot take a job, and only persistence frees memory. So it is done here, at once.
            _log.warning("persisting without the queue", event_id=event_id, error=str(error.__cause__))
            self.persistence.run(event_id)
