"""Who had a seat when, told from an event's log."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from seating.domain.changes import (
    Cancelled,
    Change,
    Extended,
    Held,
    Purchased,
    Released,
    SeatSet,
    UnknownChange,
    parse_change,
)
from seating.domain.log_entry import LogEntry
from seating.domain.purchase import PurchaseId
from seating.domain.seat_status import AVAILABLE, BLOCKED, BOX_OFFICE, ORGANISER
from seating.domain.seating_plan import SeatingPlan

_SET: Final = {
    AVAILABLE: "made available",
    BLOCKED: "reserved",
    BOX_OFFICE: "sold at the box office",
    ORGANISER: "held by the organiser",
}


class SeatChange(NamedTuple):
    """`purchase_id` is empty for what was no purchase."""

    at_ms: int
    position: str
    what: str
    purchase_id: str
    reference: str | None


def tell(event_id: str, seat_id: str, plan: SeatingPlan, story: Iterable[LogEntry]) -> list[SeatChange]:
    """First to last. `story` is the whole log; an entry in it that cannot be read changed no seat."""
    owners: dict[int, str] = {}
    holds: set[str] = set()
    found = []
    for entry in story:
        try:
            change = parse_change(entry.change)
        except UnknownChange:
            continue
        if not (change.hold in holds if isinstance(change, Extended) else seat_id in _seats(plan, change)):
            continue
        owner, reference = "", None
        if isinstance(change, Purchased):
            owners[entry.position.seq] = owner = str(PurchaseId(event_id, entry.position, change.nonce))
            reference = change.reference
        elif isinstance(change, Cancelled):
            owner = owners[change.purchase.seq]
        elif isinstance(change, Held):
            holds.add(change.hold)
        found.append(SeatChange(change.at_ms, str(entry.position), _what(change), owner, reference))
    return found


def _seats(plan: SeatingPlan, change: Change) -> list[str]:
    if isinstance(change, Purchased | Cancelled | Held | Released | SeatSet):
        return plan.seats_of(change.runs)
    return []


def _what(change: Change) -> str:
    match change:
        case Purchased():
            return "sold"
        case Cancelled():
            return "returned"
        case Held():
            return "held"
        case Extended():
            return "held for longer"
        case Released():
            return "not held any more" if change.expired else "given back"
        case SeatSet():
            return _SET.get(change.status, change.status)
    raise AssertionError(f"{change} changes no seat")
