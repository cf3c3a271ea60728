"""An event's inventory as SQL tells it: the fold of ledger and poison."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from seating.domain.inventory_state import InventoryState
from seating.domain.log_entry import LogEntry
from seating.domain.position import Position
from seating.domain.seating_plan import SeatingPlan
from seating.storage import events, ledger, quarantine


@dataclass(frozen=True, slots=True)
class RecordedState:
    """`last` is the entry where the record ends, `quarantined` what `quarantined:{e}` has to hold.

    `left_out` are the positions of entries that could not be folded: what they changed is not in `state`.
    """

    state: InventoryState
    plan: SeatingPlan | None
    last: LogEntry
    quarantined: list[str]
    left_out: list[Position]


def fold(connection: Connection, event_id: str, on_page: Callable[[], None] = lambda: None) -> RecordedState:
    """`on_page` is called every few thousand entries. The event has to be on record."""
    plan = events.plan_of(connection, event_id)
    state = InventoryState.before_opening(plan)
    last = None
    left_out = []
    for page in ledger.entries(connection, event_id):
        for recorded in page:
            last = recorded.entry
            if not apply(state, last):
                left_out.append(last.position)
        on_page()
    assert last is not None, "a log begins with the event's record"
    return RecordedState(state, plan, last, quarantine.waiting(connection, event_id), left_out)


def apply(state: InventoryState, entry: LogEntry) -> bool:
    """False for one that was put aside, as it cannot be read or names seats that are not there; it changes nothing."""
    change = entry.read()
    if change is None:
        return False
    try:
        state.apply(entry, change)
    except IndexError:
        return False
    return True
