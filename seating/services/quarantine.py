"""Operators' decisions on quarantined entries: list, replay or cancel them."""

from dataclasses import dataclass

from sqlalchemy import Connection

from seating.domain.actor import Actor
from seating.domain.cancellation import ALL
from seating.domain.changes import Cancelled, Purchased
from seating.domain.errors import EventNotFound, SeatingError
from seating.domain.log_entry import LogEntry
from seating.domain.page import Page, first_of
from seating.domain.position import Position
from seating.domain.purchase import PurchaseId, PurchaseState
from seating.domain.recovery_errors import NotReplayable, QuarantineEntryNotFound
from seating.redis_store.inventory import Inventory
from seating.redis_store.set_aside import SetAside
from seating.services import purchase_log
from seating.services.audit import act_now
from seating.services.event_changes import EventChanges
from seating.services.purchase_entries import in_quarantine
from seating.services.purchases import Purchases
from seating.storage import audit, events, ledger, organiser, watermarks, webhook_notices
from seating.storage import quarantine as aside_record
from seating.storage.database import Database
from seating.storage.quarantine import QuarantinedEntry


@dataclass(frozen=True, slots=True)
class Quarantine:
    database: Database
    inventory: Inventory
    set_aside: SetAside
    purchases: Purchases
    changes: EventChanges

    def page(self, event_id: str | None, offset: int, count: int) -> Page[QuarantinedEntry, int]:
        """Return a page of waiting entries, of one event or of all. Raises EventNotFound."""

        def find(connection: Connection) -> list[QuarantinedEntry]:
            if event_id is not None and events.find(connection, event_id) is None:
                raise EventNotFound
            return aside_record.page(connection, event_id, offset, count + 1)

        return first_of(self.database.read(find), count, lambda _: offset + count)

    def replay(self, event_id: str, position: str, by: Actor) -> None:
        """Record an entry after all: poison at its place in the ledger, a sale of another history by selling again.

        Raises QuarantineEntryNotFound, or NotReplayable with the reason why it still cannot be recorded.
        """
        aside = self._waiting(event_id, position)
        settle = self._record if aside.reason == aside_record.POISON else self._sell_again
        settled = settle(aside, by)
        if aside.purchase_id is not None:
            purchase_log.acted("purchase replayed", aside.purchase_id, by)
        # Redis last: if it does not answer, the cron forgets the copies later.
        for entry in settled:
            self.set_aside.unquarantine(event_id, entry.position)

    def cancel(self, event_id: str, position: str, by: Actor) -> None:
        """Cancel an entry: a purchase is cancelled with its seats, anything else only resolved."""
        aside = self._waiting(event_id, position)
        if aside.purchase_id is not None:
            self.purchases.cancel(aside.purchase_id, by)
        else:
            self._put_to_rest(aside, by)
        self.set_aside.unquarantine(event_id, aside.entry.position)

    def _waiting(self, event_id: str, text: str) -> QuarantinedEntry:
        try:
            position = Position.parse(text)
        except ValueError:
            raise QuarantineEntryNotFound from None
        aside = self.database.read(aside_record.find, event_id, position)
        if aside is None or aside.resolution is not None:
            raise QuarantineEntryNotFound
        return aside

    def _put_to_rest(self, aside: QuarantinedEntry, by: Actor) -> None:
        position = str(aside.entry.position)
        act = act_now(by, "quarantine.cancel", aside.event_id, position, "quarantined", "cancelled")

        def resolve(connection: Connection) -> None:
            if aside_record.resolve(connection, aside, aside_record.CANCELLED):
                audit.add(connection, [act])

        self.database.write(resolve)

    def _record(self, aside: QuarantinedEntry, by: Actor) -> list[LogEntry]:
        """Record the entry; with a purchase, its partial cancellations that wait too."""
        target = str(aside.purchase_id or aside.entry.position)
        act = act_now(by, "quarantine.replay", aside.event_id, target, "quarantined", "recorded")

        def move(connection: Connection) -> list[LogEntry]:
            # First of all, as in persistence, or the two could deadlock.
            watermarks.lock(connection, aside.event_id)
            if not aside_record.take_out(connection, aside):
                raise QuarantineEntryNotFound
            plan = events.plan_of(connection, aside.event_id)
            if plan and organiser.seats_set_after(connection, aside.event_id, aside.entry, plan):
                raise NotReplayable("Seats of it were set again since then; cancel this entry")
            entries = [aside.entry, *aside_record.take_out_parts(connection, aside)]
            rows = ledger.read_rows(entries)
            returned = [run for row in rows if isinstance(row.change, Cancelled) for run in row.change.runs]
            ledger.insert_rows(connection, aside.event_id, rows, plan, returned)
            audit.add(connection, [act])
            for entry in entries:
                webhook_notices.note_late_entry(connection, aside.event_id, entry.position.seq, act.at_ms)
            return entries

        try:
            return self.database.write(move)
        except ledger.REFUSALS as error:
            raise NotReplayable(f"The record still rejects it: {ledger.refusal_in_words(error)}") from None

    def _sell_again(self, aside: QuarantinedEntry, by: Actor) -> list[LogEntry]:
        """Sell its seats again under its own id. The buyer's receipt stays the same."""
        purchase, purchase_id = aside.entry.read(), aside.purchase_id
        if not isinstance(purchase, Purchased) or purchase_id is None:
            raise NotReplayable("Only purchases can be replayed from another history; cancel this entry")
        # Selling it without the text would hide that somebody has changed it.
        if not purchase.vouches_for(aside.entry.private):
            raise NotReplayable(
                "It cannot be replayed: its personal data is not what was written with it; erase that first"
            )
        sold = (aside.event_id, purchase_id.position, purchase, aside.entry.private)
        try:
            with self.changes.of(aside.event_id):
                receipt = self.inventory.sell_again(*sold, by).receipt
        except SeatingError as error:
            raise NotReplayable(f"It cannot be replayed: {error.message}") from None
        # If the key has bought again, the script replays that receipt and sells nothing.
        if receipt.id.nonce != purchase.nonce:
            raise NotReplayable(f"Its idempotency key has bought again since: {receipt.id}")
        self.changes.nudge(aside.event_id)
        # Last: if this fails, a repetition gets the same receipt and resolves the entry then.
        if not self.database.write(aside_record.resolve, aside, aside_record.REPLAYED):
            self._return_cancelled(purchase_id, by)
        return [aside.entry]

    def _return_cancelled(self, purchase_id: PurchaseId, by: Actor) -> None:
        """Return the seats of a purchase that was cancelled while it was sold again. Raises NotReplayable."""
        aside = self.database.read(aside_record.find_purchase, purchase_id)
        cancelled = self.database.read(in_quarantine, aside) if aside else None
        if cancelled is None or cancelled.state is not PurchaseState.CANCELLED:  # Another has replayed it too.
            return
        with self.changes.of(purchase_id.event_id):
            reached = self.inventory.cancel(cancelled, ALL, by).reached
        self.changes.reached(purchase_id.event_id, reached)
        raise NotReplayable("It was cancelled in the meantime")
