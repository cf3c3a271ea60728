"""Rebuilding an inventory from the record: after Redis lost it, came back older, or went another way.

SQL moves to the next epoch first; from then on a writer of the old one is refused. Redis follows, step by step, under a
claim that only one rebuild can hold.
"""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection

from seating.domain import chain
from seating.domain.changes import Rebuilt
from seating.domain.errors import EventNotFound, Overtaken
from seating.domain.log_entry import LogEntry, Mark
from seating.domain.position import Position
from seating.redis_store.calls import Calls
from seating.redis_store.event_log import EventLog
from seating.redis_store.rebuilding import Rebuilding
from seating.services import recorded_state
from seating.storage import events, ledger, quarantine, rebuilds, watermarks
from seating.storage.database import Database

_FORK_PAGE = 1_000

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Rebuild:
    """Raises Overtaken where another rebuild is at it, and RecordUnavailable, InventoryUnavailable."""

    database: Database
    calls: Calls
    log: EventLog

    def open(self, event_id: str) -> None:
        """Gives a new event, which is on record, its inventory."""
        with self._claimed(event_id) as attempt:
            self._write(event_id, attempt)

    def run(self, event_id: str, reason: str, *, close: bool = False) -> Position:
        """Begins a new epoch; returns its first position. What Redis has and SQL has not goes to quarantine.

        With `close` an inventory that is on sale is rebuilt too, if SQL has all of its log; otherwise Overtaken, as
        whenever the log goes on from the record: that part of it belongs into the record first.
        """
        mark = self.database.read(self._mark, event_id)
        self._refuse_unrecorded(event_id, mark)
        with self._claimed(event_id, close=close) as attempt:
            # Nothing is appended under a claim: from here on the answer stands.
            self._refuse_unrecorded(event_id, mark)
            fork = self._fork(event_id)
            first = self._begin_epoch(event_id, mark, fork, reason)
            _log.warning("rebuilding", event_id=event_id, position=str(first.position), reason=reason, forked=len(fork))
            self._write(event_id, attempt)
        _log.warning("rebuilt", event_id=event_id, position=str(first.position))
        return first.position

    @staticmethod
    def _mark(connection: Connection, event_id: str) -> Mark:
        event = events.find(connection, event_id)
        mark = watermarks.read(connection, event_id)
        if event is None or mark is None:
            raise EventNotFound
        if event.archived:
            raise Overtaken("the event is over")
        return mark

    def _refuse_unrecorded(self, event_id: str, mark: Mark) -> None:
        found = self.log.entries_from(event_id, mark.position, 2)
        if len(found) == 2 and Mark.of(found[0]) == mark and mark.is_followed_by(found[1]):
            raise Overtaken("the log goes on from the record, which has to have it first")

    @contextmanager
    def _claimed(self, event_id: str, *, close: bool = False) -> Iterator[Rebuilding]:
        attempt = Rebuilding(self.calls, event_id, secrets.token_hex(8))
        attempt.claim(close=close)
        try:
            yield attempt
        except Exception:
            attempt.give_up()
            raise

    def _fork(self, event_id: str) -> list[LogEntry]:
        """What the log in Redis has and SQL has not."""
        position = Position(1, 1)
        known: set[str] | None = None
        fork: list[LogEntry] = []
        while page := self.log.entries_from(event_id, position, _FORK_PAGE):
            if known is None:
                known = self.database.read(ledger.links_from, event_id, page[0].position.seq)
            fork += [entry for entry in page if entry.link not in known]
            position = Position(page[-1].position.epoch, page[-1].position.seq + 1)
        return fork

    def _begin_epoch(self, event_id: str, mark: Mark, fork: list[LogEntry], reason: str) -> LogEntry:
        # Where SQL was restored from a backup, Redis may be further, and its positions must not come again.
        epoch = max([mark.position.epoch, *(entry.position.epoch for entry in fork)]) + 1
        position = Position(epoch, mark.position.seq + 1)
        rebuilt = Rebuilt(time.time_ns() // 1_000_000, mark.position, reason)
        change = rebuilt.to_json()
        entry = LogEntry(position, change, chain.link(mark.link, position, change))

        def commit(connection: Connection) -> None:
            if not watermarks.advance(connection, event_id, mark, Mark.of(entry)):
                raise Overtaken("the record has moved on")
            ledger.append(connection, event_id, entry)
            rebuilds.add(connection, event_id, position.epoch, mark.position, rebuilt.at_ms, reason)
            quarantine.put_aside(connection, event_id, fork, quarantine.FORK, reason)

        self.database.write(commit)
        return entry

    def _write(self, event_id: str, attempt: Rebuilding) -> None:
        recorded = self.database.read(recorded_state.fold, event_id, attempt.renew)
        if recorded.left_out:
            # Nobody knows which seats are theirs: those are on sale again.
            positions = [str(position) for position in recorded.left_out]
            _log.error("entries left out", event_id=event_id, positions=positions)
        attempt.write(recorded.last, recorded.state, recorded.plan, recorded.quarantined)
