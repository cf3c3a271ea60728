"""Erasing what shops said of their customers, and deleting events that are over. The hash chain stays whole."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy import Connection

from seating.domain.actor import Actor
from seating.domain.changes import Purchased
from seating.domain.errors import EventNotFound, InventoryUnavailable, PurchaseNotFound
from seating.domain.position import Position
from seating.domain.purchase import PurchaseId
from seating.domain.recovery_errors import NotArchived
from seating.redis_store.erasing import ErasedInRedis
from seating.services.audit import act_now
from seating.services.persistence import Persistence
from seating.storage import audit, erasure, events, watermarks
from seating.storage.database import Database

_TRIES: Final = 5
"""How often SQL may have to catch up with a sale that goes on."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Erasure:
    """All of it can be repeated, and has to be where it was interrupted.

    SQL comes first: whatever is rebuilt meanwhile is rebuilt without the data.
    """

    database: Database
    redis: ErasedInRedis
    persistence: Persistence

    def purchase(self, purchase_id: PurchaseId, by: Actor) -> None:
        """Erase buyer, reference and note of a purchase, from SQL and Redis.

        Raises PurchaseNotFound, RecordUnavailable, and InventoryUnavailable where SQL is done and Redis is not.
        """
        event_id = purchase_id.event_id
        # What SQL does not have yet would not be found below, and recorded with its data later.
        self.persistence.run_now(event_id)

        def erase(connection: Connection) -> tuple[list[tuple[Position, Purchased]], bool]:
            event = events.find(connection, event_id)
            found = erasure.of_purchase(connection, purchase_id)
            if event is None or not found:
                raise PurchaseNotFound
            audit.add(connection, [act_now(by, "purchase.erase", event_id, str(purchase_id))])
            return found, event.archived

        changes, is_archived = self.database.write(erase)
        for position, change in () if is_archived else changes:
            self._erase_in_redis(event_id, position, change)
        _log.info("personal data erased", event_id=event_id, purchase_id=str(purchase_id))

    def _erase_in_redis(self, event_id: str, position: Position, change: Purchased) -> None:
        for _ in range(_TRIES):
            if self.redis.erase(event_id, position, change):
                return
            self.persistence.run_now(event_id)
        raise InventoryUnavailable("SQL does not keep up with this sale; try again later")

    def event(self, event_id: str, by: Actor) -> Iterator[None]:
        """Erase the personal data of all purchases of an archived event, yielding after each transaction.

        Raises EventNotFound, NotArchived, RecordUnavailable.
        """
        for first_seq in self._windows(event_id):
            self.database.write(erasure.of_entries, event_id, first_seq)
            yield

        def finish(connection: Connection) -> None:
            act = act_now(by, "event.erase", event_id)
            if erasure.finish(connection, event_id, act.at_ms):
                audit.add(connection, [act])

        self.database.write(finish)
        _log.info("personal data erased", event_id=event_id)

    def delete(self, event_id: str, by: Actor) -> Iterator[None]:
        """Delete an archived event from SQL and Redis, yielding after each transaction; its acts stay in the audit log.

        What is left of it can be read until the end. Raises EventNotFound, NotArchived, RecordUnavailable,
        InventoryUnavailable.
        """
        # First of all, because this refuses an event that is not archived.
        windows = self._windows(event_id)
        # Seats first: they refer to the purchases, which go with their entries.
        while self.database.write(erasure.delete_seats, event_id):
            yield
        for first_seq in windows:
            self.database.write(erasure.delete_entries, event_id, first_seq)
            yield

        def finish(connection: Connection) -> None:
            if erasure.delete_event(connection, event_id):
                audit.add(connection, [act_now(by, "event.delete", event_id)])

        # What Redis knows of it would say that SQL lost it.
        self.redis.forget_event(event_id)
        self.database.write(finish)
        _log.info("event deleted", event_id=event_id)

    def _windows(self, event_id: str) -> range:
        """Return the first seqs of the parts in which the event's entries are changed."""

        def read(connection: Connection) -> int:
            event, reached = events.find(connection, event_id), watermarks.read(connection, event_id)
            if event is None or reached is None:
                raise EventNotFound
            if not event.archived:
                raise NotArchived
            return reached.position.seq

        last_seq = self.database.read(read)
        if self.persistence.inventory.read(event_id):
            raise NotArchived("SQL has archived this event, but Redis still has it: the cron removes it from there")
        return range(1, last_seq + 1, erasure.AT_ONCE)
