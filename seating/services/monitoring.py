"""Statistics of the sale, for operators."""

from dataclasses import dataclass
from typing import NamedTuple

from seating.domain.event import InventoryCounts
from seating.redis_store.inventory import Inventory
from seating.redis_store.inventory_snapshot import Backlog
from seating.redis_store.set_aside import SetAside
from seating.services.missing_event import MissingEvent


class SaleFigures(NamedTuple):
    counts: InventoryCounts
    backlog: Backlog
    quarantined: int
    remembered_keys: int


@dataclass(frozen=True, slots=True)
class Monitoring:
    inventory: Inventory
    set_aside: SetAside
    presence: MissingEvent

    def sale(self, event_id: str) -> SaleFigures:
        """Return the statistics of an event. Raises EventNotFound, InventoryUnavailable."""
        snapshot = self.inventory.read(event_id)
        if snapshot is None:
            raise self.presence.absence_of(event_id)
        return SaleFigures(
            snapshot.counts,
            snapshot.backlog,
            self.set_aside.quarantined([event_id]),
            self.inventory.remembered_keys(event_id),
        )
