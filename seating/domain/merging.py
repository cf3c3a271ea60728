"""Merges two histories of an event, SQL's and Redis's, after each has sold without the other.

Purchases are united by id, cancellations by position: every confirmed buyer keeps the purchase. The preference only
decides about seats that both have given away; the other purchase waits for the operator, with the seat named.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from seating.domain import areas
from seating.domain.event import DRAFT
from seating.domain.hold import Hold
from seating.domain.inventory_state import InventoryState
from seating.domain.offer import Offer
from seating.domain.position import Position
from seating.domain.receipt import Receipt, is_purchase_record
from seating.domain.replay_decision import first_taken
from seating.domain.seat_status import AVAILABLE, BOX_OFFICE, HELD, OFF_SALE, ORGANISED, SOLD
from seating.domain.seating_plan import SeatRange

Preference = Literal["redis", "sql"]


class Waiting(NamedTuple):
    """What still stood of a purchase left without its seats. `idempotency` is the hash of its caller and key."""

    receipt: Receipt
    idempotency: str
    reason: str


@dataclass(slots=True)
class MergedState:
    """`state` is the merged state. `waiting` are the purchases that did not fit; `box_office` are the seats that one
    history sold at the box office and the other gave to somebody else. `other_offer` is the offer that was not kept,
    where the histories have two.
    """

    state: InventoryState
    seat_name: Callable[[SeatRange], str] = str
    waiting: list[Waiting] = field(default_factory=list)
    box_office: list[SeatRange] = field(default_factory=list)
    other_offer: Offer | None = None


def continues(terms: dict[int, int], tail: Position, checkpoint: Position) -> bool:
    """Return whether a history with these terms (epoch to first seq) that ends at `tail` has the entry at `checkpoint`.

    A position never means two things, so a history that has the entry also has everything before it.
    """
    first = terms.get(checkpoint.epoch)
    if first is None or not first <= checkpoint.seq <= tail.seq:
        return False
    later = [seq for epoch, seq in terms.items() if epoch > checkpoint.epoch]
    return not later or checkpoint.seq < min(later)


def ends(terms: dict[int, int], tail_seq: int) -> dict[int, int]:
    """Return the last seq of each epoch in a history with these terms (epoch to first seq) that ends at `tail_seq`."""
    return {epoch: min((seq - 1 for later, seq in terms.items() if later > epoch), default=tail_seq) for epoch in terms}


def merge(
    event_id: str, preferred: InventoryState, other: InventoryState, seat_name: Callable[[SeatRange], str]
) -> MergedState:
    """Merge what only `other` has into `preferred`, whose seats stay as they are."""
    merged = MergedState(preferred, seat_name)
    # First, so that a seat that either history cancelled is free for whoever bought it since.
    _unite_cancellations(event_id, merged, other)
    for idempotency, receipt in _purchases(event_id, other):
        _take_in(event_id, merged, idempotency, receipt)
    for hold, kept in other.holds.items():
        # A hold without its seats cannot be honoured: let it expire now. So does one of places without names: the other
        # history may have sold them from it already, and nothing would tell.
        if (
            hold not in preferred.holds
            and _is_of_seats(preferred, kept)
            and not first_taken(preferred, seat_name, kept.runs)
        ):
            preferred.holds[hold] = kept
            preferred.held += kept.quantity
            preferred.take(kept.runs, AVAILABLE, HELD)
            if kept.field in other.idempotency:
                preferred.idempotency.setdefault(kept.field, other.idempotency[kept.field])
    # InventoryState drops the notes that are over from the front, so they must stay sorted.
    notes = other.notes | preferred.notes
    preferred.notes = OrderedDict(sorted(notes.items(), key=lambda note: note[1]))
    # After the buyers, so that what the organiser set keeps none of them from a seat.
    _take_in_organisers(merged, other)
    if other.offer != preferred.offer:
        merged.other_offer = other.offer
    # Closing is for good, whichever history did it.
    if "closed" in (preferred.state, other.state):
        preferred.state = "closed"
    # The other history has opened it, and may have sold.
    elif preferred.state == DRAFT:
        preferred.state = other.state
    preferred.updated_ms = max(preferred.updated_ms, other.updated_ms)
    return merged


def purchases_of(event_id: str, state: InventoryState) -> list[Receipt]:
    return [receipt for _, receipt in _purchases(event_id, state)]


def _purchases(event_id: str, state: InventoryState) -> list[tuple[str, Receipt]]:
    """Return purchases with the hash of caller and key, in order."""
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
        own = state.cancellation(position)
        united = receipt.bought.united(own, other.cancellation(position))
        if united is not None:
            freed = receipt.bought.to_cancel(receipt.bought.cancelled(united).as_part(), own)
            state.sold -= freed.quantity
            state.give_back(list(freed.runs), SOLD)
            state.cancelled[position] = str(united)
    # Also of purchases that come in below, which are then taken in without those seats.
    state.cancelled = other.cancelled | state.cancelled


def _take_in(event_id: str, merged: MergedState, idempotency: str, receipt: Receipt) -> None:
    state = merged.state
    kept = state.idempotency.get(idempotency)
    if kept is not None and is_purchase_record(kept):
        own = Receipt.parse(event_id, kept)
        if own.id != receipt.id:
            _wait(merged, idempotency, receipt, f"its idempotency key also bought {own.id}")
        return
    quantity, seats = receipt.bought.standing(state.cancellation(str(receipt.id.position)))
    if quantity:
        taken = first_taken(state, merged.seat_name, seats, quantity)
        if taken:
            _wait(merged, idempotency, receipt, taken)
            return
        state.sold += quantity
        state.take(list(seats), AVAILABLE, SOLD)
    state.idempotency[idempotency] = str(receipt)


def _wait(merged: MergedState, idempotency: str, receipt: Receipt, reason: str) -> None:
    """Only what stands can be sold again, so a part that was cancelled is forgotten with its seats."""
    position = str(receipt.id.position)
    standing = receipt.bought.standing(merged.state.cancellation(position))
    if 0 < standing.quantity < receipt.quantity:
        receipt = receipt.only(standing._replace(runs=_from_first_place(merged.state, standing.runs)))
        del merged.state.cancelled[position]
    merged.waiting.append(Waiting(receipt, idempotency, reason))


def _from_first_place(state: InventoryState, runs: Sequence[SeatRange]) -> list[SeatRange]:
    """The places of an area, which nobody tells apart, as a new purchase has them."""
    return [run._replace(start=0) if areas.is_area(state.maps[run.block]) else run for run in runs]


def _is_of_seats(state: InventoryState, hold: Hold) -> bool:
    return bool(hold.runs) and not any(areas.is_area(state.maps[run.block]) for run in hold.runs)


def _take_in_organisers(merged: MergedState, other: InventoryState) -> None:
    state = merged.state
    _take_in_organisers_places(merged, other.organised)
    for block, seats in enumerate(other.maps):
        if areas.is_area(seats):
            _take_in_organisers_of_area(merged, block, seats)
            continue
        for place, status in enumerate(seats):
            run, now = SeatRange(block, place, 1), state.maps[block][place]
            if status in ORGANISED and now in (AVAILABLE, OFF_SALE):
                state.set_seats([run], now, status)
            elif status == BOX_OFFICE and now != BOX_OFFICE:
                merged.box_office.append(run)


def _take_in_organisers_of_area(merged: MergedState, area: int, seats: str) -> None:
    state = merged.state
    for status in ORGANISED:
        # Places have no names: what both histories set may be the same ones, so only the difference counts.
        missing = areas.places(seats, status) - areas.places(state.maps[area], status)
        for now in (AVAILABLE, OFF_SALE):
            more = min(missing, areas.places(state.maps[area], now))
            if more > 0:
                state.set_seats([SeatRange(area, 0, more)], now, status)
                missing -= more
        if status == BOX_OFFICE and missing > 0:
            merged.box_office.append(SeatRange(area, 0, missing))


def _take_in_organisers_places(merged: MergedState, organised: str) -> None:
    """Of an event without areas."""
    state = merged.state
    for status in ORGANISED if organised else ():
        missing = areas.places(organised, status) - areas.places(state.organised, status)
        more = min(missing, state.remaining)
        if more > 0:
            state.set_places(AVAILABLE, status, more)
            missing -= more
        if status == BOX_OFFICE and missing > 0:
            merged.box_office.append(SeatRange(0, 0, missing))
