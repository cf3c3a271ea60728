from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import Table, select

from seating.domain.purchase import Order, Receipt
from seating.domain.seating_plan import SeatingPlan
from seating.redis_store.connection import ScriptConnection
from seating.redis_store.direct_calls import DirectCalls
from seating.redis_store.event_log import EventLog
from seating.redis_store.inventory import Inventory
from seating.redis_store.retries import Retries
from seating.redis_store.scripts import Scripts
from seating.services.event_presence import EventPresence
from seating.services.events import Events
from seating.services.persistence import Persistence
from seating.storage import migrations
from seating.storage.database import Database


@dataclass
class Books:
    """A sale in one process: what the web does, what the worker does, and a look into the tables."""

    redis_url: str
    database: Database
    calls: DirectCalls
    inventory: Inventory
    events: Events
    persistence: Persistence
    nudged: list[str] = field(default_factory=list)

    def open(self, capacity: int = 0, plan: SeatingPlan | None = None) -> str:
        return self.events.create("Test", plan.capacity if plan else capacity, plan).event.id

    def buy(self, event_id: str, key: str, quantity: int = 1, reference: str | None = None) -> Receipt:
        return self.inventory.purchase(event_id, key, Order(quantity, reference=reference)).receipt

    def rows(self, table: Table, event_id: str) -> list[Any]:
        query = select(table).where(table.c.event_id == event_id)
        found = self.database.read(lambda connection: connection.execute(query).all())
        return sorted(found, key=lambda row: getattr(row, "seq", 0))

    def lag(self, event_id: str) -> int:
        found = self.inventory.read(event_id)
        assert found is not None
        return found.backlog.lag

    def another_persistence(self) -> Persistence:
        """As of another worker, with connections of its own."""
        return _persistence(self.redis_url, Database(self.database.url), self.nudged)


def _persistence(redis_url: str, database: Database, nudged: list[str]) -> Persistence:
    calls = DirectCalls(ScriptConnection(redis_url, Scripts()))
    inventory = Inventory(calls, backlog_max_entries=100_000, backlog_memory_percent=90)
    return Persistence(database, calls, EventLog(calls), inventory, Retries(calls), nudged.append)


@pytest.fixture
def books(redis_url: str, database_url: str) -> Iterator[Books]:
    database = Database(database_url, checkpoints=True)
    migrations.upgrade(database)
    nudged: list[str] = []
    persistence = _persistence(redis_url, database, nudged)
    inventory = persistence.inventory
    events = Events(database, inventory, EventPresence(database))
    calls = persistence.calls
    assert isinstance(calls, DirectCalls)
    yield Books(redis_url, database, calls, inventory, events, persistence, nudged)
    database.close()
