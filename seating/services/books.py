"""Checking the books of an event: Redis, log, ledger and the tables folded from it have to tell the same story."""

from dataclasses import dataclass
from typing import NamedTuple

import redis
from sqlalchemy import Connection

from seating.domain import log_entry
from seating.domain.changes import Merged, Purchased
from seating.domain.errors import EventNotFound, SeatNotFound
from seating.domain.log_entry import Checkpoint, LogEntry
from seating.redis_store import book_snapshot
from seating.redis_store.open_events import OpenEvents
from seating.services import book_differences, seat_history
from seating.services.book_differences import Record, story_of
from seating.services.seat_history import SeatHistoryEntry
from seating.storage import answered, events, ledger, merges, purchases, quarantine, watermarks
from seating.storage.database import Database


class Finding(NamedTuple):
    """Something that is not as it should be, and what to do about it."""

    event_id: str
    what: str
    advice: str


class Verified(NamedTuple):
    """`entries` were checked; `broken` says where the chain breaks, None if it does not."""

    entries: int
    broken: str | None


@dataclass(frozen=True, slots=True)
class Books:
    """Safe on a running sale: Redis is read at one moment, and SQL after it, up to that moment."""

    database: Database
    client: "redis.Redis"
    open_events: OpenEvents

    def event_ids(self) -> list[str]:
        """Of all events that SQL has, but for those that are over, and of those that only Redis has."""
        return sorted({*self.database.read(events.live), *self.open_events.ids()})

    def reconcile(self, event_id: str) -> list[Finding]:
        """What differs, nothing if the books are right. Raises EventNotFound."""
        snapshot = book_snapshot.take(self.client, event_id)
        try:
            record = self._record(event_id)
        except EventNotFound:
            if snapshot is None and event_id not in self.open_events.ids():
                raise
            if snapshot is None:
                return [Finding(event_id, "it was archived, and SQL has no record of it", "restore a later SQL backup")]
            what = "Redis has its sales and SQL has no record of it"
            return [Finding(event_id, what, book_differences.merge_advice(event_id))]
        differences = book_differences.find(event_id, record, snapshot)
        return [Finding(event_id, what, advice) for what, advice in differences]

    def verify(self, event_id: str) -> Verified:
        """Recomputes the hash chain from the first entry in the ledger to the last one in Redis's log.

        Personal data may be gone, but not replaced.
        """
        snapshot = book_snapshot.take(self.client, event_id)
        record = self._record(event_id)
        story = story_of(record, snapshot)
        previous, seq = log_entry.GENESIS, 0
        for count, entry in enumerate(story):
            if entry.position.seq != seq + 1 and not isinstance(entry.read(), Merged):
                return Verified(count, f"after {count} entries comes {entry.position}: there is a gap")
            if log_entry.chain_link(previous, entry.position, entry.change) != entry.link:
                return Verified(count, f"the entry at {entry.position} is not what was written")
            if entry.private is not None and not _vouches(entry):
                return Verified(count, f"the personal data at {entry.position} is not what was written")
            previous, seq = entry.link, entry.position.seq
        if record.checkpoint not in {Checkpoint.of(entry) for entry in story}:
            return Verified(len(story), f"the watermark at {record.checkpoint.position} matches no entry")
        if snapshot and previous != snapshot.inventory["chain"]:
            return Verified(len(story), "the inventory's own link is not that of the last entry")
        return Verified(len(story), None)

    def history(self, event_id: str, seat_id: str) -> list[SeatHistoryEntry]:
        """Who had a seat when, first to last; also in Redis's tail. Raises EventNotFound, SeatNotFound."""
        snapshot = book_snapshot.take(self.client, event_id)
        record = self._record(event_id)
        if record.plan is None:
            raise SeatNotFound
        record.plan.runs_of([seat_id])  # Nobody shall be told that a seat was free because its name was mistyped.
        return seat_history.tell(event_id, seat_id, record.plan, story_of(record, snapshot), record.start())

    def _record(self, event_id: str) -> Record:
        def read(connection: Connection) -> Record:
            event = events.find(connection, event_id)
            checkpoint = watermarks.read(connection, event_id)
            if event is None or checkpoint is None:
                raise EventNotFound
            return Record(
                [recorded for page in ledger.entries(connection, event_id) for recorded in page],
                checkpoint,
                event.archived,
                events.plan_of(connection, event_id),
                quarantine.waiting(connection, event_id),
                purchases.seats_taken(connection, event_id),
                purchases.standing(connection, event_id),
                answered.losses(connection, event_id),
                merges.last(connection, event_id),
            )

        return self.database.read_snapshot(read)


def _vouches(entry: LogEntry) -> bool:
    """Whether the entry has the hash of the personal data beside it."""
    change = entry.read()
    return isinstance(change, Purchased) and change.vouches_for(entry.private)
