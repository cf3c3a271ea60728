"""Writes the union of two histories of an event to SQL, in the transaction of a merge."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from seating.domain import changes
from seating.domain.actor import Actor
from seating.domain.audit import Act, act_of
from seating.domain.change_json import change_json
from seating.domain.event import Event
from seating.domain.inventory_state import InventoryState
from seating.domain.log_entry import Checkpoint, LogEntry
from seating.domain.merging import MergedState, ends, purchases_of
from seating.domain.position import Position
from seating.domain.receipt import Receipt
from seating.domain.recovery_errors import Overtaken
from seating.domain.seat_status import AVAILABLE, BOX_OFFICE
from seating.domain.seating_plan import SeatingPlan
from seating.redis_store.book_snapshot import BookSnapshot
from seating.services import recorded_state
from seating.storage import (
    audit,
    events,
    ledger,
    merges,
    organiser,
    purchases,
    quarantine,
    watermarks,
    webhook_notices,
)
from seating.storage import terms as term_record
from seating.storage.merges import MergeRow
from seating.storage.quarantine import QuarantinedEntry


class SqlHistory(NamedTuple):
    """What SQL has. Without an event, it has no checkpoint, no state and no plan either."""

    event: Event | None
    checkpoint: Checkpoint | None
    state: InventoryState | None
    plan: SeatingPlan | None

    @property
    def end_seq(self) -> int:
        return self.checkpoint.position.seq if self.checkpoint else 0


def read(connection: Connection, event_id: str) -> SqlHistory:
    """Return what SQL has of the event."""
    event = events.find(connection, event_id)
    checkpoint = watermarks.read(connection, event_id)
    if event is None or checkpoint is None:
        return SqlHistory(event, None, None, events.plan_of(connection, event_id))
    recorded = recorded_state.fold(connection, event_id)
    return SqlHistory(event, checkpoint, recorded.state, recorded.plan)


def write(
    connection: Connection,
    event_id: str,
    snapshot: BookSnapshot,
    record: SqlHistory,
    merged: MergedState,
    plan: SeatingPlan | None,
    by: Actor,
) -> tuple[LogEntry, list[Receipt], list[str]]:
    """Write both histories to SQL.

    Return the entry that stands for them, the purchases that were new to SQL, and the ids of those that lost seats.
    """
    tail, acknowledged, state = snapshot.checkpoint, snapshot.acknowledged, merged.state
    assert acknowledged is not None, "the caller has checked it"
    # Before `_append` allocates a term: persistence locks in this order, and the other one could deadlock.
    watermarks.lock(connection, event_id)
    if record.event is None:
        name = snapshot.inventory.get("name", event_id)
        events.add(connection, Event(event_id, name, state.capacity, plan is not None, offer=state.offer), plan)
    receipts = [receipt for receipt in purchases_of(event_id, state) if not snapshot.is_quarantined(receipt)]
    new = purchases.missing(connection, event_id, receipts)
    # Beyond both histories, with a number for each new purchase: lists and webhooks go by these.
    end = max(tail.position.seq, record.end_seq)
    dumped = state.dump()
    after = record.checkpoint.position if record.checkpoint else None
    change = changes.Merged(time.time_ns() // 1_000_000, after, tail.position, state.digest(), by)
    # Before the entry, which adds the act of the merge: the log lists acts in the order of their rows.
    audit.add(connection, _acts(connection, event_id, snapshot, receipts, plan))
    entry = _append(connection, event_id, snapshot, record, change, end + len(new) + 1)
    _unite_terms(connection, event_id, snapshot, record, entry.position)
    merges.add(connection, event_id, MergeRow(entry.position.seq, acknowledged, tail, dumped))
    # Before the rows change: webhooks must hear what the merge cancels.
    before = purchases.standing(connection, event_id)
    purchases.replace(connection, event_id, receipts, new, end, state, plan)
    shrunk = _note_cancelled(connection, event_id, receipts, before, change.at_ms)
    if plan:
        organiser.replace_seats(connection, event_id, entry.position.seq, state, plan)
    asides = _set_aside(snapshot, merged, entry.position)
    forked = (QuarantinedEntry(event_id, aside, quarantine.FORK, reason, None) for aside, reason in asides)
    quarantine.put_aside(connection, forked)
    quarantine.look_again(connection, event_id)
    events.set_state(connection, event_id, state.state)
    if state.offer:
        events.set_offer(connection, event_id, state.offer)
    return entry, new, shrunk


def _append(
    connection: Connection, event_id: str, snapshot: BookSnapshot, record: SqlHistory, change: changes.Merged, seq: int
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
    connection: Connection, event_id: str, snapshot: BookSnapshot, record: SqlHistory, merged_at: Position
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
    connection: Connection,
    event_id: str,
    snapshot: BookSnapshot,
    receipts: Sequence[Receipt],
    plan: SeatingPlan | None,
) -> Iterator[Act | None]:
    """Yield the acts in Redis's log: its entries are not recorded one by one, since `merged` stands for them."""
    purchase_ids = {receipt.id.position: str(receipt.id) for receipt in receipts}
    for entry in snapshot.log:
        change, target = entry.read(), None
        if isinstance(change, changes.Cancelled):
            target = purchase_ids.get(change.purchase, str(change.purchase))
        elif isinstance(change, changes.SeatSet):
            target = plan.shown(change.runs) if plan else organiser.places_shown(connection, event_id, change)
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
