"""What the operator is told: figures of the sale, and whether this process can sell."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from seating.domain.errors import InventoryUnavailable, RecordUnavailable
from seating.domain.event import InventoryCounts
from seating.redis_store.inventory import Inventory
from seating.redis_store.inventory_snapshot import Backlog
from seating.redis_store.open_events import OpenEvents
from seating.services.circuit_breakers import CircuitBreakers
from seating.services.losses import LossProbe
from seating.services.missing_event import MissingEvent
from seating.telemetry.metrics import Gauge


class SaleFigures(NamedTuple):
    counts: InventoryCounts
    backlog: Backlog
    quarantined: int
    remembered_keys: int


class Readiness(NamedTuple):
    """`ready` is whether seats can be sold; `checks` says of each part what is so."""

    ready: bool
    checks: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Monitoring:
    inventory: Inventory
    open_events: OpenEvents
    losses: LossProbe
    presence: MissingEvent
    data_dir: Path
    guards: CircuitBreakers

    def sale(self, event_id: str) -> SaleFigures:
        """Raises EventNotFound, InventoryUnavailable."""
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
        """Figures over all open events; none while Redis does not answer."""
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
            Gauge("seating_damaged_values", "Values put aside since they could not be read", sum(map(len, damaged))),
            *self.guards.gauges(),
        ]

    def readiness(self, event_id: str) -> Readiness:
        """Ready when the inventory of `event_id` can be sold from."""
        ready, checks = self._selling(event_id)
        checks |= self._record()
        checks["disk"] = {"freeBytes": shutil.disk_usage(self.data_dir).free}
        checks["partner"] = {"breakers": self.guards.checks()}
        return Readiness(ready, checks)

    def _selling(self, event_id: str) -> tuple[bool, dict[str, Any]]:
        try:
            snapshot = self.inventory.read(event_id)
            quarantined = self.inventory.quarantined([event_id])
        except InventoryUnavailable as error:
            return False, {"redis": {"status": "down", "reason": str(error.__cause__)}}
        checks: dict[str, Any] = {"redis": {"status": "up"}}
        if missing := self.inventory.missing_durability:
            return False, {"redis": {"status": "not durable", "missing": missing}}
        if snapshot is None:
            return False, checks | {"inventory": {"eventId": event_id, "status": "missing"}}
        backlog = snapshot.backlog
        checks["inventory"] = {
            "eventId": event_id,
            "status": "trusted" if backlog.trusted else "being compared with SQL",
        }
        if backlog.stopped:
            checks["inventory"]["reason"] = f"{backlog.stopped}: run seating merge {event_id}"
        checks["persistence"] = {
            "position": str(backlog.position),
            "persisted": str(backlog.persisted_position),
            "lag": backlog.lag,
            "quarantined": quarantined,
        }
        return backlog.trusted, checks

    def _record(self) -> dict[str, Any]:
        """Whether SQL answers, and what it knows to be lost."""
        try:
            losses = self.losses.read()
        except RecordUnavailable as error:
            return {"sql": {"status": "down", "reason": str(error.__cause__)}}
        lost = [
            {"eventId": loss.event_id, "first": str(loss.first), "last": str(loss.last), "changes": loss.lost}
            for loss in losses
        ]
        return {"sql": {"status": "up"}, "losses": lost}
