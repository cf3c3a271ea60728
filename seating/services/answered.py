"""What this process told buyers: the measure of what a Redis that comes back has lost.

Positions are kept for as long as the process lives and are written again every few seconds: SQL may have gone back.
Receipts are kept until they are recorded; where their term ended without them, they go to quarantine.
"""

import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final, NamedTuple

from sqlalchemy import Connection

from seating.domain.log_entry import Checkpoint, LogEntry
from seating.domain.position import Position
from seating.domain.purchase import Receipt
from seating.redis_store.seen_positions import SeenPositions
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
    """`note` costs nothing; `flush`, called every second, records what is new."""

    def __init__(self, database: Database, seen: SeenPositions) -> None:
        self._database = database
        self._seen = seen
        self._told: OrderedDict[tuple[str, int], Told] = OrderedDict()
        self._unwritten: set[tuple[str, int]] = set()
        self._receipts: OrderedDict[str, _ToldReceipt] = OrderedDict()
        self._written_again_at = float("-inf")

    def note(self, event_id: str, position: Position, receipt: Receipt | None = None, idempotency: str = "") -> None:
        """A caller has been told of `position`, and of `receipt` if it is a purchase."""
        # By epoch, since an answer of the next one must not hide what the epoch before it has lost.
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
        """Raises RecordUnavailable; then nothing is forgotten, and the next call tries again."""
        events = self._events_to_look_at()
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

    def _events_to_look_at(self) -> list[str]:
        """Those with news, and every few seconds all: a term may have ended that nobody here sells in any more.

        A database that was restored has forgotten what was written. It does not show: it may have caught up by now.
        """
        now = time.monotonic()
        if now - self._written_again_at > _WRITE_AGAIN_EVERY_S:
            self._written_again_at = now
            self._unwritten |= self._told.keys()
        waiting = {told.receipt.id.event_id for told in self._receipts.values()}
        return sorted(waiting | {event_id for event_id, _ in self._unwritten})

    def _settle_receipts(self, checkpoints: Mapping[str, Checkpoint]) -> None:
        """Forgets receipts that SQL has been past, and puts aside those whose term ended before them."""
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
            self._database.write(_put_aside, orphaned)
        for purchase_id in (*done, *orphaned):
            self._receipts.pop(purchase_id, None)


def _put_aside(connection: Connection, told: Mapping[str, _ToldReceipt]) -> None:
    """Those that are neither on record nor in quarantine: their seats are gone, their buyers known."""
    recorded = purchases.recorded(connection, list(told))
    lost = []
    for purchase_id, (receipt, idempotency) in told.items():
        if purchase_id not in recorded and quarantine.find_purchase(connection, receipt.id) is None:
            change = receipt.change(idempotency).to_json()
            entry = LogEntry(receipt.id.position, change, f"receipt {receipt.id.nonce}", receipt.private)
            lost.append(
                QuarantinedEntry(receipt.id.event_id, entry, quarantine.LOST, "Redis lost it before SQL had it", None)
            )
    quarantine.put_aside(connection, lost)
