"""Waiting until SQL has a purchase (RFC 7240, `Prefer: wait`)."""

import time

from seating.domain.errors import InventoryUnavailable
from seating.domain.purchase import PurchaseId
from seating.redis_store.inventory import Inventory
from seating.redis_store.inventory_snapshot import Backlog

_LOOK_EVERY_S = 0.05


class PersistedWatch:
    """All who wait for one event share one look at it."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._last_look: dict[str, tuple[float, Backlog | None]] = {}

    def wait(self, purchase_id: PurchaseId, wait_s: float) -> bool:
        """True once SQL is known to have the purchase; False if that is not so, or not known, after `wait_s`."""
        deadline = time.monotonic() + wait_s
        event_id, position, _ = purchase_id
        try:
            while True:
                backlog = self._look(event_id)
                if backlog is None or backlog.position.epoch != position.epoch:
                    return False  # The inventory was lost or rebuilt meanwhile: nothing here speaks for this purchase.
                if backlog.persisted >= position.seq:
                    return not self._inventory.is_quarantined(event_id, position.seq)
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    return False
                time.sleep(min(_LOOK_EVERY_S, left_s))
        except InventoryUnavailable:
            return False

    def _look(self, event_id: str) -> Backlog | None:
        looked_at, backlog = self._last_look.get(event_id, (0.0, None))
        if looked_at < time.monotonic() - _LOOK_EVERY_S / 2:
            snapshot = self._inventory.read(event_id)
            backlog = snapshot.backlog if snapshot else None
            self._last_look = {event_id: (time.monotonic(), backlog)} | self._recent()
        return backlog

    def _recent(self) -> dict[str, tuple[float, Backlog | None]]:
        """Looks that somebody may still share; older ones are forgotten."""
        oldest = time.monotonic() - _LOOK_EVERY_S
        return {event_id: look for event_id, look in self._last_look.items() if look[0] > oldest}
