"""Purchases that SQL has no row of: as an entry of the log or of quarantine tells of them."""

from typing import Final

from sqlalchemy import Connection

from seating.domain.cancellation import Cancellation
from seating.domain.changes import Purchased
from seating.domain.log_entry import LogEntry
from seating.domain.purchase import Purchase, PurchaseId, PurchaseState
from seating.storage import quarantine, webhook_notices
from seating.storage.quarantine import QuarantinedEntry

_MOST_QUARANTINED: Final = 100


def purchase_in(purchase_id: PurchaseId, state: PurchaseState, entry: LogEntry, change: Purchased) -> Purchase:
    """Return the purchase as its entry tells of it, without the names of its seats."""
    personal = change.personal_data(entry.private)
    sold = (change.at_ms, change.quantity, change.runs, personal, (), entry.position.seq)
    return Purchase(purchase_id, state, *sold, tariff=change.tariff, currency=change.currency, caller=change.caller)


def in_quarantine(connection: Connection, aside: QuarantinedEntry) -> Purchase | None:
    """Return the purchase that waits there, or was cancelled while it did; None for another entry."""
    change = aside.entry.read()
    if not isinstance(change, Purchased) or aside.purchase_id is None:
        return None
    if aside.resolution != quarantine.CANCELLED:
        return purchase_in(aside.purchase_id, PurchaseState.QUARANTINED, aside.entry, change)
    purchase = purchase_in(aside.purchase_id, PurchaseState.CANCELLED, aside.entry, change)
    # Quarantine does not keep when and why. Of poison there is no notice: its cancellation is an entry of the log.
    notice = webhook_notices.of_cancellation(connection, purchase.id, purchase.quantity)
    return purchase._replace(cancelled=Cancellation(notice.at_ms, 0), why=notice.why) if notice else purchase


def quarantined(connection: Connection, event_id: str, reference: str, caller: str | None) -> list[Purchase]:
    """Return those in quarantine that `is_asked_for`; if one is there twice, what was decided of it is first."""
    asides = quarantine.with_reference(connection, event_id, reference, _MOST_QUARANTINED)
    found = [purchase for aside in asides if (purchase := in_quarantine(connection, aside))]
    return [one for one in found if is_asked_for(one, reference, caller)]


def is_asked_for(purchase: Purchase, reference: str, caller: str | None) -> bool:
    """Return whether it has this order number of the shop and was made with the caller's key, if one is given."""
    return purchase.personal.reference == reference and caller in (None, purchase.caller)
