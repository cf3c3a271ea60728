"""A sale in one process: what web, worker and operator do, by their services, and a look into the tables."""

import json
from typing import Any

import pytest
import redis
from sqlalchemy import Table, select

from seating.domain.actor import Actor
from seating.domain.purchase import Order, Purchase, PurchaseId
from seating.domain.receipt import Receipt
from seating.domain.seat_changes import LETTERS
from seating.domain.seating_plan import SeatingPlan
from seating.redis_store.calls import Scripts
from seating.redis_store.cluster_calls import ClusterCalls
from seating.redis_store.connection import DirectCalls, ScriptConnection
from seating.redis_store.holds import HoldLimits
from seating.redis_store.inventory_snapshot import Snapshot
from seating.redis_store.open_events import OpenEvents
from seating.redis_store.persist_queue import PersistQueue
from seating.redis_store.persist_retries import PersistRetries
from seating.redis_store.process_reports import UpkeepReports
from seating.redis_store.seat_states import SeatStates
from seating.redis_store.seen_positions import SeenPositions
from seating.redis_store.terms import LogKeeping, Terms
from seating.services.answered import Answered
from seating.services.books import Books
from seating.services.holds import HeldSeats
from seating.services.restarts import Restarts
from seating.services.sale import Sale, SaleOptions
from seating.services.seats import SeatMaps
from seating.services.upkeep import Upkeep
from seating.storage import events
from seating.storage.database import Database, in_this_thread
from seating.storage.tables import ledger

HOLD_LIMITS = HoldLimits(
    ttl_s=600, max_s=900, extend_step_s=1, max_seats=20, max_seats_of_shop=60, max_seats_of_buyer=12
)


OPERATOR = Actor("operator", "192.0.2.1", "request-0000001", "a test")

SHORT_LOGS = LogKeeping(keep_s=0)

_SCRIPTS = Scripts()
"""Shared by all sales: to read and hash them takes 5 ms."""

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For tests to which the kind of database makes no difference."""


class OneProcess(Sale):
    """`nudged` has the events that persistence was asked for; it runs only when a test runs it."""

    def __init__(
        self,
        redis_url: str,
        database: Database,
        calls: DirectCalls | ClusterCalls,
        keeping: LogKeeping,
        answered: Answered,
        client: "redis.Redis | None" = None,
    ) -> None:
        self.redis_url = redis_url
        self.calls = calls
        self.nudged: list[str] = []
        options = SaleOptions(HOLD_LIMITS, keeping, backlog_max_entries=100_000, backlog_memory_percent=90)
        client = client or redis.Redis.from_url(redis_url)
        super().__init__(calls, client, database, self._nudge, options, answered=answered)
        self.seat_maps = SeatMaps(SeatStates(calls), self.presence, in_this_thread)

    @classmethod
    def build(
        cls,
        redis_url: str,
        database: Database,
        scripts: Scripts | None = None,
        keeping: LogKeeping = SHORT_LOGS,
        *,
        calling: type[DirectCalls] = DirectCalls,
        answering: type[Answered] = Answered,
    ) -> "OneProcess":
        calls = calling(ScriptConnection(redis_url, scripts or _SCRIPTS))
        return cls(redis_url, database, calls, keeping, answering(database, calls.seen))

    def upkeep(self, queue: PersistQueue) -> Upkeep:
        """The cron's, without caches to sweep."""
        reports = UpkeepReports(self.calls)
        retries = PersistRetries(self.calls)
        opened = OpenEvents(self.calls)
        store, persistence = self.holds.store, self.persistence
        return Upkeep(
            self.database,
            self.inventory,
            self.set_aside,
            opened,
            store,
            queue,
            retries,
            persistence,
            Restarts(persistence),
            caches=[],
            reports=reports,
        )

    def _nudge(self, *events: str) -> None:
        self.nudged.extend(events)

    @property
    def check(self) -> Books:
        return self.books

    @property
    def terms(self) -> Terms:
        return self.persistence.terms

    @property
    def seen(self) -> SeenPositions:
        return self.calls.seen

    def another(self) -> "OneProcess":
        """With connections of its own, to the same Redis and database."""
        return OneProcess.build(self.redis_url, Database(self.database.url))

    def open(self, capacity: int = 0, plan: SeatingPlan | None = None) -> str:
        return self.event_creation.create("Test", plan.capacity if plan else capacity, plan, OPERATOR).event.id

    def buy(self, event_id: str, key: str, quantity: int = 1, reference: str | None = None) -> Receipt:
        """As an anonymous buyer with an idempotency key."""
        return self.purchases.buy(event_id, "anonymous", key, Order(quantity, reference=reference)).receipt

    def order(self, event_id: str, key: str, order: Order, caller: str = "shop") -> Receipt:
        """As a shop with a key."""
        return self.purchases.buy(event_id, caller, key, order).receipt

    def buy_seats(self, event_id: str, key: str, *seats: str) -> Receipt:
        return self.purchases.buy(event_id, "anonymous", key, Order(len(seats), seats=seats)).receipt

    def buy_held(self, event_id: str, key: str, token: str) -> Receipt:
        return self.purchases.buy(event_id, "anonymous", key, Order(0, hold_token=token)).receipt

    def hold(
        self, event_id: str, *seats: str, quantity: int = 0, key: str | None = None, holder: str = "address"
    ) -> HeldSeats:
        return self.holds.hold(event_id, "anonymous", holder, key, Order(quantity or len(seats), seats=seats))

    def cancel(self, purchase_id: PurchaseId) -> str:
        """The purchase's state afterwards."""
        return str(self.purchases.cancel(purchase_id, OPERATOR).state)

    def cancel_part(self, receipt: Receipt, count: int) -> Purchase:
        """The first seats of it, or that many places; the purchase afterwards."""
        seats = self.seats.names.names(receipt.id.event_id, receipt.runs)
        if seats:
            return self.purchases.cancel(receipt.id, OPERATOR, ",".join(seats[:count]))
        return self.purchases.cancel(receipt.id, OPERATOR, quantity=count)

    def archive(self, event_id: str) -> None:
        """As a day after it was closed."""
        self.events.set_state(event_id, "closed", OPERATOR)
        self.persist(event_id)
        self.database.write(events.set_archived, event_id)
        assert self.inventory.archive(event_id, 0)

    def persist(self, event_id: str) -> None:
        self.persistence.run(event_id)

    def now(self, event_id: str) -> Snapshot:
        found = self.inventory.read(event_id)
        assert found is not None
        return found

    def term(self, event_id: str) -> int:
        """The epoch of the running term."""
        return self.now(event_id).backlog.position.epoch

    def told(self, event_id: str) -> list[str]:
        """What the entries on record tell of, first to last."""
        return [json.loads(row.change)["kind"] for row in self.rows(ledger, event_id)]

    def rows(self, table: Table, event_id: str) -> list[Any]:
        query = select(table).where(table.c.event_id == event_id)
        found = self.database.read(lambda connection: connection.execute(query).all())
        return sorted(found, key=lambda row: getattr(row, "seq", 0))

    def lag(self, event_id: str) -> int:
        return self.now(event_id).backlog.lag

    def statuses(self, event_id: str) -> dict[str, str]:
        """The word for each seat; none in general admission."""
        plan = self.seats.names.plan(event_id)
        seats = [seat for block in plan.blocks for row in block for seat in row] if plan else []
        letters = self.seat_maps.of(event_id).seats
        return {seat: LETTERS[letter] for seat, letter in zip(seats, letters, strict=False)}
