"""Record each event's log in SQL, every entry exactly once.

SQL's watermark is the only acknowledgement. It moves by compare-and-swap in the transaction that writes the rows, so
a round may be repeated, run twice at once or be killed half-way. A round also detects which store has lost data, and
begins the term in which an inventory sells again.
"""

import random
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, Never

import structlog
from sqlalchemy.exc import SQLAlchemyError

from seating.domain.errors import BacklogFull, InventoryUnavailable, RecordUnavailable, SeatingError
from seating.domain.log_entry import Checkpoint, Diverged, continuation, refuse_shortened
from seating.domain.position import Position
from seating.domain.recovery_errors import Overtaken, RebuildRefused, UnreadableEntry
from seating.redis_store.event_log import EventLog
from seating.redis_store.inventory import Inventory
from seating.redis_store.inventory_snapshot import Head
from seating.redis_store.persist_retries import PersistRetries
from seating.redis_store.seen_positions import SeenPositions
from seating.redis_store.terms import Terms
from seating.services.ledger_writer import LedgerWriter
from seating.services.rebuild import Rebuild
from seating.storage import events, progress, watermarks
from seating.storage import terms as term_record
from seating.storage.database import Database
from seating.storage.progress import Progress

BATCH: Final = 500
RUN_S: Final = 5.0
"""The longest run. A worker finishes its run before it stops."""
GATHER_S: Final = 0.1
"""How long entries gather once SQL has nearly caught up: a round costs as much as recording a hundred entries."""
SQL_LOST: Final = "SQL lacks what it had acknowledged"

_log = structlog.get_logger(__name__)


class _SqlLost(Exception):
    """SQL lacks an entry that it had acknowledged, and the log does not reach back to SQL's watermark."""


@dataclass(slots=True)
class RunResult:
    """What a run recorded, one transaction per batch. `begun` are the events whose terms it began."""

    entries: int = 0
    batches: int = 0
    begun: set[str] = field(default_factory=set)


class _Next(Enum):
    """When an event gets its next turn in a run."""

    NEVER = auto()
    NOW = auto()
    LATER = auto()


