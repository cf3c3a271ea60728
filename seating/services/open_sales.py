"""Checks whether the open events can be sold from, a few at a time."""

from collections import deque
from collections.abc import Callable, Collection
from enum import StrEnum
from itertools import islice
from typing import Final, NamedTuple

from seating.redis_store.inventory import Inventory
from seating.redis_store.inventory_snapshot import Head, Snapshot

SAMPLE: Final = 20
"""How many events are checked at a time."""


class EventState(StrEnum):
    TRUSTED = "trusted"
    COMPARED = "being compared with SQL"
    CLOSED = "closed"
    MISSING = "missing"
    """It should have an inventory, but has no readable one."""
    NOT_OPEN = "not open"
    """It is archived or does not exist."""


_OPEN: Final = frozenset({EventState.TRUSTED, EventState.COMPARED, EventState.MISSING})


class EventSight(NamedTuple):
    """The state of an event when it was checked. `snapshot` is None without an inventory."""

    event_id: str
    state: EventState
    snapshot: Snapshot | None

    @property
    def is_open(self) -> bool:
        return self.state in _OPEN


class KnownEvents(NamedTuple):
    """`in_redis`: events with any key in Redis. `in_sql`: events that should have an inventory, according to SQL."""

    in_redis: Collection[str]
    in_sql: frozenset[str]


class SalesSight(NamedTuple):
    """Some of the events, the default event first; `all_seen` says whether all others have had their turn."""

    events: list[EventSight]
    all_seen: bool

    @property
    def open_events(self) -> list[EventSight]:
        return [sight for sight in self.events if sight.is_open]

    @property
    def sells(self) -> bool:
        """Whether an open event can be sold from, or no event is open."""
        if not self.open_events:
            return self.all_seen
        return any(sight.state is EventState.TRUSTED for sight in self.open_events)


class OpenSales:
    """Checks at most SAMPLE events: the default event, some that were open last time, and the others in turn."""

    def __init__(self, inventory: Inventory, default_event: str, known: Callable[[], KnownEvents]) -> None:
        self._inventory = inventory
        self._default_event = default_event
        self._known = known
        self._trusted: dict[str, None] = {}
        self._untrusted: dict[str, None] = {}
        self._turn: deque[str] = deque()
        self._all_seen = False

    def look(self) -> SalesSight:
        """Check the next sample. Raises InventoryUnavailable."""
        known = self._known()
        event_ids = self._next(known)
        found = zip(event_ids, self._inventory.look_at(event_ids), strict=True)
        sights = [_sight(event_id, seen, event_id in known.in_sql) for event_id, seen in found]
        for sight in sights:
            self._remember(sight)
        self._all_seen = self._all_seen or not self._turn
        return SalesSight(sights, self._all_seen)

    def _next(self, known: KnownEvents) -> list[str]:
        # More of those that sell: a single one makes the process ready.
        again = (*islice(self._trusted, SAMPLE // 2), *islice(self._untrusted, SAMPLE // 4))
        chosen = dict.fromkeys((self._default_event, *again))
        if not self._turn:  # Likely open events first: Redis also knows all archived ones.
            self._turn.extend(sorted(known.in_sql))
            self._turn.extend(sorted(set(known.in_redis) - known.in_sql))
        while self._turn and len(chosen) < SAMPLE:
            chosen[self._turn.popleft()] = None
        return list(chosen)

    def _remember(self, sight: EventSight) -> None:
        # Added again at the end, so that those not checked for longest are next.
        self._trusted.pop(sight.event_id, None)
        self._untrusted.pop(sight.event_id, None)
        if sight.state is EventState.TRUSTED:
            self._trusted[sight.event_id] = None
        elif sight.is_open:
            self._untrusted[sight.event_id] = None


def _sight(event_id: str, seen: Snapshot | Head | None, should_be: bool) -> EventSight:
    if not isinstance(seen, Snapshot):
        archived = seen is not None and seen.archived
        return EventSight(event_id, EventState.MISSING if should_be and not archived else EventState.NOT_OPEN, None)
    if seen.counts.state == "closed":
        return EventSight(event_id, EventState.CLOSED, seen)
    return EventSight(event_id, EventState.TRUSTED if seen.backlog.trusted else EventState.COMPARED, seen)
