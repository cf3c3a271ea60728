"""The end of an event: a day after it was closed, its keys leave Redis, once SQL has everything."""

from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy import Connection

from seating.redis_store.inventory import Inventory
from seating.storage import events
from seating.storage.database import Database

KEPT_CLOSED_MS: Final = 24 * 3600 * 1000

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Closing:
    database: Database
    inventory: Inventory

    def archive(self, event_id: str) -> None:
        """SQL is told first: an inventory that is missing without it would be rebuilt."""

        def mark(connection: Connection) -> None:
            events.set_archived(connection, event_id)

        self.database.write(mark)
        if self.inventory.archive(event_id, KEPT_CLOSED_MS):
            _log.info("event archived", event_id=event_id)
