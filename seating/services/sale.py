"""The parts of a sale, built once for every kind of process and for the tests."""

from collections.abc import Callable
from dataclasses import dataclass

import redis

from seating.redis_store.calls import Calls
from seating.redis_store.erasing import ErasedInRedis
from seating.redis_store.event_log import EventLog
from seating.redis_store.holds import HoldLimits, HoldStore
from seating.redis_store.inventory import Inventory
from seating.redis_store.open_events import OpenEvents
from seating.redis_store.persist_queue import PersistQueue
from seating.redis_store.persist_retries import PersistRetries
from seating.redis_store.plans import Plans
from seating.redis_store.process_reports import BackgroundCounts, UpkeepReports
from seating.redis_store.seat_states import SeatStore
from seating.redis_store.set_aside import SetAside
from seating.redis_store.terms import LogKeeping, Terms
from seating.services.answered import Answered
from seating.services.archived_events import ArchivedEvents
from seating.services.audit import Audit
from seating.services.books import Books
from seating.services.erasure import Erasure
from seating.services.event_changes import EventChanges, Fence, LogReaders
from seating.services.event_creation import EventCreation
from seating.services.events import Events
from seating.services.holds import Holds
from seating.services.income import BoxOffice
from seating.services.ledger_writer import LedgerWriter
from seating.services.losses import Losses
from seating.services.merge import Merge
from seating.services.missing_event import MissingEvent
from seating.services.offers import Offers
from seating.services.persisted_watch import PersistedWatch
from seating.services.persistence import Persistence
from seating.services.purchase_lists import PurchaseLists
from seating.services.purchases import Purchases
from seating.services.quarantine import Quarantine
from seating.services.rebuild import Rebuild
from seating.services.seat_names import SeatNames
from seating.services.seats import Seats
from seating.storage.database import Database
from seating.storage.replica import LaggingReads


@dataclass(frozen=True, slots=True)
class SaleOptions:
    """Purchases are refused while `backlog_max_entries` wait for SQL, or Redis uses that share of its maxmemory."""

    holds: HoldLimits
    log: LogKeeping
    backlog_max_entries: int
    backlog_memory_percent: int

    @property
    def backlog(self) -> dict[str, int]:
        return {
            "backlog_max_entries": self.backlog_max_entries,
            "backlog_memory_percent": self.backlog_memory_percent,
        }


class Sale:
    def __init__(
        self,
        calls: Calls,
        client: "redis.Redis",
        database: Database,
        nudge: Callable[..., object],
        options: SaleOptions,
        *,
        answered: Answered | None = None,
        reads: LaggingReads | None = None,
    ) -> None:
        """`client` reads whole events, on a connection that buyers do not use. `reads` are `database`'s if None."""
        log, terms = EventLog(calls), Terms(calls, options.log)
        self.database = database
        self.inventory = Inventory(calls, **options.backlog)
        self.set_aside = SetAside(calls)
        self.hold_store = HoldStore(calls, options.holds, **options.backlog)
        self.plans = Plans(calls)
        self.presence = MissingEvent(database, nudge)
        self.names = SeatNames(self.plans, self.inventory, database, self.presence)
        self.answered = answered or Answered(database, calls.seen)
        self.fence = Fence(database, self.inventory, calls.seen)
        readers = LogReaders(PersistQueue(client), UpkeepReports(calls))
        changes = EventChanges(self.names, self.answered, self.fence, nudge, readers)
        self.counts = BackgroundCounts(calls)
        self.rebuild = Rebuild(database, calls, log, terms, self.counts)
        self.persistence = self._persistence(calls, log, terms, nudge)
        self.merge = Merge(database, client, terms, self.rebuild, self.persistence.run_now)
        self.events = Events(database, self.inventory, self.presence, changes)
        self.event_creation = EventCreation(database, self.inventory, self.rebuild, self.persistence, self.events)
        self.offers = Offers(self.inventory, self.names, database)
        archived = ArchivedEvents(database, self.names, self.answered.note)
        watch = PersistedWatch(database)
        self.reads = reads or LaggingReads(database)
        self.purchases = Purchases(
            self.inventory, self.set_aside, self.names, log, database, watch, changes, self.offers, archived
        )
        self.purchase_lists = PurchaseLists(self.purchases, self.inventory, log, database, self.reads, self.presence)
        self.holds = Holds(self.hold_store, self.names, changes, self.offers)
        self.seats = Seats(SeatStore(calls), self.names, changes, database, self.offers)
        self.quarantine = Quarantine(database, self.inventory, self.set_aside, self.purchases, changes)
        self.losses = Losses(database)
        self.erasure = Erasure(database, ErasedInRedis(calls), self.persistence)
        self.audit = Audit(database, self.reads)
        self.open_events = OpenEvents(calls)
        self.box_office = BoxOffice(self.reads)
        self.books = Books(database, client, self.open_events)

    def _persistence(self, calls: Calls, log: EventLog, terms: Terms, nudge: Callable[..., object]) -> Persistence:
        writer, retries = LedgerWriter(self.database), PersistRetries(calls)
        return Persistence(self.database, writer, log, self.inventory, terms, calls.seen, retries, self.rebuild, nudge)
