"""Why Redis has no inventory of an event: because there is no such event, or because Redis has lost it."""

import threading
import time
from collections import OrderedDict
from typing import Any

from seating.domain.errors import EventNotFound, InventoryUnavailable, RecordUnavailable
from seating.storage import events
from seating.storage.database import Database

_REMEMBERED = 10_000
_UNKNOWN_FOR_S = 1.0


class EventPresence:
    """Asks SQL once, however many ask at a time, and remembers the answer: a yes for good, a no for a second."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: OrderedDict[str, None] = OrderedDict()
        self._unknown_until: OrderedDict[str, float] = OrderedDict()
        self._asking: dict[str, threading.Lock] = {}

    def remember(self, event_id: str) -> None:
        """This event has been seen to exist."""
        if event_id not in self._known:
            _keep(self._known, event_id, None)

    def absence_of(self, event_id: str) -> EventNotFound | InventoryUnavailable:
        """The error that tells a caller why there is no inventory."""
        exists = self._remembered(event_id)
        if exists is None:
            # Whoever comes while the first one asks waits for its answer instead of asking again.
            with self._asking.setdefault(event_id, threading.Lock()):
                exists = self._remembered(event_id)
                if exists is None:
                    exists = self._ask(event_id)
            self._asking.pop(event_id, None)
        return InventoryUnavailable() if exists else EventNotFound()

    def _remembered(self, event_id: str) -> bool | None:
        if event_id in self._known:
            return True
        if self._unknown_until.get(event_id, 0.0) > time.monotonic():
            return False
        return None

    def _ask(self, event_id: str) -> bool:
        try:
            found = self._database.read(lambda connection: events.find(connection, event_id))
        except RecordUnavailable as error:
            raise InventoryUnavailable from error
        if found:
            self.remember(event_id)
        else:
            _keep(self._unknown_until, event_id, time.monotonic() + _UNKNOWN_FOR_S)
        return found is not None


def _keep(store: OrderedDict[str, Any], event_id: str, value: Any) -> None:
    store[event_id] = value
    store.move_to_end(event_id)
    while len(store) > _REMEMBERED:
        store.popitem(last=False)
