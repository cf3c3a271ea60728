"""Turns what SQL has recorded of an event into messages for webhooks. Redis is not asked.

A message says what was true when its entry was written, so that sending it again, whenever that is, says the same.
Only an event's name, date and offer are those of now.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Final, NamedTuple

from sqlalchemy import Connection

from seating.domain.cancellation import Cancellation
from seating.domain.changes import Cancelled, Change, Merged, Opened, Purchased, Released, StateSet
from seating.domain.event import Event
from seating.domain.log_entry import LogEntry
from seating.domain.purchase import Purchase, PurchaseId, PurchaseState
from seating.domain.seating_plan import SeatingPlan
from seating.domain.webhook import DeliveryCursor, MessageType
from seating.domain.webhook_message import (
    ChangedEvent,
    ExpiredHold,
    Message,
    id_of_entry,
    id_of_sale,
    type_of,
)
from seating.memo import Memo
from seating.services.offers import with_names
from seating.services.purchase_entries import purchase_in
from seating.storage import events, ledger, purchases, quarantine, watermarks, webhook_notices
from seating.storage.answered import Loss
from seating.storage.database import Database
from seating.storage.ledger import LedgerRow
from seating.storage.webhook_notices import CANCELLED, ENTRY, Notice

_MOST_SEATS: Final = 200_000

Data = Purchase | ChangedEvent | ExpiredHold | Loss
Render = Callable[[MessageType, int, Data], bytes]
Wants = Callable[[MessageType], bool]


class Step(NamedTuple):
    """What is next behind a cursor: a message, or None for what is not told; and where the cursor is after it."""

    seq: int
    notice: int
    message: Message | None


@dataclass(frozen=True, slots=True)
class WebhookMessages:
    """`render` makes a message's body of its type, its time in ms since 1970, and its data."""

    database: Database
    render: Render
    _kept_plans: Memo[str, SeatingPlan | None] = field(
        default_factory=lambda: Memo(max_weight=_MOST_SEATS, weigh=lambda plan: plan.capacity if plan else 1),
        init=False,
    )

    def after(self, cursor: DeliveryCursor, wants: Wants, count: int) -> list[Step]:
        """Return the next steps of a cursor, from at most `count` notices, or else entries.

        A notice comes after the entries that were recorded before it, as they may be of the same purchase.

        Raises RecordUnavailable, UnreadableEntry.
        """
        plan = self._kept_plans.get(cursor.event_id, lambda: self.database.read(events.plan_of, cursor.event_id))

        def read(connection: Connection) -> list[Step]:
            event = events.find(connection, cursor.event_id)
            if event is None:
                return []
            record = _EventRecord(connection, event, plan, self.render, wants)
            notices = webhook_notices.after(connection, event.id, cursor.notice, count)
            ripe = [*takewhile(lambda notice: notice.after_seq <= cursor.seq, notices)]
            if ripe:
                return [Step(cursor.seq, notice.number, record.of_notice(notice)) for notice in ripe]
            steps = record.of_entries(cursor, count)
            if not notices:
                return list(steps)
            end = notices[0].after_seq
            # Without an entry up to there the cursor moves all the same, or the notice would never be due.
            return [*takewhile(lambda step: step.seq <= end, steps)] or [Step(end, cursor.notice, None)]

        # In one snapshot: a watermark read after the entries would skip what was recorded in between.
        return self.database.read_snapshot(read)


