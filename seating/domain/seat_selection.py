"""Which seats an organiser means: given ones, all of a category or of a zone, or some places of general admission."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from seating.domain.errors import InvalidRequest, OutcomeUnknown
from seating.domain.seat_status import AVAILABLE
from seating.domain.seating_plan import SeatingPlan, SeatRange

# Redis runs one script at a time, so buyers wait while it sets these.
MAX_SEATS_AT_ONCE: Final = 10_000
_MOST_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class SeatSelection:
    """`seats`, or a `category`, or a `zone`; or `quantity` places of a `category`, which are `places_are` now."""

    seats: tuple[str, ...] = ()
    category: str | None = None
    zone: str | None = None
    quantity: int | None = None
    places_are: str = AVAILABLE

    def runs(self, plan: SeatingPlan) -> list[SeatRange]:
        """Where these seats are, in the plan's order. Raises SeatNotFound, InvalidRequest."""
        if self.quantity is not None:
            raise InvalidRequest("Quantity is for general admission: name seats, a category or a zone", "quantity")
        if self.seats:
            return plan.runs_of(self.seats)
        parts = plan.parts
        if self.category is not None:
            field, name, known = "category", self.category, [parts.categories[number] for number in parts.category_of]
        else:
            field, name, known = "zone", self.zone or "", parts.zone_of
        if name not in known:
            raise unknown(field, name, known)
        runs = [run for block, named in enumerate(known) if named == name for run in plan.rows_of(block)]
        seats = sum(run.length for run in runs)
        if seats > MAX_SEATS_AT_ONCE:
            raise InvalidRequest(
                f"This {field} has {seats} seats, and at most {MAX_SEATS_AT_ONCE} can be set at once: name seats", field
            )
        return runs


class PlacesOutcomeUnknown(OutcomeUnknown):
    """A number of places was to be set, for which there is no idempotency key: a repetition would set as many again."""

    sentence = (
        "The connection to the inventory broke, so it is unknown whether the places were set. Before you repeat the "
        "request, which would set as many again, wait until the event's changes are recorded and look at the "
        "organiser's seats (seats/organiser)"
    )
    retry_after_s = None


def unknown(kind: str, name: str, known: Iterable[str], field: str | None = None) -> InvalidRequest:
    """The refusal of a category or zone that an event does not have; `field` is `kind`, unless it is given."""
    names = list(dict.fromkeys(known))
    more = f" and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else ""
    shown = ", ".join(names[:_MOST_SHOWN]) or "none"
    return InvalidRequest(f"There is no {kind} {name!r}; this event has: {shown}{more}", field or kind)
