"""What was sold at the box office: seats that the organiser set to sold."""

from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection

from seating.domain.seat_status import BOX_OFFICE
from seating.storage import events, organiser
from seating.storage.replica import LaggingReads


class BoxOfficeSale(NamedTuple):
    """`at_ms` is None where the entry that tells of it was replaced by a merge; `category` where the event has none.

    In general admission it stands for all places of a category, `seat` is empty, and `at_ms` is of the last sale.
    """

    seat: str
    at_ms: int | None
    category: str | None
    quantity: int = 1


@dataclass(frozen=True, slots=True)
class BoxOffice:
    reads: LaggingReads

    def sales(self, event_id: str) -> list[BoxOfficeSale]:
        """Those that stand, in the plan's order; in general admission, in that of the categories."""
        return self.reads.read_snapshot(_sales, event_id)


def _sales(connection: Connection, event_id: str) -> list[BoxOfficeSale]:
    event, plan = events.find(connection, event_id), events.plan_of(connection, event_id)
    if plan is None:
        found = organiser.places(connection, event_id)
        sold = (places for places in found if places.status == BOX_OFFICE)
        return [BoxOfficeSale("", places.at_ms, places.category, places.quantity) for places in sold]
    at_ms = {seat.seat_id: seat.at_ms for seat in organiser.seats_of_status(connection, event_id, BOX_OFFICE)}
    if not at_ms:
        return []
    names = [category.name for category in event.offer.categories] if event and event.offer else []
    return [
        BoxOfficeSale(seat, at_ms[seat], names[plan.parts.category_of[run.block]] if names else None)
        for run in plan.runs_of(list(at_ms))
        for seat in plan.seats_of([run])
    ]
