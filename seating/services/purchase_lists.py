"""Lists of an event's purchases, by what SQL has and, for one order number, what it does not have yet."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from seating.domain.changes import Purchased
from seating.domain.errors import InventoryUnavailable, NotOnSale, RecordUnavailable
from seating.domain.page import Page, first_of
from seating.domain.purchase import Purchase, PurchaseId, PurchaseState
from seating.redis_store.event_log import EventLog
from seating.redis_store.inventory import Inventory
from seating.services.missing_event import MissingEvent
from seating.services.purchase_entries import is_asked_for, purchase_in, quarantined
from seating.services.purchases import Purchases
from seating.storage import purchases as purchase_record
from seating.storage.database import Database
from seating.storage.replica import LaggingReads

SEARCHED_ENTRIES: Final = 2_000
"""Entries of the log that are searched for a reference: four batches of persistence, about 20 ms."""


@dataclass(frozen=True, slots=True)
class PurchaseLists:
    purchases: Purchases
    inventory: Inventory
    log: EventLog
    database: Database
    reads: LaggingReads
    presence: MissingEvent

    def page(
        self,
        event_id: str,
        below_seq: int | None,
        count: int,
        reference: str | None = None,
        caller: str | None = None,
    ) -> Page[Purchase, int]:
        """What SQL has of an event's purchases, newest first, at most `count`. Raises EventNotFound.

        Of them only those with a `reference`, or made with the key of a `caller`. Those with a `reference` are found
        in quarantine and in the log too, in its last `SEARCHED_ENTRIES` that SQL does not have.
        """
        # The log first: what has left it by now, SQL has.
        unrecorded = self._unrecorded(event_id, reference, caller) if reference is not None else []

        def find(connection: Connection) -> list[Purchase]:
            rows = purchase_record.page(connection, event_id, below_seq, count + 1, reference, caller)
            return rows if reference is None else rows + quarantined(connection, event_id, reference, caller)

        try:
            # An order is looked up right after it was made; a list may be as old as the replica.
            rows = (self.reads if reference is None else self.database).read(find)
        except RecordUnavailable:
            if not unrecorded:
                raise
            rows = []
        # Of one that is found twice, the row in SQL counts.
        found = {one.id: one for one in (*reversed(unrecorded), *reversed(rows))}
        asked = (one for one in found.values() if below_seq is None or one.entry_seq < below_seq)
        rows = sorted(asked, key=lambda one: one.entry_seq, reverse=True)
        if not rows and self.inventory.read(event_id) is None:
            absence = self.presence.absence_of(event_id)
            if not isinstance(absence, NotOnSale):  # One that was archived may have none.
                raise absence
        page = first_of(rows[: count + 1], count, lambda row: row.entry_seq)
        return Page(self.purchases.as_they_stand(event_id, page.items), page.next)

    def _unrecorded(self, event_id: str, reference: str, caller: str | None) -> list[Purchase]:
        """Those with a `reference` that SQL does not have, newest first."""
        try:
            snapshot = self.inventory.read(event_id)
            if snapshot is None or not snapshot.backlog.lag:
                return []
            entries = self.log.newest(event_id, snapshot.backlog.position, min(snapshot.backlog.lag, SEARCHED_ENTRIES))
        except InventoryUnavailable:
            return []  # Without Redis the record has the last word.
        found = []
        for entry in entries:
            # Reading an entry costs much more than seeing that there is nothing personal to it.
            change = entry.read() if entry.private else None
            if isinstance(change, Purchased):
                purchase_id = PurchaseId(event_id, change.original or entry.position, change.nonce)
                found.append(purchase_in(purchase_id, PurchaseState.ACCEPTED, entry, change))
        return [one for one in found if is_asked_for(one, reference, caller)]
