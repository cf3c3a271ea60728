"""Rebuild an inventory from the record, after Redis lost it, went back in time, or forked.

SQL moves to the next epoch first and takes in the entries that only Redis has. From then on it refuses writers of the
old epoch. Redis follows under a claim that one rebuild holds at a time, and sells again once a term has begun.
"""

import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection

from seating.domain.actor import Actor
from seating.domain.change_json import change_json
from seating.domain.changes import Rebuilt
from seating.domain.errors import EventNotFound
from seating.domain.inventory_state import InventoryState
from seating.domain.log_entry import Checkpoint, LogEntry
from seating.domain.position import Position
from seating.domain.recovery_errors import Overtaken, RebuildRefused
from seating.domain.replay import Replay, Replayed
from seating.domain.replay_decision import Outcome
from seating.domain.seating_plan import SeatingPlan
from seating.redis_store.calls import Calls
from seating.redis_store.event_log import EventLog
from seating.redis_store.inventory_snapshot import Head
from seating.redis_store.process_reports import BackgroundCounts
from seating.redis_store.rebuilding import Claimable, Rebuilding
from seating.redis_store.terms import Terms
from seating.services import purchase_log, recorded_state
from seating.services.recorded_state import RecordedState
from seating.storage import events, ledger, quarantine, watermarks
from seating.storage import terms as term_record
from seating.storage.database import Database
from seating.storage.quarantine import QuarantinedEntry

