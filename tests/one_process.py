"""A sale in one process: what web, worker and operator do, by their services, and a look into the tables."""

from dataclasses import dataclass
from typing import Any

import redis
from sqlalchemy import Table, select

from seating.domain.purchase import Order, PurchaseId, Receipt
from seating.domain.seating_plan import SeatingPlan
from seating.redis_store.connection import ScriptConnection
from seating.redis_store.direct_calls import DirectCalls
from seating.redis_store.event_log import EventLog
from seating.redis_store.inventory import Inventory
from seating.redis_store.inventory_snapshot import Snapshot
from seating.redis_store.plans import Plans
from seating.redis_store.retries import Retries
from seating.redis_store.scripts import Scripts
from seating.services.answered import Answered
from seating.services.books import Books
from seating.services.event_presence import EventPresence
from seating.services.events import Events
from seating.services.persisted_watch import PersistedWatch
from seating.services.persistence import Persistence
from seating.services.purchases import Purchases
from seating.services.quarantine import Quarantine
from seating.services.rebuild import Rebuild
from seating.storage.database import Database


@dataclass
class OneProcess:
    """`nudged` has the events that persistence was asked for; it runs only when a test runs it."""

    redis_url: str
    database: Database
    calls: DirectCalls
    inventory: Inventory
    events: Events
    purchases: Purchases
    quarantine: Quarantine
    persistence: Persistence
    rebuild: Rebuild
    answered: Answered
    check: Books
    nudged: list[str]

    @classmethod
    def build(cls, redis_url: str, database: Database, scripts: Scripts | None = None) -> "OneProcess":
        calls = DirectCalls(ScriptConnection(redis_url, scripts or Scripts()))
        inventory = Inventory(calls, backlog_max_entries=100_000, backlog_memory_percent=90)
        log = EventLog(calls)
        nudged: list[str] = []
        presence = EventPresence(database, nudged.append)
        rebuild = Rebuild(database, calls, log)
        answered = Answered(database)
        watch = PersistedWatch(inventory)
        purchases = Purchases(inventory, Plans(calls), log, database, presence, watch, answered, nudged.append)
        return cls(
            redis_url,
            database,
            calls,
            inventory,
            Events(database, inventory, presence, rebuild, nudged.append),
            purchases,
            Quarantine(database, inventory, purchases, nudged.append),
            Persistence(database, calls, log, inventory, Retries(calls), rebuild, nudged.append),
            rebuild,
            answered,
            Books(database, redis.Redis.from_url(redis_url)),
            nudged,
        )

    def another(self) -> "OneProcess":
        """With connections of its own, to the same Redis and database."""
        return OneProcess.build(self.redis_url, Database(self.database.url))

    def open(self, capacity: int = 0, plan: SeatingPlan | None = None) -> str:
        return self.events.create("Test", plan.capacity if plan else capacity, plan).event.id

    def buy(self, event_id: str, key: str, quantity: int = 1, reference: str | None = None) -> Receipt:
        """As an anonymous buyer with an idempotency key."""
        return self.purchases.buy(event_id, "anonymous", key, Order(quantity, reference=reference)).receipt

    def cancel(self, purchase_id: PurchaseId) -> str:
        """The purchase's state afterwards."""
        return str(self.purchases.cancel(purchase_id).state)

    def persist(self, event_id: str) -> None:
        self.persistence.run(event_id)

    def now(self, event_id: str) -> Snapshot:
        found = self.inventory.read(event_id)
        assert found is not None
        return found

    def rows(self, table: Table, event_id: str) -> list[Any]:
        query = select(table).where(table.c.event_id == event_id)
        found = self.database.read(lambda connection: connection.execute(query).all())
        return sorted(found, key=lambda row: getattr(row, "seq", 0))

    def lag(self, event_id: str) -> int:
        return self.now(event_id).backlog.lag
