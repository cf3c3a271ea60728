"""Buying seats, reading a purchase again, and taking it back."""

from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection

from seating.domain.actor import Actor
from seating.domain.changes import Purchased
from seating.domain.errors import InventoryUnavailable, PurchaseNotFound
from seating.domain.idempotency import short_hash
from seating.domain.log_entry import LogEntry
from seating.domain.page import Page, first_of
from seating.domain.purchase import Order, Purchase, PurchaseId, PurchaseState, Receipt
from seating.domain.rate_policy import Verdict
from seating.redis_store.event_log import EventLog
from seating.redis_store.inventory import Inventory
from seating.redis_store.rate_limits import RateLimit
from seating.services.audit import act_now
from seating.services.event_changes import EventChanges
from seating.services.persisted_watch import PersistedWatch
from seating.services.seat_names import SeatNames
from seating.storage import audit, quarantine
from seating.storage import purchases as purchase_record
from seating.storage.database import Database


class Bought(NamedTuple):
    """`seats` are ids, none in general admission. `recorded` is whether SQL was seen to have the purchase.

    `verdict` is what the rate limit said, None where it was not asked.
    """

    receipt: Receipt
    seats: list[str]
    replayed: bool
    recorded: bool
    verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class Purchases:
    inventory: Inventory
    names: SeatNames
    log: EventLog
    database: Database
    watch: PersistedWatch
    changes: EventChanges

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

        With `wait_s` the answer waits that long for SQL to have it. Raises SoldOut, NotTogether, SeatNotFound,
        SeatUnavailable, HoldExpired, NotOnSale, RateLimited, IdempotencyKeyReused, BacklogFull, EventNotFound,
        InventoryUnavailable, OutcomeUnknown. Those that `limit` was asked before carry its verdict.
        """
        runs = self.names.runs(event_id, order.seats)
        idempotency = short_hash(caller, key)
        with self.changes.of(event_id) as change:
            receipt, replayed, verdict = self.inventory.purchase(event_id, caller, idempotency, order, runs, limit)
        change.reached(receipt.id.position, receipt, idempotency)
        seats = self.names.names(event_id, receipt.runs)
        recorded = wait_s > 0 and self.watch.wait(receipt.id, wait_s)
        return Bought(receipt, seats, replayed, recorded, verdict)

    def get(self, purchase_id: PurchaseId) -> Purchase:
        """Raises PurchaseNotFound, RecordUnavailable, InventoryUnavailable."""
        # The log may be trimmed between the first look into SQL and the look into it; then SQL has it by now.
        for find in (self._on_record, self._in_log, self._on_record):
            purchase = find(purchase_id)
            if purchase is not None:
                return purchase
        raise PurchaseNotFound

    def cancel(self, purchase_id: PurchaseId, by: Actor) -> Purchase:
        """Takes a purchase back and returns its seats, once. Raises as `get` does, and NotOnSale for one long over.

        A purchase of a history that was lost, which has no seats, is only marked as taken back.
        """
        purchase = self.get(purchase_id)
        if purchase.state is PurchaseState.CANCELLED:
            return purchase
        event_id, position, _ = purchase.id
        fork = self._fork(purchase.id)
        if fork is not None:
            self._cancel_fork(fork, by)
            self.inventory.unquarantine(event_id, fork.entry.position)
        else:
            with self.changes.of(event_id) as change:
                recorded = purchase.state is not PurchaseState.ACCEPTED
                seats = (purchase.quantity, purchase.runs)
                reached = self.inventory.cancel(event_id, position, *seats, by, recorded=recorded)
            change.reached(reached)
        return purchase._replace(state=PurchaseState.CANCELLED)

    def page(
        self,
        event_id: str,
        below_seq: int | None,
        count: int,
        reference: str | None = None,
        caller: str | None = None,
    ) -> Page[Purchase, int]:
        """What SQL has of an event's purchases, newest first, at most `count`. Raises EventNotFound.

        Of them only those with a `reference`, or made with the key of a `caller`.
        """
        rows = self.database.read(purchase_record.page, event_id, below_seq, count + 1, reference, caller)
        if not rows and self.inventory.read(event_id) is None:
            raise self.names.presence.absence_of(event_id)
        page = first_of(rows, count, lambda row: row.entry_seq)
        return Page([self._as_it_stands(row) for row in page.items], page.next)

    def _on_record(self, purchase_id: PurchaseId) -> Purchase | None:
        def find(connection: Connection) -> tuple[Purchase | None, quarantine.QuarantinedEntry | None]:
            row = purchase_record.find(connection, purchase_id)
            return row, None if row else quarantine.find_purchase(connection, purchase_id)

        row, aside = self.database.read(find)
        if row is not None:
            return self._as_it_stands(row)
        if aside is None:
            return None
        cancelled = aside.resolution == quarantine.CANCELLED
        if aside.reason == quarantine.POISON and not cancelled:
            cancelled = self._is_cancelled(purchase_id)
        state = PurchaseState.CANCELLED if cancelled else PurchaseState.QUARANTINED
        return self._from_entry(purchase_id, aside.entry, state)

    def _in_log(self, purchase_id: PurchaseId) -> Purchase | None:
        entry = self.log.entry_at(purchase_id.event_id, purchase_id.position)
        if entry is None:
            return None
        state = PurchaseState.CANCELLED if self._is_cancelled(purchase_id) else PurchaseState.ACCEPTED
        return self._from_entry(purchase_id, entry, state)

    def _fork(self, purchase_id: PurchaseId) -> quarantine.QuarantinedEntry | None:
        """The purchase as another history has it, if it is of one."""
        aside = self.database.read(quarantine.find_purchase, purchase_id)
        if aside is None or aside.reason == quarantine.POISON or aside.resolution == quarantine.REPLAYED:
            return None
        return aside

    def _cancel_fork(self, fork: quarantine.QuarantinedEntry, by: Actor) -> None:
        states = (PurchaseState.QUARANTINED, PurchaseState.CANCELLED)
        act = act_now(by, "purchase.cancel", fork.event_id, str(fork.purchase_id), *states)

        def resolve(connection: Connection) -> None:
            if quarantine.resolve(connection, fork, quarantine.CANCELLED):
                audit.add(connection, [act])

        self.database.write(resolve)

    def _as_it_stands(self, row: Purchase) -> Purchase:
        if row.state is PurchaseState.PERSISTED and self._is_cancelled(row.id):
            row = row._replace(state=PurchaseState.CANCELLED)
        return self._named(row)

    def _from_entry(self, purchase_id: PurchaseId, entry: LogEntry, state: PurchaseState) -> Purchase | None:
        change = entry.read()
        if not isinstance(change, Purchased) or change.nonce != purchase_id.nonce:
            return None
        personal = change.personal_data(entry.private)
        return self._named(Purchase(purchase_id, state, change.at_ms, change.quantity, change.runs, personal))

    def _named(self, purchase: Purchase) -> Purchase:
        return purchase._replace(seats=self.names.names(purchase.id.event_id, purchase.runs))

    def _is_cancelled(self, purchase_id: PurchaseId) -> bool:
        """Of what SQL does not know to be cancelled yet."""
        try:
            return self.inventory.is_cancelled(purchase_id.event_id, purchase_id.position)
        except InventoryUnavailable:
            return False  # Without Redis the record has the last word.
