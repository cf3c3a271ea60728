"""The positions and receipts that this process confirmed to buyers. They show what a recovered Redis has lost.

Positions are kept while the process lives and rewritten every few seconds, in case SQL was restored from a backup.
Receipts are kept until they are recorded. If their term ends first, they go to quarantine.
"""

import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from itertools import chain, islice
from typing import Final, NamedTuple

import gevent
import structlog
from gevent.event import Event
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from seating.domain.change_json import change_json
from seating.domain.errors import RecordUnavailable
from seating.domain.log_entry import Checkpoint, LogEntry
from seating.domain.position import Position
from seating.domain.receipt import Receipt
from seating.redis_store.seen_positions import SeenPositions
from seating.services import purchase_log
from seating.storage import answered, audit, purchases, quarantine, watermarks
from seating.storage.answered import ConfirmedRange
from seating.storage.database import Database
from seating.storage.quarantine import QuarantinedEntry

MOST_TERMS: Final = 10_000
MOST_RECEIPTS: Final = 10_000
_WRITE_AGAIN_EVERY_S: Final = 10.0
_WRITE_EVERY_S: Final = 1.0
"""A process that is killed takes along what it confirmed since; each write is a transaction."""

_log = structlog.get_logger(__name__)


class _ConfirmedReceipt(NamedTuple):
    """`idempotency` is the hash of caller and key."""

    receipt: Receipt
    idempotency: str


class Answered:
    """`note` only touches memory; `flush`, called every second, writes what is new to SQL."""

    def __init__(self, database: Database, seen: SeenPositions) -> None:
        self._database = database
        self._seen = seen
        self._ranges: dict[tuple[str, int], ConfirmedRange] = {}
        self._unwritten: set[tuple[str, int]] = set()
        self._receipts: OrderedDict[str, _ConfirmedReceipt] = OrderedDict()
        self._written_again_at = float("-inf")

    def note(self, event_id: str, position: Position, receipt: Receipt | None = None, idempotency: str = "") -> None:
        """Note that a caller got a response with `position`, and with `receipt` if it was a purchase."""
        # Keyed by epoch: a response from the next epoch must not hide a loss in this one.
        key, seq = (event_id, position.epoch), position.seq
        confirmed = self._ranges.get(key)
        if confirmed is None or not confirmed.lowest <= seq <= confirmed.highest:
            self._ranges[key] = confirmed.with_seq(seq) if confirmed else ConfirmedRange(seq, seq)
            self._unwritten.add(key)
        if receipt is not None:
            self._receipts[str(receipt.id)] = _ConfirmedReceipt(receipt, idempotency)
            # Without its receipt a lost purchase is still reported, by its position.
            if len(self._receipts) > MOST_RECEIPTS:
                self._receipts.popitem(last=False)

    def flush(self) -> None:
        """Write new positions to SQL and settle receipts.

        Raises RecordUnavailable. Nothing is dropped then, and the next call tries again.
        """
        events = self._events_to_check()
        if not events:
            return
        checkpoints = self._database.read(watermarks.read_all, events)
        if missing := [event_id for event_id in events if event_id not in checkpoints]:
            self._forget_deleted(missing)
        for event_id, checkpoint in checkpoints.items():
            # Once SQL has a new term, this process refuses an old primary within a second.
            self._seen.note(event_id, Position(checkpoint.position.epoch, 0))
        # Taken before the write, because other greenlets note positions while it waits.
        unwritten, self._unwritten = self._unwritten, set()
        try:
            if unwritten:
                self._database.write(answered.remember, {key: self._ranges[key] for key in unwritten})
            self._settle_receipts(checkpoints)
        except BaseException:
            self._unwritten |= unwritten
            raise
        # Only after the write: a range that is dropped before could be lost without a report. Those that were noted
        # during the write are due next.
        written = (key for key in self._ranges if key not in self._unwritten)
        for key in list(islice(written, max(0, len(self._ranges) - MOST_TERMS))):
            del self._ranges[key]

    def _events_to_check(self) -> list[str]:
        """Return the events with unwritten positions or unsettled receipts.

        Every few seconds that is every event. A restored database lacks rows that were written before, and once it
        has caught up, nothing else shows that.
        """
        now = time.monotonic()
        if now - self._written_again_at > _WRITE_AGAIN_EVERY_S:
            self._written_again_at = now
            self._unwritten |= self._ranges.keys()
        waiting = {kept.receipt.id.event_id for kept in self._receipts.values()}
        return sorted(waiting | {event_id for event_id, _ in self._unwritten})

    def _forget_deleted(self, missing: Sequence[str]) -> None:
        """Forget those of the events that were deleted. A restored database may lack others, which must not be lost."""
        deleted = self._database.read(audit.deleted, missing)
        if not deleted:
            return
        # A process may have written its positions again just after the event was deleted.
        self._database.write(answered.forget, deleted)
        self._ranges = {key: confirmed for key, confirmed in self._ranges.items() if key[0] not in deleted}
        self._unwritten &= self._ranges.keys()
        for purchase_id in [key for key, kept in self._receipts.items() if kept.receipt.id.event_id in deleted]:
            del self._receipts[purchase_id]

    def _settle_receipts(self, checkpoints: Mapping[str, Checkpoint]) -> None:
        """Drop receipts that SQL has recorded, and quarantine those whose term ended before they were recorded."""
        done: list[str] = []
        orphaned: dict[str, _ConfirmedReceipt] = {}
        for purchase_id, kept in self._receipts.items():
            event_id, position, _ = kept.receipt.id
            checkpoint = checkpoints.get(event_id)
            if checkpoint and position.epoch == checkpoint.position.epoch and position.seq <= checkpoint.position.seq:
                done.append(purchase_id)
            elif checkpoint and position.epoch < checkpoint.position.epoch:
                # It may have been recorded before its term ended, or by a rebuild since: SQL decides.
                orphaned[purchase_id] = kept
        if orphaned:
            lost = self._database.write(_put_aside, orphaned)
            for event_id, ids in lost.items():
                purchase_log.happened("purchases lost", event_id, ids)
        for purchase_id in (*done, *orphaned):
            # `note` may have dropped it for want of room while SQL was asked.
            self._receipts.pop(purchase_id, None)


