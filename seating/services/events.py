"""Events: create, read, list."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from seating.domain.actor import Actor
from seating.domain.changes import Opened
from seating.domain.errors import EventNotFound, InventoryUnavailable, Overtaken
from seating.domain.event import Event, InventoryCounts, new_event_id
from seating.domain.log_entry import LogEntry
from seating.domain.offer import Offer, offer_of_plan
from seating.domain.page import Page, first_of
from seating.domain.position import Position
from seating.domain.seating_plan import DEMO_HALL, SeatingPlan, generate
from seating.memo import FreshLook, Memo
from seating.redis_store.inventory import Inventory
from seating.services.event_changes import EventChanges
from seating.services.missing_event import MissingEvent
from seating.services.persistence import Persistence
from seating.services.rebuild import Rebuild
from seating.storage import events as event_record
from seating.storage import ledger, terms
from seating.storage.database import Database

_MOST_COUNTED: Final = 1_000
_ATTEMPTS: Final = 10
"""To change an offer that other operators change too."""

_log = structlog.get_logger(__name__)


class EventOnSale(NamedTuple):
    """`counts` is None while Redis holds no inventory of the event.

    `left` is what can be bought of each category, by its number, at most a second old; None where it is not counted.
    """

    event: Event
    counts: InventoryCounts | None
    left: dict[int, int] | None = None


def _categories_left() -> Memo[str, dict[int, int]]:
    """A crowd that looks at a hall does not have it counted all the time."""
    return Memo(max_weight=_MOST_COUNTED, max_age_s=1)


@dataclass(frozen=True, slots=True)
class Events:
    """Raises RecordUnavailable and InventoryUnavailable where SQL or Redis does not answer."""

    database: Database
    inventory: Inventory
    presence: MissingEvent
    rebuild: Rebuild
    persistence: Persistence
    changes: EventChanges
    _counts: FreshLook[str, InventoryCounts] = field(default_factory=FreshLook, init=False)
    _events: FreshLook[str, EventOnSale] = field(default_factory=FreshLook, init=False)
    _left: Memo[str, dict[int, int]] = field(default_factory=_categories_left, init=False)

    def create(
        self, name: str, capacity: int, plan: SeatingPlan | None, by: Actor, offer: Offer | None = None
    ) -> EventOnSale:
        """Records a new event and puts it on sale, on the conditions of `offer`.

        A plan that has categories is sold by them in any case.
        """
        offer = offer or (offer_of_plan(plan) if plan and plan.layout else None)
        event = Event(id=new_event_id(), name=name, capacity=capacity, seated=plan is not None, offer=offer)
        self._create(event, plan, by)
        return self.get(event.id)

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

    def set_state(self, event_id: str, state: str, by: Actor) -> EventOnSale:
        """Pauses a sale, resumes it, or closes it for good. Raises EventNotFound, NotOnSale if it is closed already."""
        with self.changes.of(event_id) as change:
            position = self.inventory.set_state(event_id, state, by)
        change.reached(position)
        return self.get(event_id)

    def set_offer(self, event_id: str, amend: Callable[[Offer], Offer], by: Actor) -> EventOnSale:
        """Sells an event on the conditions that `amend` makes of those before, from now on.

        Raises EventNotFound, SaleRunning while it is on sale, NotOnSale once it is closed, and what `amend` raises.
        """
        with self.changes.of(event_id) as change:
            position = self._set_offer(event_id, amend, by)
        change.reached(position)
        return self.get(event_id)

    def _set_offer(self, event_id: str, amend: Callable[[Offer], Offer], by: Actor) -> Position:
        for _ in range(_ATTEMPTS):
            (was,) = self.inventory.offers([event_id])
            position = self.inventory.set_offer(event_id, amend(was or self._first_offer(event_id)), was, by)
            if position:
                return position
        raise InventoryUnavailable("Others change the categories of this event at this moment, please try again")

    def _first_offer(self, event_id: str) -> Offer:
        """Of an event that has none. In general admission, categories are given when the event is created."""
        plan = self.changes.names.plan(event_id)
        return offer_of_plan(plan) if plan else Offer()

    def counts(self, event_id: str) -> InventoryCounts:
        """What can be bought now; never stale. Raises EventNotFound."""
        return self._counts.get(event_id, lambda: self._look_at_counts(event_id))

    def get(self, event_id: str) -> EventOnSale:
        """As it is now; never stale. Raises EventNotFound."""
        return self._events.get(event_id, lambda: self._look_at_event(event_id))

    def page(self, cursor: str, count: int) -> Page[EventOnSale, str]:
        """At most `count` events in the order of their ids, after the one that `cursor` names."""
        found = self.database.read(event_record.page, cursor, count + 1)
        page = first_of(found, count, lambda event: event.id)
        return Page(self._with_counts(page.items), page.next)

    def _look_at_counts(self, event_id: str) -> InventoryCounts:
        (snapshot,) = self.inventory.current([event_id])
        if snapshot is None:
            raise self.presence.absence_of(event_id)
        if not snapshot.backlog.trusted:
            raise InventoryUnavailable
        return snapshot.counts

    def _look_at_event(self, event_id: str) -> EventOnSale:
        event = self.database.read(event_record.find, event_id)
        if event is None:
            raise EventNotFound
        found = self._with_counts([event])[0]
        return found._replace(left=self._categories_left(found)) if found.event.offer and found.counts else found

    def _categories_left(self, found: EventOnSale) -> dict[int, int] | None:
        """Areas of general admission are counted each time, which is cheap."""
        event_id, offer = found.event.id, found.event.offer
        try:
            if offer and offer.has_areas:
                return self.inventory.left_by_category(event_id)
            return self._left.get(event_id, lambda: self.inventory.left_by_category(event_id))
        except InventoryUnavailable:
            return None  # It does not sell at this moment.

    def _create(self, event: Event, plan: SeatingPlan | None, by: Actor | None = None) -> None:
        """SQL first: an inventory that SQL does not know of could sell what nobody records.

        Raises InventoryUnavailable where Redis is not reachable, or has something of that event: SQL lost it then.
        """
        if self.inventory.is_known(event.id):
            raise InventoryUnavailable(f"Redis has sales of event {event.id}, and SQL does not: run seating merge")
        now_s = time.time()
        opened = Opened(at_ms=int(now_s * 1000), capacity=event.capacity, by=by, offer=event.offer)
        first = LogEntry.first(terms.first_epoch(now_s), opened.to_json())

        def record(connection: Connection) -> None:
            event_record.add(connection, event, plan)
            ledger.begin(connection, event.id, first)

        self.database.write(record)
        with suppress(Overtaken):  # Whoever found it without an inventory was faster.
            self.rebuild.open(event.id)
        self.persistence.run(event.id)

    def _with_counts(self, events: Sequence[Event]) -> list[EventOnSale]:
        snapshots = self.inventory.current([event.id for event in events])
        offers = self.inventory.offers([event.id for event in events])
        return [
            EventOnSale(replace(event, offer=offer or event.offer), snapshot.counts if snapshot else None)
            for event, snapshot, offer in zip(events, snapshots, offers, strict=True)
        ]
