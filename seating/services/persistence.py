"""Persistence: each event's log into SQL, entry by entry, exactly once.

SQL's watermark is the only acknowledgement. It moves in the same transaction as the rows, by compare-and-swap, so a
round that is repeated, doubled or killed half-way changes nothing.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog
from sqlalchemy import Connection

from seating.domain.errors import InventoryUnavailable, RecordUnavailable
from seating.domain.log_entry import LogEntry, Mark
from seating.domain.seating_plan import SeatingPlan
from seating.redis_store.calls import Calls
from seating.redis_store.event_log import EventLog
from seating.redis_store.inventory import Inventory
from seating.redis_store.retries import Retries
from seating.storage import events, ledger, watermarks
from seating.storage.database import Database

BATCH: Final = 500
RUN_S: Final = 5.0
"""How long one run goes on: a worker that is told to stop finishes its run first."""

_log = structlog.get_logger(__name__)


class Diverged(Exception):
    """The log in Redis does not continue the ledger in SQL."""


class Overtaken(Exception):
    """Another writer recorded these entries first."""


@dataclass(frozen=True, slots=True)
class Persistence:
    database: Database
    calls: Calls
    log: EventLog
    inventory: Inventory
    retries: Retries
    nudge: Callable[[str], object]
    _plans: dict[str, SeatingPlan | None] = field(default_factory=dict)

    def run(self, event_id: str) -> None:
        """Records what the event's log has gathered, for at most `RUN_S`; then it asks to be run again."""
        try:
            if not self.retries.is_due(event_id, time.time()):
                return
            deadline = time.monotonic() + RUN_S
            while self._round(event_id):
                if time.monotonic() > deadline:
                    self.nudge(event_id)
                    break
            self.retries.forget(event_id)
        except RecordUnavailable as error:
            wait_s = self.retries.postpone(event_id, time.time())
            _log.warning("record unavailable", event_id=event_id, retry_in_s=wait_s, error=str(error.__cause__))
        except Overtaken:
            _log.info("another writer was faster", event_id=event_id)
        except Diverged as error:
            self.inventory.distrust(event_id)
            _log.error("log does not continue the ledger", event_id=event_id, reason=str(error))
        except InventoryUnavailable as error:
            _log.warning("inventory unavailable", event_id=event_id, error=str(error.__cause__))

    def _round(self, event_id: str) -> bool:
        """One batch. True if there may be more."""
        mark = self.database.read(lambda connection: watermarks.read(connection, event_id))
        if mark is None:
            raise Diverged("the event is not on record")
        found = self.log.entries_from(event_id, mark.position, BATCH + 1)
        server = self.calls.run_id or ""
        if not found and self.inventory.read(event_id) is None:
            raise InventoryUnavailable
        entries = _continuation(mark, found)
        quarantined = self._record(event_id, mark, entries) if entries else []
        last = Mark.of(entries[-1]) if entries else mark
        self.inventory.acknowledge(event_id, last.position, server, quarantined)
        return len(entries) == BATCH

    def _record(self, event_id: str, mark: Mark, entries: list[LogEntry]) -> list[int]:
        rows = ledger.fold(event_id, entries, self._plan(event_id))

        def write(connection: Connection) -> list[int]:
            if not watermarks.advance(connection, event_id, mark, Mark.of(entries[-1])):
                raise Overtaken
            return ledger.write(connection, event_id, rows)

        quarantined = self.database.write(write)
        if quarantined:
            _log.error("entries put aside", event_id=event_id, seqs=quarantined)
        return quarantined

    def _plan(self, event_id: str) -> SeatingPlan | None:
        if event_id not in self._plans:
            if len(self._plans) >= 100:
                self._plans.clear()
            self._plans[event_id] = self.database.read(lambda connection: events.plan_of(connection, event_id))
        return self._plans[event_id]


def _continuation(mark: Mark, found: list[LogEntry]) -> list[LogEntry]:
    """What `found`, read from `mark` on, adds to it. Raises Diverged unless it begins at `mark` and has no gap."""
    if not found or Mark.of(found[0]) != mark:
        raise Diverged(f"no entry at {mark.position} with the link that SQL has")
    for entry in found[1:]:
        if not mark.is_followed_by(entry):
            raise Diverged(f"the entry at {entry.position} does not follow the one at {mark.position}")
        mark = Mark.of(entry)
    return found[1:]