_FORK_PAGE = 1_000

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Rebuild:
    """Raises Overtaken if another attempt interferes, RebuildRefused, RecordUnavailable, InventoryUnavailable."""

    database: Database
    calls: Calls
    log: EventLog
    terms: Terms
    counts: BackgroundCounts

    def open(self, event_id: str) -> None:
        """Create the inventory of a new, recorded event. Raises Overtaken if it has a log already."""
        with self.claimed(event_id, "open", "closed") as attempt:
            # If this process was stopped meanwhile, another one may have rebuilt the inventory, and sold from it.
            if self.log.entries_from(event_id, Position(1, 1), 1):
                raise Overtaken("the event has a log already")
            self.write(event_id, attempt)

    def run(
        self,
        event_id: str,
        reason: str,
        *,
        claimable: Claimable = "closed",
        only_if_lost: bool = False,
        force: bool = False,
        by: Actor | None = None,
    ) -> Position:
        """Begin a new epoch from SQL's record, replay what only Redis has, and return the epoch's first position.

        `only_if_lost`: raise Overtaken if Redis has everything that SQL has. `force`: leave out entries that this
        version cannot read, instead of refusing. Nothing is wiped while SQL lacks an entry that it had acknowledged.
        `by` is the operator who asked; None if the rebuild is automatic.
        """
        # Checked before the claim too, because the claim closes the sale.
        self._refuse_loss(event_id, self.terms.head(event_id))
        with self.claimed(event_id, "rebuild", claimable) as attempt:
            # Nothing is appended under a claim, so what is read from here on stays true.
            head = self.terms.head(event_id)
            recorded = self.database.read_snapshot(self._recorded, event_id, attempt, force)
            # Again, since the sale went on until the claim, and SQL may have acknowledged more.
            self._refuse_loss(event_id, head)
            self._refuse_unrecorded(event_id, recorded.checkpoint, head if only_if_lost else None)
            fork = self._fork(event_id, attempt, force)
            first, last, waiting = self._begin_epoch(event_id, attempt, head, recorded, fork, reason, by)
            _log.warning("rebuilding", event_id=event_id, position=str(first), reason=reason, forked=len(fork))
            # The replay has brought the state to `last`. Folding the ledger again would double the time.
            self._replace(event_id, attempt, recorded.state, recorded.plan, last)
        self.counts.add_rebuild(len(fork), waiting)
        _log.warning("rebuilt", event_id=event_id, position=str(first))
        return first

    @contextmanager
    def claimed(self, event_id: str, purpose: str, claimable: Claimable) -> Iterator[Rebuilding]:
        attempt = Rebuilding(self.calls, event_id, secrets.token_hex(8))
        attempt.claim(purpose, claimable)
        try:
            yield attempt
        except Exception:
            # Otherwise the next attempt would have to wait until the lease ends.
            attempt.undo()
            raise

    def write(self, event_id: str, attempt: Rebuilding, *, expected: LogEntry | None = None) -> None:
        """Write SQL's record to Redis. Raises Overtaken unless the record ends at `expected`, if given."""
        recorded = self.database.read_snapshot(recorded_state.fold, event_id, attempt.renew)
        if expected is not None and recorded.last != expected:
            raise Overtaken("the record has moved on")
        _refuse_left_out(recorded, force=False)
        self._replace(event_id, attempt, recorded.state, recorded.plan, recorded.last)

    def _replace(
        self, event_id: str, attempt: Rebuilding, state: InventoryState, plan: SeatingPlan | None, last: LogEntry
    ) -> None:
        """Write `state` to Redis: the record's state as of `last`."""

        def read(connection: Connection) -> tuple[list[LogEntry], dict[int, int], str, str]:
            event = events.find(connection, event_id)
            if event is None:
                raise Overtaken("the event has disappeared from SQL")
            return (
                [aside.entry for aside in quarantine.waiting(connection, event_id)],
                term_record.first_seqs(connection, event_id),
                event.name,
                term_record.database_id(connection),
            )

        # Read only now: the transaction before may have begun a term and put entries aside.
        asides, terms, name, database = self.database.read_snapshot(read)
        attempt.write(last, state, plan, asides, terms, name=name, database=database)

    @staticmethod
    def _recorded(connection: Connection, event_id: str, attempt: Rebuilding, force: bool) -> RecordedState:
        event = events.find(connection, event_id)
        checkpoint = watermarks.read(connection, event_id)
        if event is None or checkpoint is None:
            raise EventNotFound
        if event.archived:
            raise Overtaken("the event is archived")
        recorded = recorded_state.fold(connection, event_id, attempt.renew)
        _refuse_left_out(recorded, force)
        if recorded.checkpoint != checkpoint:
            raise RebuildRefused(
                f"the ledger ends at {recorded.last.position}, its watermark is at {checkpoint.position}"
            )
        return recorded

    def _refuse_loss(self, event_id: str, head: Head | None) -> None:
        known = head.acknowledged if head else None
        if known and not self.database.read(ledger.has, event_id, known):
            raise RebuildRefused(f"SQL lacks the entry at {known.position}, which it had acknowledged")

    def _refuse_unrecorded(self, event_id: str, checkpoint: Checkpoint, doubted: Head | None) -> None:
        found = self.log.entries_from(event_id, checkpoint.position, 2)
        if not found or Checkpoint.of(found[0]) != checkpoint:
            return
        # Entries that continue the ledger are no fork: recorded as they are, they keep their positions.
        if len(found) == 2 and found[1].follows(checkpoint):
            raise Overtaken("the log has entries that must be recorded first")
        if len(found) == 1 and doubted and doubted.checkpoint == checkpoint:
            raise Overtaken("nothing is lost")

    def _fork(self, event_id: str, attempt: Rebuilding, force: bool) -> list[LogEntry]:
        """Return the entries of Redis's log after the last one that SQL knows."""
        position = Position(1, 1)
        fork: list[LogEntry] = []
        while page := self.log.entries_from(event_id, position, _FORK_PAGE):
            attempt.renew()
            links = [entry.link for entry in page]
            known = self.database.read(ledger.known_links, event_id, links)
            for entry in page:
                # SQL has this entry, and so all before it: only what follows can be a fork.
                if entry.link in known:
                    fork.clear()
                else:
                    fork.append(entry)
            position = Position(page[-1].position.epoch, page[-1].position.seq + 1)
        unreadable = [str(entry.position) for entry in fork if entry.read() is None]
        if unreadable and not force:
            raise RebuildRefused(f"SQL lacks {', '.join(unreadable)}, which this version cannot read")
        return fork

    def _begin_epoch(
        self,
        event_id: str,
        attempt: Rebuilding,
        head: Head | None,
        recorded: RecordedState,
        fork: Sequence[LogEntry],
        reason: str,
        by: Actor | None,
    ) -> tuple[Position, LogEntry, int]:
        """Commit the new epoch to SQL; return its first position, its last entry, and how many of the fork's wait."""
        # Higher than any epoch that Redis or the fork has used: no position may mean two things.
        known = [head.seen_epoch, head.checkpoint.position.epoch if head.checkpoint else 0] if head else []
        known += [entry.position.epoch for entry in fork]
        epoch = self.database.write(term_record.allocate, event_id, time.time(), *known)
        rebuilt = Rebuilt(attempt.claimed_ms, recorded.checkpoint.position, reason, by)
        first = LogEntry.after(recorded.checkpoint, change_json(rebuilt), epoch)
        replay = Replay(recorded.state, Checkpoint.of(first), attempt.claimed_ms, recorded.seat_name)
        outcomes = replay.run(entry for entry in fork if entry.read() is not None)
        outcomes += [Replayed(entry, Outcome.WAITS, "not readable") for entry in fork if entry.read() is None]
        entries = [first, *replay.appended]

        def commit(connection: Connection) -> None:
            if not watermarks.advance(connection, event_id, recorded.checkpoint, Checkpoint.of(entries[-1])):
                raise Overtaken("the record has moved on")
            quarantine.put_aside(connection, (_aside(event_id, outcome) for outcome in outcomes))
            ledger.write(connection, event_id, ledger.read_rows(entries), recorded.plan)
            # Purchases that wait as lost may have turned up in the fork.
            quarantine.look_again(connection, event_id)

        # One that has lost its claim must not commit: the inventory may sell again.
        attempt.renew()
        self.database.write(commit)
        for outcome in (Outcome.REPLAYED, Outcome.WAITS):
            fared = [(replayed.entry, replayed.entry.read()) for replayed in outcomes if replayed.outcome is outcome]
            purchase_log.happened(
                "purchases replayed" if outcome is Outcome.REPLAYED else "purchases put aside",
                event_id,
                purchase_log.purchase_ids(event_id, fared),
            )
        return first.position, entries[-1], sum(outcome.outcome is Outcome.WAITS for outcome in outcomes)


def _refuse_left_out(recorded: RecordedState, force: bool) -> None:
    positions = [str(position) for position in recorded.left_out]
    if positions and not force:
        raise RebuildRefused(f"this version cannot read {', '.join(positions)}; their seats would go on sale again")
    if positions:
        _log.error("entries left out", positions=positions)


def _aside(event_id: str, replayed: Replayed) -> QuarantinedEntry:
    resolution = None if replayed.outcome is Outcome.WAITS else replayed.outcome.value
    return QuarantinedEntry(event_id, replayed.entry, quarantine.FORK, replayed.reason, resolution)
