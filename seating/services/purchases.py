"""Buying seats, and reading a purchase again."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import Connection

from seating.domain.changes import Purchased, parse_change
from seating.domain.errors import PurchaseNotFound
from seating.domain.idempotency import short_hash
from seating.domain.purchase import Order, PurchaseId, Receipt
from seating.domain.seating_plan import Run
from seating.redis_store.event_log import EventLog
from seating.redis_store.inventory import Inventory, MissingInventory
from seating.redis_store.plans import Plans
from seating.redis_store.rate_limits import RateLimit
from seating.services.event_presence import EventPresence
from seating.services.persisted_watch import PersistedWatch
from seating.storage import purchases as purchase_record
from seating.storage.database import Database


class Bought(NamedTuple):
    """`seats` are ids, none in general admission. `recorded` is whether SQL was seen to have the purchase."""

    receipt: Receipt
    seats: list[str]
    replayed: bool
    recorded: bool


class PurchaseState(StrEnum):
    ACCEPTED = "accepted"
    PERSISTED = "persisted"
    QUARANTINED = "quarantined"


class Purchase(NamedTuple):
    """A purchase as it stands. `at_ms` is when it was made, in ms since 1970."""

    id: PurchaseId
    state: PurchaseState
    at_ms: int
    quantity: int
    seats: list[str]
    reference: str | None


@dataclass(frozen=True, slots=True)
class Purchases:
    inventory: Inventory
    plans: Plans
    log: EventLog
    database: Database
    presence: EventPresence
    watch: PersistedWatch
    nudge: Callable[[str], None]

    def buy(
        self,
        event_id: str,
        caller: str,
        key: str,
        order: Order,
        wait_s: float = 0,
        limit: RateLimit | None = None,
    ) -> Bought:
        """Sells `order` once, however often it is asked with the same caller and key.

        With `wait_s` the answer waits that long for SQL to have it. Raises SoldOut, NotTogether, NotOnSale,
        RateLimited, IdempotencyKeyReused, BacklogFull, EventNotFound, InventoryUnavailable, OutcomeUnknown.
        """
        try:
            receipt, replayed = self.inventory.purchase(event_id, short_hash(caller, key), order, limit)
        except MissingInventory:
            raise self.presence.absence_of(event_id) from None
        self.presence.remember(event_id)
        if not replayed:
            self.nudge(event_id)
        seats = self._seats(event_id, receipt.runs)
        recorded = wait_s > 0 and self.watch.wait(receipt.id, wait_s)
        return Bought(receipt, seats, replayed, recorded)

    def get(self, purchase_id: PurchaseId) -> Purchase:
        """Raises PurchaseNotFound, RecordUnavailable, InventoryUnavailable."""
        # The log may be trimmed between the first look into SQL and the look into it; then SQL has it by now.
        for find in (self._on_record, self._in_log, self._on_record):
            purchase = find(purchase_id)
            if purchase is not None:
                return purchase
        raise PurchaseNotFound

    def _on_record(self, purchase_id: PurchaseId) -> Purchase | None:
        def find(connection: Connection) -> tuple[purchase_record.PurchaseRow | None, str | None]:
            row = purchase_record.find(connection, purchase_id)
            raw = None
            if row is None:
                raw = purchase_record.find_quarantined(connection, purchase_id.event_id, purchase_id.position)
            return row, raw

        row, raw = self.database.read(find)
        if raw is not None:
            return self._from_change(purchase_id, raw, PurchaseState.QUARANTINED)
        if row is None:
            return None
        seats = self._seats(purchase_id.event_id, Run.parse_all(row.runs))
        return Purchase(purchase_id, PurchaseState.PERSISTED, row.at_ms, row.quantity, seats, row.reference)

    def _in_log(self, purchase_id: PurchaseId) -> Purchase | None:
        entry = self.log.entry_at(purchase_id.event_id, purchase_id.position)
        return self._from_change(purchase_id, entry.change, PurchaseState.ACCEPTED) if entry else None

    def _from_change(self, purchase_id: PurchaseId, text: str, state: PurchaseState) -> Purchase | None:
        change = parse_change(text)
        if not isinstance(change, Purchased) or change.nonce != purchase_id.nonce:
            return None
        seats = self._seats(purchase_id.event_id, change.runs)
        return Purchase(purchase_id, state, change.at_ms, change.quantity, seats, change.reference)

    def _seats(self, event_id: str, runs: list[Run]) -> list[str]:
        return self.plans.of(event_id).seats_of(runs) if runs else []
