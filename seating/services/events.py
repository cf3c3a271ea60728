"""Events: read, list, describe, and change how they are sold."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

import orjson
from sqlalchemy import Connection

from seating.domain.actor import Actor
from seating.domain.errors import EventNotFound, InventoryUnavailable, RecordUnavailable, WrongTables
from seating.domain.event import DRAFT, Event, EventCursor, EventDetails, EventFilter, InventoryCounts
from seating.domain.offer import CategoryOffer, Offer, offer_of_plan
from seating.domain.page import Page, first_of
from seating.domain.position import Position
from seating.domain.timestamps import rfc3339
from seating.memo import FreshLook, Memo
from seating.redis_store.inventory import Inventory
from seating.services.audit import act_now
from seating.services.event_changes import EventChanges
from seating.services.missing_event import MissingEvent
from seating.storage import audit
from seating.storage import events as event_record
from seating.storage.database import Database

_MOST_PUBLISHED: Final = 10_000

_MOST_COUNTED: Final = 1_000
_MOST_KNOWN: Final = 1_000
_ATTEMPTS: Final = 10
"""To change an offer that other operators change too."""


class EventOnSale(NamedTuple):
    """`counts` is None while Redis holds no inventory of the event. `now_ms` is Redis's clock, in ms since 1970.

    `left` is what can be bought of each category, by its number, at most a second old; None where it is not counted.
    `trusted` is whether this Redis may sell the event; `counts` may lack sales that SQL has if not.
    """

    event: Event
    counts: InventoryCounts | None
    now_ms: int = 0
    left: dict[int, int] | None = None
    trusted: bool = False

    @property
    def selling(self) -> bool:
        """Whether buyers are served now, but for what is sold out."""
        offer = self.event.offer
        return self.state == "on_sale" and (offer is None or offer.times.is_open(self.now_ms))

    @property
    def state(self) -> str:
        """One of STATES, or `unavailable` where it is not known now."""
        if self.event.archived:
            return self.event.state
        state = (self.counts or self.event).state
        if self.trusted:
            return state
        # Either store may have come back older: what one of them has closed is closed, what one has published public.
        states = {state, self.event.state}
        return "closed" if "closed" in states else DRAFT if states == {DRAFT} else "unavailable"

    @property
    def is_draft(self) -> bool:
        return self.state == DRAFT


@dataclass(frozen=True, slots=True)
class Events:
    """Raises RecordUnavailable and InventoryUnavailable where SQL or Redis does not answer.

    `_known` are the events that were read last, for the time that SQL does not answer.
    """

    database: Database
    inventory: Inventory
    presence: MissingEvent
    changes: EventChanges
    _published: set[str] = field(default_factory=set, init=False)
    _counts: FreshLook[str, InventoryCounts] = field(default_factory=FreshLook, init=False)
    _events: FreshLook[str, EventOnSale] = field(default_factory=FreshLook, init=False)
    # A crowd that looks at a hall does not have it counted all the time.
    _left: Memo[str, dict[int, int]] = field(
        default_factory=lambda: Memo(max_weight=_MOST_COUNTED, max_age_s=1), init=False
    )
    _known: OrderedDict[str, Event] = field(default_factory=OrderedDict, init=False)

    def describe(self, event_id: str, details: EventDetails, by: Actor, *, after_change: bool = False) -> None:
        """Records what an operator says of an event, whatever its state. Raises EventNotFound.

        `after_change` is whether the same request has changed its state or offer; without SQL the error then says so.
        """

        def record(connection: Connection) -> None:
            before = event_record.set_details(connection, event_id, details)
            if before is None:
                raise EventNotFound
            was = {name: value for name in details if (value := getattr(before, name)) != details.get(name)}
            if was:
                told = (_in_words(was), _in_words({name: details.get(name) for name in was}))
                audit.add(connection, [act_now(by, "event.details", event_id, None, *told)])

        try:
            self.database.write(record)
        except RecordUnavailable as error:
            if not after_change or isinstance(error, WrongTables):
                raise
            raise RecordUnavailable(
                "The event has been changed, but perhaps not its name, startsAt, venue and metadata; send these again"
            ) from error

    def set_state(self, event_id: str, state: str, by: Actor) -> None:
        """Puts a draft on sale, pauses a sale, resumes it, or closes it for good.

        Raises EventNotFound, NotOnSale if it is closed already, or a draft that is to be paused.
        """
        with self.changes.of(event_id):
            position = self.inventory.set_state(event_id, state, by)
        self.changes.reached(event_id, position)

    def set_offer(self, event_id: str, amend: Callable[[Offer], Offer], by: Actor, *, by_category: bool = True) -> None:
        """Sells an event on the conditions that `amend` makes of those before, from now on.

        `by_category` is whether it changes categories or prices. Raises EventNotFound, SaleRunning if it does while the
        event is on sale, NotOnSale once it is closed, RolloutInProgress, and what `amend` raises.
        """
        with self.changes.of(event_id, "offer"):
            position = self._set_offer(event_id, amend, by, by_category=by_category)
        self.changes.reached(event_id, position)

    def is_draft(self, event_id: str) -> bool:
        """Whether it is a draft. Of what is none Redis is asked once: it never is one again.

        While Redis lacks it, or may not sell it, SQL is asked: Redis may have come back from before it was public.
        """
        if event_id in self._published:
            return False
        found = self.inventory.read(event_id)
        if found is None:
            return self.presence.is_draft(event_id)
        if found.counts.state == DRAFT:
            try:
                if found.backlog.trusted or self.get(event_id).is_draft:
                    return True
            except RecordUnavailable as error:
                raise InventoryUnavailable from error
        # Forgetting them costs one look at Redis each.
        if len(self._published) >= _MOST_PUBLISHED:
            self._published.clear()
        self._published.add(event_id)
        return False

    def _set_offer(self, event_id: str, amend: Callable[[Offer], Offer], by: Actor, *, by_category: bool) -> Position:
        for _ in range(_ATTEMPTS):
            # Compare and swap: another operator may change the offer at the same time.
            (was,) = self.inventory.offers([event_id])
            offer = was or Offer()
            if by_category and not offer.categories:
                offer = replace(offer, categories=self._first_categories(event_id))
            position = self.inventory.set_offer(event_id, amend(offer), was, by)
            if position:
                return position
        raise InventoryUnavailable("Others change the categories of this event at this moment, please try again")

    def _first_categories(self, event_id: str) -> tuple[CategoryOffer, ...]:
        """Of an event that has none. In general admission, categories are given when the event is created."""
        plan = self.changes.names.plan(event_id)
        return offer_of_plan(plan).categories if plan else ()

    def counts(self, event_id: str) -> InventoryCounts:
        """What can be bought now; never stale. Raises EventNotFound."""
        return self._counts.get(event_id, lambda: self._look_at_counts(event_id))

    def get(self, event_id: str) -> EventOnSale:
        """As it is now; never stale, but for what only SQL has while that does not answer. Raises EventNotFound."""
        return self._events.get(event_id, lambda: self._look_at_event(event_id))

    def get_changed(self, event_id: str) -> EventOnSale:
        """As `get`, of an event that has just been changed. Without SQL the error says that it has been."""
        try:
            return self.get(event_id)
        except RecordUnavailable as error:
            raise RecordUnavailable("The event has been changed; it cannot be shown until SQL answers") from error

    def page(self, after: EventCursor | None, count: int, wanted: EventFilter) -> Page[EventOnSale, EventCursor]:
        """At most `count` of the events that are `wanted`, behind `after`, in the order of cursors."""
        found = self.database.read(event_record.page, after, count + 1, wanted)
        page = first_of(found, count, EventCursor.of)
        return Page(self._with_counts(page.items), page.next)

    def _look_at_counts(self, event_id: str) -> InventoryCounts:
        (snapshot,) = self.inventory.current([event_id])
        if snapshot is None:
            raise self.presence.absence_of(event_id)
        # Its counts may lack sales that SQL has.
        if not snapshot.backlog.trusted:
            raise InventoryUnavailable
        return snapshot.counts

    def _look_at_event(self, event_id: str) -> EventOnSale:
        found = self._with_counts([self._on_record(event_id)])[0]
        offer = found.event.offer
        is_counted = offer and offer.categories and found.trusted
        return found._replace(left=self._categories_left(found)) if is_counted else found

    def _on_record(self, event_id: str) -> Event:
        """Return what SQL has of an event; while it does not answer, what it had, if Redis has the event still."""
        try:
            event = self.database.read(event_record.find, event_id)
        except RecordUnavailable:
            known = self._known.get(event_id)
            # Not of one that was archived since: that has no inventory.
            if known and self.inventory.read(event_id):
                return known
            raise
        self._known.pop(event_id, None)  # Move it to the end.
        if event is None:
            raise EventNotFound
        self._known[event_id] = event
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)
        return event

    def _categories_left(self, found: EventOnSale) -> dict[int, int] | None:
        """Counted at least once for each offer; areas of general admission each time, which is cheap."""
        event_id, offer = found.event.id, found.event.offer
        try:
            if offer and offer.has_areas:
                return self.inventory.left_by_category(event_id)
            # By the offer too, or the answer to a change of it could count seats that are off sale.
            return self._left.get(event_id, lambda: self.inventory.left_by_category(event_id), version=offer)
        except InventoryUnavailable:
            return None  # It does not sell at this moment.

    def _with_counts(self, events: Sequence[Event]) -> list[EventOnSale]:
        snapshots = self.inventory.current([event.id for event in events])
        offers = self.inventory.offers([event.id for event in events])
        return [
            EventOnSale(
                replace(event, offer=offer or event.offer),
                snapshot.counts if snapshot else None,
                snapshot.now_ms if snapshot else 0,
                trusted=bool(snapshot and snapshot.backlog.trusted),
            )
            for event, snapshot, offer in zip(events, snapshots, offers, strict=True)
        ]


def _in_words(details: Mapping[str, Any]) -> str:
    """As the audit log shows them: JSON, with what they are called outside."""
    said = dict(details)
    if "starts_ms" in said:
        starts_ms = said.pop("starts_ms")
        said["startsAt"] = None if starts_ms is None else rfc3339(starts_ms)
    return orjson.dumps(said).decode()
