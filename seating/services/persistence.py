"""Persistence: each event's log into SQL, entry by entry, exactly once.

SQL's watermark is the only acknowledgement. It moves in the same transaction as the rows, by compare-and-swap, so a
round that is repeated, doubled or killed half-way changes nothing.
"""

import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from seating.domain.errors import InventoryUnavailable, Overtaken, RecordUnavailable
from seating.domain.log_entry import LogEntry, Mark
from seating.domain.seating_plan import SeatingPlan
from seating.redis_store.calls import Calls
from seating.redis_store.event_log import EventLog
from seating.redis_store.inventory import Inventory
from seating.redis_store.inventory_snapshot import Snapshot
from seating.redis_store.retries import Retries
from seating.services.rebuild import Rebuild
from seating.storage import events, ledger, quarantine, rebuilds, watermarks
from seating.storage.database import Database

BATCH: Final = 500
RUN_S: Final = 5.0
"""How long one run goes on: a worker that is told to stop finishes its run first."""

_log = structlog.get_logger(__name__)


class Diverged(Exception):
    """The log in Redis does not continue the ledger in SQL."""


@dataclass(frozen=True, slots=True)
class Persistence:
    database: Database
    calls: Calls
    log: EventLog
    inventory: Inventory
    retries: Retries
    rebuild: Rebuild
    nudge: Callable[..., object]
    _plans: dict[str, SeatingPlan | None] = field(default_factory=dict)

    def run_all(self, event_ids: Sequence[str]) -> None:
        """Runs for those of the events that lag: the nudge of another process may have been first."""
        try:
            snapshots = self.inventory.read_all(event_ids)
        except InventoryUnavailable as error:
            _log.warning("inventories unavailable", error=str(error.__cause__))
            return
        self.run(*(event_id for event_id, found in zip(event_ids, snapshots, strict=True) if not _is_whole(found)))

    def run(self, *event_ids: str) -> None:
        """Records what the events' logs have gathered, batch by batch in turns, for at most `RUN_S`.

        Then it asks to be run again. An inventory that is gone, or whose log does not continue the ledger, is rebuilt.
        """
        deadline = time.monotonic() + RUN_S
        # In any order: one that takes all the time is not to be the first each time.
        waiting = deque(random.sample(event_ids, len(event_ids)))
        while waiting:
            event_id = waiting.popleft()
            if self._turn(event_id):
                waiting.append(event_id)
            if waiting and time.monotonic() > deadline:
                with suppress(InventoryUnavailable):  # The cron nudges for whatever lags.
                    self.nudge(*waiting)
                return

    def _turn(self, event_id: str) -> bool:
        """One batch. True if there may be more."""
        try:
            if not self.retries.is_due(event_id, time.time()):
                return False
            more = self._record_or_rebuild(event_id)
            self.retries.forget(event_id)
            return more
        except RecordUnavailable as error:
            _log.warning("record unavailable", event_id=event_id, error=str(error.__cause__))
            with suppress(InventoryUnavailable):  # A full Redis takes no note; then the next try is not put off.
                self.retries.postpone(event_id, time.time())
        except Overtaken as error:
            _log.debug("lost race", event_id=event_id, reason=str(error))
        except InventoryUnavailable as error:
            _log.warning("inventory unavailable", event_id=event_id, error=str(error.__cause__))
        except SQLAlchemyError as error:
            # One event's trouble is not the others'.
            _log.error("event not persisted", event_id=event_id, exc_info=error)
        return False

    def _record_or_rebuild(self, event_id: str) -> bool:
        seen = self.inventory.identity(event_id)
        try:
            return self._round(event_id)
        except Diverged as error:
            if not self.inventory.distrust(event_id, seen):
                raise Overtaken("the inventory is not what it was when its log was read") from error
            _log.error("log does not continue the ledger", event_id=event_id, reason=str(error))
            self.rebuild.run(event_id, str(error))
            return False

    def _round(self, event_id: str) -> bool:
        """One batch. True if there may be more."""
        mark, waiting = self.database.read(_progress, event_id)
        if mark is None:
            _log.error("event is not on record", event_id=event_id)
            return False
        found = self.log.entries_from(event_id, mark.position, BATCH + 1)
        server = self.calls.run_id or ""
        try:
            entries = _continuation(mark, found)
        except Diverged:
            if self._mark(event_id) != mark:
                raise Overtaken("the record has moved on") from None
            raise
        quarantined = self._record(event_id, mark, entries) if entries else []
        last = Mark.of(entries[-1]) if entries else mark
        whole = len(found) <= BATCH and len(entries) == len(found) - 1
        if whole:
            self._refuse_shortened(event_id, last)
        # What went to quarantine before is told again: whoever put it there may have died before it could tell.
        self.inventory.acknowledge(event_id, last.position, server, [*waiting, *quarantined], trust=whole)
        return not whole

    def _mark(self, event_id: str) -> Mark | None:
        return self.database.read(watermarks.read, event_id)

    def _refuse_shortened(self, event_id: str, mark: Mark) -> None:
        """A log that continues SQL's, but ends before its inventory or before what buyers know, has lost its end."""
        snapshot = self.inventory.read(event_id)
        if snapshot is None:
            raise Diverged("Redis has no inventory")
        if snapshot.backlog.trusted:
            return
        epoch, seq = mark.position
        if snapshot.backlog.position != mark.position:
            raise Diverged(f"the log ends at {mark.position}, its inventory is at {snapshot.backlog.position}")
        answered = self.database.read(rebuilds.highest_answered, event_id, epoch)
        if answered > seq:
            raise Diverged(f"buyers were answered up to {epoch}-{answered}, the log ends at {epoch}-{seq}")

    def _record(self, event_id: str, mark: Mark, entries: list[LogEntry]) -> list[int]:
        rows = ledger.read_rows(entries)
        plan = self._plan(event_id)

        def write(connection: Connection) -> list[int]:
            if not watermarks.advance(connection, event_id, mark, Mark.of(entries[-1])):
                raise Overtaken("the record has moved on")
            return ledger.write(connection, event_id, rows, plan)

        quarantined = self.database.write(write)
        if quarantined:
            _log.error("entries put aside", event_id=event_id, seqs=quarantined)
        return quarantined

    def _plan(self, event_id: str) -> SeatingPlan | None:
        if event_id not in self._plans:
            if len(self._plans) >= 100:
                self._plans.clear()
            self._plans[event_id] = self.database.read(events.plan_of, event_id)
        return self._plans[event_id]


def _is_whole(snapshot: Snapshot | None) -> bool:
    """Whether SQL has all of a log that can be trusted."""
    return snapshot is not None and snapshot.backlog.trusted and not snapshot.backlog.lag


def _progress(connection: Connection, event_id: str) -> tuple[Mark | None, list[int]]:
    """How far the record is, and the seqs of the poison that waits in quarantine."""
    return watermarks.read(connection, event_id), quarantine.waiting_poison(connection, event_id)


def _continuation(mark: Mark, found: list[LogEntry]) -> list[LogEntry]:
    """What `found`, read from `mark` on, adds to it, up to where it goes wrong.

    Raises Diverged unless it begins at `mark` and the entry after that follows.
    """
    if not found or Mark.of(found[0]) != mark:
        raise Diverged(f"no entry at {mark.position} with the link that SQL has")
    entries: list[LogEntry] = []
    for entry in found[1:]:
        if not mark.is_followed_by(entry):
            if entries:
                break  # These are recorded first; the next round goes wrong at its very first entry.
            raise Diverged(f"the entry at {entry.position} does not follow {mark.position}")
        entries.append(entry)
        mark = Mark.of(entry)
    return entries
