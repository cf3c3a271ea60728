"""What SQL has about an event, and where its tables disagree with the ledger that they are folded from."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from seating.domain.cancellation import Bought
from seating.domain.changes import Cancelled, Purchased, SeatSet
from seating.domain.inventory_state import InventoryState
from seating.domain.log_entry import Checkpoint
from seating.domain.position import Position
from seating.domain.purchase import PurchaseId
from seating.domain.receipt import Receipt, is_purchase_record
from seating.domain.seat_status import BOX_OFFICE, ORGANISED
from seating.domain.seating_plan import SeatRange
from seating.storage import answered, ledger, purchases
from seating.storage.merges import LastMerge
from seating.storage.quarantine import QuarantinedEntry


class Record(NamedTuple):
    """What SQL has about an event, read in one transaction."""

    entries: list[ledger.Recorded]
    checkpoint: Checkpoint
    archived: bool
    plan: Any
    quarantined: list[QuarantinedEntry]
    seats_taken: dict[str, str]
    organiser_seats: dict[str, str]
    purchases: dict[str, int]
    losses: list[answered.Loss]
    merged: LastMerge | None

    def start(self) -> InventoryState:
        """The state from which to fold the entries after the last merge."""
        return InventoryState.load(self.merged.state) if self.merged else InventoryState.before_opening(self.plan)

    @property
    def merged_seq(self) -> int:
        return self.merged.seq if self.merged else 0


def of_tables(event_id: str, record: Record) -> Iterator[tuple[str, str]]:
    """Compare the tables with the ledger that they were folded from."""
    if record.entries and record.entries[-1].entry.position.seq != record.checkpoint.position.seq:
        last = record.entries[-1].entry.position
        yield (
            f"the watermark is at {record.checkpoint.position}, the ledger ends at {last}",
            "restore SQL from a backup",
        )
    standing: dict[str, int] = {}
    seats: dict[str, str] = {}
    ids: dict[Position, str] = {}
    for receipt, left in _merged_purchases(event_id, record):
        ids[receipt.id.position] = purchase_id = str(receipt.id)
        standing[purchase_id] = left.quantity
        seats |= dict.fromkeys(_seats(record, left.runs), purchase_id)
    seats |= dict.fromkeys(_merged_seats(record, BOX_OFFICE), purchases.AT_BOX_OFFICE)
    organised = {seat: status for status in ORGANISED for seat in _merged_seats(record, status)}
    for entry, poison in record.entries:
        if entry.position.seq <= record.merged_seq:
            continue
        change = entry.read()
        if isinstance(change, Purchased) and not poison:
            position = change.original or entry.position
            ids[position] = purchase_id = str(PurchaseId(event_id, position, change.nonce))
            standing[purchase_id] = change.quantity
            seats |= dict.fromkeys(_seats(record, change.runs), purchase_id)
        elif isinstance(change, Cancelled) and change.purchase in ids and not poison:
            purchase_id = ids[change.purchase]
            standing[purchase_id] -= change.quantity
            for seat in _seats(record, change.runs):
                if seats.get(seat) == purchase_id:
                    del seats[seat]
        elif isinstance(change, SeatSet) and not poison:
            set_now = dict.fromkeys(_seats(record, change.runs), change.status)
            for seat in set_now:
                if organised.get(seat) == BOX_OFFICE:
                    seats.pop(seat, None)
                if change.status == BOX_OFFICE:
                    seats[seat] = purchases.AT_BOX_OFFICE
            organised |= set_now
    advice = "the ledger is right: correct the table, or restore SQL from a backup"
    yield from differences("purchases", standing, record.purchases, advice)
    yield from differences("sold_seats", seats, record.seats_taken, advice)
    organised = {seat: status for seat, status in organised.items() if status in ORGANISED}
    yield from differences("organiser_seats", organised, record.organiser_seats, advice)


def _seats(record: Record, runs: Sequence[SeatRange]) -> list[str]:
    return record.plan.seats_of(runs) if record.plan else []


def _merged_purchases(event_id: str, record: Record) -> Iterator[tuple[Receipt, Bought]]:
    """Yield the purchases in the last merge's state, and what of each stands."""
    if record.merged:
        state = record.start()
        waiting = {aside.entry.position for aside in record.quarantined}
        for kept in filter(is_purchase_record, state.idempotency.values()):
            receipt = Receipt.parse(event_id, kept)
            if receipt.id.position not in waiting:
                yield receipt, receipt.bought.standing(state.cancellation(str(receipt.id.position)))


def _merged_seats(record: Record, status: str) -> list[str]:
    """The seats that had `status` in the state that the last merge left."""
    if not record.merged or not record.plan:
        return []
    return _seats(record, record.start().runs_of(status))


def differences(
    name: str, expected: Mapping[str, object], found: Mapping[str, object], advice: str
) -> Iterator[tuple[str, str]]:
    """Yield at most five differences, and count the rest."""
    wrong = sorted(key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key))
    for key in wrong[:5]:
        yield f"{name} {key} is {found.get(key)!r} but should be {expected.get(key)!r}", advice
    if len(wrong) > 5:
        yield f"and {len(wrong) - 5} more of {name}", advice
