"""An event's inventory according to SQL: the fold of ledger and poison since the last merge."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from seating.domain.errors import EventNotFound
from seating.domain.inventory_state import InventoryState
from seating.domain.log_entry import Checkpoint, LogEntry
from seating.domain.position import Position
from seating.domain.seating_plan import SeatingPlan, SeatRange
from seating.storage import events, ledger, merges


@dataclass(frozen=True, slots=True)
class RecordedState:
    """`last` is the last recorded entry.

    `left_out` are the positions of entries that could not be folded: `state` lacks their changes.
    """

    state: InventoryState
    plan: SeatingPlan | None
    last: LogEntry
    left_out: list[Position]

    @property
    def checkpoint(self) -> Checkpoint:
        return Checkpoint.of(self.last)

    def seat_name(self, run: SeatRange) -> str:
        """Return the id of the range's first seat."""
        return self.plan.seats_of([run])[0] if self.plan else str(run)


def fold(connection: Connection, event_id: str, on_page: Callable[[], None] = lambda: None) -> RecordedState:
    """Fold the record, calling `on_page` every few thousand entries. Raises EventNotFound."""
    plan = events.plan_of(connection, event_id)
    state, merged_seq = start(connection, event_id, plan)
    last = None
    left_out = []
    # From the merge's own entry on, which is the last one if nothing has followed.
    for page in ledger.entries(connection, event_id, max(0, merged_seq - 1)):
        for recorded in page:
            last = recorded.entry
            if last.position.seq != merged_seq and not apply(state, last):
                left_out.append(last.position)
        on_page()
    if last is None:
        raise EventNotFound
    return RecordedState(state, plan, last, left_out)


def start(connection: Connection, event_id: str, plan: SeatingPlan | None) -> tuple[InventoryState, int]:
    """Return the state that a fold starts from, and the seq of the merge that produced it; 0 without a merge."""
    merged = merges.last(connection, event_id)
    if merged is None:
        return InventoryState.before_opening(plan), 0
    return InventoryState.load(merged.state), merged.seq


def apply(state: InventoryState, entry: LogEntry) -> bool:
    """Apply the entry. Return False, with `state` unchanged, if it is unreadable or names unknown seats."""
    change = entry.read()
    if change is None:
        return False
    try:
        state.apply(entry, change)
    except IndexError:
        return False
    return True
