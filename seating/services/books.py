"""Check the books of an event: Redis, log, ledger and the tables folded from it must agree."""

from collections.abc import Callable
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
from seating.services.book_differences import story_of, whole_story
from seating.services.record_differences import Record
from seating.services.seat_history import SeatHistoryEntry
from seating.storage import answered, events, ledger, merges, organiser, purchases, quarantine, watermarks
from seating.storage.database import Database


class Difference(NamedTuple):
    """A difference, and what to do about it."""

    event_id: str
    what: str
    advice: str


class Verified(NamedTuple):
    """`entries` is how many were checked; `broken` says where the chain breaks; None if it is intact."""

    entries: int
    broken: str | None


@dataclass(frozen=True, slots=True)
class Books:
    """Safe during a sale: reads a snapshot of Redis, then SQL up to that snapshot."""

    database: Database
    client: "redis.Redis"
    open_events: OpenEvents

    def event_ids(self) -> list[str]:
        """Return the ids of all events in SQL except archived ones, and of those that only Redis has."""
        return sorted({*self.database.read(events.live), *self.open_events.ids()})

    def reconcile(self, event_id: str) -> list[Difference]:
        """Return the differences; none if the books are right. Raises EventNotFound."""
        # Redis first: a healthy SQL then has whatever it had acknowledged, as persistence relies on too.
        snapshot = book_snapshot.take(self.client, event_id)
        try:
            record = self._record(event_id)
        except EventNotFound:
            if snapshot is None and event_id not in self.open_events.ids():
                raise
            if snapshot is None:
                return [
                    Difference(event_id, "it was archived, but SQL has no record of it", "restore a later SQL backup")
                ]
            what = "Redis has sales of it, but SQL has no record of it"
            return [Difference(event_id, what, book_differences.merge_advice(event_id))]
        differences = [*book_differences.find(event_id, record, snapshot)]
        # Only a later look can tell: the sale goes on, and SQL was read after the snapshot.
        last_seq = book_snapshot.last_seq(self.client, event_id) if snapshot else record.checkpoint.position.seq
        if last_seq < record.checkpoint.position.seq:
            differences.append(book_differences.went_back(last_seq, record))
        return [Difference(event_id, what, advice) for what, advice in differences]

    def verify(self, event_id: str) -> Verified:
        """Recompute the hash chain from the ledger's first entry to the last one in Redis's log or in SQL.

        Personal data may be gone, but not replaced.
        """
        snapshot = book_snapshot.take(self.client, event_id)
        record = self._record(event_id)
        story = whole_story(record, snapshot)
        links = {0: log_entry.GENESIS}
        previous, seq = log_entry.GENESIS, 0
        for count, entry in enumerate(story):
            # The entry of a merge stands for the gap before it.
            if entry.position.seq != seq + 1 and not isinstance(entry.read(), Merged):
                return Verified(count, f"there is a gap after {count} entries, before {entry.position}")
            if log_entry.chain_link(previous, entry.position, entry.change) != entry.link:
                return Verified(count, f"the entry at {entry.position} was altered")
            if entry.private is not None and not _vouches(entry):
                return Verified(count, f"the personal data at {entry.position} was altered")
            previous, seq = entry.link, entry.position.seq
            links[seq] = previous
        if record.checkpoint not in {Checkpoint.of(entry) for entry in story}:
            return Verified(len(story), f"the watermark at {record.checkpoint.position} matches no entry")
        if snapshot and snapshot.inventory["chain"] != links.get(snapshot.checkpoint.position.seq):
            return Verified(len(story), "the inventory's link does not match its last entry")
        return Verified(len(story), None)

    def history(self, event_id: str, seat_id: str) -> list[SeatHistoryEntry]:
        """Return who had a seat and when, up to the end of Redis's log. Raises EventNotFound, SeatNotFound."""
        return self.history_reader(event_id, seat_id)()

    def history_reader(self, event_id: str, seat_id: str) -> Callable[[], list[SeatHistoryEntry]]:
        """Return what works out `history`: for a long log that takes seconds, but no connection, so any thread will do.

        Raises what `history` does.
        """
        snapshot = book_snapshot.take(self.client, event_id)
        record = self._record(event_id)
        if record.plan is None:
            raise SeatNotFound
        record.plan.runs_of([seat_id])  # Raises for a mistyped id: it would look like a seat without history.
        plan = record.plan
        return lambda: seat_history.tell(event_id, seat_id, plan, story_of(record, snapshot), record.start())

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
                organiser.seat_statuses(connection, event_id),
                purchases.standing(connection, event_id),
                answered.losses(connection, event_id),
                merges.last(connection, event_id),
            )

        return self.database.read_snapshot(read)


def _vouches(entry: LogEntry) -> bool:
    """Whether the entry has the hash of the personal data beside it."""
    change = entry.read()
    return isinstance(change, Purchased) and change.vouches_for(entry.private)
