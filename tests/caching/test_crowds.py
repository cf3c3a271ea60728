"""What 200 cost who ask at once for what no cache has yet."""

from collections import Counter
from collections.abc import Callable, Iterator

import gevent
import pytest
from gevent import get_hub, socket
from sqlalchemy import event, insert

from seating.domain.errors import EventNotFound, SeatingError
from seating.domain.seating_plan import DEMO_HALL, SeatRange, generate
from seating.live.feed import POSITIONED
from seating.live.hub import Hub
from seating.live.outbox import TRY_AGAIN_LATER, Outbox
from seating.live.resuming import History
from seating.redis_store.event_log import EventLog, LiveLog
from seating.redis_store.inventory import Inventory
from seating.redis_store.plain_client import plain_client
from seating.redis_store.plans import Plans
from seating.redis_store.seat_states import SeatStates
from seating.services.missing_event import MissingEvent
from seating.services.seat_names import SeatNames
from seating.storage import tables
from seating.storage.database import Database
from tests.processes import Process, client, clock, process

__all__ = ["client", "clock", "process"]

CROWD = 200


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    """As a web process has it: greenlets wait for threads."""
    opened = Database(sqlite_url, offload=get_hub().threadpool.apply)
    yield opened
    opened.close()


@pytest.fixture
def queries(database: Database) -> list[str]:
    """The selects so far."""
    seen: list[str] = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("SELECT"):
            seen.append(statement)

    return seen


def at_once(ask: Callable[[], object]) -> Counter[str]:
    """The kinds of what they got."""

    def outcome() -> str:
        try:
            return type(ask()).__name__
        except SeatingError as error:
            return type(error).__name__

    asking = [gevent.spawn(outcome) for _ in range(CROWD)]
    gevent.joinall(asking, timeout=30, raise_error=True)
    return Counter(one.get() for one in asking)


def test_for_an_event_that_is_not_there_it_is_one_query(database: Database, queries: list[str]) -> None:
    presence = MissingEvent(database, print)
    assert at_once(lambda: presence.absence_of("nowhere")) == {"EventNotFound": CROWD}
    assert isinstance(presence.absence_of("nowhere"), EventNotFound)
    assert len(queries) == 1


def test_for_seats_of_an_event_that_is_over_it_is_one_query(
    process: Process, database: Database, queries: list[str]
) -> None:
    plan, calls = generate(DEMO_HALL), process()
    row = {"id": "over", "name": "Over", "capacity": plan.capacity, "seated": True, "plan": plan.pack()}
    database.write(lambda connection: connection.execute(insert(tables.events).values(row)))
    inventory = Inventory(calls, backlog_max_entries=1, backlog_memory_percent=90)
    names = SeatNames(Plans(calls), inventory, database, MissingEvent(database, print))
    assert at_once(lambda: names.names("over", [SeatRange(0, 0, 2)])) == {"list": CROWD}
    assert names.names("over", [SeatRange(0, 0, 2)]) == ["sec-1-row-A-seat-1", "sec-1-row-A-seat-2"]
    assert len(queries) == 1


def test_for_the_feed_of_an_inventory_that_is_lost_it_is_one_script(process: Process, redis_url: str) -> None:
    calls = process()
    hub = Hub(
        LiveLog(plain_client(redis_url)), SeatStates(calls), Plans(calls), History(EventLog(calls), 100), ping_s=60
    )

    def connect() -> int | None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            outbox = Outbox(ours, 1000)
            hub.serve("lost", POSITIONED, None, outbox, lambda: None)
            assert outbox.code == TRY_AGAIN_LATER
        return outbox.code

    before = calls.calls
    assert at_once(connect) == {"int": CROWD}
    assert calls.calls - before == 1
