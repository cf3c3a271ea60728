"""What was sold at the box office: seats that the organiser set to sold."""

from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection

from seating.domain.changes import SeatSet
from seating.domain.seat_status import BOX_OFFICE
from seating.storage import events, ledger, purchases
from seating.storage.database import Database


class BoxOfficeSale(NamedTuple):
    """`at_ms` is None where the entry that tells of it was replaced by a merge; `category` where the event has none."""

    seat: str
    at_ms: int | None
    category: str | None


@dataclass(frozen=True, slots=True)
class BoxOffice:
    database: Database

    def sales(self, event_id: str) -> list[BoxOfficeSale]:
        """Those that stand, in the plan's order; it reads the whole ledger."""
        return self.database.read_snapshot(_sales, event_id)


def _sales(connection: Connection, event_id: str) -> list[BoxOfficeSale]:
    event, plan = events.find(connection, event_id), events.plan_of(connection, event_id)
    owners = purchases.seats_taken(connection, event_id)
    sold = [seat for seat, owner in owners.items() if owner == purchases.AT_BOX_OFFICE]
    if not sold or not plan:
        return []
    at_ms: dict[str, int] = {}
    for page in ledger.entries(connection, event_id):
        for entry, _ in page:
            change = entry.read() if '"seat_set"' in entry.change else None
            if isinstance(change, SeatSet) and change.status == BOX_OFFICE:
                at_ms |= dict.fromkeys(plan.seats_of(change.runs), change.at_ms)
    names = [category.name for category in event.offer.categories] if event and event.offer else []
    return [
        BoxOfficeSale(seat, at_ms.get(seat), names[plan.parts.category_of[run.block]] if names else None)
        for run in plan.runs_of(sold)
        for seat in plan.seats_of([run])
    ]
