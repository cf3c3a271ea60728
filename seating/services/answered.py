"""The positions and receipts that this process confirmed to buyers. They show what a recovered Redis has lost.

Positions are kept while the process lives and rewritten every few seconds, in case SQL was restored from a backup.
Receipts are kept until they are recorded. If their term ends first, they go to quarantine.
"""

import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final, NamedTuple

from sqlalchemy import Connection

from seating.domain.change_json import change_json
from seating.domain.log_entry import Checkpoint, LogEntry
from seating.domain.position import Position
from seating.domain.receipt import Receipt
from seating.redis_store.seen_positions import SeenPositions
from seating.services import purchase_log
from seating.storage import answered, purchases, quarantine, watermarks
from seating.storage.answered import Told
from seating.storage.database import Database
from seating.storage.quarantine import QuarantinedEntry

MOST_TERMS: Final = 10_000
MOST_RECEIPTS: Final = 10_000
_WRITE_AGAIN_EVERY_S: Final = 10.0


class _ToldReceipt(NamedTuple):
    """`idempotency` is the hash of caller and key."""

    receipt: Receipt
    idempotency: str


class Answered:
    """`note` only touches memory; `flush`, called every second, writes what is new to SQL."""

    def __init__(self, database: Database, seen: SeenPositions) -> None:
        self._database = database
        self._seen = seen
        self._told: OrderedDict[tuple[str, int], Told] = OrderedDict()
        self._unwritten: set[tuple[str, int]] = set()
        self._receipts: OrderedDict[str, _ToldReceipt] = OrderedDict()
        self._written_again_at = float("-inf")

    def note(self, event_id: str, position: Position, receipt: Receipt | None = None, idempotency: str = "") -> None:
        """Note that a caller got a response with `position`, and with `receipt` if it was a purchase."""
        # Keyed by epoch: a response from the next epoch must not hide a loss in this one.
        key, seq = (event_id, position.epoch), position.seq
        told = self._told.get(key)
        if told is None or not told.lowest <= seq <= told.highest:
            self._told[key] = told.with_seq(seq) if told else Told(seq, seq)
            self._unwritten.add(key)
        if receipt is not None:
            self._receipts[str(receipt.id)] = _ToldReceipt(receipt, idempotency)
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
        for event_id, checkpoint in checkpoints.items():
            self._seen.note(event_id, Position(checkpoint.position.epoch, 0))
        unwritten, self._unwritten = self._unwritten, set()
        try:
            if unwritten:
                self._database.write(answered.remember, {key: self._told[key] for key in unwritten})
            self._settle_receipts(checkpoints)
        except BaseException:
            self._unwritten |= unwritten
            raise
        while len(self._told) > MOST_TERMS:
            self._told.popitem(last=False)

    def _events_to_check(self) -> list[str]:
        """Return the events with unwritten positions or unsettled receipts.

        Every few seconds that is every event. A restored database lacks rows that were written before, and once it
        has caught up, nothing else shows that.
        """
        now = time.monotonic()
        if now - self._written_again_at > _WRITE_AGAIN_EVERY_S:
            self._written_again_at = now
            self._unwritten |= self._told.keys()
        waiting = {told.receipt.id.event_id for told in self._receipts.values()}
        return sorted(waiting | {event_id for event_id, _ in self._unwritten})

    def _settle_receipts(self, checkpoints: Mapping[str, Checkpoint]) -> None:
        """Drop receipts that SQL has recorded, and quarantine those whose term ended before they were recorded."""
        done: list[str] = []
        orphaned: dict[str, _ToldReceipt] = {}
        for purchase_id, told in self._receipts.items():
            event_id, position, _ = told.receipt.id
            checkpoint = checkpoints.get(event_id)
            if checkpoint and position.epoch == checkpoint.position.epoch and position.seq <= checkpoint.position.seq:
                done.append(purchase_id)
            elif checkpoint and position.epoch < checkpoint.position.epoch:
                orphaned[purchase_id] = told
        if orphaned:
            lost = self._database.write(_put_aside, orphaned)
            for event_id, ids in lost.items():
                purchase_log.happened("purchases lost", event_id, ids)
        for purchase_id in (*done, *orphaned):
            self._receipts.pop(purchase_id, None)


def _put_aside(connection: Connection, told: Mapping[str, _ToldReceipt]) -> dict[str, list[str]]:
    """Quarantine the purchases that are neither recorded nor in quarantine: the seats are lost, the buyers known.

    Return their ids by event.
    """
    recorded = purchases.recorded(connection, list(told))
    lost: list[QuarantinedEntry] = []
    ids: dict[str, list[str]] = {}
    for purchase_id, (receipt, idempotency) in told.items():
        if purchase_id not in recorded and quarantine.find_purchase(connection, receipt.id) is None:
            change = change_json(receipt.change(idempotency))
            entry = LogEntry(receipt.id.position, change, f"receipt {receipt.id.nonce}", receipt.private)
            lost.append(
                QuarantinedEntry(receipt.id.event_id, entry, quarantine.LOST, "Redis lost it before SQL had it", None)
            )
            ids.setdefault(receipt.id.event_id, []).append(purchase_id)
    quarantine.put_aside(connection, lost)
    return ids
