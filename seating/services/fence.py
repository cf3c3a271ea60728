"""Keeping processes off a Redis whose term is over: SQL knows the running one."""

from collections.abc import Sequence
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from seating.domain.errors import RecordUnavailable
from seating.domain.position import Position
from seating.redis_store.inventory import Inventory
from seating.redis_store.seen_positions import SeenPositions
from seating.storage import watermarks
from seating.storage.database import Database

_ASKED_AT_ONCE: Final = 500

_log = structlog.get_logger(__name__)


class Fence:
    """Raises what this process has seen of events by their terms on record. Where SQL does not answer, sales go on."""

    def __init__(self, database: Database, inventory: Inventory, seen: SeenPositions) -> None:
        self._database = database
        self._inventory = inventory
        self._seen = seen

    def before_first_sale(self, event_id: str) -> None:
        """Asks SQL for the term of an event that this process has seen nothing of."""
        if not self._seen.knows(event_id) and self._inventory.is_known(event_id):
            self._seen.note(event_id, Position(0, 1))  # It is asked for once, whatever SQL says.
            self._learn([event_id])

    def on_new_connection(self) -> None:
        """Asks SQL for the terms of all events that this process has seen, before anything is sold on it."""
        events = self._seen.events()
        for first in range(0, len(events), _ASKED_AT_ONCE):
            self._learn(events[first : first + _ASKED_AT_ONCE])

    def _learn(self, event_ids: Sequence[str]) -> None:
        try:
            epochs = self._database.read(watermarks.epochs, event_ids)
        except (RecordUnavailable, SQLAlchemyError) as error:
            # Nor may it end the greenlet that sends all calls to Redis.
            _log.warning("running term unknown", error=str(error.__cause__ or error))
            return
        for event_id, epoch in epochs.items():
            self._seen.note(event_id, Position(epoch, 0))
