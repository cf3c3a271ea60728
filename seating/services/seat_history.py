"""Who had a seat when, told from an event's log."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from seating.domain import changes
from seating.domain.changes import Change
from seating.domain.log_entry import LogEntry
from seating.domain.purchase import PurchaseId
from seating.domain.seat_status import AVAILABLE, BLOCKED, BOX_OFFICE, ORGANISER
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
    BOX_OFFICE: "sold at the box office",
    ORGANISER: "held by the organiser",
}


class SeatChange(NamedTuple):
    """`purchase_id` is empty for what was no purchase, and without its random end where its entry cannot be read."""

    at_ms: int
    position: str
    what: str
    purchase_id: str
    reference: str | None


def tell(event_id: str, seat_id: str, plan: SeatingPlan, story: Iterable[LogEntry]) -> list[SeatChange]:
    """First to last. `story` is the whole log; entries that cannot be read, or name unknown seats, are left out."""
    owners: dict[int, str] = {}
    holds: set[str] = set()
    found = []
    for entry in story:
        change = entry.read()
        if change is None or not _concerns(change, seat_id, plan, holds):
            continue
        owner, reference = "", None
        if isinstance(change, changes.Purchased):
            owners[entry.position.seq] = owner = str(PurchaseId(event_id, entry.position, change.nonce))
            reference = change.reference
        elif isinstance(change, changes.Cancelled):
            owner = owners.get(change.purchase.seq, f"{event_id}.{change.purchase}")
        elif isinstance(change, changes.Held):
            holds.add(change.hold)
        found.append(SeatChange(change.at_ms, str(entry.position), _what(change), owner, reference))
    return found


def _concerns(change: Change, seat_id: str, plan: SeatingPlan, holds: set[str]) -> bool:
    if isinstance(change, changes.Extended):
        return change.hold in holds
    try:
        return seat_id in plan.seats_of(getattr(change, "runs", ()))
    except IndexError:
        return False


def _what(change: Change) -> str:
    match change:
        case changes.Released():
            return "not held any more" if change.expired else "given back"
        case changes.SeatSet():
            return _SET.get(change.status, change.status)
    return _WHAT[type(change)]