@dataclass(frozen=True, slots=True)
class Persistence:
    database: Database
    writer: LedgerWriter
    log: EventLog
    inventory: Inventory
    terms: Terms
    seen: SeenPositions
    retries: PersistRetries
    rebuild: Rebuild
    nudge: Callable[..., object]

    def run_all(
        self, event_ids: Sequence[str], nudged: Callable[[], Iterable[str]] = tuple, *, follows: bool = True
    ) -> RunResult:
        """Run for those of the events that lag, and for those that `nudged` returns during the run."""
        return self.run(*self._lagging(event_ids), nudged=nudged, follows=follows)

    def _lagging(self, event_ids: Sequence[str]) -> list[str]:
        """Return the events that SQL does not have completely. Another worker may have recorded the others."""
        try:
            snapshots = self.inventory.read_all(event_ids)
        except InventoryUnavailable as error:
            _log.warning("inventories unavailable", error=str(error.__cause__))
            return []
        pairs = zip(event_ids, snapshots, strict=True)
        return [event_id for event_id, found in pairs if not (found and found.backlog.is_recorded)]

    def run_now(self, event_id: str) -> None:
        """Run at once, even if the event has failed and its next retry is not due: an operator has fixed the cause."""
        with suppress(InventoryUnavailable):
            self.retries.forget(event_id)
        self.run(event_id)

    def run(self, *event_ids: str, nudged: Callable[[], Iterable[str]] = tuple, follows: bool = True) -> RunResult:
        """Record the events' logs in turns, a batch per turn, for at most `RUN_S`. Nudge for the events that are left.

        Go on for as long as entries come, unless `follows` is false. Rebuild an inventory that is missing or has
        diverged. Begin a term for one that is recorded but not on sale.
        """
        deadline = time.monotonic() + RUN_S
        # In random order: a slow event that came first every time would use up every run.
        waiting = deque(random.sample(event_ids, len(event_ids)))
        gathering: list[str] = []
        gathered_at = deadline
        recorded = RunResult()
        while waiting:
            event_id = waiting.popleft()
            turn = self._turn(event_id, recorded)
            if turn is _Next.NOW:
                waiting.append(event_id)
            elif turn is _Next.LATER and follows:
                gathered_at = gathered_at if gathering else time.monotonic() + GATHER_S
                gathering.append(event_id)
            if (waiting or gathering) and time.monotonic() > deadline:
                left = [event_id for event_id in (*waiting, *gathering) if not self.inventory.is_silent(event_id)]
                with suppress(InventoryUnavailable):  # The cron nudges for every event that lags anyway.
                    self.nudge(*left)
                break
            if gathering and not waiting:
                time.sleep(max(0.0, gathered_at - time.monotonic()))
            if gathering and (not waiting or time.monotonic() >= gathered_at):
                waiting.extend(gathering)
                gathering.clear()
                waiting.extend(self._lagging(sorted(set(nudged()).difference(waiting))))
        return recorded

    def _turn(self, event_id: str, recorded: RunResult) -> _Next:
        """Run one round for the event and handle its failures."""
        if self.inventory.is_silent(event_id):
            # Waiting for it would hold up the events of other servers. The cron nudges once it answers.
            return _Next.NEVER
        try:
            retry = self.retries.read(event_id)
            if retry.waits:
                return _Next.NEVER
            turn = self._round(event_id, recorded)
            if retry.failed:
                self.retries.forget(event_id)
            return turn
        except RecordUnavailable as error:
            _log.warning("record unavailable", event_id=event_id, error=str(error.__cause__))
            self._postpone(event_id, for_sql=True)
        except (_SqlLost, RebuildRefused, UnreadableEntry) as error:
            # Only an operator can fix this. Log it at every retry; sales go on if they can.
            _log.error("event not persisted", event_id=event_id, reason=str(error))
            self._postpone(event_id)
        except Overtaken as error:
            _log.debug("lost race", event_id=event_id, reason=str(error))
        except (InventoryUnavailable, BacklogFull) as error:
            _log.warning("inventory unavailable", event_id=event_id, code=error.code, error=str(error.__cause__))
        except (SeatingError, SQLAlchemyError) as error:
            # The failure of one event must not stop the others.
            _log.error("event not persisted", event_id=event_id, exc_info=error)
        return _Next.NEVER

    def _postpone(self, event_id: str, *, for_sql: bool = False) -> None:
        with suppress(InventoryUnavailable):  # A full Redis cannot store the delay, so the retry comes early.
            self.retries.postpone(event_id, for_sql=for_sql)

    def _round(self, event_id: str, recorded: RunResult) -> _Next:
        """Record one batch, or take one step towards selling."""
        # Read Redis before SQL: a healthy SQL has whatever Redis knew to be acknowledged by then. In the other order,
        # an acknowledgement between the two reads would look like an SQL that lost data.
        head = self.terms.head(event_id)
        acknowledged, trusted = (head.acknowledged, head.trusted) if head else (None, True)
        record = self.database.read(progress.read, event_id, acknowledged, not trusted)
        if record is None:
            return self._not_on_record(event_id, head)
        # From here on this process refuses an old primary, whose term is over.
        self.seen.note(event_id, Position(record.checkpoint.position.epoch, 0))
        if head and head.archived:
            return self._archived(event_id, head, record)
        found = self.log.entries_from(event_id, record.checkpoint.position, BATCH + 1)  # The first is SQL's last.
        if head is None and len(found) <= 1:
            return self._rebuild(event_id, head, "Redis has no inventory")
        try:
            entries = continuation(record.checkpoint, found)
            if head and len(found) <= BATCH and len(entries) == len(found) - 1:
                refuse_shortened(found[-1].position, head.checkpoint)
        except Diverged as error:
            return self._diverged(event_id, head, record, str(error))
        last, quarantined = self.writer.write(event_id, record.checkpoint, entries)
        recorded.entries += len(entries)
        recorded.batches += bool(entries)
        # Its fields are gone or unreadable, its log is not: a rebuild may begin once the whole log is recorded.
        if head is None or head.checkpoint is None:
            if entries:
                return _Next.NOW
            return self._rebuild(event_id, head, "the inventory cannot be read", only_if_lost=False)
        # One that is not trusted yet was rebuilt or restored, and may lack its copies of what waits in quarantine.
        asides = quarantined if head.trusted else [*record.quarantined, *quarantined]
        reply = self.terms.acknowledge(event_id, head.server, last, record.database, asides)
        if reply is None:
            raise Overtaken("the inventory has changed since its log was read")
        if reply.lag:
            if len(found) > BATCH or last != Checkpoint.of(found[-1]):
                return _Next.NOW
            # A round for the few new entries would cost as much as one for all that gather meanwhile.
            return _Next.LATER if entries else _Next.NEVER
        return _Next.NEVER if reply.sells else self._begin_term(event_id, head, last, record.database, recorded.begun)

    def _not_on_record(self, event_id: str, head: Head | None) -> _Next:
        if head and head.checkpoint:
            self._stop(event_id, head)
        _log.error("event is not on record", event_id=event_id)
        return _Next.NEVER

    def _diverged(self, event_id: str, head: Head | None, record: Progress, reason: str) -> _Next:
        """Rebuild an inventory whose log does not continue the ledger, unless SQL is the one that lost data."""
        # Another worker that records the same entries moves the record on between the reads of SQL and of the log.
        if self.database.read(watermarks.read, event_id) != record.checkpoint:
            raise Overtaken("the record has moved on")
        if head and not record.has_acknowledged:
            self._stop(event_id, head)
        _log.error("log does not continue the ledger", event_id=event_id, reason=reason)
        return self._rebuild(event_id, head, reason)

    def _archived(self, event_id: str, head: Head, record: Progress) -> _Next:
        if not record.has_acknowledged:
            self._stop(event_id, head)
        if not record.archived:  # SQL was restored from a backup that had all of the event already.
            self.database.write(events.set_archived, event_id)
        return _Next.NEVER

    def _stop(self, event_id: str, head: Head) -> Never:
        """Mark the inventory as stopped, so that readiness and operators see it. Raises _SqlLost."""
        if head.acknowledged:
            self.terms.stop(event_id, head.acknowledged, SQL_LOST)
        raise _SqlLost(f"{SQL_LOST}: run `seating merge {event_id}`")

    def _rebuild(self, event_id: str, head: Head | None, reason: str, *, only_if_lost: bool = True) -> _Next:
        if head and head.claimed:
            raise Overtaken("it is already being rebuilt")
        self.rebuild.run(event_id, reason, claimable="any", only_if_lost=only_if_lost)
        return _Next.NOW

    def _begin_term(self, event_id: str, head: Head, recorded: Checkpoint, database: str, begun: set[str]) -> _Next:
        """Append the entry that begins a term, which the next round records."""
        # Once per run, in case the server flaps.
        if head.claimed or event_id in begun:
            return _Next.NEVER
        if not head.has_terms:
            return self._rebuild(event_id, head, "taken over from a version without terms", only_if_lost=False)
        begun.add(event_id)
        known = (recorded.position.epoch, head.seen_epoch)
        epoch = self.database.write(term_record.allocate, event_id, time.time(), *known)
        position = self.terms.begin(event_id, epoch, recorded, secrets.token_hex(8), database)
        if position:
            _log.info("term begun", event_id=event_id, position=str(position))
        return _Next.NOW if position else _Next.NEVER
