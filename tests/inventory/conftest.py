import itertools
from collections.abc import Callable, Sequence

import pytest

from seating.domain.change_json import change_json
from seating.domain.changes import Opened
from seating.domain.inventory_state import InventoryState
from seating.domain.log_entry import Checkpoint, LogEntry
from seating.domain.position import Position
from seating.domain.seating_plan import SeatingPlan
from seating.redis_store.calls import Scripts
from seating.redis_store.connection import DirectCalls, ScriptConnection
from seating.redis_store.event_log import EventLog
from seating.redis_store.inventory import Inventory
from seating.redis_store.rebuilding import Rebuilding
from seating.redis_store.terms import LogKeeping, Terms
from seating.storage.terms import first_epoch

_OPENED_S = 1_700_000_000

_numbers = itertools.count(1)


@pytest.fixture
def calls(redis_url: str) -> DirectCalls:
    return DirectCalls(ScriptConnection(redis_url, Scripts()))


@pytest.fixture
def inventory(calls: DirectCalls) -> Inventory:
    return Inventory(calls, backlog_max_entries=100_000, backlog_memory_percent=90)


@pytest.fixture
def terms(calls: DirectCalls) -> Terms:
    """They keep of a log no more than SQL needs."""
    return Terms(calls, LogKeeping(keep_s=0))


@pytest.fixture
def acknowledge(calls: DirectCalls, terms: Terms) -> Callable[..., bool]:
    """Tells Redis that SQL has an event's log up to a seq, as persistence does; whether Redis took that."""

    def tell(event_id: str, seq: int, keeping: Terms = terms) -> bool:
        head = terms.head(event_id)
        assert head
        entry = next(entry for entry in whole_log(calls, event_id) if entry.position.seq == seq)
        return keeping.acknowledge(event_id, head.server, Checkpoint.of(entry), "database", []) is not None

    return tell


@pytest.fixture
def opened(calls: DirectCalls, terms: Terms, acknowledge: Callable[..., bool]) -> Callable[..., str]:
    """Opens an event of general admission, or of a plan, and gives its id; `maps` may have sold seats already.

    Its log begins with `opened` and `trusted`.
    """

    def open_event(capacity: int = 0, plan: SeatingPlan | None = None, maps: Sequence[str] | None = None) -> str:
        event_id = f"event-{next(_numbers)}"
        epoch = first_epoch(_OPENED_S)
        opened = Opened(_OPENED_S * 1000, plan.capacity if plan else capacity)
        first = LogEntry.first(epoch, change_json(opened))
        state = InventoryState.before_opening(plan)
        state.apply(first, opened)
        if maps:
            state.maps = list(maps)
            state.sold = sum(seats.count("s") for seats in maps)
        attempt = Rebuilding(calls, event_id, "token")
        attempt.claim("open", "closed")
        attempt.write(first, state, plan, [], {})
        assert terms.begin(event_id, epoch + 1, Checkpoint.of(first), "nonce", "database")
        assert acknowledge(event_id, 2, Terms(calls, LogKeeping(keep_s=0, resume_entries=2)))
        return event_id

    return open_event


def whole_log(calls: DirectCalls, event_id: str) -> list[LogEntry]:
    """What Redis keeps of it."""
    return EventLog(calls).entries_from(event_id, Position(1, 1), 1_000)
