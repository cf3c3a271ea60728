"""Creating events: record first, then put on sale, once for each idempotency key."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from seating.domain.actor import Actor
from seating.domain.change_json import change_json
from seating.domain.changes import Opened
from seating.domain.errors import IdempotencyKeyReused, InventoryUnavailable
from seating.domain.event import Event, EventDetails, new_event_id
from seating.domain.log_entry import LogEntry
from seating.domain.offer import Offer, offer_of_plan
from seating.domain.recovery_errors import Overtaken
from seating.domain.seating_plan import DEMO_HALL, SeatingPlan, generate
from seating.redis_store.inventory import Inventory
from seating.services.events import EventOnSale, Events
from seating.services.persistence import Persistence
from seating.services.rebuild import Rebuild
from seating.storage import events as event_record
from seating.storage import ledger, terms
from seating.storage.database import Database
from seating.storage.events import CreationKey

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class EventCreation:
    """Raises RecordUnavailable and InventoryUnavailable where SQL or Redis does not answer."""

    database: Database
    inventory: Inventory
    rebuild: Rebuild
    persistence: Persistence
    events: Events

    def create(
        self,
        name: str,
        capacity: int,
        plan: SeatingPlan | None,
        by: Actor,
        offer: Offer | None = None,
        *,
        state: str = "on_sale",
        details: EventDetails | None = None,
        key: CreationKey | None = None,
    ) -> EventOnSale:
        """Records a new event and puts it on sale, on the conditions of `offer`, or keeps it a draft.

        A plan that has categories is sold by them in any case.
        """
        if plan and plan.layout and not (offer and offer.categories):
            offer = replace(offer or Offer(), categories=offer_of_plan(plan).categories)
        event = Event(
            id=new_event_id(), name=name, capacity=capacity, seated=plan is not None, state=state, offer=offer
        )
        event = replace(event, **(details or {}))
        self._create(event, plan, by, key)
        return self.events.get(event.id)

    def once(self, key: CreationKey, create: Callable[[], EventOnSale]) -> tuple[EventOnSale, bool]:
        """The event that was created with `key`, else what `create` returns, and whether it was there before.

        `create` records the event with that key. Raises IdempotencyKeyReused.
        """
        found = self._created_with(key)
        if found is None:
            try:
                return create(), False
            except IntegrityError:
                found = self._created_with(key)
                if found is None:
                    raise
        return found, True

    def ensure_demo(self, event_id: str) -> None:
        """The event of a fresh start: the demo hall, unless there is an event of that id already."""
        if self.database.read(event_record.find, event_id):
            return
        plan = generate(DEMO_HALL)
        try:
            self._create(Event(event_id, "Demo event", plan.capacity, seated=True), plan)
        except IntegrityError:
            return  # Another launcher on the same database was faster.
        except InventoryUnavailable as error:
            _log.error("default event not opened", event_id=event_id, reason=error.message)

    def _created_with(self, key: CreationKey) -> EventOnSale | None:
        created = self.database.read(event_record.created_with, key.idempotency)
        if created is None:
            return None
        event_id, fingerprint = created
        if fingerprint != key.fingerprint:
            raise IdempotencyKeyReused("This Idempotency-Key has created another event; use a new key for a new one")
        found = self.events.get(event_id)
        # The request that created it may have been stopped before the event had an inventory.
        if found.counts is None and not found.event.archived:
            # Not `_open`: the event may have sold since, and SQL may have lost that.
            self.persistence.run(event_id)
            found = self.events.get(event_id)
        return found

    def _create(
        self, event: Event, plan: SeatingPlan | None, by: Actor | None = None, key: CreationKey | None = None
    ) -> None:
        """Raises InventoryUnavailable where Redis is not reachable or has something of that event: SQL lost it then."""
        if self.inventory.is_known(event.id):
            raise InventoryUnavailable(f"Redis has sales of event {event.id}, and SQL does not: run seating merge")
        now_s = time.time()
        opened = Opened(at_ms=int(now_s * 1000), capacity=event.capacity, by=by, state=event.state, offer=event.offer)
        first = LogEntry.first(terms.first_epoch(now_s), change_json(opened))

        def record(connection: Connection) -> None:
            event_record.add(connection, event, plan, key)
            ledger.begin(connection, event.id, first)

        # SQL first: an inventory that SQL does not know of could sell what is never recorded.
        self.database.write(record)
        self._open(event.id)

    def _open(self, event_id: str) -> None:
        with suppress(Overtaken):  # Whoever found it without an inventory was faster.
            self.rebuild.open(event_id)
        # Begins the term, without which the event does not sell.
        self.persistence.run(event_id)
