"""Erasing personal data from what Redis keeps of an event."""

from seating.domain.changes import Purchased
from seating.domain.personal_data import PersonalData
from seating.domain.position import Position
from seating.domain.purchase import buyer_hash
from seating.domain.receipt import Receipt, is_purchase_record
from seating.redis_store import keys
from seating.redis_store.calls import Calls
from seating.redis_store.event_scripts import EventScripts


class ErasedInRedis:
    """Raises InventoryUnavailable; MissingInventory, which is one, where Redis has no inventory of the event."""

    def __init__(self, calls: Calls) -> None:
        self._scripts = EventScripts(calls)

    def erase(self, event_id: str, position: Position, change: Purchased) -> bool:
        """Erase what was said with a purchase whose entry is at `position`. Return False if SQL lacks the entry, or the
        one behind it.

        The log loses all entries before it, and the entry itself unless it is the last one.
        """
        buyer = self._personal(event_id, change).buyer
        parts = (keys.inventory, keys.log, keys.idempotency, keys.cancelled, keys.quarantine, keys.buyers)
        event_keys = [key(event_id) for key in parts]
        told = str(change.original or position)
        args = (str(position), change.idempotency, change.nonce, told, change.quantity)
        outcome, *_ = self._scripts.run("erase", event_keys, (*args, buyer_hash(change.caller, buyer)))
        return bool(outcome == b"ERASED")

    def forget_event(self, event_id: str) -> None:
        """Remove what is left of an archived event: what SQL acknowledged of it."""
        self._scripts.ask("UNLINK", *keys.all_of(event_id))

    def _personal(self, event_id: str, change: Purchased) -> PersonalData:
        """Return what the receipt has: SQL may have lost it already."""
        record = self._scripts.ask("HGET", keys.idempotency(event_id), change.idempotency)
        text = record.decode() if record else ""
        return Receipt.parse(event_id, text).personal if is_purchase_record(text) else PersonalData()
