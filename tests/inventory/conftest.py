import itertools
from collections.abc import Callable, Sequence

import pytest

from seating.domain.changes import Opened
from seating.domain.inventory_state import InventoryState
from seating.domain.log_entry import LogEntry
from seating.domain.seating_plan import SeatingPlan
from seating.redis_store.connection import ScriptConnection
from seating.redis_store.direct_calls import DirectCalls
from seating.redis_store.inventory import Inventory
from seating.redis_store.rebuilding import Rebuilding
from seating.redis_store.scripts import Scripts

_numbers = itertools.count(1)


@pytest.fixture
def calls(redis_url: str) -> DirectCalls:
    return DirectCalls(ScriptConnection(redis_url, Scripts()))


@pytest.fixture
def inventory(calls: DirectCalls) -> Inventory:
    return Inventory(calls, backlog_max_entries=100_000, backlog_memory_percent=90)


@pytest.fixture
def opened(calls: DirectCalls) -> Callable[..., str]:
    """Opens an event of general admission, or of a plan, and gives its id; `maps` may have sold seats already."""

    def open_event(capacity: int = 0, plan: SeatingPlan | None = None, maps: Sequence[str] | None = None) -> str:
        event_id = f"event-{next(_numbers)}"
        opened = Opened(1_700_000_000_000, plan.capacity if plan else capacity)
        first = LogEntry.first(opened.to_json())
        state = InventoryState.before_opening(plan)
        state.apply(first, opened)
        if maps:
            state.maps = list(maps)
            state.sold = sum(seats.count("s") for seats in maps)
        attempt = Rebuilding(calls, event_id, "token")
        attempt.claim()
        attempt.write(first, state, plan, [])
        return event_id

    return open_event