class AnsweredWriter:
    """Writes in the background, every second, and at once where `hurry` is called."""

    def __init__(self, answered: Answered) -> None:
        self._answered = answered
        self._hurried = Event()

    def start(self) -> None:
        gevent.spawn(self._write_forever)

    def hurry(self) -> None:
        """Write now: Redis may have lost it, and this process may be killed next."""
        self._hurried.set()

    def _write_forever(self) -> None:
        while True:
            self._hurried.wait(_WRITE_EVERY_S)
            self._hurried.clear()
            try:
                self._answered.flush()
            except (RecordUnavailable, SQLAlchemyError) as error:
                # The greenlet must go on: the next write has what this one could not.
                _log.warning("confirmed positions not recorded", error=str(error.__cause__))
                gevent.sleep(_WRITE_EVERY_S)  # However often it is hurried.


def _put_aside(connection: Connection, orphaned: Mapping[str, _ConfirmedReceipt]) -> dict[str, list[str]]:
    """Quarantine the purchases that are neither recorded nor in quarantine; return their ids by event.

    Their seats are lost, but their buyers are known.
    """
    recorded = purchases.recorded(connection, list(orphaned))
    # Once for each event: to look for each receipt would search the event's quarantine each time.
    events = {kept.receipt.id.event_id for kept in orphaned.values()}
    aside = set(chain.from_iterable(quarantine.by_purchase(connection, event_id) for event_id in events))
    lost: list[QuarantinedEntry] = []
    ids: dict[str, list[str]] = {}
    for purchase_id, (receipt, idempotency) in orphaned.items():
        if purchase_id not in recorded and receipt.id not in aside:
            change = change_json(receipt.change(idempotency))
            entry = LogEntry(receipt.id.position, change, f"receipt {receipt.id.nonce}", receipt.private)
            lost.append(
                QuarantinedEntry(receipt.id.event_id, entry, quarantine.LOST, "Redis lost it before SQL had it", None)
            )
            ids.setdefault(receipt.id.event_id, []).append(purchase_id)
    quarantine.put_aside(connection, lost)
    return ids
