"""Merge an event for which SQL lacks entries it had acknowledged, because it was restored, replaced or failed over.

One transaction writes the union of both histories to SQL, as the ledger's entry `merged`. Redis is then rewritten
from SQL, as in a rebuild. A merge killed before that transaction has changed nothing; after it, the next round of
persistence rebuilds Redis.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import redis
import structlog
from sqlalchemy import Connection

from seating.domain import changes
from seating.domain.actor import Actor
from seating.domain.audit import Act, act_of
from seating.domain.change_json import change_json
from seating.domain.errors import EventNotFound, InventoryUnavailable
from seating.domain.event import Event
from seating.domain.inventory_state import InventoryState
from seating.domain.log_entry import Checkpoint, LogEntry
from seating.domain.merging import MergedState, Preference, Waiting, continues, ends, merge, purchases_of
from seating.domain.position import Position
from seating.domain.receipt import Receipt
from seating.domain.recovery_errors import NothingToMerge, Overtaken, RebuildRefused
from seating.domain.seat_status import AVAILABLE, BOX_OFFICE
from seating.domain.seating_plan import SeatingPlan, SeatRange
from seating.redis_store import book_snapshot
from seating.redis_store.book_snapshot import BookSnapshot
from seating.redis_store.terms import Terms
from seating.services import purchase_log, recorded_state
from seating.services.rebuild import Rebuild
from seating.storage import (
    audit,
    events,
    ledger,
    merges,
    organiser_seats,
    purchases,
    quarantine,
    watermarks,
    webhook_notices,
)
from seating.storage import terms as term_record
from seating.storage.database import Database
from seating.storage.merges import MergeRow
from seating.storage.quarantine import QuarantinedEntry

_log = structlog.get_logger(__name__)


class MergeResult(NamedTuple):
    """`position`: the entry `merged`. `taken_in`: purchases added to SQL. `waiting`: purchases left without seats."""

    position: Position
    taken_in: int
    waiting: list[Waiting]


class _Record(NamedTuple):
    """What SQL has. Without an event, it has no checkpoint and no state either."""

    event: Event | None
    checkpoint: Checkpoint | None
    state: InventoryState | None

    @property
    def end_seq(self) -> int:
        return self.checkpoint.position.seq if self.checkpoint else 0


@dataclass(frozen=True, slots=True)
class Merge:
    database: Database
    client: "redis.Redis"
    terms: Terms
    rebuild: Rebuild
    persist: Callable[[str], object]

    def run(self, event_id: str, prefer: Preference, by: Actor) -> MergeResult:
        """Merge the event. Safe to repeat.

        Raises NothingToMerge, EventNotFound, RecordUnavailable, InventoryUnavailable.
        """
        head = self.terms.head(event_id)
        if head is None:
            raise EventNotFound
        # Checked before the claim too, because the claim closes the sale.
        if head.acknowledged and self.database.read(ledger.has, event_id, head.acknowledged):
            raise NothingToMerge
        try:
            return self._run(event_id, prefer, by)
        except (Overtaken, RebuildRefused) as error:
            raise InventoryUnavailable(f"It cannot be merged now: {error}") from error

    def _run(self, event_id: str, prefer: Preference, by: Actor) -> MergeResult:
        with self.rebuild.claimed(event_id, "merge", "any") as attempt:
            snapshot = book_snapshot.take(self.client, event_id)
            if snapshot is None or snapshot.acknowledged is None:
                raise NothingToMerge("Redis has no sales of this event")
            if not attempt.is_of(snapshot.inventory):
                raise Overtaken("another server responds than the one that was claimed")
            record = self.database.read_snapshot(_record, event_id)
            if record.checkpoint and self.database.read(ledger.has, event_id, snapshot.acknowledged):
                raise NothingToMerge
            attempt.renew()
            plan = snapshot.seating_plan()
            waiting = _unite(event_id, snapshot, record, prefer, plan)
            entry, new, shrunk = self.database.write(_commit, event_id, snapshot, record, waiting, plan, by)
            self.rebuild.write(event_id, attempt, expected=entry)
        result = MergeResult(entry.position, len(new), waiting.waiting)
        said = {"position": str(entry.position), "taken_in": len(new), "waiting": len(waiting.waiting)}
        _log.warning("merged", event_id=event_id, prefer=prefer, **said)
        purchase_log.happened("purchases taken in", event_id, (str(receipt.id) for receipt in new))
        purchase_log.happened("purchases cancelled", event_id, shrunk)
        purchase_log.happened("purchases put aside", event_id, (str(one.receipt.id) for one in result.waiting))
        self.persist(event_id)
        return result


def _record(connection: Connection, event_id: str) -> _Record:
    event = events.find(connection, event_id)
    checkpoint = watermarks.read(connection, event_id)
    if event is None or checkpoint is None:
        return _Record(event, None, None)
    return _Record(event, checkpoint, recorded_state.fold(connection, event_id).state)


def _unite(
    event_id: str, snapshot: BookSnapshot, record: _Record, prefer: Preference, plan: SeatingPlan | None
) -> MergedState:
    in_redis = snapshot.state()
    if record.state is None or (
        record.checkpoint
        and continues(snapshot.term_starts(), snapshot.checkpoint.position, record.checkpoint.position)
    ):
        return MergedState(in_redis)  # Redis's history continues SQL's, so it contains all of it.
    preferred, other = (in_redis, record.state) if prefer == "redis" else (record.state, in_redis)

    def seat_name(run: SeatRange) -> str:
        return plan.seats_of([run])[0] if plan else f"{run.length} places of area {run.block}"

    return merge(event_id, preferred, other, seat_name)


def _commit(
    connection: Connection,
    event_id: str,
    snapshot: BookSnapshot,
    record: _Record,
    merged: MergedState,
    plan: SeatingPlan | None,
    by: Actor,
) -> tuple[LogEntry, list[Receipt], list[str]]:
    """Write both histories to SQL.

    Return the entry that stands for them, the purchases that were new to SQL, and the ids of those that lost seats.
    """
    tail, acknowledged, state = snapshot.checkpoint, snapshot.acknowledged, merged.state
    assert acknowledged is not None, "the caller has checked it"
    watermarks.lock(connection, event_id)
    if record.event is None:
        name = snapshot.inventory.get("name", event_id)
        events.add(connection, Event(event_id, name, state.capacity, plan is not None, offer=state.offer), plan)
    receipts = [receipt for receipt in purchases_of(event_id, state) if not snapshot.is_quarantined(receipt)]
    new = purchases.missing(connection, event_id, receipts)
    end = max(tail.position.seq, record.end_seq)
    dumped = state.dump()
    after = record.checkpoint.position if record.checkpoint else None
    change = changes.Merged(time.time_ns() // 1_000_000, after, tail.position, state.digest(), by)
    # Before the entry, which adds the act of the merge: the log lists acts in the order of their rows.
    audit.add(connection, _acts(event_id, snapshot, receipts, plan))
    entry = _append(connection, event_id, snapshot, record, change, end + len(new) + 1)
    _unite_terms(connection, event_id, snapshot, record, entry.position)
    merges.add(connection, event_id, MergeRow(entry.position.seq, acknowledged, tail, dumped))
    # Before the rows change: webhooks must hear what the merge cancels.
    before = purchases.standing(connection, event_id)
    purchases.replace(connection, event_id, receipts, new, end, state, plan)
    shrunk = _note_cancelled(connection, event_id, receipts, before, change.at_ms)
    if plan:
        organiser_seats.replace(connection, event_id, entry.position.seq, state, plan)
    asides = _set_aside(snapshot, merged, entry.position)
    forked = (QuarantinedEntry(event_id, aside, quarantine.FORK, reason, None) for aside, reason in asides)
    quarantine.put_aside(connection, forked)
    quarantine.look_again(connection, event_id)
    events.set_state(connection, event_id, state.state)
    if state.offer:
        events.set_offer(connection, event_id, state.offer)
    return entry, new, shrunk


def _append(
    connection: Connection, event_id: str, snapshot: BookSnapshot, record: _Record, change: changes.Merged, seq: int
) -> LogEntry:
    """Append the entry `merged` at `seq`, in a new epoch. Raises Overtaken if the record has moved on."""
    epoch = term_record.allocate(connection, event_id, time.time(), snapshot.seen_epoch, *snapshot.term_starts())
    entry = LogEntry.beyond(record.checkpoint, Position(epoch, seq), change_json(change))
    if record.checkpoint is None:
        watermarks.begin(connection, event_id, Checkpoint.of(entry))
    elif not watermarks.advance(connection, event_id, record.checkpoint, Checkpoint.of(entry)):
        raise Overtaken("the record has moved on")
    ledger.append(connection, event_id, entry)
    return entry


def _unite_terms(
    connection: Connection, event_id: str, snapshot: BookSnapshot, record: _Record, merged_at: Position
) -> None:
    """Record the starts and ends of the terms of both histories, and of the term that begins with the merge."""
    # Take the ends of both histories before mixing them: afterwards, the next start no longer tells where one ended.
    last_seqs = ends(snapshot.term_starts(), snapshot.checkpoint.position.seq)
    for term, last in ends(term_record.first_seqs(connection, event_id), record.end_seq).items():
        last_seqs[term] = max(last, last_seqs.get(term, 0))
    for term, first_seq in {**snapshot.term_starts(), merged_at.epoch: merged_at.seq}.items():
        term_record.begin(connection, event_id, term, first_seq)
    term_record.end(connection, event_id, last_seqs)


def _note_cancelled(
    connection: Connection, event_id: str, receipts: Sequence[Receipt], before: Mapping[str, int], now_ms: int
) -> list[str]:
    """Note which purchases have fewer seats than before, since no entry of the ledger cancels these; return their ids.

    The seats were cancelled in one of the two histories.
    """
    standing = purchases.standing(connection, event_id)
    shrunk: list[str] = []
    for receipt in receipts:
        left = standing.get(str(receipt.id), receipt.quantity)
        if left < before.get(str(receipt.id), receipt.quantity):
            webhook_notices.note_cancelled(connection, receipt.id, receipt.quantity - left, now_ms)
            shrunk.append(str(receipt.id))
    return shrunk


def _acts(
    event_id: str, snapshot: BookSnapshot, receipts: Sequence[Receipt], plan: SeatingPlan | None
) -> Iterator[Act | None]:
    """Yield the acts in Redis's log: its entries are not recorded one by one, since `merged` stands for them."""
    purchase_ids = {receipt.id.position: str(receipt.id) for receipt in receipts}
    for entry in snapshot.log:
        change, target = entry.read(), None
        if isinstance(change, changes.Cancelled):
            target = purchase_ids.get(change.purchase, str(change.purchase))
        elif isinstance(change, changes.SeatSet) and plan:
            target = plan.shown(change.runs)
        if change:
            yield act_of(event_id, entry.position, change, target)


def _set_aside(snapshot: BookSnapshot, merged: MergedState, position: Position) -> Iterator[tuple[LogEntry, str]]:
    """Yield what the merged state has no room for, and why it has to wait in quarantine."""
    for entry in snapshot.quarantined_entries():
        yield entry, "it waited before SQL was restored"
    for receipt, idempotency, reason in merged.waiting:
        change = change_json(receipt.change(idempotency))
        yield LogEntry(receipt.id.position, change, f"receipt {receipt.id.nonce}", receipt.private), reason
    state = merged.state
    if merged.box_office:
        sold = changes.SeatSet(state.updated_ms, AVAILABLE, BOX_OFFICE, state.remaining, merged.box_office)
        seats = ", ".join(map(merged.seat_name, merged.box_office))
        reason = f"sold at the box office, but given to other buyers: {seats}"
        yield LogEntry(position, change_json(sold), "box office"), reason
    if merged.other_offer:
        offered = changes.OfferSet(state.updated_ms, merged.other_offer, state.remaining, 0, 0, was=state.offer)
        reason = "the other history has this offer, which is not kept"
        yield LogEntry(position, change_json(offered), "offer"), reason
