"""Keeps processes off a Redis whose term is over. SQL knows the current term."""

from collections.abc import Sequence
from typing import Final

import gevent
import structlog
from sqlalchemy.exc import SQLAlchemyError

from seating.domain.errors import RecordUnavailable
from seating.domain.position import Position
from seating.memo import Memo
from seating.redis_store.inventory import Inventory
from seating.redis_store.seen_positions import SeenPositions
from seating.storage import watermarks
from seating.storage.database import Database

_ASKED_AT_ONCE: Final = 500
_ASKS_FOR_S: Final = 1.0

_log = structlog.get_logger(__name__)


class Fence:
    """Raises the seen positions of this process to the recorded terms. If SQL does not answer, sales go on."""

    def __init__(self, database: Database, inventory: Inventory, seen: SeenPositions) -> None:
        self._database = database
        self._inventory = inventory
        self._seen = seen
        self._asking: Memo[str, None] = Memo(max_weight=0)

    def before_first_sale(self, event_id: str) -> None:
        """Read the term of an event from SQL if this process has not seen the event yet."""
        # Ids that Redis does not know are not noted: a stranger could make up any number of them.
        if not self._seen.knows(event_id) and self._inventory.is_known(event_id):
            # The sale must not wait for an SQL that hangs.
            with gevent.Timeout(_ASKS_FOR_S, False):  # type: ignore[arg-type]
                # All that arrive meanwhile wait for the one that asks.
                self._asking.get(event_id, lambda: self._learn([event_id]))
            self._seen.note(event_id, Position(0, 1))  # Ask only once, even if SQL fails.

    def on_new_connection(self) -> None:
        """Read the terms of all seen events from SQL before anything is sold on the new connection."""
        events = self._seen.events()
        for first in range(0, len(events), _ASKED_AT_ONCE):
            self._learn(events[first : first + _ASKED_AT_ONCE])

    def _learn(self, event_ids: Sequence[str]) -> None:
        try:
            epochs = self._database.read(watermarks.epochs, event_ids)
        except (RecordUnavailable, SQLAlchemyError) as error:
            # A failure must not kill the greenlet that sends all calls to Redis.
            _log.warning("current term unknown", error=str(error.__cause__ or error))
            return
        for event_id, epoch in epochs.items():
            self._seen.note(event_id, Position(epoch, 0))
