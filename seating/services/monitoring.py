"""Statistics of the sale, for operators and monitoring."""

from dataclasses import dataclass
from typing import NamedTuple

from seating.domain.errors import InventoryUnavailable
from seating.domain.event import InventoryCounts
from seating.redis_store.inventory import Inventory
from seating.redis_store.inventory_snapshot import Backlog
from seating.redis_store.open_events import OpenEvents
from seating.services.circuit_breakers import CircuitBreakers
from seating.services.missing_event import MissingEvent
from seating.telemetry.metrics import Gauge


class SaleFigures(NamedTuple):
    counts: InventoryCounts
    backlog: Backlog
    quarantined: int
    remembered_keys: int


@dataclass(frozen=True, slots=True)
class Monitoring:
    inventory: Inventory
    open_events: OpenEvents
    presence: MissingEvent
    guards: CircuitBreakers

    def sale(self, event_id: str) -> SaleFigures:
        """Return the statistics of an event. Raises EventNotFound, InventoryUnavailable."""
        snapshot = self.inventory.read(event_id)
        if snapshot is None:
            raise self.presence.absence_of(event_id)
        return SaleFigures(
            snapshot.counts,
            snapshot.backlog,
            self.inventory.quarantined([event_id]),
            self.inventory.remembered_keys(event_id),
        )

    def gauges(self) -> list[Gauge]:
        """Return gauges over all open events; only `seating_redis_up` while Redis does not answer."""
        try:
            event_ids = sorted({*self.open_events.ids(), *self.inventory.seen_events()})
            snapshots = [snapshot for snapshot in self.inventory.read_all(event_ids) if snapshot]
            quarantined = self.inventory.quarantined(event_ids)
            damaged = self.inventory.damaged(event_ids)
        except InventoryUnavailable:
            return [Gauge("seating_redis_up", "Whether Redis answers", 0)]
        return [
            Gauge("seating_redis_up", "Whether Redis answers", 1),
            Gauge("seating_events_open", "Events with an inventory", len(snapshots)),
            Gauge("seating_seats_sold", "Seats sold of open events", sum(s.counts.sold for s in snapshots)),
            Gauge(
                "seating_persistence_lag_entries",
                "Log entries that SQL does not have yet",
                sum(s.backlog.lag for s in snapshots),
            ),
            Gauge(
                "seating_inventories_untrusted",
                "Inventories that do not sell until compared with SQL",
                sum(not s.backlog.trusted for s in snapshots),
            ),
            Gauge(
                "seating_inventories_stopped",
                "Inventories whose sales SQL cannot record until an operator merges",
                sum(bool(s.backlog.stopped) for s in snapshots),
            ),
            Gauge("seating_quarantined_entries", "Entries that wait in quarantine", quarantined),
            Gauge("seating_damaged_values", "Unreadable values that were set aside", sum(map(len, damaged))),
            *self.guards.gauges(),
        ]
