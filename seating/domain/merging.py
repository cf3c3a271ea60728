"""Making one history of two: what SQL has of an event, and what Redis has, when each has sold without the other.

Purchases are united by their ids, cancellations by position: whoever was told "yours" keeps it. Preference decides only
what both have given away; the other one waits for the operator, with the seat named.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from seating.domain.inventory_state import InventoryState
from seating.domain.position import Position
from seating.domain.purchase import Receipt, is_purchase_record
from seating.domain.seat_status import AVAILABLE, BLOCKED, BOX_OFFICE, ORGANISER, SOLD
from seating.domain.seating_plan import SeatRange

Preference = Literal["redis", "sql"]

_ORGANISERS: Final = {BOX_OFFICE: "sold", ORGANISER: "held", BLOCKED: "blocked"}


class Waiting(NamedTuple):
    """A purchase that found no place. `idempotency` is the hash of its caller and key."""

    receipt: Receipt
    idempotency: str
    reason: str


@dataclass(slots=True)
class MergedState:
    """`state` is what both histories become; `waiting` has what it has no place for, `box_office` the seats that one
    sold at the box office and the other gave to somebody else.
    """

    state: InventoryState
    seat_name: Callable[[SeatRange], str] = str
    waiting: list[Waiting] = field(default_factory=list)
    box_office: list[SeatRange] = field(default_factory=list)


def continues(terms: dict[int, int], tail: Position, checkpoint: Position) -> bool:
    """Whether a history with these terms (epoch to first seq), which ends at `tail`, has the entry at `checkpoint`.

    A position never means two things, so the one that has it has all that led to it.
    """
    first = terms.get(checkpoint.epoch)
    if first is None or not first <= checkpoint.seq <= tail.seq:
        return False
    later = [seq for epoch, seq in terms.items() if epoch > checkpoint.epoch]
    return not later or checkpoint.seq < min(later)


def ends(terms: dict[int, int], tail_seq: int) -> dict[int, int]:
    """The last seq of each epoch, in a history with these terms (epoch to first seq) that ends at `tail_seq`."""
    return {epoch: min((seq - 1 for later, seq in terms.items() if later > epoch), default=tail_seq) for epoch in terms}


def merge(
    event_id: str, preferred: InventoryState, other: InventoryState, seat_name: Callable[[SeatRange], str]
) -> MergedState:
    """Takes what only `other` has into `preferred`, whose seats stay as they are."""
    merged = MergedState(preferred, seat_name)
    _unite_cancellations(event_id, merged, other)
    for idempotency, receipt in _purchases(event_id, other):
        _take_in(event_id, merged, idempotency, receipt)
    for hold, kept in other.holds.items():
        # Without a seat it is no promise to a buyer that can be kept: it lapses now instead of later.
        if hold not in preferred.holds and not _first_taken(merged, kept.runs, kept.quantity):
            preferred.holds[hold] = kept
            _give(preferred, kept.runs, kept.quantity, "held", "h")
            if kept.field in other.idempotency:
                preferred.idempotency.setdefault(kept.field, other.idempotency[kept.field])
    notes = other.notes | preferred.notes
    preferred.notes = OrderedDict(sorted(notes.items(), key=lambda note: note[1]))
    _take_in_organisers(merged, other)
    if "closed" in (preferred.state, other.state):
        preferred.state = "closed"
    preferred.updated_ms = max(preferred.updated_ms, other.updated_ms)
    return merged


def purchases_of(event_id: str, state: InventoryState) -> list[Receipt]:
    return [receipt for _, receipt in _purchases(event_id, state)]


def _purchases(event_id: str, state: InventoryState) -> list[tuple[str, Receipt]]:
    """By the hash of caller and key, first to last."""
    found = [
        (idempotency, Receipt.parse(event_id, record))
        for idempotency, record in state.idempotency.items()
        if is_purchase_record(record)
    ]
    return sorted(found, key=lambda pair: (pair[1].at_ms, pair[1].id.position))


def _unite_cancellations(event_id: str, merged: MergedState, other: InventoryState) -> None:
    state = merged.state
    for _, receipt in _purchases(event_id, state):
        position = str(receipt.id.position)
        if position in other.cancelled and position not in state.cancelled:
            _give(state, receipt.runs, -receipt.quantity, "sold", AVAILABLE)
    state.cancelled = other.cancelled | state.cancelled


def _take_in(event_id: str, merged: MergedState, idempotency: str, receipt: Receipt) -> None:
    state = merged.state
    kept = state.idempotency.get(idempotency)
    if kept is not None and is_purchase_record(kept):
        own = Receipt.parse(event_id, kept)
        if own.id != receipt.id:
            merged.waiting.append(Waiting(receipt, idempotency, f"its key has bought {own.id} too"))
        return
    record = (receipt.rendering, receipt.fingerprint, receipt.id.position, receipt.id.nonce, receipt.quantity)
    runs = ",".join(map(str, receipt.runs))
    if str(receipt.id.position) not in state.cancelled:
        taken = _first_taken(merged, receipt.runs, receipt.quantity)
        if taken:
            merged.waiting.append(Waiting(receipt, idempotency, taken))
            return
        _give(state, receipt.runs, receipt.quantity, "sold", SOLD)
    state.idempotency[idempotency] = "|".join(map(str, (*record, receipt.left, runs, receipt.at_ms, receipt.shop)))


def _take_in_organisers(merged: MergedState, other: InventoryState) -> None:
    state = merged.state
    for block, seats in enumerate(other.maps):
        for place, status in enumerate(seats):
            run, now = SeatRange(block, place, 1), state.maps[block][place]
            if status in _ORGANISERS and now == AVAILABLE:
                _give(state, [run], 1, _ORGANISERS[status], status)
            elif status == BOX_OFFICE and now != BOX_OFFICE:
                merged.box_office.append(run)


def _first_taken(merged: MergedState, runs: Iterable[SeatRange], quantity: int) -> str:
    """In words, what stands in the way; empty if nothing does."""
    state = merged.state
    if state.remaining < quantity:
        return f"only {state.remaining} seats are left"
    for block, start, length in runs:
        for place in range(start, start + length):
            if state.maps[block][place] != AVAILABLE:
                return f"seat {merged.seat_name(SeatRange(block, place, 1))} has another owner"
    return ""


def _give(state: InventoryState, runs: Iterable[SeatRange], quantity: int, counter: str, status: str) -> None:
    for block, start, length in runs:
        seats = state.maps[block]
        state.maps[block] = seats[:start] + status * length + seats[start + length :]
    setattr(state, counter, getattr(state, counter) + quantity)
