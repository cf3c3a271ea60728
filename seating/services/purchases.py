"""Buying seats, reading a purchase again, and cancelling it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection

from seating.domain.actor import Actor
from seating.domain.cancellation import Cancellation, Part
from seating.domain.changes import Purchased
from seating.domain.errors import InventoryUnavailable, NotOnSale, PurchaseNotFound
from seating.domain.idempotency import short_hash
from seating.domain.purchase import Order, Purchase, PurchaseId, PurchaseState, part_of
from seating.domain.rate_policy import Verdict
from seating.domain.receipt import Receipt
from seating.domain.recovery_errors import PurchaseQuarantined
from seating.domain.sold_as import SoldAs
from seating.redis_store.event_log import EventLog
from seating.redis_store.inventory import Inventory
from seating.redis_store.rate_limits import RateLimit
from seating.redis_store.set_aside import SetAside
from seating.services import purchase_log
from seating.services.archived_events import ArchivedEvents
from seating.services.audit import act_now
from seating.services.event_changes import EventChanges
from seating.services.offers import Offers
from seating.services.persisted_watch import PersistedWatch
from seating.services.purchase_entries import in_quarantine, purchase_in
from seating.services.seat_names import SeatNames
from seating.storage import audit, quarantine, watermarks, webhook_notices
from seating.storage import purchases as purchase_record
from seating.storage.database import Database


class AcceptedPurchase(NamedTuple):
    """`seats` are ids, none in general admission. `recorded` is whether SQL was seen to have the purchase; `sold_as` is
    None for an event without categories.

    `verdict` is what the rate limit said, None where it was not asked.
    """

    receipt: Receipt
    seats: list[str]
    replayed: bool
    recorded: bool
    verdict: Verdict | None
    sold_as: SoldAs | None


@dataclass(frozen=True, slots=True)
class Purchases:
    inventory: Inventory
    set_aside: SetAside
    names: SeatNames
    log: EventLog
    database: Database
    watch: PersistedWatch
    changes: EventChanges
    offers: Offers
    archived: ArchivedEvents

    def buy(
        self,
        event_id: str,
        caller: str,
        key: str,
        order: Order,
        wait_s: float = 0,
        limit: RateLimit | None = None,
    ) -> AcceptedPurchase:
        """Sells `order` once, however often it is asked with the same caller and key.

        With `wait_s` the answer waits that long for SQL to have it. Raises SoldOut, NotTogether, SeatNotFound,
        SeatUnavailable, HoldExpired, NotOnSale, RateLimited, IdempotencyKeyReused, BacklogFull, EventNotFound,
        InventoryUnavailable, OutcomeUnknown. Those that `limit` was asked before carry its verdict.
        """
        runs = self.names.runs(event_id, order.seats)
        within = self.offers.within(event_id, order)
        idempotency = short_hash(caller, key)
        with self.changes.of(event_id):
            sold = self.inventory.purchase(event_id, caller, idempotency, order, runs, limit, within)
        receipt, replayed, verdict = sold
        self.changes.reached(event_id, receipt.id.position, receipt, idempotency)
        seats, sold_as = self.offers.named(event_id, receipt.runs, receipt.tariff, receipt.currency)
        recorded = wait_s > 0 and self.watch.wait(receipt.id, wait_s)
        return AcceptedPurchase(receipt, seats, replayed, recorded, verdict, sold_as)

    def get(self, purchase_id: PurchaseId) -> Purchase:
        """Raises PurchaseNotFound, RecordUnavailable, InventoryUnavailable."""
        # The log may be trimmed between the first look into SQL and the look into it; then SQL has it by now.
        for find in (self._on_record, self._in_log, self._on_record):
            purchase = find(purchase_id)
            if purchase is not None:
                return purchase
        raise PurchaseNotFound

    def cancel(self, purchase_id: PurchaseId, by: Actor, seats: str = "", quantity: int | None = None) -> Purchase:
        """Cancels a purchase and returns its seats, once; also one of an event that is over.

        `seats` are ids of those to cancel, with commas between them; in general admission, `quantity` is how many
        places are to be cancelled in all, those that are already among them. By default it is everything.

        A purchase of a history that was lost, which has no seats, is only marked as cancelled. Raises as `get` does,
        SeatNotFound, InvalidRequest, and PurchaseQuarantined for a part of one that waits in quarantine.
        """
        purchase = self.get(purchase_id)
        if purchase.state is PurchaseState.CANCELLED:
            return purchase
        part = part_of(purchase, seats, quantity)
        if not purchase.bought.to_cancel(part, purchase.cancelled).quantity:
            return purchase
        if purchase.state is PurchaseState.QUARANTINED and not part.is_all:
            raise PurchaseQuarantined
        fork = self._fork(purchase)
        if fork is not None:
            whole = self._cancel_fork(fork, purchase, by)
            if whole is None:  # Another has decided on it since it was read.
                return self.cancel(purchase_id, by, seats, quantity)
            purchase_log.acted("purchase cancelled", purchase.id, by)
            self.set_aside.unquarantine(purchase_id.event_id, fork.entry.position)
            return self.offers.named_purchases([purchase.with_cancellation(whole)._replace(why=by.why)])[0]
        cancelled, is_new = self._cancel(purchase, part, by)
        purchase = purchase.with_cancellation(cancelled)
        if is_new:
            purchase_log.acted("purchase cancelled", purchase.id, by, quantity=purchase.cancelled_quantity)
        return self.offers.named_purchases([purchase._replace(why=by.why) if is_new else purchase])[0]

    def _cancel(self, purchase: Purchase, part: Part, by: Actor) -> tuple[Cancellation | None, bool]:
        """What of it is cancelled then, and whether that has just grown."""
        try:
            with self.changes.of(purchase.id.event_id):
                told = self.inventory.cancel(purchase, part, by)
            self.changes.reached(purchase.id.event_id, told.reached)
        except NotOnSale:  # It was archived: Redis has nothing of it any more.
            return self.archived.cancel(purchase, part, by)
        return told.cancelled, told.is_new

    def _on_record(self, purchase_id: PurchaseId) -> Purchase | None:
        def find(connection: Connection) -> tuple[Purchase | None, quarantine.QuarantinedEntry | None]:
            row = purchase_record.find(connection, purchase_id)
            aside = None if row else quarantine.find_purchase(connection, purchase_id)
            return in_quarantine(connection, aside) if aside else row, aside

        purchase, aside = self.database.read(find)
        if purchase is None:
            return None
        # Poison has seats, which may be cancelled though SQL does not know that yet.
        if aside is None or aside.reason == quarantine.POISON:
            return self.as_they_stand(purchase_id.event_id, [purchase])[0]
        return self.offers.named_purchases([purchase])[0]

    def _in_log(self, purchase_id: PurchaseId) -> Purchase | None:
        entry = self.log.entry_at(purchase_id.event_id, purchase_id.position)
        change = entry.read() if entry else None
        # Positions can be guessed, nonces cannot.
        if entry is None or not isinstance(change, Purchased) or change.nonce != purchase_id.nonce:
            return None
        purchase = purchase_in(purchase_id, PurchaseState.ACCEPTED, entry, change)
        return self.as_they_stand(purchase_id.event_id, [purchase])[0]

    def _fork(self, purchase: Purchase) -> quarantine.QuarantinedEntry | None:
        """The purchase as another history has it, if only that has it."""
        # Of one that the record has, quarantine may still tell how it was thought lost.
        if purchase.state is not PurchaseState.QUARANTINED:
            return None
        aside = self.database.read(quarantine.find_purchase, purchase.id)
        if aside is None or aside.reason == quarantine.POISON or aside.resolution in quarantine.STANDS:
            return None
        return aside

    def _cancel_fork(self, fork: quarantine.QuarantinedEntry, purchase: Purchase, by: Actor) -> Cancellation | None:
        """Return None if it is resolved otherwise."""
        states = (PurchaseState.QUARANTINED, PurchaseState.CANCELLED)
        act = act_now(by, "purchase.cancel", fork.event_id, str(fork.purchase_id), *states)

        def resolve(connection: Connection) -> bool:
            # Numbering the notice takes this lock too; taken last, it could deadlock with persistence.
            watermarks.lock(connection, fork.event_id)
            if not quarantine.resolve(connection, fork, quarantine.CANCELLED):
                return False
            audit.add(connection, [act])
            webhook_notices.note_cancelled(connection, purchase.id, purchase.quantity, act.at_ms, by.why)
            return True

        return Cancellation(act.at_ms, 0) if self.database.write(resolve) else None

    def as_they_stand(self, event_id: str, found: Sequence[Purchase]) -> list[Purchase]:
        """With what SQL does not know to be cancelled yet, and the names of their seats."""
        standing = [purchase for purchase in found if not (purchase.cancelled and purchase.cancelled.is_whole)]
        try:
            known = self.inventory.cancellations(event_id, [purchase.id.position for purchase in standing])
        except InventoryUnavailable:
            known = []  # Without Redis the record has the last word.
        by_id = {purchase.id: cancellation for purchase, cancellation in zip(standing, known, strict=False)}
        return self.offers.named_purchases([purchase.with_cancellation(by_id.get(purchase.id)) for purchase in found])
