"""Two histories of one event, one of which has changed the offer: whoever was told yours keeps it."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from seating.domain import areas
from seating.domain.change_json import change_json, parse_change
from seating.domain.changes import Cancelled, Change, Held, HoldChanged, OfferSet, Opened, Purchased, Released, SeatSet
from seating.domain.inventory_state import InventoryState
from seating.domain.log_entry import GENESIS, Checkpoint, LogEntry
from seating.domain.merging import merge
from seating.domain.offer import CategoryOffer, Offer
from seating.domain.position import Position
from seating.domain.receipt import Receipt
from seating.domain.replay import Replay
from seating.domain.replay_decision import Outcome
from seating.domain.seat_status import AVAILABLE, BLOCKED, BOX_OFFICE, OFF_SALE
from seating.domain.seating_plan import SeatingPlan, SeatRange
from seating.storage.tables import ledger
from tests.offers import buy, change, hall, open_hall, priced
from tests.one_process import OneProcess

PLAN = hall()
FLOOR = CategoryOffer("Floor", 1, capacity=5, blocks=((0, 0),))
TOP = CategoryOffer("Top", 2, capacity=3, blocks=((1, 1),))
AREAS = Offer((FLOOR, TOP), "EUR")


def _off(offer: Offer) -> Offer:
    first, *others = offer.categories
    return Offer((first._replace(on_sale=False), *others), offer.currency)


def _opened(plan: SeatingPlan | None, offer: Offer) -> InventoryState:
    state = InventoryState.before_opening(plan)
    places = plan.capacity if plan else sum(category.capacity or 0 for category in offer.categories)
    _apply(state, 1, Opened(1, places, offer=offer))
    return state


def _apply(state: InventoryState, seq: int, change: Change) -> None:
    state.apply(LogEntry(Position(1, seq), "", ""), change)


def _sale(runs: list[SeatRange]) -> Purchased:
    return Purchased(2, 2, 0, runs, "0" * 16, "key", "f", 1, None, tariff="0:1", currency="EUR")


@pytest.fixture(params=["hall", "areas"])
def opened(request: pytest.FixtureRequest) -> Callable[[], InventoryState]:
    if request.param == "hall":
        return lambda: _opened(PLAN, priced(PLAN))
    return lambda: _opened(None, AREAS)


def _taken_off(opened: Callable[[], InventoryState]) -> InventoryState:
    state = opened()
    assert state.offer
    _apply(state, 2, OfferSet(2, _off(state.offer), 0, 0, 0, was=state.offer))
    return state


def test_a_merge_takes_in_what_the_other_sold_before_it_was_off_sale(opened: Callable[[], InventoryState]) -> None:
    preferred, other = _taken_off(opened), opened()
    blocked, remaining = preferred.blocked, preferred.remaining
    assert blocked
    _apply(other, 2, _sale([SeatRange(0, 0, 2)]))
    merged = merge("e", preferred, other, str)
    assert merged.waiting == []
    assert (preferred.sold, preferred.blocked, preferred.remaining) == (2, blocked - 2, remaining)
    assert Receipt.parse("e", preferred.idempotency["key"]).tariff == "0:1"
    assert InventoryState.load(preferred.dump()) == preferred


def test_a_merge_returns_what_the_other_cancelled_to_a_category_off_sale(opened: Callable[[], InventoryState]) -> None:
    preferred, other = opened(), opened()
    for state in (preferred, other):
        _apply(state, 2, _sale([SeatRange(0, 0, 2)]))
    assert preferred.offer
    _apply(preferred, 3, OfferSet(2, _off(preferred.offer), 0, 0, 0, was=preferred.offer))
    blocked = preferred.blocked
    other.cancelled["1-2"] = "3|0"
    merge("e", preferred, other, str)
    assert (preferred.sold, preferred.blocked) == (0, blocked + 2)


def test_a_fork_sells_what_is_off_sale_by_now(opened: Callable[[], InventoryState]) -> None:
    record = _taken_off(opened)
    blocked = record.blocked
    change = _sale([SeatRange(0, 0, 2)])
    replay = Replay(record, Checkpoint(Position(2, 5), GENESIS), 9)
    (outcome,) = replay.run([LogEntry(Position(1, 2), change_json(change), "")])
    assert outcome.outcome is Outcome.REPLAYED
    assert (record.sold, record.blocked) == (2, blocked - 2)
    more = _sale([SeatRange(0, 0, 9)])
    (outcome,) = Replay(record, Checkpoint(Position(3, 6), GENESIS), 9).run(
        [LogEntry(Position(1, 3), change_json(more).replace('"key"', '"other"'), "")]
    )
    assert outcome.outcome is Outcome.WAITS


def test_a_fork_changes_an_offer_only_if_the_record_has_no_other(opened: Callable[[], InventoryState]) -> None:
    state = opened()
    assert state.offer
    now, was = _off(state.offer).to_fields(), state.offer.to_fields()
    told = {"kind": "offer", "at": 2, "offer": now, "was": was, "left": 1, "blocked": 0, "returned": 0}
    text = json.dumps(told)
    entry = LogEntry(Position(1, 2), text, "")
    for record, expected in ((state, Outcome.REPLAYED), (state, Outcome.WAITS)):
        (outcome,) = Replay(record, Checkpoint(Position(2, 5), GENESIS), 9).run([entry])
        assert outcome.outcome is expected


@pytest.mark.parametrize("off_sale", [False, True])
def test_a_fork_sells_from_a_hold_that_has_lapsed_here(opened: Callable[[], InventoryState], off_sale: bool) -> None:
    record = _taken_off(opened) if off_sale else opened()
    blocked, remaining = record.blocked, record.remaining
    change = replace(_sale([SeatRange(0, 0, 2)]), hold="lapsed")
    (outcome,) = Replay(record, Checkpoint(Position(2, 5), GENESIS), 9).run(
        [LogEntry(Position(1, 2), change_json(change), "")]
    )
    assert outcome.outcome is Outcome.REPLAYED
    gone = 2 if off_sale else 0
    assert (record.sold, record.held) == (2, 0)
    assert (record.blocked, record.remaining) == (blocked - gone, remaining - 2 + gone)


def test_a_merge_takes_in_what_the_organiser_did_to_seats_off_sale(opened: Callable[[], InventoryState]) -> None:
    preferred, other = _taken_off(opened), opened()
    blocked, remaining = preferred.blocked, preferred.remaining
    second = SeatRange(0, 0 if areas.is_area(other.maps[0]) else 1, 1)
    _apply(other, 2, SeatSet(2, AVAILABLE, BOX_OFFICE, 0, [SeatRange(0, 0, 1)]))
    _apply(other, 3, SeatSet(3, AVAILABLE, BLOCKED, 0, [second]))
    merged = merge("e", preferred, other, str)
    assert merged.box_office == []
    assert (preferred.sold, preferred.blocked, preferred.remaining) == (1, blocked - 1, remaining)


def test_places_of_the_box_office_that_no_longer_fit_are_told() -> None:
    preferred, other = _opened(None, AREAS), _opened(None, AREAS)
    _apply(preferred, 2, replace(_sale([SeatRange(0, 0, 4)]), quantity=4))
    _apply(other, 2, SeatSet(2, AVAILABLE, BOX_OFFICE, 0, [SeatRange(0, 0, 3)]))
    merged = merge("e", preferred, other, str)
    assert merged.box_office == [SeatRange(0, 0, 2)]
    assert (preferred.sold, areas.places(preferred.maps[0], BOX_OFFICE)) == (5, 1)


@pytest.mark.parametrize(
    "change",
    [
        Held(3, "h", 9, 9, 0, [SeatRange(0, 0, 9)], "", "f", 1),
        Released(3, "h", 2, 0, [SeatRange(0, 0, 2)], expired=True),
        SeatSet(3, BLOCKED, AVAILABLE, 0, [SeatRange(0, 0, 1)]),
        Cancelled(3, Position(1, 2), 2, 0, [SeatRange(0, 0, 3)]),
    ],
)
def test_what_an_area_has_not_is_left_out_whole(change: Change) -> None:
    state = _opened(None, AREAS)
    _apply(state, 2, _sale([SeatRange(0, 0, 2)]))
    before = state.dump()
    with pytest.raises(IndexError):
        _apply(state, 3, change)
    assert state.dump() == before


def test_of_a_purchase_cancelled_in_part_only_the_rest_waits(opened: Callable[[], InventoryState]) -> None:
    preferred, other = opened(), opened()
    taken = SeatRange(0, 0, 5) if areas.is_area(other.maps[0]) else SeatRange(0, 1, 3)
    _apply(preferred, 2, replace(_sale([taken]), quantity=taken.length, idempotency="theirs", nonce="1" * 16))
    bought = replace(_sale([SeatRange(0, 0, 2), SeatRange(1, 0, 1)]), quantity=3, tariff="0:1,1:2")
    _apply(other, 3, bought)
    _apply(other, 4, Cancelled(4, Position(1, 3), 1, 0, [SeatRange(0, 0, 1)], remaining=2))
    [waiting] = merge("e", preferred, other, str).waiting
    change = waiting.receipt.change(waiting.idempotency)
    assert (change.quantity, change.tariff) == (2, "0:1,1:2")
    assert change.runs == [SeatRange(0, 0 if areas.is_area(other.maps[0]) else 1, 1), SeatRange(1, 0, 1)]
    assert preferred.cancelled == {}


def test_a_merge_lets_holds_of_areas_lapse() -> None:
    preferred, other = _opened(None, AREAS), _opened(None, AREAS)
    for state in (preferred, other):
        _apply(state, 2, Held(2, "h", 9, 2, 0, [SeatRange(0, 0, 2)], "", "f", 1))
    _apply(preferred, 3, replace(_sale([SeatRange(0, 0, 2)]), hold="h"))
    merge("e", preferred, other, str)
    assert (preferred.sold, preferred.held, preferred.holds) == (2, 0, {})


def _replayed(
    record: InventoryState, *fork: Purchased | Cancelled | SeatSet
) -> tuple[list[Outcome], list[Change | None]]:
    replay = Replay(record, Checkpoint(Position(2, 5), GENESIS), 9)
    entries = [LogEntry(Position(1, seq), change_json(change), "") for seq, change in enumerate(fork, 2)]
    return [replayed.outcome for replayed in replay.run(entries)], [entry.read() for entry in replay.appended]


def test_what_a_fork_returns_is_off_sale_by_the_offer_of_the_record(opened: Callable[[], InventoryState]) -> None:
    record = _taken_off(opened)
    remaining, runs = record.remaining, [SeatRange(0, 0, 2)]
    second = SeatRange(0, 0 if areas.is_area(record.maps[0]) else 2, 1)
    _apply(record, 3, SeatSet(3, OFF_SALE, BLOCKED, 0, [second]))
    fork = (_sale(runs), Cancelled(3, Position(1, 2), 2, 99, runs), SeatSet(4, BLOCKED, AVAILABLE, 99, [second]))
    outcomes, [_, cancelled, seat_set] = _replayed(record, *fork)
    assert outcomes == [Outcome.REPLAYED] * 3
    assert isinstance(cancelled, Cancelled)
    assert isinstance(seat_set, SeatSet)
    assert (cancelled.left, cancelled.off_sale) == (remaining, runs)
    assert (seat_set.left, seat_set.off_sale) == (remaining, [second])
    assert record.remaining == remaining


def test_what_a_hold_of_a_fork_gives_back_is_off_sale_by_the_offer_of_the_record() -> None:
    """In the other history it was still, or again, on sale."""
    record = _opened(PLAN, priced(PLAN))
    kept, removed = SeatRange(0, 0, 1), SeatRange(0, 1, 1)
    _apply(record, 2, Held(2, "h", 99, 2, 0, [SeatRange(0, 0, 2)], "", "f", 1))
    assert record.offer
    _apply(record, 3, OfferSet(3, _off(record.offer), 0, 0, 0, was=record.offer))
    remaining = record.remaining
    fork = HoldChanged(3, "h", 1, 99, [kept], [], [removed])
    outcomes, [changed] = _replayed(record, fork)
    assert outcomes == [Outcome.REPLAYED]
    assert changed == replace(fork, left=remaining, off_sale=[removed])
    assert record.remaining == remaining
    _apply(record, 9, OfferSet(9, replace(record.offer, categories=priced(PLAN).categories), 0, 0, 0))
    remaining = record.remaining
    outcomes, [changed] = _replayed(record, HoldChanged(9, "h", 1, 99, [removed], [removed], [kept], [kept]))
    assert outcomes == [Outcome.REPLAYED]
    assert isinstance(changed, HoldChanged)
    assert (changed.left, changed.off_sale) == (remaining, [])
    assert record.remaining == remaining


def test_a_hold_that_lapses_in_a_replay_is_off_sale(opened: Callable[[], InventoryState]) -> None:
    record = opened()
    runs = [SeatRange(0, 0, 2)]
    _apply(record, 2, Held(2, "h", 8, 2, 0, runs, "", "f", 1))
    assert record.offer
    _apply(record, 3, OfferSet(3, _off(record.offer), 0, 0, 0, was=record.offer))
    remaining = record.remaining
    _, [released] = _replayed(record)
    assert released == Released(9, "h", 2, remaining, runs, expired=True, off_sale=runs)
    assert record.remaining == remaining


def test_a_seat_that_is_off_sale_already_needs_no_return() -> None:
    record = _taken_off(lambda: _opened(PLAN, priced(PLAN)))
    outcomes, _ = _replayed(record, SeatSet(3, BLOCKED, AVAILABLE, 0, [SeatRange(0, 0, 1)]))
    assert outcomes == [Outcome.OBSOLETE]


def test_a_whole_cancellation_settles_the_parts_before_it(opened: Callable[[], InventoryState]) -> None:
    record = opened()
    taken = SeatRange(0, 0, 5 if areas.is_area(record.maps[0]) else 2)
    _apply(record, 2, replace(_sale([taken]), quantity=taken.length, idempotency="theirs", nonce="1" * 16))
    part = Cancelled(3, Position(1, 2), 1, 0, [SeatRange(0, 0, 1)], remaining=1)
    whole = Cancelled(4, Position(1, 2), 1, 0, [SeatRange(0, 1, 1)])
    outcomes, _ = _replayed(record, _sale([SeatRange(0, 0, 2)]), part, whole)
    assert outcomes == [Outcome.CANCELLED, Outcome.OBSOLETE, Outcome.OBSOLETE]


def test_a_cancellation_in_an_archived_event_returns_nothing_to_a_category_off_sale(sale: OneProcess) -> None:
    event = open_hall(sale)
    receipt = buy(sale, event, "k", 2, category="Silver").receipt
    change(sale, event, Silver={"onSale": False})
    left = sale.now(event).counts.remaining
    sale.archive(event)
    sale.cancel_part(receipt, 1)
    sale.cancel(receipt.id)
    told = [parse_change(row.change) for row in sale.rows(ledger, event)[-2:]]
    assert [(said.left, len(said.off_sale)) for said in told if isinstance(said, Cancelled)] == [(left, 1)] * 2
    assert sale.check.reconcile(event) == []