@dataclass(frozen=True, slots=True)
class _EventRecord:
    """One event's record, in one transaction."""

    connection: Connection
    event: Event
    plan: SeatingPlan | None
    render: Render
    wants: Wants

    def of_entries(self, cursor: DeliveryCursor, count: int) -> Iterator[Step]:
        """Yield the steps of the next `count` entries, or of `count` purchases that a merge took in before them."""
        seq = cursor.seq
        entries = ledger.after(self.connection, self.event.id, seq, count)
        rows = ledger.read_rows(entries) if entries else []
        for entry, change in rows:
            if isinstance(change, Merged):
                # Purchases that a merge took in stand in the gap before it, and have no entries.
                taken_in = purchases.between(self.connection, self.event.id, seq, entry.position.seq, count)
                for purchase in taken_in:
                    yield Step(purchase.entry_seq, cursor.notice, self._taken_in(purchase))
                if len(taken_in) == count:
                    return  # The next turn goes on behind the last of them.
            seq = entry.position.seq
            yield Step(seq, cursor.notice, self._of_entry(entry, change))
        # Not behind an entry that cannot be read yet: the cursor has to wait for it.
        if len(rows) == len(entries) < count:
            mark = watermarks.read(self.connection, self.event.id)
            if mark is not None and mark.position.seq > seq:
                # What the ledger lacks up to the watermark is in quarantine. If it is replayed, a notice says so.
                yield Step(mark.position.seq, cursor.notice, None)

    def of_notice(self, notice: Notice) -> Message | None:
        if notice.kind == ENTRY:
            rows = ledger.read_rows(ledger.after(self.connection, self.event.id, int(notice.key) - 1, 1))
            return self._of_entry(*rows[0])
        if notice.kind == CANCELLED:
            return self._cancelled_otherwise(notice)
        loss = webhook_notices.loss_in(self.event.id, notice)
        return self._message(f"msg_{self.event.id}.loss.{notice.key}", "loss", notice.at_ms, lambda: loss)

    def _of_entry(self, entry: LogEntry, change: Change) -> Message | None:
        message_type = type_of(change)
        if message_type is None:
            return None
        found_id = id_of_entry(self.event.id, entry, change)
        return self._message(found_id, message_type, change.at_ms, lambda: self._data(LedgerRow(entry, change)))

    def _message(
        self, found_id: str, message_type: MessageType, at_ms: int, data: Callable[[], Data | None]
    ) -> Message | None:
        found = data() if self.wants(message_type) else None
        return None if found is None else Message(found_id, message_type, self.render(message_type, at_ms, found))

    def _data(self, row: LedgerRow) -> Data | None:
        entry, change = row
        match change:
            case Purchased():
                purchase_id = PurchaseId(self.event.id, change.original or entry.position, change.nonce)
                return self._named(purchase_in(purchase_id, PurchaseState.PERSISTED, entry, change))
            case Cancelled():
                return self._cancelled(entry.position.seq, change)
            case Released():
                seats = self.plan.seats_of(change.runs) if self.plan else []
                found = (change.hold, self.event.id, change.quantity, seats, change.at_ms, entry.position)
                return ExpiredHold(*found)
            case Opened() | StateSet():
                return self._event_state(change.state, change.at_ms)
        return self._event_state(self.event.state, change.at_ms)

    def _event_state(self, state: str, at_ms: int) -> ChangedEvent:
        return ChangedEvent(replace(self.event, state=state), at_ms)

    def _cancelled(self, seq: int, change: Cancelled) -> Purchase | None:
        """Return the purchase as it was after this cancellation; None if there is no such purchase any more."""
        purchase = purchases.at(self.connection, self.event.id, change.purchase)
        if purchase is None:
            aside = quarantine.find(self.connection, self.event.id, change.purchase)
            purchase = self._in_quarantine(aside)
        if purchase is None:
            return None
        cancelled = None
        # Only where others came before: finding them reads all entries in between.
        if change.remaining and purchase.quantity - change.remaining > change.quantity:
            here = (change.purchase, purchase.entry_seq, seq - 1)
            for earlier in ledger.cancellations(self.connection, self.event.id, *here):
                cancelled = Cancellation.after(cancelled, earlier)
        cancelled = Cancellation.after(cancelled, change)
        if not cancelled.is_whole:  # A merge may have cancelled some too.
            cancelled = cancelled._replace(quantity=purchase.quantity - change.remaining)
        return self._with(purchase, cancelled, change.by.why if change.by else None)

    def _cancelled_otherwise(self, notice: Notice) -> Message | None:
        purchase_id = PurchaseId.parse(str(notice.content["purchase"]))
        quantity = int(str(notice.content["quantity"]))

        def data() -> Purchase | None:
            purchase = purchases.find(self.connection, purchase_id)
            if purchase is None:
                purchase = self._in_quarantine(quarantine.find_purchase(self.connection, purchase_id))
            if purchase is None:
                return None
            cancelled = purchase.cancelled
            if quantity == purchase.quantity or cancelled is None:
                cancelled = Cancellation(notice.at_ms, 0)
            return self._with(purchase, cancelled, notice.why)

        return self._message(f"msg_{notice.key}.cancelled", "purchase.cancelled", notice.at_ms, data)

    def _taken_in(self, purchase: Purchase) -> Message | None:
        sold = purchase._replace(state=PurchaseState.PERSISTED, cancelled=None, why=None)
        return self._message(id_of_sale(sold), "purchase.sold", sold.at_ms, lambda: self._named(sold))

    def _in_quarantine(self, aside: quarantine.QuarantinedEntry | None) -> Purchase | None:
        change = aside.entry.read() if aside else None
        if aside is None or not isinstance(change, Purchased) or aside.purchase_id is None:
            return None
        return purchase_in(aside.purchase_id, PurchaseState.QUARANTINED, aside.entry, change)

    def _with(self, purchase: Purchase, cancelled: Cancellation, why: str | None) -> Purchase:
        state = PurchaseState.CANCELLED if cancelled.is_whole else purchase.state
        if purchase.state is PurchaseState.CANCELLED and not cancelled.is_whole:
            state = PurchaseState.PERSISTED
        return self._named(purchase._replace(state=state, cancelled=cancelled, why=why))

    def _named(self, purchase: Purchase) -> Purchase:
        offer = self.event.offer
        names = [category.name for category in offer.categories] if offer else []
        return with_names(purchase, self.plan, names)
