"""Changing what is over: of an archived event only SQL has the log, and appends to it itself."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from seating.domain.actor import Actor
from seating.domain.cancellation import Cancellation, Part
from seating.domain.change_json import change_json
from seating.domain.changes import Cancelled
from seating.domain.errors import EventNotFound, InventoryUnavailable
from seating.domain.log_entry import Checkpoint, LogEntry
from seating.domain.offer import Offer
from seating.domain.position import Position
from seating.domain.purchase import Purchase
from seating.domain.recovery_errors import Overtaken
from seating.memo import Memo
from seating.services import recorded_state
from seating.services.seat_names import SeatNames
from seating.storage import events, ledger, purchases, quarantine, terms, watermarks
from seating.storage.database import Database
from seating.storage.ledger import LedgerRow

_TRIES: Final = 20
"""How often one cancellation may be overtaken by others of its event."""


@dataclass(frozen=True, slots=True)
class ArchivedEvents:
    """Each entry moves the watermark by compare-and-swap, as persistence does, and has an epoch of its own: should a
    Redis come back that has the event still, no position of it means two things.
    """

    database: Database
    names: SeatNames
    answered: Callable[[str, Position], None]
    _left: Memo[str, tuple[int, Offer | None]] = field(default_factory=lambda: Memo(max_weight=100))

    def cancel(self, purchase: Purchase, part: Part, by: Actor) -> tuple[Cancellation | None, bool]:
        """Cancels a `part` of a purchase, once. Returns what of it is cancelled, and whether that has just grown.

        Raises EventNotFound, RecordUnavailable, InventoryUnavailable where others always come first.
        """
        for _ in range(_TRIES):
            with suppress(Overtaken, IntegrityError):  # Another has taken the place, or the epoch.
                return self._cancel(purchase, part, by)
        raise InventoryUnavailable

    def _cancel(self, purchase: Purchase, part: Part, by: Actor) -> tuple[Cancellation | None, bool]:
        event_id, position, _ = purchase.id
        checkpoint = self.database.read(watermarks.read, event_id)
        if checkpoint is None:
            raise EventNotFound
        left_before, offer = self._left.get(event_id, lambda: self._count_left(event_id, checkpoint), checkpoint)
        plan = self.names.recorded_plan(event_id) if purchase.runs else None  # Areas have runs, and no plan.

        def append(connection: Connection) -> tuple[Cancellation | None, Checkpoint, int]:
            # The lock comes first, as in persistence, or two transactions could deadlock.
            watermarks.lock(connection, event_id)
            found = purchases.find(connection, purchase.id)
            if found is None:
                aside = quarantine.find_purchase(connection, purchase.id)
                if aside is None or aside.resolution is not None:  # Another has cancelled it meanwhile.
                    return purchase.cancelled, checkpoint, left_before
                found = purchase
            quantity, runs = found.bought.to_cancel(part, found.cancelled)
            if not quantity:
                return found.cancelled, checkpoint, left_before
            now_s = time.time()
            standing = found.bought.standing(found.cancelled).quantity - quantity
            off_sale = offer.off_sale_of(runs) if offer else []
            left = left_before + quantity - sum(run.length for run in off_sale)
            change = Cancelled(int(now_s * 1000), position, quantity, left, list(runs), standing, by, off_sale)
            epoch = terms.allocate(connection, event_id, now_s, checkpoint.position.epoch)
            entry = LogEntry.after(checkpoint, change_json(change), epoch)
            if not watermarks.advance(connection, event_id, checkpoint, Checkpoint.of(entry)):
                raise Overtaken("the record has moved on")
            terms.begin(connection, event_id, *entry.position)
            ledger.insert_rows(connection, event_id, [LedgerRow(entry, change)], plan)
            return Cancellation.after(found.cancelled, change), Checkpoint.of(entry), left

        cancelled, reached, left = self.database.write(append)
        if reached == checkpoint:
            return cancelled, False
        self.answered(event_id, reached.position)
        self._left.get(event_id, lambda: (left, offer), reached)  # So that the next one need not fold the ledger again.
        return cancelled, True

    def _count_left(self, event_id: str, checkpoint: Checkpoint) -> tuple[int, Offer | None]:
        """How many seats the event has left, and its offer; the ledger is folded once for many cancellations."""

        def fold(connection: Connection) -> tuple[int, Offer | None]:
            event = events.find(connection, event_id)
            if event is None or not event.archived:
                raise Overtaken("the event is not archived")
            recorded = recorded_state.fold(connection, event_id)
            if recorded.checkpoint != checkpoint:
                raise Overtaken("the record has moved on")
            return recorded.state.remaining, recorded.state.offer

        return self.database.read_snapshot(fold)
