"""The history of a seat, from an event's log."""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from seating.domain import changes
from seating.domain.actor import Actor
from seating.domain.changes import Change
from seating.domain.inventory_state import InventoryState
from seating.domain.log_entry import LogEntry
from seating.domain.merging import purchases_of
from seating.domain.position import Position
from seating.domain.purchase import PurchaseId
from seating.domain.seat_status import AVAILABLE, BLOCKED, BOX_OFFICE, OFF_SALE, ORGANISER
from seating.domain.seating_plan import SeatingPlan

_WHAT: Final[dict[type[Change], str]] = {
    changes.Purchased: "sold",
    changes.Cancelled: "returned",
    changes.Held: "held",
    changes.Extended: "held for longer",
}
_SET: Final = {
    AVAILABLE: "made available",
    BLOCKED: "reserved",
    OFF_SALE: "off sale",
    BOX_OFFICE: "sold at the box office",
    ORGANISER: "held by the organiser",
}


class SeatHistoryEntry(NamedTuple):
    """`purchase_id` is empty unless it was a purchase, and lacks its random end if the entry is unreadable.

    `by` is the name of the operator who did it.
    """

    at_ms: int
    position: str
    what: str
    purchase_id: str
    reference: str | None
    by: str | None = None


def tell(
    event_id: str, seat_id: str, plan: SeatingPlan, story: Iterable[LogEntry], merged: InventoryState
) -> list[SeatHistoryEntry]:
    """Return the history in order. `story` is the whole log; unreadable entries and unknown seats are left out.

    `merged` is the state after the last merge in it.
    """
    owners: dict[Position, str] = {}
    holds: set[str] = set()
    found: list[SeatHistoryEntry] = []
    for entry in story:
        change = entry.read()
        if isinstance(change, changes.Merged):
            found += _merged(event_id, seat_id, plan, merged, entry, {change.purchase_id for change in found})
        if change is None or not _concerns(change, seat_id, plan, holds):
            continue
        owner, reference = "", None
        if isinstance(change, changes.Purchased):
            position = change.original or entry.position
            owners[position] = owner = str(PurchaseId(event_id, position, change.nonce))
            reference = change.personal_data(entry.private).reference
        elif isinstance(change, changes.Cancelled):
            owner = owners.get(change.purchase, f"{event_id}.{change.purchase}")
        elif isinstance(change, changes.Held | changes.HoldChanged):
            # A change of a hold that concerns the seat either takes it in or gives it back.
            holds.symmetric_difference_update((change.hold,))
        by: Actor | None = getattr(change, "by", None)
        told = (change.at_ms, str(entry.position), _what(change, seat_id, plan), owner, reference)
        found.append(SeatHistoryEntry(*told, by.name if by else None))
    return found


def _merged(
    event_id: str, seat_id: str, plan: SeatingPlan, state: InventoryState, entry: LogEntry, known: set[str]
) -> Iterator[SeatHistoryEntry]:
    """Yield what only the merged state shows about a seat: purchases, and the organiser's status."""
    for receipt in purchases_of(event_id, state):
        if str(receipt.id) in known or seat_id not in plan.seats_of(receipt.runs):
            continue
        position, purchase_id = str(receipt.id.position), str(receipt.id)
        yield SeatHistoryEntry(receipt.at_ms, position, "sold", purchase_id, receipt.personal.reference)
        cancellation = state.cancellation(position)
        if cancellation and seat_id in plan.seats_of(receipt.bought.cancelled(cancellation).runs):
            yield SeatHistoryEntry(cancellation.at_ms, str(entry.position), "returned", purchase_id, None)
    (run,) = plan.runs_of([seat_id])
    status = state.maps[run.block][run.start]
    if status in _SET and status != AVAILABLE:
        yield SeatHistoryEntry(state.updated_ms, str(entry.position), _SET[status], "", None)


def _concerns(change: Change, seat_id: str, plan: SeatingPlan, holds: set[str]) -> bool:
    if isinstance(change, changes.Extended):
        return change.hold in holds
    runs = change.added + change.removed if isinstance(change, changes.HoldChanged) else getattr(change, "runs", ())
    try:
        return seat_id in plan.seats_of(runs)
    except IndexError:
        return False


def _what(change: Change, seat_id: str, plan: SeatingPlan) -> str:
    match change:
        case changes.HoldChanged():
            return "held" if seat_id in plan.seats_of(change.added) else "given back"
        case changes.Released():
            return "not held any more" if change.expired else "given back"
        case changes.SeatSet() if seat_id in plan.seats_of(change.off_sale):
            return "made available, off sale"
        case changes.SeatSet():
            return _SET.get(change.status, change.status)
    return _WHAT[type(change)]
